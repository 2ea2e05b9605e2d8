// Firmware chooses the map: a device on a line gets other firmware while it is read. What is recorded, born, noted and
// doubted; and which files of a folder are versions of one profile.

@testable internal import AgentIO
internal import AgentCore
internal import Evidence
internal import Glibc
internal import Kit
internal import Metering
internal import Quantities
internal import Settings
internal import Synchronization
internal import Testing

private func yaml(_ name: String, _ firmware: String, energy: Int, export: Bool = true) -> String {
    """
    profile: test/\(name)
    revision: 1
    vendor: test
    models: [one]
    level: document
    source: {document: none, revision: none, place: none}
    limits: {registers-max: 60, gap-max: 0, pause: 0ms, timeout: 1s}
    \(firmware.isEmpty ? "" : "firmware: [{\(firmware)}]")
    identity:
      serial: {function: 3, address: 0, type: u16}
      firmware: {function: 3, address: 2, type: u16}
    quantities:
      - {obis: 1-0:\(export ? 2 : 1).8.0, kind: counter, unit: Wh, direction: \(export ? "export" : "import"), function: 3, address: \(energy), type: u32, scale: 1}

    """
}

private func profile(_ name: String, _ firmware: String, energy: Int) throws -> Profile {
    try Profile(try SettingsFile.parse(Array(yaml(name, firmware, energy: energy).utf8), file: "test.yaml"))
}

/// A device on a line whose firmware 1 counts at register 10 and any other at 20, answers nothing else, and is read.
private final class ChangingDevice {
    let clock: MachineClock
    let recorder: Recorder
    let meter: ConfiguredMeter
    private let slave: PacedSlave
    private let firmware: Firmware
    private let asks = Mailbox<PersonAsk>(itemsMax: 1)
    private let thread: WorkerThread

    private final class Firmware: Sendable {
        let now = Mutex<UInt8>(1)
    }

    /// - Parameter first: its firmware; 0: it is starting, and answers exception 4 to whoever asks for it.
    init(_ versions: [Profile], first: UInt8 = 1) throws {
        let (clock, firmware) = (try MachineClock(house: .real), Firmware())
        firmware.now.withLock { $0 = first }
        slave = try PacedSlave(baud: 115_200) { _, frame in
            let now = firmware.now.withLock { $0 }
            let known: [UInt8: [UInt8]] = [0: [0, 77], 2: [0, now], now == 1 ? 10 : 20: [0, 0, 1, now]]
            let isStarting = now == 0 && frame[3] == 2
            let words = isStarting ? nil : known[frame[3]]
            let body = words.map { [frame[0], 3, UInt8($0.count)] + $0 } ?? [frame[0], 0x83, isStarting ? 4 : 2]
            return [.send(body + ModbusFraming.checksumBytes(body))]
        }
        var meter = ConfiguredMeter(
            index: 0, id: Identifier("m-1")!, profile: versions[0], unit: 1, endpoint: "rtu:x",
            quantities: [.activeExport], interval: 200, identityInterval: 400)
        meter.versions = versions
        let plan = BusPlan(
            number: 0, endpoint: .rtu(slave.line), timing: BusTiming(), meters: [meter], boundary: 60_000,
            readsAtOnce: false)
        let recorder = Recorder(clock: clock, meters: [1])
        (self.clock, self.firmware, self.recorder, self.meter) = (clock, firmware, recorder, meter)
        let asks = asks
        thread = try WorkerThread("firmware") {
            var runner = BusRunner(plan: plan, recorder: recorder, clock: clock, stop: asks)
            runner.run()
        }
    }

    func become(_ version: UInt8) { firmware.now.withLock { $0 = version } }

    func stop() {
        asks.close()
        thread.join()
        slave.stop()
    }
}

@Suite(.serialized) struct FirmwareTests {
    @Test func otherFirmwareIsReadWithItsOwnMap() throws {
        let versions = [
            try profile("one", "below: \"2\"", energy: 10),
            try profile("one-2", "from: \"2\", below: \"3\"", energy: 20),
        ]
        let device = try ChangingDevice(versions)
        defer { device.stop() }
        let recorder = device.recorder
        var told = Told(register: MeterRegister([device.meter]), clock: device.clock)
        try told.until(recorder) { $0.good["test/one"] ?? 0 >= 3 }
        #expect(told.names == ["test/one"] && told.register.doubts(isReplay: false).isEmpty)

        device.become(2)
        try told.until(recorder) { $0.good["test/one-2"] ?? 0 >= 3 && !$0.notes.isEmpty }
        #expect(told.names == ["test/one", "test/one-2"])
        #expect(told.births.last?.meters[0].profileDigest == versions[1].digest)
        #expect(told.births.last?.meters[0].firmware == "2")
        #expect(told.notes.map(\.code) == [NoteCode.identityChanged.rawValue])
        let doubts = told.register.doubts(isReplay: false).map(\.description)
        #expect(doubts.count == 1 && doubts[0].contains("firmware was 1 and is 2"), "\(doubts)")

        // Nobody knows firmware 9: the fallback is read, which this device answers with exceptions, and that is said.
        device.become(9)
        try told.until(recorder) { $0.names.count == 3 && $0.bad["test/one"] ?? 0 >= 2 && $0.notes.count == 2 }
        #expect(told.names == ["test/one", "test/one-2", "test/one"])
        let causes = told.register.doubts(isReplay: false).map(\.cause)
        #expect(causes.contains(.noVersion(fallback: "test/one", ["test/one", "test/one-2"])), "\(causes)")
        #expect(causes.contains(.firmware("9")))

        // Back: a version is for it again, and the change is still to be looked at.
        device.become(1)
        try told.until(recorder) { told in
            told.notes.count == 3 && !told.register.meters[0].isReadWithFallback
        }
        #expect(told.register.doubts(isReplay: false).map(\.cause) == [.changed(.firmware, before: "9", now: "1")])
    }

    /// Which firmware it has it cannot say at first; afterwards it says nothing that it has not said before.
    @Test func aDeviceThatWasStartingIsAskedAgain() throws {
        let versions = [
            try profile("one", "from: \"9\"", energy: 10),
            try profile("one-2", "from: \"2\", below: \"3\"", energy: 20),
        ]
        let device = try ChangingDevice(versions, first: 0)
        defer { device.stop() }
        var told = Told(register: MeterRegister([device.meter]), clock: device.clock)
        try told.until(device.recorder) { $0.register.meters[0].isReadWithFallback }
        device.become(2)
        try told.until(device.recorder) { $0.good["test/one-2"] ?? 0 >= 3 }
        #expect(!told.register.meters[0].isReadWithFallback)
    }

    /// What a keeper would sign, and what was read under which profile.
    private struct Told {
        private(set) var planner: CommitPlanner
        private(set) var births: [Birth] = []
        private(set) var notes: [Note] = []
        /// By profile: energy reads with and without a value. Only looked up.
        private(set) var good: [String: Int] = [:]
        private(set) var bad: [String: Int] = [:]
        private let clock: MachineClock
        private var profiles: [UInt64: String] = [:]

        var register: MeterRegister { planner.register }
        /// Of the births, each change once.
        var names: [String] {
            births.map { $0.meters[0].profileName }.reduce(into: []) { if $0.last != $1 { $0.append($1) } }
        }

        init(register: MeterRegister, clock: MachineClock) {
            planner = CommitPlanner(
                register: register, agentVersion: "test", replay: nil, born: nil, predecessor: nil, monotonic: 0)
            self.clock = clock
        }

        mutating func until(_ recorder: Recorder, _ isDone: (Told) -> Bool) throws {
            let deadline = steadyNanoseconds() + 60_000_000_000
            while !isDone(self) {
                guard steadyNanoseconds() < deadline else { throw KitError("never: \(names) \(good) \(bad) \(notes)") }
                sleepUntil(steadyNanoseconds() + 100_000_000)
                let (moment, cut, notices) = recorder.cut()
                for case .planned(let plan) in notices {
                    for read in plan.reads where !read.isIdentity { profiles[read.index] = plan.meter.profile.name }
                }
                for read in cut.reads {
                    guard let name = profiles[read.read] else { continue }
                    if read.status == SampleStatus.good {
                        good[name, default: 0] += 1
                    } else {
                        bad[name, default: 0] += 1
                    }
                }
                let input = CommitPlanner.Input(
                    cut: cut, notices: notices, clock: clock.recordClock(moment), monotonic: moment.monotonic)
                for planned in planner.bodies(input) {
                    switch planned.body {
                    case .birth(let birth): births.append(birth)
                    case .note(let note): notes.append(note)
                    default: break
                    }
                }
            }
        }
    }

    // MARK: Files

    private func buses(_ place: TemporaryDirectory, _ meter: String) throws -> [ConfiguredMeter] {
        let text = """
            gateway: gw
            key: \(place.file("key.pem"))
            spool: {path: \(place.file("spool"))}
            profiles: \(place.path)
            buses: [{tcp: 192.0.2.1, meters: [{id: m, \(meter)}]}]

            """
        return try AgentParts.buses(try AgentSettings(try SettingsFile.parse(Array(text.utf8), file: "a.yaml"))).0
    }

    private func folder(_ files: [(String, String)]) throws -> TemporaryDirectory {
        let place = try TemporaryDirectory()
        mkdir(place.file("test"), 0o700)
        for (name, text) in files { try Workplace.write(text, to: place.file("test/\(name).yaml")) }
        return place
    }

    @Test func versionsStandBesideEachOther() throws {
        let place = try folder([
            ("one", yaml("one", "below: \"2\"", energy: 10)), ("one-2", yaml("one-2", "from: \"2\"", energy: 20)),
            // Another device of a like name, a profile of another family, frames.
            ("one-meter", yaml("one-meter", "", energy: 30)), ("oneness", yaml("oneness", "from: \"1\"", energy: 40)),
            ("two-1", yaml("two-1", "below: \"2\"", energy: 10)), ("two-2", yaml("two-2", "from: \"2\"", energy: 20)),
            ("six", yaml("six", "", energy: 10)), ("six-2", yaml("six-2", "from: \"2\"", energy: 20, export: false)),
        ])
        let one = try buses(place, "profile: test/one")[0]
        #expect(one.profile.name == "test/one" && one.versions.map(\.name) == ["test/one", "test/one-2"])
        #expect(try buses(place, "profile: test/one, fallback: test/one-2")[0].profile.name == "test/one-2")
        // One of them alone is that one.
        #expect(try buses(place, "profile: test/one-2")[0].versions.isEmpty)
        #expect(try buses(place, "profile: test/two, fallback: test/two-1")[0].versions.count == 2)
        for (meter, words) in [
            ("profile: test/two", "`fallback` must say"),
            ("profile: test/one, fallback: test/two-1", "is no version of test/one; allowed: test/one, test/one-2"),
            ("profile: test/none", "does not exist"),
            ("profile: test/six, quantities: [1-0:2.8.0]", "profile test/six-2 of meter m does not have it"),
            ("profile: test/six", "are missing"),
        ] {
            let error = #expect(throws: SettingsError.self) { try buses(place, meter) }
            #expect("\(error.map { "\($0)" } ?? "")".contains(words), "\(meter): \(error.map { "\($0)" } ?? "")")
        }
    }
}
