// A real agent process with 100 meters of 20 values each second, against the plant, a real broker and a stand-in collector.
// Beside it the same requests by libmodbus alone.

internal import Evidence
internal import Foundation
internal import Keys
internal import Kit
internal import Metering
internal import Quantities

enum AgentFigures {
    static let meters = 100
    static let seconds = 60
    /// Until the first birth, every meter's identity and the first commits are over.
    private static let warmUp: Duration = .seconds(25)
    /// After the measured minute, until its last commit has arrived.
    private static let lag: Duration = .seconds(15)

    static func measure() throws -> [Row] {
        let requests = try ModbusLoop.requests().count
        var rows = try measure(isOneLine: false, requests: requests)
        rows += try measure(isOneLine: true, requests: requests)
        return rows
    }

    /// - Parameter isOneLine: all meters behind one connection, by a profile without the silence that this meter's
    ///   maker asks for between two devices of a line; otherwise each meter has its own address and connection.
    private static func measure(isOneLine: Bool, requests: Int) throws -> [Row] {
        let yard = try BenchYard()
        // Its processes end with it.
        defer { withExtendedLifetime(yard) {} }
        try yard.startPlant(meters: meters)
        try yard.startAgent(meters: meters, isOneLine: isOneLine, interval: "1s")
        let collector = try yard.collector()
        try collector.run(until: .now + warmUp)
        guard let agent = yard.agent, agent.poll() == nil, let latest = collector.sampleTimes.max() else {
            throw KitError("the agent reads nothing:\n\(try yard.agentLog().suffix(2_000))")
        }
        let before = try ProcessFigures("\(agent.pid)")
        let begin = Machine.uptime()
        let bytes = collector.envelopeBytes
        try collector.run(until: .now + .seconds(seconds))
        let after = try ProcessFigures("\(agent.pid)")
        let end = Machine.uptime()
        let sent = Double(collector.envelopeBytes - bytes)
        let load = Machine.load
        try collector.run(until: .now + lag)
        guard latest < end else { throw KitError("the agent's uptime is not this machine's") }
        let reads = Double(collector.sampleTimes.filter { begin..<end ~= $0 }.count)
        agent.kill(SIGTERM)
        while agent.poll() == nil { usleep(50_000) }
        let paced = try ModbusLoop.measure(port: yard.meterPort, meters: meters, seconds: seconds)
        let free = try ModbusLoop.measure(port: yard.meterPort, meters: meters, seconds: 0)
        let name = isOneLine ? "one line" : "own addresses"
        let (user, system) = (after.user - before.user, after.system - before.system)
        let elapsed = Double(end - begin) / 1_000
        let due = Double(meters * requests * seconds)
        return [
            Row(
                "agent, \(name)", "processor for \(seconds) s (user + system)",
                "\(Figure.seconds(user)) + \(Figure.seconds(system))", limit: Figure.seconds(paced.processor),
                "libmodbus alone, same requests; load then \(load); \(after.threads) threads"),
            Row(
                "agent, \(name)", "reads", Figure.perSecond(reads / elapsed),
                limit: Figure.perSecond(due / Double(seconds)),
                "due: \(meters) meters × \(requests) requests for 20 values; unpaced libmodbus "
                    + Figure.perSecond(free.reads / free.seconds) + "; failed \(collector.failedSamples)"),
            Row(
                "agent, \(name)", "peak memory", Figure.mebibytes(after.peak), limit: Figure.mebibytes(paced.peak),
                "libmodbus alone, in this program"),
            Row(
                "agent, \(name)", "written to disk in \(seconds) s", Figure.mebibytes(after.written - before.written),
                limit: Figure.mebibytes(sent), "signed envelopes of the same minute, each kept once"),
        ]
    }

    /// The agent with nothing to read but its clock: one meter an hour.
    static func idle() throws -> (resident: Double, threads: Int) {
        let yard = try BenchYard()
        defer { withExtendedLifetime(yard) {} }
        try yard.startPlant(meters: 1)
        try yard.startAgent(meters: 1, isOneLine: false, interval: "15m")
        let collector = try yard.collector()
        try collector.run(until: .now + .seconds(15))
        guard let agent = yard.agent, agent.poll() == nil else {
            throw KitError("the agent does not run:\n\(try yard.agentLog().suffix(2_000))")
        }
        let figures = try ProcessFigures("\(agent.pid)")
        return (figures.resident, figures.threads)
    }
}

/// Keys, broker, plant and agent of one measurement.
final class BenchYard {
    let place: TemporaryDirectory
    let gateway: Identifier
    let key: PrivateKey
    let receiptKey: PrivateKey
    let broker: Broker
    let meterPort: Int
    private var plant: ChildProcess?
    private(set) var agent: ChildProcess?

    init() throws {
        place = try TemporaryDirectory()
        guard let name = Identifier("gw-1") else { throw KitError("gw-1 is an identifier") }
        gateway = name
        key = try PrivateKey.generate(.es256)
        receiptKey = try PrivateKey.generate(.eddsa)
        let root = try PrivateKey.generate(.eddsa)
        try key.save(to: place.file("gateway.pem"))
        let list = KeyList(
            number: 1, issuedAt: UTCInstant(milliseconds: 0),
            entries: [
                KeyList.Entry(
                    spki: receiptKey.publicKey.spki, role: .receipt, validFrom: UTCInstant(milliseconds: 0),
                    validTo: UTCInstant(milliseconds: 4_000_000_000_000))
            ])
        let message = try SignedMessage.signing(list.encoded, as: .keyList, with: root)
        try Data(message.encoded).write(to: URL(fileURLWithPath: place.file("key-list.cbor")))
        try root.publicKey.spki.hex.write(toFile: place.file("root.hex"), atomically: true, encoding: .utf8)
        broker = try Broker(lines: ["max_queued_messages 0", "log_type none"])
        meterPort = Int(try freePort())
    }

    deinit { for process in [agent, plant] { process?.kill() } }

    func collector() throws -> StandInCollector {
        try StandInCollector(port: broker.port, gateway: gateway, gatewayKey: key.publicKey, key: receiptKey)
    }

    /// Every loopback address answers for every unit.
    func startPlant(meters: Int) throws {
        let now = Machine.realMilliseconds() / 3_600_000 * 3_600_000
        let child = try ChildProcess(
            try Workplace.program("kilomint-plant"),
            [
                "run", "--csv", Workplace.root + "/Tests/Plant/Data/serf-east-2016.csv", "--address", "0.0.0.0",
                "--port", "\(meterPort)", "--real", "--meters", "\(meters)", "--first-row", "\(now - 6 * 3_600_000)",
            ], outputPath: place.file("plant.log"))
        plant = child
        while try !child.output.contains("listening") {
            guard child.poll() == nil else { throw KitError("the plant does not start: \(try child.output)") }
            usleep(50_000)
        }
    }

    func startAgent(meters: Int, isOneLine: Bool, interval: String) throws {
        let profiles = isOneLine ? try profilesWithoutTurnaround() : Workplace.root + "/firmware-profiles"
        let values = try ModbusLoop.profile().quantities.map { "\"\($0.obis)\"" }.joined(separator: ", ")
        func meter(_ unit: Int) -> String {
            "{id: meter-\(unit), unit: \(unit), profile: abb/b23, interval: \(interval), quantities: [\(values)]}"
        }
        let buses: [String] =
            isOneLine
            ? ["  - tcp: 127.0.0.1:\(meterPort)", "    meters:"] + (1...meters).map { "      - \(meter($0))" }
            : (1...meters).flatMap { ["  - tcp: 127.0.0.\($0):\(meterPort)", "    meters: [\(meter($0))]"] }
        try startAgent(configuration: try configure(buses: buses, profiles: profiles))
    }

    /// - Parameter buses: lines below `buses:`.
    /// - Returns: path of the configuration.
    func configure(buses: [String], profiles: String, more: [String] = []) throws -> String {
        let lines =
            [
                "gateway: \(gateway)", "key: \(place.file("gateway.pem"))", "key_list: \(place.file("key-list.cbor"))",
                "root_key: \(place.file("root.hex"))", "mqtt: {host: 127.0.0.1, port: \(broker.port)}",
                "spool: {path: \(place.file("spool"))}", "profiles: \(profiles)",
            ] + more + ["buses:"] + buses
        try (lines.joined(separator: "\n") + "\n").write(
            toFile: place.file("agent.yaml"), atomically: true, encoding: .utf8)
        return place.file("agent.yaml")
    }

    func startAgent(configuration path: String) throws {
        agent = try ChildProcess(
            try Workplace.agent(), ["run", "--config", path], outputPath: place.file("agent.log"))
    }

    private func profilesWithoutTurnaround() throws -> String {
        let text = try Workplace.text(of: "firmware-profiles/abb/b23.yaml")
        let folder = place.file("profiles")
        try FileManager.default.createDirectory(atPath: folder + "/abb", withIntermediateDirectories: true)
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).filter { !$0.contains("turnaround:") }
        try lines.joined(separator: "\n").write(toFile: folder + "/abb/b23.yaml", atomically: true, encoding: .utf8)
        return folder
    }

    func agentLog() throws -> String { try agent?.output ?? "" }
}
