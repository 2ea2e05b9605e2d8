// The work of `kilomint-agent doctor`: asks the running agent what it has seen on its lines, looks at the machine itself,
// and makes one report of both. Prints nothing, judges nothing: the rules are Core's.

internal import AgentCore
internal import Glibc
internal import Keys
internal import MQTT
internal import Quantities
package import Settings

package enum DoctorTool {
    /// - Throws: ``SettingsError`` for a configuration that cannot be read: its text is the finding then.
    package static func report(
        _ settings: AgentSettings, machine: MachineFactsReader = MachineFactsReader()
    ) throws(SettingsError) -> DoctorReport {
        let (meters, buses) = try AgentParts.buses(settings)
        var findings: [Finding] = []
        var looked = ["\(buses.count) buses", "\(meters.count) meters"]
        var notLooked: [NotLookedAt] = []
        var told: Told?
        var isRunning = true
        do throws(ControlSocket.Failure) { told = try ask(settings.control) } catch {
            if case .absent = error {
                isRunning = false
                findings.append(Finding(.agentNotRunning, settings.control, error.description))
            }
            let why = isRunning ? "the agent could not be asked: \(error.description)" : "the agent does not run"
            notLooked += withoutAgent.map { NotLookedAt($0, because: why) }
        }
        findings += told?.findings ?? []
        looked += told?.looked ?? []
        notLooked += told?.notLooked ?? []
        // What lies in its folder the agent can read, and an installer's account perhaps not.
        let (facts, things) = facts(settings, buses, machine, certificates: told == nil)
        findings += facts.findings
        let uplink = uplink(told?.brokers ?? brokers(settings), machine)
        findings += uplink.findings
        looked += things + (uplink.brokers.isEmpty ? [] : ["the way to the broker"])
        let hidden = told == nil ? hidden(settings) : nil
        notLooked += facts.notLookedAt + uplink.notLookedAt(hidden: hidden)
        if told == nil { notLooked += facts.certificatesNotLookedAt(hidden: hidden) }
        return DoctorReport(
            gateway: settings.gateway.text, findings: findings, looked: looked, notLooked: notLooked,
            isAgentRunning: isRunning)
    }

    /// What the running agent has found, what it looked at, what it could not, and where it sends.
    struct Told {
        var findings: [Finding] = []
        var looked: [String] = []
        var notLooked: [NotLookedAt] = []
        var brokers: [KnownBroker] = []
    }

    /// What only the running agent knows.
    private static let withoutAgent = [
        "how lines and meters answer", "the installation of the meters", "commissioning",
        "connections to the broker so far",
        "the gateway's key and a change of it",
    ]

    static func ask(_ control: String) throws(ControlSocket.Failure) -> Told {
        var all = Told()
        try ControlSocket.ask(control, ControlRequest("doctor")) { line in
            // A line of a later version that is none of ours is not looked at.
            do throws(ControlRefusal) {
                let told = try ControlRequest(parsing: line.utf8)
                if let finding = Finding(told) { all.findings.append(finding) }
                if let rest = NotLookedAt(told) { all.notLooked.append(rest) }
                if let broker = KnownBroker(told) { all.brokers.append(broker) }
                if told.verb == "looked", let thing = told.optional("at") { all.looked.append(thing) }
            } catch { return true }
            return true
        }
        return all
    }

    // MARK: Machine

    private static func facts(
        _ settings: AgentSettings, _ buses: [BusPlan], _ machine: MachineFactsReader, certificates: Bool
    ) -> (MachineFacts, [String]) {
        var facts = MachineFacts()
        let devices = buses.compactMap { bus in if case .rtu(let line) = bus.endpoint { line.device } else { nil } }
        facts.ttys = machine.ttys(devices)
        facts.rivals = devices.isEmpty ? [] : machine.rivals
        facts.disk = machine.disk(settings.spool.path, bytesMax: Int64(settings.spool.bytesMax), writes: true)
        // In replay mode nobody needs the machine's clock.
        if settings.clock == .real { facts.clock = MachineFactsReader.clock }
        if certificates { facts.certificates = Self.certificates(settings) }
        var things = facts.disk == nil ? [] : ["the spool's disk"]
        if facts.clock != nil { things.append("the clock") }
        if !devices.isEmpty { things.append("\(devices.count) serial device\(devices.count == 1 ? "" : "s")") }
        if !facts.certificates.isEmpty { things.append("\(facts.certificates.count) certificates") }
        return (facts, things)
    }

    static func certificates(_ settings: AgentSettings) -> [CertificateFacts] {
        certificatePaths(settings).filter { !isHidden($0.0) }.map { path, name in
            CertificateFacts(path: path, content: content(path), wantedName: name)
        }
    }

    private static func certificatePaths(_ settings: AgentSettings) -> [(String, String?)] {
        let enrolled = EnrolledFolder(settings.enrolled)
        if let mqtt = settings.mqtt {
            return [mqtt.certificateFile.map { ($0, settings.gateway.text) }, mqtt.caFile.map { ($0, nil) }]
                .compactMap { $0 }
        }
        return enrolled.stamp == nil ? [] : [(enrolled.certificate, settings.gateway.text), (enrolled.ca, nil)]
    }

    /// A file or folder of enrolment that whoever asks may not read: what is in it is not missing.
    private static func hidden(_ settings: AgentSettings) -> String? {
        let places = certificatePaths(settings).map(\.0) + (settings.mqtt == nil ? [settings.enrolled] : [])
        return places.first(where: isHidden)
    }

    private static func isHidden(_ path: String) -> Bool { access(path, R_OK) != 0 && errno == EACCES }

    private static func content(_ path: String) -> CertificateFacts.Content {
        do throws(SystemError) {
            let bytes = try SmallFile.bytes(path, max: SmallFile.bytesMax)
            guard let summary = CertificateSummary(pem: bytes) else {
                return .unreadable("there is no certificate in it (-----BEGIN CERTIFICATE-----)")
            }
            return .sound(
                name: summary.name, from: UTCInstant(milliseconds: summary.notBefore),
                to: UTCInstant(milliseconds: summary.notAfter))
        } catch { return .unreadable(error.description) }
    }

    // MARK: Uplink

    /// In order; none where nobody is enrolled, or the folder cannot be read.
    static func brokers(_ settings: AgentSettings) -> [KnownBroker] {
        if let mqtt = settings.mqtt {
            let places = [(mqtt.host, mqtt.port)] + mqtt.alternates.map { ($0.host, $0.port) }
            return places.map { KnownBroker(host: $0, port: $1, isTLS: mqtt.caFile != nil) }
        }
        // A folder that is not usable is the agent's to tell.
        do {
            return try EnrolledFolder(settings.enrolled).brokers().map {
                KnownBroker(host: $0.host, port: $0.port, isTLS: true)
            }
        } catch { return [] }
    }

    private static func uplink(_ brokers: [KnownBroker], _ machine: MachineFactsReader) -> UplinkFacts {
        var facts = UplinkFacts()
        facts.brokers = brokers.map { broker in
            // Before the probe has sockets of its own.
            let sockets = machine.sockets(port: broker.port)
            let words = broker.isTLS ? SegmentProbe.Words.handshake : .connect
            let (probe, segments) = SegmentProbe(host: broker.host, port: broker.port, words: words).run()
            return UplinkFacts.Broker(
                host: broker.host, port: broker.port, probe: probe, sockets: sockets, segments: segments)
        }
        return facts
    }
}

/// Where the agent sends, as it tells a doctor who may not read it.
struct KnownBroker: Hashable, Sendable {
    let host: String
    let port: Int
    let isTLS: Bool

    init(host: String, port: Int, isTLS: Bool) {
        self.host = host
        self.port = port
        self.isTLS = isTLS
    }

    var request: ControlRequest {
        ControlRequest("broker", ["host": host, "port": String(port), "tls": isTLS ? "yes" : "no"])
    }

    /// Nil for another line.
    init?(_ request: ControlRequest) {
        guard request.verb == "broker", let host = request.optional("host"),
            let port = request.optional("port").flatMap({ Int($0) }), (1...65_535).contains(port)
        else { return nil }
        self.init(host: host, port: port, isTLS: request.optional("tls") != "no")
    }
}
