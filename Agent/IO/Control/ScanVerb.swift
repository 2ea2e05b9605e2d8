// The verb `scan`: looks for devices where the person says: addresses and ports of a network, or units of a serial line at
// several speeds. Each is asked one reading question, politely; what answers is shown as it is found.

internal import AgentCore
internal import Evidence
internal import Metering
internal import Synchronization

extension ControlVerb {
    static let scan = ControlVerb(
        "scan",
        keys: ["tcp", "port", "unit", "rtu", "baud", "parity", "stop_bits", "echo", "timeout", "identify", "profiles"],
        isLong: true
    ) { request, caller, context in
        guard (request.optional("tcp") == nil) != (request.optional("rtu") == nil) else {
            throw ControlRefusal("scan: either tcp (addresses) or rtu (a device)")
        }
        if request.optional("rtu") != nil { return try LineScan(request, context).run(caller) }
        try NetworkScan(request, context).run(caller)
    }
}

/// What a scan found at one endpoint.
struct FoundDevices {
    let endpoint: BusEndpoint
    var units: [UInt8]
}

/// One question that any Modbus device answers, if only with an exception.
enum Probe {
    /// Two input registers: devices without them say so, and those that know no function 4 too.
    static func request(_ unit: UInt8) -> ModbusRequest? {
        ModbusRequest(unit: unit, function: 4, address: 0, count: 2)
    }

    /// What a person is told of a device that answered; nil: it did not.
    static func words(_ answer: ModbusAnswer) -> String? {
        switch answer.status {
        case SampleStatus.good: "answers"
        // What gateways and servers say of a unit that is not behind them.
        case 4, 10, 11: nil
        case 1...SampleStatus.exceptionMax: "answers (exception \(answer.status))"
        default: nil
        }
    }

    /// Something is there that a question did not get a sound answer from.
    static func hint(_ answer: ModbusAnswer) -> String? {
        switch answer.defect {
        case .checksum, .partial: "something answers unsoundly: another speed or parity, or two devices with this unit"
        case .echo: "what was sent comes back: echo"
        case .unit: "another unit answers"
        default: nil
        }
    }

    /// The profiles that devices shall be compared with, where a person asked for it. Read before anything is asked:
    /// who learns only after minutes that there are none has searched in vain.
    static func library(_ request: ControlRequest, _ context: ControlContext) throws -> ProfileLibrary? {
        request.optional("identify") == "true" ? try DeviceLook.library(request, context) : nil
    }

    /// After a scan: every endpoint with devices, ready to paste; profiles where a person asked for them.
    static func conclude(
        _ found: [FoundDevices], _ library: ProfileLibrary?, _ caller: ControlCaller, _ context: ControlContext
    ) throws {
        guard !found.isEmpty else { return try caller.line("no device answered") }
        try caller.line("")
        var places: [(endpoint: BusEndpoint, meters: [ConfigurationSnippet.Meter])] = []
        for place in found {
            var meters: [ConfigurationSnippet.Meter] = []
            for unit in place.units {
                var candidates: [DeviceSearch.Candidate] = []
                if let library, !caller.isGone {
                    let line = context.desk.line(to: place.endpoint)
                    let look = DeviceLook(unit: unit, line: line, patience: 1_000, library: library)
                    candidates = try look.search(caller, isQuiet: true).candidates
                    line.close()
                }
                meters.append(
                    ConfigurationSnippet.Meter(
                        unit: unit, profile: candidates.first?.profile.name ?? "VENDOR/MODEL",
                        doubt: DeviceLook.doubt(candidates)))
            }
            places.append((place.endpoint, meters))
        }
        for text in ConfigurationSnippet.buses(places) { try caller.line(text) }
        if library == nil { try caller.line("# Which profile? kilomint-agent identify --endpoint … --unit …") }
    }
}

/// A search on the network.
struct NetworkScan {
    /// Connections that are being made at once.
    private static let workersMax = 16
    /// New connections a second, over all.
    private static let perSecond: Int64 = 50
    private static let portsMax = 16
    private static let unitsMax = 16

    private let library: ProfileLibrary?
    private let context: ControlContext
    private let endpoints: [BusEndpoint]
    private let units: [UInt8]
    private let patience: Int64

    init(_ request: ControlRequest, _ context: ControlContext) throws {
        self.context = context
        library = try Probe.library(request, context)
        let text = try request.required("tcp")
        guard let range = AddressRange(text) else {
            throw ControlRefusal(
                "tcp \(text): allowed: 192.168.1.0/24, 192.168.1.10-20, single addresses, joined by commas; "
                    + "at most \(AddressRange.countMax)")
        }
        let ports = (request.optional("port") ?? "502").split(separator: ",").map { UInt16($0) ?? 0 }
        guard (1...Self.portsMax).contains(ports.count), !ports.contains(0) else {
            throw ControlRefusal("port: allowed: 1 … \(Self.portsMax) ports 1 … 65535, joined by commas")
        }
        guard let units = SerialSearch.units(request.optional("unit") ?? "1,255"), units.count <= Self.unitsMax else {
            throw ControlRefusal("unit: allowed: at most \(Self.unitsMax) units, such as 1,2,5-9")
        }
        self.units = units
        patience = try request.number("timeout", in: 50...10_000) ?? 1_000
        endpoints = range.addresses.flatMap { address in
            ports.map { BusEndpoint.tcp(host: AddressRange.text(address), port: $0) }
        }
    }

    /// What a worker found out about one endpoint.
    private struct Seen: Sendable {
        let endpoint: BusEndpoint
        let units: [UInt8]
        /// Nil: nobody takes connections there.
        let words: [String]?
    }

    func run(_ caller: ControlCaller) throws {
        let seconds = Int64(endpoints.count) / Self.perSecond + patience / 1_000 + 1
        try caller.line(
            "\(endpoints.count) endpoints, units \(units.map(String.init).joined(separator: ", ")), at least \(seconds) s"
        )
        let queue = ScanQueue(count: endpoints.count, perSecond: Self.perSecond)
        let results = Mailbox<Seen>(itemsMax: 64)
        var workers: [WorkerThread] = []
        defer {
            // Before the threads are waited for: what is found now nobody reads.
            queue.close()
            results.close()
            for worker in workers { worker.join() }
        }
        let (endpoints, units, patience, desk) = (endpoints, units, patience, context.desk)
        for _ in 0..<min(Self.workersMax, endpoints.count) {
            workers.append(
                try WorkerThread("scan") {
                    while let index = queue.next() {
                        let seen = NetworkScan.look(endpoints[index], units, patience, desk, queue)
                        while !results.post(seen), results.isOpen { results.pause(for: 10_000_000) }
                    }
                })
        }
        var found: [FoundDevices] = []
        var done = 0
        var told = steadyNanoseconds()
        while done < endpoints.count {
            guard !caller.isGone else { throw ControlGone() }
            for seen in results.take(within: 250_000_000) {
                done += 1
                for words in seen.words ?? [] { try caller.line("\(seen.endpoint.text) \(words)") }
                if !seen.units.isEmpty { found.append(FoundDevices(endpoint: seen.endpoint, units: seen.units)) }
            }
            guard steadyNanoseconds() - told > 1_000_000_000 else { continue }
            told = steadyNanoseconds()
            try caller.line("… \(done) of \(endpoints.count) endpoints, \(found.count) with devices")
        }
        try Probe.conclude(found.sorted { $0.endpoint.text < $1.endpoint.text }, library, caller, context)
    }

    private static func look(
        _ endpoint: BusEndpoint, _ units: [UInt8], _ patience: Int64, _ desk: BusDesk, _ queue: ScanQueue
    ) -> Seen {
        let line = desk.line(to: endpoint, connectMilliseconds: patience)
        defer { line.close() }
        var found: [UInt8] = []
        var words: [String] = []
        for unit in units where queue.isOpen {
            guard let request = Probe.request(unit) else { continue }
            let answer = line.ask(request, patience: patience) { !queue.isOpen }
            if answer.answer.status == SampleStatus.connectFailed {
                return Seen(endpoint: endpoint, units: found, words: line.isThroughBus ? [answer.problem ?? ""] : nil)
            }
            guard let text = Probe.words(answer.answer) else { continue }
            found.append(unit)
            words.append(
                "unit \(unit) \(text) in \(answer.took / 1_000) ms"
                    + (line.isThroughBus ? ", through the running agent" : ""))
        }
        if found.isEmpty { words = ["is open, but no unit asked answers Modbus"] }
        return Seen(endpoint: endpoint, units: found, words: words)
    }
}

/// Which endpoint is next, not sooner than the rate allows.
private final class ScanQueue: Sendable {
    private let count: Int
    private let pause: Int64
    private let began = steadyNanoseconds()
    private let place = Mutex((next: 0, isOpen: true))

    init(count: Int, perSecond: Int64) {
        self.count = count
        pause = 1_000_000_000 / max(1, perSecond)
    }

    var isOpen: Bool { place.withLock { $0.isOpen } }
    func close() { place.withLock { $0.isOpen = false } }

    func next() -> Int? {
        let index = place.withLock { place -> Int? in
            guard place.isOpen, place.next < count else { return nil }
            place.next += 1
            return place.next - 1
        }
        guard let index else { return nil }
        sleepUntil(began + Int64(index) * pause)
        return isOpen ? index : nil
    }
}
