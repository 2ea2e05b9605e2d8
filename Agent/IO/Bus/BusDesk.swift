// Who owns which endpoint while the agent runs: a tool's question goes to the owner of its line, and only where there is
// none over a line of its own. What is asked between which reads is the bus thread's.

internal import AgentCore
internal import Glibc
internal import Synchronization

/// The buses that run, as callers of the control socket see them.
package final class BusDesk: Sendable {
    private struct Bus {
        let plan: BusPlan
        let asks: Mailbox<PersonAsk>
    }

    /// Requests a second that tools may add to a bus.
    package let perSecond: Int64
    private let buses = Mutex<[Int: Bus]>([:])

    package init(perSecond: Int64 = PersonTurns.perSecondDefault) { self.perSecond = perSecond }

    func opened(_ plan: BusPlan, asks: Mailbox<PersonAsk>) {
        buses.withLock { $0[plan.number] = Bus(plan: plan, asks: asks) }
    }

    func ended(_ number: Int) { buses.withLock { _ = $0.removeValue(forKey: number) } }

    /// The plans of the buses that run, by number.
    package var plans: [BusPlan] { buses.withLock { $0.values.map(\.plan) }.sorted { $0.number < $1.number } }

    func asks(_ number: Int) -> Mailbox<PersonAsk>? { buses.withLock { $0[number]?.asks } }

    /// The way to an endpoint: its owner's, or one of its own. Names are looked up; blocks for as long as that takes.
    package func line(to endpoint: BusEndpoint, connectMilliseconds: Int64 = 3_000) -> ToolLine {
        let wanted = EndpointIdentity(endpoint)
        let owner = plans.first { EndpointIdentity($0.endpoint).isSame(as: wanted) }
        if let owner { return ToolLine(self, owner) }
        var timing = BusTiming()
        timing.connect = connectMilliseconds
        return ToolLine(
            own: BusPlan(
                number: 0, endpoint: endpoint, timing: timing, meters: [], boundary: 900_000, readsAtOnce: false),
            perSecond: perSecond)
    }

    /// The way to a bus of the configuration: through its thread if it runs.
    package func line(to plan: BusPlan) -> ToolLine {
        let running = plans.first { $0.endpoint == plan.endpoint }
        return running.map { ToolLine(self, $0) } ?? ToolLine(own: plan, perSecond: perSecond)
    }
}

/// What an endpoint is beside its name: the same tty under another path, the same address under another name.
private struct EndpointIdentity {
    private var device: UInt64?
    private var text: String
    private var addresses: Set<String> = []

    init(_ endpoint: BusEndpoint) {
        text = endpoint.text
        switch endpoint {
        case .tcp(let host, let port), .rtuOverTCP(let host, let port, _):
            addresses = Self.addresses(host, port)
        case .rtu(let line):
            text = line.device
            var status = stat()
            if stat(line.device, &status) == 0, status.st_mode & S_IFMT == S_IFCHR { device = UInt64(status.st_rdev) }
        }
    }

    func isSame(as other: EndpointIdentity) -> Bool {
        text == other.text || device != nil && device == other.device || !addresses.isDisjoint(with: other.addresses)
    }

    /// `address port` of each address of the name; itself where it has none.
    private static func addresses(_ host: String, _ port: UInt16) -> Set<String> {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, String(port), &hints, &found) == 0 else { return ["\(host) \(port)"] }
        defer { freeaddrinfo(found) }
        var texts: Set<String> = []
        var entry = found
        while let address = entry?.pointee, texts.count < 16 {
            entry = address.ai_next
            var name = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            let code = getnameinfo(
                address.ai_addr, address.ai_addrlen, &name, socklen_t(name.count), nil, 0, NI_NUMERICHOST)
            guard code == 0 else { continue }
            texts.insert(
                String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self) + " \(port)")
        }
        return texts
    }
}
