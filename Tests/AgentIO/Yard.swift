// A yard to run a real agent in: keys, key list, broker, plant, configuration. One per test.

internal import AgentIO
internal import Evidence
internal import Foundation
internal import Keys
internal import Kit
internal import Quantities

final class Yard {
    let place: TemporaryDirectory
    let gateway: Identifier
    let key: PrivateKey
    let receiptKey: PrivateKey
    let commandKey: PrivateKey
    let brokerPort: UInt16
    let meterPort: UInt16
    let inverterPort: UInt16
    private(set) var broker: ChildProcess?
    private(set) var plant: ChildProcess?
    private(set) var agent: ChildProcess?
    private var starts = 0

    static let start = UTCInstant("2016-07-07T06:00:00Z")!
    static let speed: Int64 = 3_600

    init() throws {
        place = try TemporaryDirectory()
        gateway = Identifier("gw-1")!
        key = try PrivateKey.generate(.es256)
        receiptKey = try PrivateKey.generate(.eddsa)
        commandKey = try PrivateKey.generate(.es256)
        let root = try PrivateKey.generate(.eddsa)
        try key.save(to: place.file("gateway.pem"))
        let list = KeyList(
            number: 1, issuedAt: UTCInstant(milliseconds: 0),
            entries: [(receiptKey, KeyRole.receipt), (commandKey, .command)].map { key, role in
                KeyList.Entry(
                    spki: key.publicKey.spki, role: role, validFrom: UTCInstant(milliseconds: 0),
                    validTo: UTCInstant(milliseconds: 4_000_000_000_000))
            })
        let message = try SignedMessage.signing(list.encoded, as: .keyList, with: root)
        try Data(message.encoded).write(to: URL(fileURLWithPath: place.file("key-list.cbor")))
        try root.publicKey.spki.hex.write(toFile: place.file("root.hex"), atomically: true, encoding: .utf8)
        brokerPort = try freePort()
        meterPort = try freePort()
        inverterPort = try freePort()
    }

    deinit {
        for process in [agent, plant, broker] { process?.kill() }
    }

    func startBroker() throws {
        try "listener \(brokerPort) 127.0.0.1\nallow_anonymous true\n".write(
            toFile: place.file("broker.conf"), atomically: true, encoding: .utf8)
        broker = try ChildProcess(
            "mosquitto", ["-c", place.file("broker.conf")], outputPath: place.file("broker.log"))
    }

    func collector() throws -> MiniCollector {
        try MiniCollector(port: brokerPort, gateway: gateway, gatewayKey: key.publicKey, key: receiptKey)
    }

    /// Real milliseconds since 1970.
    static func now() -> Int64 { Int64(Date().timeIntervalSince1970 * 1000) }

    func startPlant(zero: Int64, faults: [String] = []) throws {
        plant = try ChildProcess(
            try Workplace.program("kilomint-plant"),
            [
                "run", "--csv", Workplace.root + "/Tests/Plant/Data/serf-east-2016.csv", "--port", "\(meterPort)",
                "--inverter-port", "\(inverterPort)", "--start", Self.start.description, "--speed", "\(Self.speed)",
                "--zero", "\(zero)",
                "--record", askedPath,
            ] + faults, outputPath: place.file("plant.log"))
    }

    private var askedPath: String { WireRecord.path ?? place.file("asked") }

    /// What the meters' port was asked, in order: unit, function, address, count.
    func asked() throws -> [[UInt64]] {
        try String(contentsOfFile: askedPath, encoding: .utf8).split(separator: "\n")
            .map { $0.split(separator: ",").compactMap { UInt64($0) } }
            .filter { $0.count == 5 && $0[4] == UInt64(meterPort) }.map { Array($0.prefix(4)) }
    }

    func configuration(zero: Int64, spool: String = "256MiB") -> String {
        """
        gateway: \(gateway)
        key: \(place.file("gateway.pem"))
        key_list: \(place.file("key-list.cbor"))
        root_key: \(place.file("root.hex"))
        mqtt: {host: 127.0.0.1, port: \(brokerPort)}
        clock:
          replay: {start: \(Self.start), speed: \(Self.speed), zero: \(UTCInstant(milliseconds: zero))}
        commit: 200ms
        resend_after: 500ms
        spool: {path: \(place.file("spool")), bytes_max: \(spool)}
        profiles: \(Workplace.root)/firmware-profiles
        buses:
          - tcp: 127.0.0.1:\(meterPort)
            meters: [{id: meter-1, profile: abb/b23}]
          - tcp: 127.0.0.1:\(inverterPort)
            meters: [{id: inverter-1, profile: sunspec/inverter-103}]
        """
    }

    func startAgent(zero: Int64, spool: String = "256MiB") throws {
        starts += 1
        try configuration(zero: zero, spool: spool).write(
            toFile: place.file("agent.yaml"), atomically: true, encoding: .utf8)
        agent = try ChildProcess(
            try Workplace.program("kilomint-agent"), ["run", "--config", place.file("agent.yaml")],
            outputPath: place.file("agent-\(starts).log"))
    }

    func startAgent(configuration: String) throws {
        starts += 1
        try configuration.write(toFile: place.file("agent.yaml"), atomically: true, encoding: .utf8)
        agent = try ChildProcess(
            try Workplace.program("kilomint-agent"), ["run", "--config", place.file("agent.yaml")],
            outputPath: place.file("agent-\(starts).log"))
    }

    /// Leaves what enrolment would: whose receipts count, and where the broker is.
    func enrol() throws {
        let new = place.file("enrolled.new")
        let files = FileManager.default
        try files.createDirectory(atPath: new, withIntermediateDirectories: true)
        try files.copyItem(atPath: place.file("key-list.cbor"), toPath: new + "/key-list.cbor")
        try files.copyItem(atPath: place.file("root.hex"), toPath: new + "/root.spki")
        try EnrolledFolder.text([EnrolledFolder.Broker(host: "127.0.0.1", port: Int(brokerPort))]).write(
            toFile: new + "/brokers.yaml", atomically: true, encoding: .utf8)
        try files.createDirectory(atPath: place.file("spool"), withIntermediateDirectories: true)
        let folder = place.file("spool/enrolled")
        if files.fileExists(atPath: folder) { try files.removeItem(atPath: folder) }
        try files.moveItem(atPath: new, toPath: folder)
    }

    func agentLog() throws -> String { try agent?.output ?? "" }
}
