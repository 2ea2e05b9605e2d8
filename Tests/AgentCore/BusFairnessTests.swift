// What a bus owes its meters when time is short or one of them is dead: turns, retries, and a line that is not misread.

internal import AgentCore
internal import Evidence
internal import Quantities
internal import Testing

struct BusFairnessTests {
    private func at(_ milliseconds: Int64) -> UTCInstant { UTCInstant(milliseconds: milliseconds) }

    /// Lives on a bus: each request takes `cost` ms, dead meters twice that.
    private func live(
        _ reads: [ScheduledRead], milliseconds: Int64, cost: Int64, dead: Set<UInt64> = []
    ) -> (asked: [ScheduledRead], schedule: BusSchedule) {
        var schedule = BusSchedule(boundary: 900_000)
        schedule.add(reads, now: at(1))
        var (now, asked) = (Int64(1), [ScheduledRead]())
        while now < milliseconds {
            switch schedule.next(now: at(now), monotonic: now).step {
            case .wait(let instant, let monotonic):
                now = max(now + 1, min(instant.milliseconds, monotonic ?? .max))
            case .backedOff: continue
            case .ask(let slot, _):
                asked.append(schedule.slots[slot])
                let isDead = dead.contains(schedule.slots[slot].meter)
                now += isDead ? 2 * cost : cost
                let status = isDead ? SampleStatus.timeout : SampleStatus.good
                schedule.finished(slot: slot, status: status, now: at(now), monotonic: now)
            }
        }
        return (asked, schedule)
    }

    private func next(_ schedule: inout BusSchedule, _ now: Int64, _ monotonic: Int64) -> BusStep {
        schedule.next(now: at(now), monotonic: monotonic).step
    }

    private func reads(_ meter: UInt64, _ count: Int, interval: Int64, length: Int = 0) -> [ScheduledRead] {
        (0..<UInt64(count)).map {
            ScheduledRead(
                read: meter * 100 + $0, meter: meter, interval: interval, opening: .none,
                length: length > 0 ? length : Int($0) + 2)
        }
    }

    /// A bus that can do two of three reads a second still reads each of them, about equally often.
    @Test func tooSlowABusStarvesNobody() {
        let three = reads(0, 1, interval: 1_000) + reads(1, 1, interval: 1_000) + reads(2, 1, interval: 1_000)
        let (asked, schedule) = live(three, milliseconds: 300_000, cost: 500)
        for meter in 0..<3 as Range<UInt64> {
            let count = asked.count { $0.meter == meter }
            #expect((180...220).contains(count), "meter \(meter): \(count) of 600")
        }
        #expect(schedule.missed > 200)
    }

    /// One meter with thirty reads beside one with a single read: the single one keeps its second.
    @Test func manyReadsOfOneMeterDoNotStarveAnother() {
        let (asked, _) = live(
            reads(0, 30, interval: 1_000) + reads(1, 1, interval: 1_000), milliseconds: 100_000, cost: 100)
        #expect(asked.count { $0.meter == 1 } >= 95)
        // And of the thirty none is left out.
        #expect(Set(asked.map(\.read)).count == 31)
    }

    @Test func deadMetersNeverSlowOthers() {
        let dead = Set<UInt64>(1...10)
        let all = (0...10 as ClosedRange<UInt64>).flatMap { reads($0, 3, interval: 10_000) }
        let (asked, schedule) = live(all, milliseconds: 3_600_000, cost: 1_500, dead: dead)
        // 360 multiples of three reads; a dead meter may hold each back, and none is lost.
        #expect(asked.count { $0.meter == 0 } >= 3 * 355, "\(asked.count { $0.meter == 0 })")
        for meter in dead {
            let count = asked.count { $0.meter == meter }
            // Each of four boundaries three reads, and once every five minutes at least: never given up.
            #expect((18...60).contains(count), "\(count)")
        }
        #expect(schedule.failures(ofMeter: 0) == 0 && schedule.failures(ofMeter: 1) > 5)
    }

    /// A boundary is read late rather than not at all, also of a dead meter, and never within two seconds of a failure.
    @Test func boundaryOfADeadMeterIsReadWithSilenceBefore() {
        var schedule = BusSchedule(boundary: 900_000)
        schedule.add(reads(0, 2, interval: 900_000), now: at(0))
        let step1 = next(&schedule, 0, 0)
        #expect(step1 == .ask(slot: 0, due: at(0)))
        schedule.finished(slot: 0, status: SampleStatus.timeout, now: at(1_500), monotonic: 1_500)
        let held = next(&schedule, 1_500, 1_500)
        #expect(held == .wait(until: at(900_000), orMonotonic: 3_500))
        let step2 = next(&schedule, 3_500, 3_500)
        #expect(step2 == .ask(slot: 1, due: at(0)))
    }

    /// One lost answer costs one sample: the meter's other reads wait for the back-off and come.
    @Test func aSingleTimeoutIsOneFailedSample() {
        var schedule = BusSchedule(boundary: 900_000)
        schedule.add(reads(0, 3, interval: 60_000), now: at(60_000))
        let step3 = next(&schedule, 60_000, 0)
        #expect(step3 == .ask(slot: 0, due: at(60_000)))
        schedule.finished(slot: 0, status: SampleStatus.timeout, now: at(61_500), monotonic: 1_500)
        let held = next(&schedule, 61_500, 1_500)
        #expect(held == .wait(until: at(120_000), orMonotonic: 3_500))
        for slot in [1, 2] {
            let step4 = next(&schedule, 63_500, 3_500)
            #expect(step4 == .ask(slot: slot, due: at(60_000)))
            schedule.finished(slot: slot, status: 0, now: at(63_600), monotonic: 3_600)
        }
    }

    /// Noise is forgiven twice: the next read comes at once.
    @Test func noiseIsNoSilence() {
        var schedule = BusSchedule(boundary: 900_000)
        schedule.add(reads(0, 5, interval: 60_000), now: at(60_000))
        for slot in 0..<3 {
            let step5 = next(&schedule, 60_000, 0)
            #expect(step5 == .ask(slot: slot, due: at(60_000)))
            schedule.finished(slot: slot, status: SampleStatus.checksum, now: at(60_000), monotonic: 0)
        }
        let held = next(&schedule, 60_000, 0)
        #expect(held == .wait(until: at(120_000), orMonotonic: 2_000))
    }

    @Test func busyIsAskedAgainThreeTimes() {
        var schedule = BusSchedule(boundary: 900_000)
        schedule.add(reads(0, 1, interval: 60_000), now: at(60_000))
        var monotonic: Int64 = 0
        for pause in [100, 200, 400] as [Int64] {
            let step6 = next(&schedule, 60_000, monotonic)
            #expect(step6 == .ask(slot: 0, due: at(60_000)))
            let again7 = schedule.finished(slot: 0, status: 6, now: at(60_000), monotonic: monotonic)
            #expect(again7)
            let held = next(&schedule, 60_000, monotonic)
            #expect(held == .wait(until: at(86_460_000), orMonotonic: monotonic + pause))
            monotonic += pause
        }
        let step8 = next(&schedule, 60_000, monotonic)
        #expect(step8 == .ask(slot: 0, due: at(60_000)))
        // Now it is a failed sample, and the meter lives.
        let again9 = schedule.finished(slot: 0, status: 6, now: at(60_000), monotonic: monotonic)
        #expect(!again9)
        #expect(schedule.failures(ofMeter: 0) == 0)
        let after = next(&schedule, 60_000, monotonic)
        #expect(after == .wait(until: at(120_000), orMonotonic: nil))
    }

    /// A replayed minute is over before a busy device can be asked again.
    @Test func busyIsNotAskedAgainPastTheNextMultiple() {
        var schedule = BusSchedule(boundary: 900_000, speed: 3_600)
        schedule.add(reads(0, 1, interval: 60_000), now: at(60_000))
        _ = schedule.next(now: at(60_000), monotonic: 0)
        let again10 = schedule.finished(slot: 0, status: 6, now: at(60_000), monotonic: 0)
        #expect(!again10)
    }

    /// Neighbours on the line differ in length, if need be by asking another meter between.
    @Test func neighboursDifferInLength() {
        let mixed = [(0, 2), (0, 2), (1, 4), (1, 4), (2, 6), (2, 6), (2, 7)].enumerated().map { index, read in
            ScheduledRead(
                read: UInt64(index), meter: UInt64(read.0), interval: 1_000, opening: .none, length: read.1)
        }
        let (asked, _) = live(mixed, milliseconds: 60_000, cost: 10)
        #expect(asked.count >= 400)
        let same = zip(asked, asked.dropFirst()).filter { $0.meter == $1.meter && $0.length == $1.length }
        let count = same.count
        #expect(count == 0)
    }

    @Test func aMeterKeepsItsTurnSoThatPausesAreFew() {
        let (asked, _) = live(
            reads(0, 4, interval: 1_000) + reads(1, 4, interval: 1_000), milliseconds: 10_000, cost: 5)
        let changes = zip(asked, asked.dropFirst()).count { $0.meter != $1.meter }
        #expect(changes <= 2 * 9 + 1, "\(changes) changes in \(asked.count) requests")
    }

    @Test func cycleTooShortIsSaidOncePerChange() {
        var watch = CycleWatch()
        let change11 = watch.observe(missed: false, monotonic: 0)
        #expect(!change11)
        let change12 = watch.observe(missed: true, monotonic: 1)
        #expect(change12 && watch.isTooShort)
        let change13 = watch.observe(missed: true, monotonic: 200_000)
        #expect(!change13)
        let change14 = watch.observe(missed: false, monotonic: 499_999)
        #expect(!change14 && watch.isTooShort)
        let change15 = watch.observe(missed: false, monotonic: 500_000)
        #expect(change15 && !watch.isTooShort)
        let change16 = watch.observe(missed: false, monotonic: 900_000)
        #expect(!change16)
    }

    @Test func loadIsTheLastMinutes() {
        var load = BusLoad()
        #expect(load.percent(now: 5) == 0)
        load.add(from: 0, to: 1_000_000_000)
        #expect(load.percent(now: 4_000_000_000) == 25)
        for second in 1...60 as ClosedRange<Int64> {
            load.add(from: second * 1_000_000_000, to: second * 1_000_000_000 + 500_000_000)
        }
        #expect((49...52).contains(load.percent(now: 61_000_000_000)))
    }
}
