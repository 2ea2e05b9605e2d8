// When reads are due: phases, overruns, boundaries, back-off.

internal import AgentCore
internal import Evidence
internal import Quantities
internal import Testing

struct BusScheduleTests {
    private func at(_ milliseconds: Int64) -> UTCInstant { UTCInstant(milliseconds: milliseconds) }

    private func schedule(
        _ reads: [(read: UInt64, meter: UInt64, interval: Int64)], start: Int64,
        opening: ScheduledRead.Opening = .none, boundary: Int64 = 900_000
    ) -> BusSchedule {
        var schedule = BusSchedule(boundary: boundary)
        schedule.add(
            reads.map { ScheduledRead(read: $0.read, meter: $0.meter, interval: $0.interval, opening: opening) },
            now: at(start))
        return schedule
    }

    private func expect(
        _ schedule: inout BusSchedule, _ now: UTCInstant, _ monotonic: Int64, _ step: BusStep,
        _ location: SourceLocation = #_sourceLocation
    ) {
        let next = schedule.next(now: now, monotonic: monotonic).step
        #expect(next == step, sourceLocation: location)
    }

    @Test(arguments: [
        (start: Int64(0), interval: Int64(60_000), first: Int64(0)),
        (start: 1, interval: 60_000, first: 60_000),
        (start: 59_999, interval: 60_000, first: 60_000),
        (start: 60_000, interval: 60_000, first: 60_000),
        (start: -1, interval: 60_000, first: 0),
        (start: 1_467_871_200_500, interval: 1_000, first: 1_467_871_201_000),
    ])
    func firstReadStandsOnAMultiple(start: Int64, interval: Int64, first: Int64) {
        var schedule = schedule([(1, 0, interval)], start: start)
        let (step, _) = schedule.next(now: at(start), monotonic: 0)
        #expect(step == (first == start ? .ask(slot: 0, due: at(first)) : .wait(until: at(first), orMonotonic: nil)))
    }

    @Test func readsComeOnceBeforeAStandingClockRuns() {
        var schedule = schedule([(1, 0, 60_000), (2, 0, 60_000)], start: 30, opening: .once)
        expect(&schedule, at(30), 0, .ask(slot: 0, due: at(30)))
        schedule.finished(slot: 0, status: SampleStatus.connectFailed, now: at(30), monotonic: 0)
        // The endpoint is not there yet: again after the back-off, though the house's clock stands.
        expect(&schedule, at(30), 10, .wait(until: at(86_400_030), orMonotonic: 2_000))
        expect(&schedule, at(30), 2_000, .ask(slot: 1, due: at(30)))
        schedule.finished(slot: 1, status: SampleStatus.good, now: at(30), monotonic: 2_001)
        expect(&schedule, at(30), 2_001, .ask(slot: 0, due: at(30)))
        schedule.finished(slot: 0, status: SampleStatus.good, now: at(30), monotonic: 2_002)
        expect(&schedule, at(30), 2_002, .wait(until: at(60_000), orMonotonic: nil))
    }

    @Test func identityIsAskedUntilItAnswers() {
        var schedule = schedule([(1, 0, 3_600_000)], start: 5, opening: .untilAnswered)
        var monotonic: Int64 = 0
        for wait in [2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 128_000, 256_000, 300_000, 300_000] as [Int64] {
            expect(&schedule, at(5 + monotonic), monotonic, .ask(slot: 0, due: at(5)))
            schedule.finished(slot: 0, status: SampleStatus.timeout, now: at(5 + monotonic), monotonic: monotonic)
            let (step, _) = schedule.next(now: at(6 + monotonic), monotonic: monotonic + 1)
            guard case .wait(_, let again) = step else { return #expect(Bool(false), "\(step)") }
            #expect(again == monotonic + wait)
            monotonic += wait
        }
        _ = schedule.next(now: at(5 + monotonic), monotonic: monotonic)
        schedule.finished(slot: 0, status: 0, now: at(3_700_000), monotonic: monotonic)
        expect(&schedule, at(3_700_000), monotonic, .wait(until: at(7_200_000), orMonotonic: nil))
    }

    /// late → whether it is read now, what is missed, when it is due.
    @Test(arguments: [
        (now: Int64(60_001), asked: Int64(60_000), missed: Int64(0)),
        (now: 119_999, asked: 60_000, missed: 0),
        // A whole interval late: the last multiple that has come.
        (now: 120_000, asked: 120_000, missed: 1),
        (now: 300_500, asked: 300_000, missed: 4),
        // A boundary is among the missed: it is read late, once.
        (now: 900_000, asked: 900_000, missed: 14),
        (now: 1_000_000, asked: 900_000, missed: 15),
        (now: 2_000_000, asked: 1_800_000, missed: 32),
    ])
    func overrunSkipsButNeverABoundary(now: Int64, asked: Int64, missed: Int64) {
        var schedule = schedule([(7, 0, 60_000)], start: 1)
        let (step, overruns) = schedule.next(now: at(now), monotonic: 0)
        #expect(step == .ask(slot: 0, due: at(asked)))
        #expect(schedule.missed == missed)
        #expect(overruns.map(\.missed) == (missed > 0 ? [missed] : []))
        #expect(overruns.allSatisfy { $0.read == 7 && $0.late == now - 60_000 })
        // Told once.
        let again = schedule.next(now: at(now), monotonic: 0).overruns
        #expect(again.isEmpty)
    }

    @Test func deadMeterIsLeftAloneExceptAtBoundariesAndNeverFirst() {
        var schedule = schedule([(1, 0, 60_000), (2, 1, 60_000)], start: 0)
        expect(&schedule, at(0), 0, .ask(slot: 0, due: at(0)))
        schedule.finished(slot: 0, status: SampleStatus.timeout, now: at(1_500), monotonic: 1_500)
        for again in 1...9 as ClosedRange<Int64> {
            schedule.finished(slot: 0, status: SampleStatus.timeout, now: at(2_000), monotonic: again * 400_000)
        }
        // Two seconds of silence are over, the back-off of five minutes is not.
        let monotonic: Int64 = 3_602_001
        expect(&schedule, at(2_000), monotonic, .ask(slot: 1, due: at(0)))
        schedule.finished(slot: 1, status: 0, now: at(2_010), monotonic: monotonic)
        for minute in 1..<16 as Range<Int64> {
            let now = at(minute * 60_000)
            expect(&schedule, now, monotonic, .ask(slot: 1, due: now))
            schedule.finished(slot: 1, status: 0, now: now, monotonic: monotonic)
            let step = schedule.next(now: now, monotonic: monotonic).step
            #expect(step == (minute == 15 ? .ask(slot: 0, due: now) : .backedOff(slot: 0, due: now)))
        }
    }

    @Test(arguments: [
        (status: SampleStatus.good, isFailure: false), (1, false), (2, false), (6, false), (9, false), (10, true),
        (11, true), (SampleStatus.timeout, true), (SampleStatus.wrongAnswer, true), (SampleStatus.busError, true),
        (SampleStatus.connectFailed, true),
    ])
    func whatCountsAsSilence(status: UInt64, isFailure: Bool) {
        var schedule = schedule([(1, 0, 1_000), (2, 1, 1_000)], start: 0)
        _ = schedule.next(now: at(0), monotonic: 0)
        schedule.finished(slot: 0, status: status, now: at(0), monotonic: 0)
        #expect(schedule.failures(ofMeter: 0) == (isFailure ? 1 : 0))
        // Without a way to the endpoint there is none to any meter behind it.
        #expect(schedule.failures(ofMeter: 1) == (status == SampleStatus.connectFailed ? 1 : 0))
    }

    @Test func plannedAnewTheOldReadsAreOver() {
        var schedule = schedule([(1, 0, 1_000)], start: 0)
        expect(&schedule, at(0), 0, .ask(slot: 0, due: at(0)))
        schedule.finished(slot: 0, status: SampleStatus.good, now: at(1), monotonic: 1)
        let early = schedule.retire(meter: 0, now: at(500))
        let more = [9, 10].map { ScheduledRead(read: $0, meter: 0, interval: 1_000, opening: .none) }
        let slots = schedule.add(more, now: at(500))
        #expect(!early && slots == [0, 1])
        expect(&schedule, at(500), 0, .wait(until: at(1_000), orMonotonic: nil))
        expect(&schedule, at(1_000), 0, .ask(slot: 0, due: at(1_000)))
        // The other one was due at this boundary: the plan that follows is asked at once.
        let late = schedule.retire(meter: 0, now: at(1_000))
        #expect(late)
    }

    @Test func aDeviceThatIsPlannedAgainAndAgainTakesNoMoreSlots() {
        var schedule = schedule([(1, 0, 1_000), (2, 1, 1_000)], start: 0)
        for round in 1...1_000 as ClosedRange<UInt64> {
            schedule.retire(meter: 1, now: at(1))
            // One read or two.
            let reads = (0...round % 2).map {
                ScheduledRead(read: 10 * round + $0, meter: 1, interval: 1_000, opening: .none)
            }
            let slots = schedule.add(reads, now: at(1))
            #expect(!slots.contains(0) && slots.map { schedule.slots[$0] } == reads)
        }
        #expect(schedule.slots.count == 3)
        // What is read last and nothing else: round 1000 has one read.
        var asked: Set<UInt64> = []
        while case .ask(let slot, _) = schedule.next(now: at(1_000), monotonic: 0).step {
            asked.insert(schedule.slots[slot].read)
            schedule.finished(slot: slot, status: SampleStatus.good, now: at(1_000), monotonic: 0)
        }
        #expect(asked == [1, 10_000])
    }
}
