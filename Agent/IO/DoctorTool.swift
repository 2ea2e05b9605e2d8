// The work of `kilomint-agent doctor`: asks the running agent what it has seen on its lines, looks at the machine itself,
// and makes one report of both. Prints nothing, judges nothing: the rules are Core's.

internal import AgentCore
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
        var isRunning = true
        do throws(ControlSocket.Failure) {
            let (told, seen, rest) = try ask(settings.control)
            findings += told
            looked += seen
            notLooked += rest
        } catch {
            isRunning = false
            findings.append(Finding(.agentNotRunning, settings.control, error.description))
            notLooked += withoutAgent.map { NotLookedAt($0, because: "the agent does not run") }
        }
        let (facts, things) = facts(settings, buses, machine)
        findings += facts.findings
        let uplink = uplink(settings, machine)
        findings += uplink.findings
        looked += things + (uplink.brokers.isEmpty ? [] : ["the way to the broker"])
        notLooked += facts.notLookedAt + uplink.notLookedAt
        return DoctorReport(
            gateway: settings.gateway.text, findings: findings, looked: looked, notLooked: notLooked,
            isAgentRunning: isRunning)
    }

    /// What only the running agent knows.
    private static let withoutAgent = [
        "how lines and meters answer", "the installation of the meters", "commissioning",
        "connections to the broker so far",
        "the gateway's key and a change of it",
    ]

    /// What the running agent has found, what it looked at, and what it could not.
    static func ask(
        _ control: String
    ) throws(ControlSocket.Failure) -> (findings: [Finding], looked: [String], notLooked: [NotLookedAt]) {
        var findings: [Finding] = []
        var looked: [String] = []
        var notLooked: [NotLookedAt] = []
        try ControlSocket.ask(control, ControlRequest("doctor")) { line in
            // A line of a later version that is none of ours is not looked at.
            do throws(ControlRefusal) {
                let told = try ControlRequest(parsing: line.utf8)
                if let finding = Finding(told) { findings.append(finding) }
                if let rest = NotLookedAt(told) { notLooked.append(rest) }
                if told.verb == "looked", let thing = told.optional("at") { looked.append(thing) }
            } catch { return true }
            return true
        }
        return (findings, looked, notLooked)
    }

    // MARK: Machine

    private static func facts(
        _ settings: AgentSettings, _ buses: [BusPlan], _ machine: MachineFactsReader
    ) -> (MachineFacts, [String]) {
        var facts = MachineFacts()
        let devices = buses.compactMap { bus in if case .rtu(let line) = bus.endpoint { line.device } else { nil } }
        facts.ttys = machine.ttys(devices)
        facts.rivals = devices.isEmpty ? [] : machine.rivals
        facts.disk = machine.disk(settings.spool.path, bytesMax: Int64(settings.spool.bytesMax), writes: true)
        // In replay mode nobody needs the machine's clock.
        if settings.clock == .real { facts.clock = MachineFactsReader.clock }
        facts.certificates = certificates(settings)
        var things = facts.disk == nil ? [] : ["the spool's disk"]
        if facts.clock != nil { things.append("the clock") }
        if !devices.isEmpty { things.append("\(devices.count) serial device\(devices.count == 1 ? "" : "s")") }
        if !facts.certificates.isEmpty { things.append("\(facts.certificates.count) certificates") }
        return (facts, things)
    }

    static func certificates(_ settings: AgentSettings) -> [CertificateFacts] {
        let enrolled = EnrolledFolder(settings.enrolled)
        var paths: [(String, String?)] = []
        if let mqtt = settings.mqtt {
            paths = [mqtt.certificateFile.map { ($0, settings.gateway.text) }, mqtt.caFile.map { ($0, nil) }]
                .compactMap { $0 }
        } else if enrolled.stamp != nil {
            paths = [(enrolled.certificate, settings.gateway.text), (enrolled.ca, nil)]
        }
        return paths.map { path, name in
            CertificateFacts(path: path, content: content(path), wantedName: name)
        }
    }

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

    private static func uplink(_ settings: AgentSettings, _ machine: MachineFactsReader) -> UplinkFacts {
        var places: [(String, Int)] = []
        var words = SegmentProbe.Words.handshake
        if let mqtt = settings.mqtt {
            places = [(mqtt.host, mqtt.port)] + mqtt.alternates.map { ($0.host, $0.port) }
            if mqtt.caFile == nil { words = .connect }
        } else {
            let enrolled = EnrolledFolder(settings.enrolled)
            // A folder that is not usable is the agent's to tell.
            do { places = try enrolled.brokers().map { ($0.host, $0.port) } } catch { places = [] }
        }
        var facts = UplinkFacts()
        facts.brokers = places.map { host, port in
            // Before the probe has sockets of its own.
            let sockets = machine.sockets(port: port)
            let (probe, segments) = SegmentProbe(host: host, port: port, words: words).run()
            return UplinkFacts.Broker(host: host, port: port, probe: probe, sockets: sockets, segments: segments)
        }
        return facts
    }
}
