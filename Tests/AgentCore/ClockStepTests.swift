// What the schedule does when house time is stepped: reads go on at their rate by the clock that never steps.

internal import AgentCore
internal import Evidence
internal import Kit
internal import Quantities
internal import Testing

private let day: Int64 = 86_400_000

/// A bus thread and a keeper in small, on two clocks of our own.
private struct SteppedBus {
    /// When each slot was asked, by uptime, and for which instant.
    private(set) var asked: [[(uptime: Int64, due: Int64)]]
    private(set) var overruns = 0
    private(set) var skipped = 0
    /// Instants in uptime that a commit called complete.
    private(set) var complete: [Int64] = []
    private(set) var uptime: Int64 = 1_000
    var utc: Int64
    var dead: Set<UInt64> = []
    private var schedule: BusSchedule
    private var open = OpenCommit(buses: 1)
    private var committedAt: Int64 = 0

    /// Real milliseconds of a request; of a silent meter three times that.
    static let cost: Int64 = 20

    init(_ reads: [ScheduledRead], utc: Int64, boundary: Int64 = 900_000) {
        self.utc = utc
        schedule = BusSchedule(boundary: boundary)
        asked = reads.map { _ in [] }
        schedule.add(reads, now: UTCInstant(milliseconds: utc))
    }

    private var now: UTCInstant { UTCInstant(milliseconds: utc) }

    private mutating func pass(_ milliseconds: Int64) {
        (utc, uptime) = (utc + milliseconds, uptime + milliseconds)
        guard uptime - committedAt >= 500 else { return }
        committedAt = uptime
        complete.append(Int64(open.cut().openSince ?? UInt64(uptime)))
    }

    private mutating func look() { schedule.observe(now: now, uptime: UInt64(uptime)) }

    /// Until `end` by uptime. `steps` are changes of UTC by uptime, in order; they come in the middle of whatever happens.
    mutating func run(until end: Int64, _ steps: [(at: Int64, by: Int64)] = []) {
        var steps = steps[...]
        while uptime < end {
            while let step = steps.first, step.at <= uptime {
                utc += step.by
                steps.removeFirst()
            }
            look()
            let (step, overruns) = schedule.next(now: now, monotonic: uptime)
            self.overruns += overruns.count
            switch step {
            case .backedOff: skipped += 1
            case .wait(let instant, let monotonic):
                // The thread sleeps by the clock that never steps, a second at most.
                let rest = max(1, min(instant - now, (monotonic ?? .max) - uptime, 1_000))
                pass(min(rest, max(1, (steps.first?.at ?? .max) - uptime)))
                if let step = steps.first, step.at <= uptime, rest > 1 {
                    utc += step.by
                    steps.removeFirst()
                }
            case .ask(let slot, let due):
                let read = schedule.slots[slot]
                asked[slot].append((uptime, due.milliseconds))
                open.begin(bus: 0, uptime: UInt64(uptime))
                let isDead = dead.contains(read.meter)
                pass(isDead ? 3 * Self.cost : Self.cost)
                open.end(bus: 0, nil)
                look()
                schedule.finished(
                    slot: slot, status: isDead ? SampleStatus.timeout : SampleStatus.good, now: now, monotonic: uptime)
            }
        }
    }

    /// The longest time by uptime between two requests of the slot, from the first to `end`.
    func longestGap(_ slot: Int) -> Int64 {
        let times = asked[slot].map(\.uptime)
        return zip(times, times.dropFirst() + [uptime]).map { $1 - $0 }.max() ?? .max
    }
}

struct ClockStepTests {
    private static let start: Int64 = 1_467_871_200_000

    private static func reads(_ intervals: [Int64]) -> [ScheduledRead] {
        intervals.enumerated().map {
            ScheduledRead(
                read: UInt64($0.offset), meter: UInt64($0.offset), interval: $0.element, opening: .none,
                length: $0.offset)
        }
    }

    private static let sizes: [Int64] = [
        100, 1_000, 1_500, 30_000, 60_000, 100_000, 3_600_000, 3_599_900, day, 400 * day, 3_652 * day,
    ]

    /// Steps of a second to ten years, either way, at any place of the interval: reads go on within one interval, on
    /// multiples of the new time, and nothing is called missed.
    @Test(arguments: sizes + sizes.map { -$0 }, [Int64(300), 10_150, 59_900, 61_030])
    func readsGoOn(step: Int64, at: Int64) {
        let intervals: [Int64] = [1_000, 10_000, 60_000]
        var bus = SteppedBus(Self.reads(intervals), utc: Self.start + 1)
        bus.run(until: 400_000, [(1_000 + at, step)])
        #expect(bus.overruns == 0)
        for (slot, interval) in intervals.enumerated() {
            #expect(bus.longestGap(slot) <= interval + 5 * SteppedBus.cost)
            let most = Int(399_000 / interval) + 2
            #expect((most - 3...most).contains(bus.asked[slot].count), "\(bus.asked[slot].count) of \(most)")
            // Two reads after the step the phase is the new time's.
            let later = bus.asked[slot].filter { $0.uptime > 1_000 + at + 2 * interval }
            #expect(later.allSatisfy { $0.due % interval == 0 })
        }
    }

    /// A boot without a battery: the first minute is 1970's, then somebody knows better.
    @Test func timeComesAfterTheBoot() {
        var bus = SteppedBus(Self.reads([1_000, 60_000, 900_000]), utc: 4_321)
        bus.run(until: 70_000, [(65_000, Self.start + 456_789)])
        let before = bus.asked.map(\.count)
        bus.run(until: 75_000)
        // No burst: five more of each second, and at most one of the others.
        let now = bus.asked.map(\.count)
        #expect((4...6).contains(now[0] - before[0]))
        #expect(now[1] - before[1] <= 1 && now[2] - before[2] <= 1)
        bus.run(until: 2_000_000)
        #expect(bus.overruns == 0 && bus.longestGap(2) <= 901_000)
    }

    @Test(arguments: 0..<60 as Range<UInt64>) func anyStepsKeepTheRate(seed: UInt64) {
        var chance = SeededGenerator(seed: seed)
        let intervals = (0..<4).map { _ in [200, 1_000, 5_000, 60_000, 900_000].randomElement(using: &chance)! as Int64
        }
        var bus = SteppedBus(Self.reads(intervals), utc: Self.start + Int64.random(in: 0..<day, using: &chance))
        let end: Int64 = 1_800_000
        var (steps, at) = ([(at: Int64, by: Int64)](), Int64(1_000))
        while at < end, steps.count < 200 {
            at += Int64.random(in: 1...(seed % 3 == 0 ? 2_000 : 60_000), using: &chance)
            let digits = Int.random(in: 3...11, using: &chance)
            let size = Int64.random(in: 100...(0..<digits).reduce(3) { size, _ in size * 10 }, using: &chance)
            // Years in a row would leave what a clock can show.
            let sum = steps.map(\.by).reduce(0, +)
            steps.append((at, sum > 0 ? -size : size))
        }
        bus.run(until: end, steps)
        for (slot, interval) in intervals.enumerated() {
            // Each step costs at most one read more.
            let most = Int(end / interval) + 2 + steps.count
            let least = Int((end - 1_000) / (interval + 5 * SteppedBus.cost)) - 1
            let count = bus.asked[slot].count
            #expect((least...most).contains(count), "\(count) of \(least)…\(most), seed \(seed)")
            #expect(bus.longestGap(slot) <= interval + 5 * SteppedBus.cost, "slot \(slot), seed \(seed)")
            // Complete is said of no time in which the read should have been asked and was not.
            var times = bus.asked[slot].map(\.uptime)[...]
            var last: Int64 = 1_000
            for complete in bus.complete {
                while let next = times.first, next < complete {
                    last = next
                    times.removeFirst()
                }
                #expect(complete - last <= interval + 5 * SteppedBus.cost, "seed \(seed)")
            }
        }
        #expect(bus.overruns == 0, "seed \(seed)")
    }

    /// A full bus is no slower for a step, and what the step brought together is no cycle too short.
    @Test(arguments: [-3_600_000, -25_000, -1_000, 1_000, 25_000, 3_600_000, 3_652 * day] as [Int64])
    func aFullBusStaysCalm(step: Int64) {
        // 45 reads of 20 ms each second: nine tenths of the time.
        var bus = SteppedBus(Self.reads(Array(repeating: 1_000, count: 45)), utc: Self.start + 1)
        bus.run(until: 60_000, [(30_420, step)])
        #expect(bus.overruns == 0)
        #expect((0..<45).map { bus.longestGap($0) }.max()! <= 2_000)
    }

    /// The read at a boundary that was stepped over is asked whatever the back-off says, once, when the next one comes.
    @Test func aBoundarySteppedOverIsReadOnce() {
        var bus = SteppedBus(Self.reads([60_000, 60_000]), utc: Self.start + 60_000 - 1)
        bus.dead = [1]
        // Silent since the start: left alone for five minutes at a time, but for the boundary that is stepped over.
        bus.run(until: 700_000, [(650_000, 400_000)])
        let asked = bus.asked[1].map(\.uptime).filter { $0 > 650_000 }
        #expect(asked.count == 1 && asked.allSatisfy { $0 < 690_000 + 5 * SteppedBus.cost }, "\(asked)")
        var other = SteppedBus(Self.reads([60_000, 60_000]), utc: Self.start + 60_000 - 1)
        other.dead = [1]
        other.run(until: 700_000, [(650_000, 100_000)])
        #expect(!other.asked[1].contains { $0.uptime > 650_000 })
        #expect(other.skipped > 0)
    }

    /// A boundary that has come and waits for its turn is not forgotten when the clock is turned back, and one that comes
    /// again is read again.
    @Test func aBoundaryTurnedBackIsReadAgain() {
        var bus = SteppedBus(Self.reads([900_000]), utc: Self.start + 880_000)
        bus.run(until: 1_900_000, [(60_000, -120_000)])
        #expect(bus.asked[0].map(\.due).filter { $0 == Self.start + 900_000 }.count == 2)
        #expect(bus.longestGap(0) <= 901_000)
    }

    /// What is slewed is no step: reads stay on the multiples.
    @Test func aSlewedClockKeepsThePhase() {
        var bus = SteppedBus(Self.reads([1_000]), utc: Self.start + 1)
        bus.run(until: 100_000, (1..<99).map { (1_000 * $0 + 500, $0 % 2 == 0 ? 40 : -60) })
        #expect(bus.asked[0].allSatisfy { $0.due % 1_000 == 0 })
        #expect((97...100).contains(bus.asked[0].count))
    }
}
