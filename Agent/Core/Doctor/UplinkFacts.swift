// What the doctor must know of the way to the collector, and its rules: reachable, large packets, idle cuts, volume.

internal import Evidence

/// How connections to the broker ended: the agent's own book of its last sessions.
package struct UplinkEvidence: Hashable, Sendable {
    package struct Session: Hashable, Sendable {
        /// Real milliseconds.
        package let lived: Int64
        /// Since the last sign of the broker, when the end was noticed.
        package let idle: Int64
    }

    /// Sessions remembered.
    package static let sessionsMax = 8

    /// The latest ones that ended by themselves.
    package private(set) var ended: [Session] = []
    /// Attempts in a row that brought no connection.
    package private(set) var failures = 0
    /// Why the last one failed or ended.
    package private(set) var reason = ""
    /// Why the broker does not let us have our own topics; nil while it does.
    package private(set) var refusal: String?
    /// Why the collector takes nothing that our key signs; nil while it does. A number of `RefusalCode`.
    package private(set) var keyRefusal: UInt64?
    /// Another client seems to use our id.
    package var isRivalled = false
    package private(set) var bytesSent: Int64 = 0
    private var connectedAt: Int64?
    private var heardAt: Int64 = 0
    private var sentFrom: Int64?

    package init() {}

    package var isConnected: Bool { connectedAt != nil }
    /// The last attempt ended with the handshake.
    private var isDistrusted: Bool { reason.hasPrefix("TLS") }

    package mutating func connected(now: Int64) {
        connectedAt = now
        heardAt = now
        failures = 0
    }

    /// The broker answered what we subscribed to.
    package mutating func subscribed(refused reason: String?) { refusal = reason }

    /// A receipt refuses what our key signed, or takes something of it.
    package mutating func key(refused code: UInt64?) { keyRefusal = code }

    /// A receipt, an acknowledgement, any message.
    package mutating func heard(now: Int64) { heardAt = now }

    /// A payload went out; 80 bytes stand for what MQTT, TLS, TCP and IP add.
    package mutating func sent(bytes: Int, now: Int64) {
        if sentFrom == nil { sentFrom = now }
        bytesSent += Int64(bytes) + 80
    }

    package mutating func disconnected(_ reason: String, now: Int64) {
        self.reason = reason
        guard let began = connectedAt else {
            failures += 1
            return
        }
        connectedAt = nil
        ended.append(Session(lived: now - began, idle: now - heardAt))
        if ended.count > Self.sessionsMax { ended.removeFirst() }
    }

    /// Bytes of 30 days at the pace so far; nil in the first ten minutes.
    package func bytesAMonth(now: Int64) -> Int64? {
        guard let sentFrom, now - sentFrom >= 600_000 else { return nil }
        let month = bytesSent.multipliedFullWidth(by: 2_592_000_000)
        let divisor = now - sentFrom
        return month.high >= divisor ? nil : divisor.dividingFullWidth(month).quotient
    }
}

/// A TCP connection of this machine to the broker, as /proc/net/tcp shows it.
package struct SocketFacts: Hashable, Sendable {
    /// Sent and not acknowledged, or not sent.
    package let unsentBytes: Int64
    /// How often the oldest packet was sent again.
    package let retransmits: Int

    package init(unsentBytes: Int64, retransmits: Int) {
        self.unsentBytes = unsentBytes
        self.retransmits = retransmits
    }
}

package struct UplinkFacts: Hashable, Sendable {
    package enum Probe: Hashable, Sendable {
        case connected(milliseconds: Int64)
        case failed(String)
    }

    package struct Broker: Hashable, Sendable {
        package let host: String
        package let port: Int
        package let probe: Probe
        package let sockets: [SocketFacts]
        /// Nil: not probed, for there was no connection.
        package let segments: SegmentFacts?

        package init(
            host: String, port: Int, probe: Probe, sockets: [SocketFacts] = [], segments: SegmentFacts? = nil
        ) {
            self.host = host
            self.port = port
            self.probe = probe
            self.sockets = sockets
            self.segments = segments
        }

        package var address: String { "\(host):\(port)" }

        /// What waits on the agent's own connections speaks only where nobody tried.
        private var stuck: SocketFacts? {
            sockets.first {
                $0.retransmits >= UplinkFacts.retransmitsMin && $0.unsentBytes >= UplinkFacts.largeBytesMin
            }
        }

        var findings: [Finding] {
            switch probe {
            case .failed(let reason): return [Finding(.brokerUnreachable, address, reason)]
            case .connected(let took):
                if let segments, segments.unknown == nil { return segments.findings(address) }
                guard let stuck else { return [] }
                return [
                    Finding(
                        .packetsTooLarge, address,
                        "a connection is made in \(took) ms, but \(stuck.unsentBytes) bytes wait after "
                            + "\(stuck.retransmits) retransmissions: small packets pass, large ones do not")
                ]
            }
        }
    }

    /// Something else that must be open outbound.
    package struct Port: Hashable, Sendable {
        package let address: String
        package let purpose: String

        package init(address: String, purpose: String) {
            self.address = address
            self.purpose = purpose
        }
    }

    package var brokers: [Broker] = []
    package var ports: [Port] = []

    package init() {}

    /// Retransmissions of one packet after which it is not chance.
    static let retransmitsMin = 3
    /// Waiting bytes that are more than a small packet.
    static let largeBytesMin: Int64 = 536

    package var findings: [Finding] {
        var found = brokers.flatMap(\.findings)
        let open = brokers.map { "\($0.address) (MQTT)" } + ports.map { "\($0.address) (\($0.purpose))" }
        if !open.isEmpty {
            found.append(Finding(.ports, "", "TCP " + open.joined(separator: ", ") + "; UDP 123 (time)"))
        }
        return found
    }
}

extension UplinkEvidence {
    /// Connections that must have died alike before it is called a rule.
    static let cutsMin = 3
    private static let distrusted =
        "The network is fine; one of the two does not believe the other. Whose server is this? Compare with the operator's "
        + "CA, then the clock; if the operator has a new CA, enrol with a new code."

    /// - Parameters:
    ///   - keepAlive: real milliseconds.
    ///   - quota: bytes a month of the SIM; nil: none is configured.
    package func findings(broker: String, keepAlive: Int64, quota: Int64?, now: Int64) -> [Finding] {
        var found: [Finding] = []
        let idles = ended.map(\.idle).filter { $0 >= 10_000 }
        if idles.count >= Self.cutsMin, idles.count * 2 >= ended.count, let least = idles.min(), let most = idles.max(),
            most * 4 <= least * 5, least < 2 * keepAlive
        {
            found.append(
                Finding(
                    .idleCut, broker,
                    "\(idles.count) of the last \(ended.count) connections died after \(least / 1000) to \(most / 1000) s "
                        + "of silence; keep_alive is \(keepAlive / 1000) s",
                    remedy: "Set `mqtt.keep_alive` to \(max(5, least / 2000))s or less, so that the path stays known."))
        }
        if let refusal { found.append(Finding(.notAdmitted, broker, refusal)) }
        if let keyRefusal { found.append(Finding(.keyRefused, broker, Receipt.Refusal.words(ofKey: keyRefusal))) }
        if isRivalled {
            found.append(Finding(.clientRival, broker, "the broker ends one session after the other: \(reason)"))
        }
        if !isConnected, failures >= 3 {
            found.append(
                Finding(
                    .brokerUnreachable, broker, "the agent failed \(failures) times in a row: \(reason)",
                    remedy: isDistrusted ? Self.distrusted : nil))
        }
        if let quota, let month = bytesAMonth(now: now), month > quota {
            found.append(
                Finding(
                    .simQuota, broker,
                    "at the pace so far \(month / 1_000_000) MB a month go out; the limit is \(quota / 1_000_000) MB"))
        }
        return found
    }
}
