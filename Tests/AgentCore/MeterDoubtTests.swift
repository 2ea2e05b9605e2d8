// What the gateway says before the collector does: devices that will not settle, and why; setup that changed.

internal import AgentCore
internal import CBOR
internal import Evidence
internal import Kit
internal import Metering
internal import Quantities
internal import Settings
internal import Testing

struct MeterDoubtTests {
    /// Serial, firmware and mode in registers 0 … 5; firmware 2 to 3, mode 7.
    private static func profile(level: String = "document") throws -> Profile {
        let yaml = """
            profile: test/doubt
            revision: 1
            vendor: test
            models: [one]
            level: \(level)
            source: {document: none, revision: none, place: none}
            limits: {registers-max: 125, gap-max: 8, pause: 0ms, timeout: 1s}
            firmware: [{from: "2", below: "4"}]
            identity:
              serial: {function: 3, address: 0, type: u32}
              firmware: {function: 3, address: 2, type: u16}
              mode: {function: 3, address: 3, type: u16, expected: ["7"]}
            quantities:
              - {obis: 1-0:2.8.0, kind: counter, unit: Wh, direction: export, function: 3, address: 10, type: u64, scale: 1}

            """
        return try Profile(try SettingsFile.parse(Array(yaml.utf8), file: "test.yaml"))
    }

    private static func meter(_ index: UInt64, _ profile: Profile) -> ConfiguredMeter {
        ConfiguredMeter(
            index: index, id: Identifier("meter-\(index)")!, profile: profile, unit: UInt8(index),
            endpoint: "tcp://x:502", quantities: [.activeExport], interval: 60_000, identityInterval: 3_600_000)
    }

    private static func answer(_ plan: MeterPlan, serial: UInt8, firmware: UInt8, mode: UInt8) -> FinishedRead {
        FinishedRead(
            read: plan.reads[0].index, began: 1, ended: 2, status: 0, words: [0, 0, 0, serial, 0, firmware, 0, mode])
    }

    /// Serials, firmware and mode of two meters → words that their doubts must contain, by meter.
    @Test(
        arguments: [
            ([1, 2], 2, 7, [[], []]), ([1, 1], 2, 7, [["also meter-1's"], ["also meter-0's"]]),
            ([1, 2], 4, 7, [["firmware 4 is in no range"], ["firmware 4 is in no range"]]),
            ([1, 2], 1, 8, [["mode is 8", "firmware 1"], ["mode is 8", "firmware 1"]]),
        ] as [([UInt8], UInt8, UInt8, [[String]])])
    func isSaid(serials: [UInt8], firmware: UInt8, mode: UInt8, words: [[String]]) throws {
        let profile = try Self.profile()
        var register = MeterRegister([Self.meter(0, profile), Self.meter(1, profile)])
        for (meter, serial) in zip(register.meters, serials) {
            let plan = try MeterPlan(meter, chain: [])
            #expect(plan.reads[0].planned.request == ReadRequest(function: 3, address: 0, count: 4))
            register.planned(plan)
            register.observe([Self.answer(plan, serial: serial, firmware: firmware, mode: mode)])
        }
        let doubts = register.doubts(isReplay: false)
        for (meter, wanted) in zip(register.meters, words) {
            let said = doubts.filter { $0.meter == meter.id }.map(\.description)
            #expect(said.count == wanted.count, "\(said)")
            for word in wanted { #expect(said.contains { $0.contains(word) }, "\(said)") }
        }
    }

    /// The collector gives the grade back to nobody whose serial was another one's: only a commissioning does.
    @Test func aSerialThatWasTwiceIsADoubtUntilSomebodyLooks() throws {
        let profile = try Self.profile()
        let meters = [Self.meter(0, profile), Self.meter(1, profile)]
        var register = MeterRegister(meters)
        let plans = try meters.map { try MeterPlan($0, chain: []) }
        func say(_ meter: Int, serial: UInt8) {
            register.observe([Self.answer(plans[meter], serial: serial, firmware: 2, mode: 7)])
        }
        for plan in plans { register.planned(plan) }
        say(0, serial: 1)
        say(1, serial: 1)
        // The wrong unit was mended.
        say(1, serial: 2)
        let was = MeterDoubt.Cause.serialWasTwice("1", [meters[1].id])
        #expect(register.doubts(isReplay: true).first?.cause == was)
        // Also where the other one was taken out of the configuration.
        #expect(register.exchanged(for: [meters[0]], kept: [0]).doubts(isReplay: true).map(\.cause) == [was])
        register.commissioned(0)
        register.commissioned(1)
        #expect(register.doubts(isReplay: true) == [])
    }

    @Test func aProfileThatMaySettleNothingIsSaidInARealHouse() throws {
        let register = MeterRegister([Self.meter(0, try Self.profile(level: "driver"))])
        #expect(register.doubts(isReplay: false).map(\.cause) == [.profile(.driverLevel)])
        #expect(register.doubts(isReplay: true) == [])
    }

    @Test func aChangedSetupIsANoteAndADoubt() throws {
        let meter = Self.meter(3, try Self.profile())
        let plan = try MeterPlan(meter, chain: [])
        var planner = CommitPlanner(
            register: MeterRegister([meter]), agentVersion: "test", replay: nil, born: nil, predecessor: nil,
            monotonic: 0)
        func bodies(mode: UInt8, planned: Bool = false) -> [RecordBody] {
            planner.bodies(
                CommitPlanner.Input(
                    cut: OpenCommit.Cut(
                        reads: [Self.answer(plan, serial: 1, firmware: 2, mode: mode)], openSince: nil, dropped: []),
                    notices: planned ? [.planned(plan)] : [],
                    clock: RecordClock(
                        sync: 2, errorMilliseconds: 0, boot: [], uptimeMilliseconds: 9,
                        utc: UTCInstant(milliseconds: 0)), monotonic: 0)
            ).map(\.body)
        }
        #expect(bodies(mode: 7, planned: true).map(\.kind) == [.birth, .readings])
        #expect(bodies(mode: 7).map(\.kind) == [.readings])
        let changed = bodies(mode: 5)
        // No birth: it would say the same.
        #expect(changed.map(\.kind) == [.readings, .note])
        guard case .note(let note)? = changed.last else { return }
        #expect(note.code == NoteCode.identityChanged.rawValue)
        let fields = try note.details.fields(1...4, "note")
        #expect(try fields.uint(1) == 3)
        #expect(fields.optional(4) == .array([.array([.unsigned(4), .text("7"), .text("5")])]))
        let causes = planner.register.doubts(isReplay: true).map(\.cause)
        #expect(causes == [.unexpected(.mode, "5"), .changed(.mode, before: "7", now: "5")])
    }
}
