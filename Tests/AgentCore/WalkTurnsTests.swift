// Meters that must be asked what they are, beside meters that are read: nobody loses a read to a device that is not there.

internal import AgentCore
internal import Evidence
internal import Metering
internal import Quantities
internal import Testing

/// A bus in small: planned meters that answer, and sought ones of which most are silent.
private struct SoughtBus {
    /// By read: when it was asked for which instant.
    private(set) var asked: [UInt64: [(at: Int64, due: Int64)]] = [:]
    /// By sought meter: when it was asked, and for how long it was waited for.
    private(set) var tried: [Int: [(at: Int64, within: Int64)]] = [:]
    private(set) var found: [Int: Int64] = [:]
    private(set) var missed: Int64 = 0
    private var schedule: BusSchedule
    private var walks: WalkTurns
    private var questionsLeft: [Int]
    private(set) var now: Int64

    static let start: Int64 = 1_467_871_200_000
    /// Real milliseconds of a read, and of an answer to a walk's question.
    let cost: Int64
    /// From when on a sought meter answers.
    var wakes: [Int: Int64] = [:]
    var isReachable = true

    init(reads: Int, interval: Int64, cost: Int64, sought: Int, questions: Int = 10) {
        self.cost = cost
        now = Self.start + 1
        schedule = BusSchedule(boundary: 60_000)
        schedule.add(
            (0..<UInt64(reads)).map {
                ScheduledRead(read: $0, meter: 1_000 + $0, interval: interval, opening: .none, length: Int($0))
            }, now: UTCInstant(milliseconds: now))
        walks = WalkTurns(isSought: Array(repeating: true, count: sought))
        questionsLeft = Array(repeating: questions, count: sought)
    }

    private var utc: UTCInstant { UTCInstant(milliseconds: now) }

    mutating func run(_ milliseconds: Int64) {
        let end = now + milliseconds
        while now < end {
            if walkOn() { continue }
            let (step, overruns) = schedule.next(now: utc, monotonic: now)
            missed += overruns.map(\.missed).reduce(0, +)
            switch step {
            case .backedOff: continue
            case .wait(let instant, let monotonic):
                now = max(now + 1, min(instant.milliseconds, monotonic ?? .max, walks.wakeAt(after: now), now + 1_000))
            case .ask(let slot, let due):
                asked[schedule.slots[slot].read, default: []].append((now, due.milliseconds))
                now += isReachable ? cost : 5_000
                let status = isReachable ? SampleStatus.good : SampleStatus.connectFailed
                schedule.finished(slot: slot, status: status, now: utc, monotonic: now)
                if !isReachable { walks.endpointFailed(monotonic: now) }
            }
        }
    }

    private mutating func walkOn() -> Bool {
        let room = schedule.room(now: utc, monotonic: now)
        let failures = walks
        let turn = walks.turn(room: room, shortest: schedule.shortest, monotonic: now) { meter in
            let isSilent = failures.failures(of: meter) > 0
            return WalkTurns.Cost(line: 2, least: 250, need: 1_500, most: isSilent ? 6_000 : 1_500)
        }
        guard let turn else { return false }
        let (meter, from) = (turn.meter, now)
        tried[meter, default: []].append((now, turn.within))
        guard isReachable else {
            now += 5_000
            schedule.endpointFailed(monotonic: now)
            walks.endpointFailed(monotonic: now)
            return true
        }
        let isAnswered = now >= wakes[meter] ?? .max
        now += 2 + (isAnswered ? cost : turn.within)
        walks.asked(meter, isAnswered: isAnswered, took: now - from, room: room, monotonic: now)
        if !isAnswered {
            walks.failed(meter, monotonic: now)
        } else {
            questionsLeft[meter] -= 1
            if questionsLeft[meter] == 0 {
                found[meter] = now
                walks.found(meter, next: .max)
            }
        }
        return true
    }

    /// Instants of the read between two moments that were due and asked, of all that were due.
    func share(_ read: UInt64, interval: Int64, from: Int64, to: Int64) -> Double {
        let dues = Set((asked[read] ?? []).map(\.due)).filter { (from...to).contains($0) }
        return Double(dues.count) / Double((to - from) / interval)
    }
}

struct WalkTurnsTests {
    /// SunSpec, settled, identity interval → when it is walked again; nil: when it says something else.
    @Test(
        arguments: [
            (true, true, 3_600_000, 3_600_000), (false, true, 3_600_000, nil), (true, false, 3_600_000, 300_000),
            (false, false, 3_600_000, 300_000), (false, false, 60_000, 60_000),
        ] as [(Bool, Bool, Int64, Int64?)])
    func whoCouldNotSayAllIsAskedAgain(isSunSpec: Bool, isSettled: Bool, identity: Int64, again: Int64?) {
        #expect(WalkTurns.again(isSunSpec: isSunSpec, isSettled: isSettled, identityInterval: identity) == again)
    }

    private static let second: Int64 = 1_000
    private static let minute: Int64 = 60_000

    /// Of a TCP gateway (a read takes 20 ms) and of a line at 9 600 baud (100 ms).
    @Test(arguments: [12, 60], [Int64(20), 100]) func silentDevicesCostNoReads(sought: Int, cost: Int64) {
        var bus = SoughtBus(reads: 1, interval: Self.second, cost: cost, sought: sought)
        bus.wakes = [3: SoughtBus.start + 20 * Self.minute]
        let hour = 60 * Self.minute
        bus.run(hour)
        // Each two minutes for themselves: the first, in which all are tried often, like the last.
        for from in stride(from: SoughtBus.start + 1_000, to: SoughtBus.start + hour - 120_000, by: 120_000) {
            let share = bus.share(0, interval: Self.second, from: from, to: from + 120_000)
            #expect(share >= 0.98, "\(share) at \((from - SoughtBus.start) / 1_000) s")
        }
        let dues = Set(bus.asked[0]?.map(\.due) ?? [])
        #expect((1..<60).allSatisfy { dues.contains(SoughtBus.start + $0 * Self.minute) })
        #expect(bus.missed == 0)
        let late = (bus.asked[0] ?? []).map { $0.at - $0.due }.max() ?? 0
        #expect(late < Self.second)
        // Who wakes is found within the longest back-off and its ten questions.
        let found = bus.found[3].map { $0 - SoughtBus.start } ?? .max
        #expect((20 * Self.minute...26 * Self.minute).contains(found), "\(found)")
        #expect(bus.found.count == 1)
        for meter in 0..<sought where meter != 3 {
            let tries = bus.tried[meter] ?? []
            // 2 s, 4 s … 300 s: eighteen in an hour, and where sixty share the gaps a few less; never sooner.
            #expect((14...19).contains(tries.count), "\(tries.count) of meter \(meter)")
            for (number, pair) in zip(tries, tries.dropFirst()).enumerated() {
                #expect(pair.1.at - pair.0.at - pair.0.within >= min(2_000 << Int64(min(number, 8)), 300_000))
            }
        }
    }

    /// A bus whose reads leave no gap: silent devices are tried all the same, and one that wakes is found.
    @Test func aFullBusForgetsNobody() {
        var bus = SoughtBus(reads: 50, interval: Self.second, cost: 20, sought: 4)
        bus.wakes = [2: SoughtBus.start + 10 * Self.minute]
        bus.run(40 * Self.minute)
        #expect((0..<4).allSatisfy { bus.tried[$0]?.count ?? 0 >= 5 }, "\(bus.tried.mapValues(\.count))")
        #expect(bus.found[2] != nil && bus.found.count == 1)
        let asked = bus.asked.values.map(\.count)
        // One part in twenty at most is theirs.
        #expect((asked.min() ?? 0) >= 40 * 60 * 90 / 100, "\(asked.min() ?? 0)")
    }

    /// A device that is slower than the gaps is found: it is waited for a little beyond them.
    @Test func aSlowDeviceIsFound() {
        var bus = SoughtBus(reads: 1, interval: Self.second, cost: 20, sought: 1)
        bus.run(10 * Self.minute)
        let longest = bus.tried[0]?.map(\.within).max() ?? 0
        #expect((1_300...1_500).contains(longest) && bus.missed == 0, "\(longest)")
    }

    /// Without a way to the endpoint one attempt stands for all: sixty meters behind it do not make sixty.
    @Test func aClosedWayIsTriedOnceForAll() {
        var bus = SoughtBus(reads: 1, interval: Self.second, cost: 20, sought: 60)
        bus.isReachable = false
        bus.run(15 * Self.minute)
        let tries = bus.tried.values.map(\.count).reduce(0, +) + (bus.asked[0]?.count ?? 0)
        // The back-off's ten, and one for each boundary.
        #expect((9...30).contains(tries), "\(tries)")
        bus.isReachable = true
        for meter in 0..<60 { bus.wakes[meter] = 0 }
        bus.run(10 * Self.minute)
        #expect(bus.found.count == 60)
    }

    /// Whoever speaks goes on before others are tried.
    @Test func aWalkIsNotTornApart() {
        var walks = WalkTurns(isSought: [true, true, false])
        let cost = WalkTurns.Cost(line: 0, least: 250, need: 1_500, most: 1_500)
        func next() -> Int? { walks.turn(room: 60_000, shortest: 60_000, monotonic: 0) { _ in cost }?.meter }
        #expect(next() == 0)
        walks.asked(0, isAnswered: true, took: 20, room: 60_000, monotonic: 0)
        #expect(next() == 0)
        walks.found(0, next: 500)
        #expect(next() == 1)
        walks.failed(1, monotonic: 0)
        #expect(next() == nil && walks.wakeAt(after: 0) == 500)
        walks.want(2, at: 400)
        #expect(walks.wakeAt(after: 0) == 400 && walks.ready(2_000) == [1, 2, 0])
    }
}
