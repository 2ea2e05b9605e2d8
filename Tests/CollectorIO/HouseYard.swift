// A house in a temporary folder: the shipped samples with keys of its own, real logs on disk, and a clock that the test
// moves. Opening it again is what a restart does. No test in here.

@testable import CollectorIO
import CBOR
import HTTPTypes
import Settings
import Testing
import CollectorCore
import CollectorJournal
import Evidence
import Foundation
import Hummingbird
import Keys
import Kit
import Logging
import Proofs
import Quantities
import Synchronization

/// 2016-07-07T06:00:00Z, where this house's grid starts.
let anchor = UTCInstant(milliseconds: 1_467_871_200_000)
let hour: Int64 = 3_600_000
let day: Int64 = 86_400_000

func id(_ text: String) -> Identifier {
    guard let id = Identifier(text) else { preconditionFailure("\(text) is a test's own mistake") }
    return id
}

/// The error of an injected fault.
struct InjectedFault: Error {}

/// Everything of a house that outlives its process.
final class HouseYard: Sendable {
    let place: TemporaryDirectory
    let keys: [String: PrivateKey]
    let configuration: CollectorConfiguration
    let profiles: ProfileShelf
    private let time = Mutex(anchor)
    /// Called at each step of a write of either log; throws to make it fail.
    private let step = Mutex<(@Sendable (LogName, LogStep) throws -> Void)?>(nil)

    static let tokens: [(text: String, role: AccessRole)] = AccessRole.allCases.map {
        ("token-of-\($0.rawValue)-0123", $0)
    }

    /// Makes keys, writes both files, and begins the house.
    init() throws {
        place = try TemporaryDirectory()
        keys = try Self.makeKeys(place)
        try TestProfiles.write(to: place.file("profiles"))
        try Self.write(Self.collectorText(place), to: place.file("collector.yaml"))
        try Self.write(Self.houseText(place), to: place.file("house.yaml"))
        configuration = try CollectorConfiguration.load(path: place.file("collector.yaml"))
        profiles = try ProfileShelf.load(folder: configuration.profiles)
        for folder in [configuration.data, configuration.witness] {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        }
        let file = try houseFile(place.file("house.yaml"))
        let stores = try stores()
        try file.begin(in: stores, at: anchor)
        try stores.journal.close()
        try stores.evidence.close()
    }

    /// - Parameter clock: another one than the configuration's.
    func houseFile(_ path: String, clock: HouseClock? = nil) throws -> HouseFile {
        try HouseFile.load(
            path: path, clock: clock ?? configuration.clock, logOrigin: configuration.logOrigin,
            receipt: key("receipt").publicKey,
            log: key("log").publicKey, seal: key("seal").publicKey, profile: { self.profiles.profile(named: $0) })
    }

    func key(_ name: String) -> PrivateKey {
        guard let key = keys[name] else { preconditionFailure("no key is called \(name)") }
        return key
    }

    // MARK: - Time

    /// The house's time from now on.
    func set(_ instant: UTCInstant) { time.withLock { $0 = configuration.clock.real(when: instant) } }
    var now: UTCInstant { configuration.clock.now(real: time.withLock { $0 }) }

    // MARK: - Opening

    /// What happens at each step of a write from now on; nil: nothing.
    func fail(_ plan: (@Sendable (LogName, LogStep) throws -> Void)?) { step.withLock { $0 = plan } }

    /// The logs, opened: of a process, or of a command while none runs.
    func stores() throws -> HouseStores {
        func log(_ name: LogName) -> LogConfiguration {
            LogConfiguration(
                path: "\(configuration.data)/\(name.rawValue).sqlite", base: configuration.logOrigin,
                witnesses: ["\(configuration.witness)/\(name.rawValue).checkpoint"])
        }
        let key = LogKey(key("log"))
        let step: @Sendable (LogName, LogStep) throws -> Void = { [weak self] name, step in
            try self?.step.withLock { $0 }?(name, step)
        }
        return HouseStores(
            journal: try SQLiteJournal(log(.journal), key: key, step: { try step(.journal, $0) }),
            evidence: try SQLiteEvidenceLog(log(.evidence), key: key, step: { try step(.evidence, $0) }),
            objects: try DirectoryObjectStore(root: configuration.data + "/objects"))
    }

    /// A process of the house, started.
    func open() async throws -> House {
        var logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        logger.logLevel = .critical
        let house = try House(
            configuration: configuration, stores: try stores(), keys: try HouseKeys(configuration.keys),
            profiles: profiles,
            logger: logger, realNow: { [self] in time.withLock { $0 } })
        try await house.start()
        await house.note(.all, isConnected: true)
        return house
    }

    /// Ends the process: its files may be opened again.
    func close(_ house: House) async throws {
        try await house.stores.journal.close()
        try await house.stores.evidence.close()
    }

    func routes(_ house: House, openReads: Bool = false) -> HouseRoutes {
        HouseRoutes(house: house, tokens: Self.tokens, openReads: openReads)
    }

    // MARK: - Files

    private static let keyNames = [
        "root", "person-a", "person-b", "gateway", "owner", "finance", "compliance", "auditor", "satellite", "receipt",
        "log", "seal", "command",
        "stranger",
    ]

    private static func makeKeys(_ place: TemporaryDirectory) throws -> [String: PrivateKey] {
        let folder = place.file("keys")
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        var keys: [String: PrivateKey] = [:]
        for name in keyNames {
            let key = try PrivateKey.generate(name == "log" ? .eddsa : .es256)
            try key.save(to: "\(folder)/\(name).pem")
            try write(key.publicKey.spki.hex + "\n", to: "\(folder)/\(name).pem.pub")
            keys[name] = key
        }
        return keys
    }

    /// The shipped sample, in replay mode and in this folder.
    static func collectorText(_ place: TemporaryDirectory) throws -> String {
        try Workplace.text(of: "Collector/Command/sample-collector.yaml")
            .replacing("clock: real", with: "clock: {replay: {start: \(anchor), speed: 3600, zero: \(anchor)}}")
            .replacing("/etc/kilomint", with: place.path).replacing("/var/lib/kilomint", with: place.path)
            .replacing("/mnt/witness/kilomint", with: place.file("witness"))
            .replacing("/usr/share/kilomint/firmware-profiles", with: place.file("profiles"))
    }

    /// The shipped sample with this folder's keys and profiles.
    static func houseText(_ place: TemporaryDirectory) throws -> String {
        try Workplace.text(of: "Collector/Command/sample-house.yaml")
            .replacing("/etc/kilomint", with: place.path).replacing("asset: K$", with: "asset: K$-TEST")
            .replacing("2026-01-01T00:00:00Z", with: "\(anchor)")
            .replacing("abb/a43", with: "test/revenue").replacing("sunspec/inverter-103", with: "test/inverter")
    }

    static func write(_ text: String, to path: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    }
}

/// Two small profiles: words that a test can write by hand.
enum TestProfiles {
    /// A MID meter: import at 0, export at 4 (10 Wh), power at 8 (0.01 W).
    private static let revenue = """
          - {obis: 1-0:1.8.0, kind: counter, unit: Wh, direction: import, function: 3, address: 0, type: u64, scale: 10}
          - {obis: 1-0:2.8.0, kind: counter, unit: Wh, direction: export, function: 3, address: 4, type: u64, scale: 10}
          - {obis: 1-0:16.7.0, kind: gauge, unit: W, direction: import, function: 3, address: 8, type: s32, scale: 0.01}
        """
    /// An inverter: 1 Wh, 32 bits.
    private static let inverter = """
          - {obis: 1-0:2.8.0, kind: counter, unit: Wh, direction: export, function: 3, address: 0, type: acc32, scale: 1,
             modulus: 0x100000000}
        """

    static func write(to folder: String) throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        for (name, quantities) in [("revenue", revenue), ("inverter", inverter)] {
            let text = """
                profile: test/\(name)
                revision: 1
                vendor: test
                models: [one]
                level: driver
                source: {document: none, revision: none, place: none}
                limits: {registers-max: 125, gap-max: 8, pause: 0ms, timeout: 1s}
                identity: {}
                quantities:
                \(quantities)

                """
            try HouseYard.write(text, to: "\(folder)/\(name).yaml")
        }
    }
}

/// Fails one write of the Journal.
final class FaultOnce: Sendable {
    private let failing: LogStep
    private let number: Int
    private let count = Mutex(0)

    /// - Parameter number: which write, from 0.
    init(_ failing: LogStep, at number: Int) {
        self.failing = failing
        self.number = number
    }

    var hasStruck: Bool { count.withLock { $0 } > number }

    @Sendable func strike(_ log: LogName, _ step: LogStep) throws {
        guard log == .journal, step == failing else { return }
        let now = count.withLock { count in
            count += 1
            return count - 1
        }
        if now == number { throw InjectedFault() }
    }
}
