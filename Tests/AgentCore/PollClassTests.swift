// Quantities with intervals of their own, and what screens are told of them.

internal import AgentCore
internal import CBOR
internal import Evidence
internal import Metering
internal import Quantities
internal import Settings
internal import Testing

struct PollClassTests {
    private static func meter(fast: PollClassPlan, slow: PollClassPlan) throws -> ConfiguredMeter {
        let yaml = """
            profile: test/poll
            revision: 1
            vendor: test
            models: [one]
            level: document
            source: {document: none, revision: none, place: none}
            limits: {registers-max: 60, gap-max: 8, pause: 0ms, timeout: 1s}
            identity: {serial: {function: 3, address: 0, type: u16}}
            quantities:
              - {obis: 1-0:1.8.0, kind: counter, unit: Wh, direction: import, function: 3, address: 10, type: u32, scale: 1}
              - {obis: 1-0:2.8.0, kind: counter, unit: Wh, direction: export, function: 3, address: 12, type: u32, scale: 1,
                 poll: slow}
              - {obis: 1-0:16.7.0, kind: gauge, unit: W, direction: import, function: 3, address: 14, type: s32, scale: 1,
                 poll: fast}

            """
        let profile = try Profile(try SettingsFile.parse(Array(yaml.utf8), file: "test.yaml"))
        var meter = ConfiguredMeter(
            index: 0, id: Identifier("m")!, profile: profile, unit: 1, endpoint: "tcp://x:502",
            quantities: [.activeImport, .activeExport, .activePower], interval: 60_000, identityInterval: 3_600_000)
        (meter.fast, meter.slow) = (fast, slow)
        return meter
    }

    /// Address → interval of each read.
    private static func intervals(_ meter: ConfiguredMeter) throws -> [UInt16: Int64] {
        let reads = try MeterPlan(meter, chain: []).reads
        #expect(Set(reads.map(\.index)).count == reads.count)
        return Dictionary(uniqueKeysWithValues: reads.map { ($0.planned.request.address, $0.interval) })
    }

    @Test func classesHaveTheirOwnIntervals() throws {
        let plain = try Self.meter(fast: PollClassPlan(), slow: PollClassPlan())
        #expect(try Self.intervals(plain) == [0: 3_600_000, 10: 60_000, 12: 60_000, 14: 60_000])
        let some = try Self.meter(fast: PollClassPlan(interval: 5_000), slow: PollClassPlan(interval: 900_000))
        #expect(try Self.intervals(some) == [0: 3_600_000, 10: 60_000, 12: 900_000, 14: 5_000])
        // The configuration knows better than the profile.
        let said = try Self.meter(
            fast: PollClassPlan(interval: 5_000, quantities: [.activeExport]),
            slow: PollClassPlan(interval: 900_000, quantities: [.activeImport]))
        #expect(try Self.intervals(said) == [0: 3_600_000, 10: 900_000, 12: 5_000, 14: 5_000])
    }

    /// Whatever its class, the read at a boundary is asked: also of a meter that is left alone.
    @Test func theBoundaryIsForEachClass() throws {
        let meter = try Self.meter(fast: PollClassPlan(interval: 5_000), slow: PollClassPlan(interval: 900_000))
        let plan = try MeterPlan(meter, chain: [])
        var schedule = BusSchedule(boundary: 900_000)
        schedule.add(plan.schedule(readsAtOnce: false).filter { $0.opening == .none }, now: UTCInstant(milliseconds: 1))
        var asked: [Int: Set<Int64>] = [:]
        for now in stride(from: Int64(5_000), through: 1_830_000, by: 1_000) {
            while case .ask(let slot, let due) = schedule.next(now: UTCInstant(milliseconds: now), monotonic: now).step
            {
                asked[slot, default: []].insert(due.milliseconds)
                // Nobody answers.
                schedule.finished(slot: slot, status: 32, now: UTCInstant(milliseconds: now), monotonic: now)
            }
        }
        for slot in schedule.slots.indices {
            #expect(asked[slot]?.isSuperset(of: [900_000, 1_800_000]) == true, "\(schedule.slots[slot])")
        }
    }

    @Test func aLiveMessageHasOnlyNewsAndAnEnd() throws {
        let meter = try Self.meter(fast: PollClassPlan(), slow: PollClassPlan())
        let plan = try MeterPlan(meter, chain: [])
        var latest = LatestAnswers()
        latest.planned(plan)
        for (place, read) in plan.reads.enumerated() where !read.isIdentity {
            let words: [UInt8] = read.planned.request.address == 14 ? [0xFF, 0xFF, 0xFF, 0xFE] : [0, 0, 0, 7]
            latest.answered(
                read.index, LatestAnswers.Answer(ended: UInt64(place) * 100, took: 5, status: 0, words: words))
        }
        var message = LiveValues(gateway: Identifier("gw")!, utc: UTCInstant(milliseconds: 9))
        let values = latest.values(ofMeter: 0)
        let isIn = message.add(meter.id, values, now: 1_000, isNews: { $0 > 100 })
        #expect(isIn)
        let one = CBORValue.array([.unsigned(1), .unsigned(1)])
        let items: [CBORValue] = [
            .array([.text("1-0:16.7.0"), .int(-2), one, .unsigned(800)]),
            .array([.text("1-0:2.8.0"), .unsigned(7), one, .unsigned(700)]),
        ]
        let fields = try CBORValue(decoding: message.encoded).fields(1...4, "live")
        let told = try fields.array(4)
        #expect(told.count == 1 && told[0] == .array([.text("m"), .array(items)]), "\(told)")
        var empty = LiveValues(gateway: Identifier("gw")!, utc: UTCInstant(milliseconds: 9))
        let isRoom = empty.add(meter.id, values, now: 1_000, isNews: { _ in false })
        #expect(isRoom && empty.isEmpty)
        var full = LiveValues(gateway: Identifier("gw")!, utc: UTCInstant(milliseconds: 9))
        var count = 0
        while full.add(meter.id, values, now: 1_000, isNews: { _ in true }) { count += 3 }
        #expect(count <= LiveValues.valuesMax && count > LiveValues.valuesMax - 3)
    }

    @Test func aFailureKeepsWhatWasGoodBesideIt() throws {
        let meter = try Self.meter(fast: PollClassPlan(), slow: PollClassPlan())
        let plan = try MeterPlan(meter, chain: [])
        var latest = LatestAnswers()
        latest.planned(plan)
        let read = try #require(plan.reads.first { $0.planned.quantities == [.activePower] })
        func power() throws -> LatestAnswers.Value {
            try #require(latest.values(ofMeter: 0).first { $0.obis == .activePower })
        }
        func answer(_ ended: UInt64, _ status: UInt64, _ words: [UInt8] = []) {
            latest.answered(read.index, LatestAnswers.Answer(ended: ended, took: 5, status: status, words: words))
        }
        answer(50, SampleStatus.timeout)
        #expect(try power().held == nil)
        answer(100, SampleStatus.good, [0, 0, 0, 7])
        #expect(try power().held == nil && power().value != nil)
        // However often it fails.
        for ended in [200, 300] as [UInt64] {
            answer(ended, SampleStatus.timeout)
            let value = try power()
            #expect(value.value == nil && value.answer.ended == ended && value.answer.status == SampleStatus.timeout)
            guard let held = value.held, case .gauge(let gauge) = held.value else {
                Issue.record("nothing held: \(value)")
                continue
            }
            #expect(held.ended == 100 && gauge.count == 7)
            // A screen far away is told of what is read alone.
            var message = LiveValues(gateway: Identifier("gw")!, utc: UTCInstant(milliseconds: 9))
            #expect(message.add(meter.id, [value], now: 1_000, isNews: { _ in true }) && message.isEmpty)
        }
        // Another plan decodes other words.
        latest.planned(plan)
        #expect(latest.values(ofMeter: 0).isEmpty)
    }
}
