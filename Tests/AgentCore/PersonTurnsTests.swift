// What a person asks waits for the schedule, and never the other way round.

internal import AgentCore
internal import Evidence
internal import Kit
internal import Quantities
internal import Testing

struct PersonTurnsTests {
    private let turns = PersonTurns(perSecond: 10)

    @Test(arguments: [
        // need, least, cost, room → turn. 50 ms are left free before the schedule's next read.
        (1_500, 100, 0, Int64.max, PersonTurns.Turn.ask(within: 1_500)),
        (1_500, 100, 0, 1_550, .ask(within: 1_500)), (1_500, 100, 0, 1_549, .ask(within: 1_499)),
        (1_500, 100, 0, 150, .ask(within: 100)), (1_500, 100, 0, 149, .wait(149)),
        (1_500, 100, 200, 350, .ask(within: 100)), (1_500, 100, 200, 349, .wait(349)),
        (1_500, 0, 0, 100, .ask(within: 50)), (1_500, 0, 0, 99, .wait(99)), (1_500, 100, 0, 0, .wait(1)),
        // A device that is given less than the least by its own limit.
        (40, 100, 0, 90, .ask(within: 40)), (40, 100, 0, 89, .wait(89)),
    ])
    func asksOnlyWhereThereIsRoom(need: Int64, least: Int64, cost: Int64, room: Int64, turn: PersonTurns.Turn) {
        #expect(turns.turn(cost: cost, need: need, least: least, room: room, monotonic: 5) == turn)
    }

    @Test func asksNotMoreOftenThanConfigured() {
        var turns = PersonTurns(perSecond: 4)
        turns.asked(monotonic: 1_000)
        #expect(turns.turn(cost: 0, need: 10, least: 10, room: .max, monotonic: 1_000) == .wait(250))
        #expect(turns.turn(cost: 0, need: 10, least: 10, room: .max, monotonic: 1_249) == .wait(1))
        #expect(turns.turn(cost: 0, need: 10, least: 10, room: .max, monotonic: 1_250) == .ask(within: 10))
    }

    private func schedule(_ reads: [(meter: UInt64, interval: Int64)]) -> BusSchedule {
        var schedule = BusSchedule(boundary: 60_000)
        let slots = reads.enumerated().map { index, read in
            ScheduledRead(read: UInt64(index), meter: read.meter, interval: read.interval, opening: .none)
        }
        schedule.add(slots, now: UTCInstant(milliseconds: 1))
        return schedule
    }

    @Test func roomEndsWithTheNextRead() {
        let schedule = schedule([(0, 1_000), (1, 60_000)])
        #expect(schedule.room(now: UTCInstant(milliseconds: 1), monotonic: 0) == 999)
        #expect(schedule.room(now: UTCInstant(milliseconds: 1_000), monotonic: 0) == 0)
        #expect(schedule.room(now: UTCInstant(milliseconds: 1_700), monotonic: 0) == 0)
        #expect(BusSchedule(boundary: 1).room(now: UTCInstant(milliseconds: 0), monotonic: 0) == .max)
    }

    @Test func aMeterThatIsLeftAloneTakesRoomOnlyAtABoundary() {
        var schedule = schedule([(0, 1_000)])
        var rooms: [Int64: Int64] = [:]
        // Silent: asked at 1, 3, 7, 15 and 31 s, then after another 32 s, but at the boundary, a minute, too.
        for now in stride(from: Int64(500), through: 59_500, by: 500) {
            let instant = UTCInstant(milliseconds: now)
            while true {
                switch schedule.next(now: instant, monotonic: now).step {
                case .ask(let slot, _):
                    schedule.finished(slot: slot, status: SampleStatus.timeout, now: instant, monotonic: now)
                    continue
                case .backedOff: continue
                case .wait: break
                }
                break
            }
            rooms[now] = schedule.room(now: instant, monotonic: now)
        }
        #expect(rooms[15_500] == 15_500 && rooms[31_500] == 28_500 && rooms[58_500] == 1_500, "\(rooms)")
    }

    /// Whatever is asked between: no read is late by an interval, and a boundary read starts when it is due.
    @Test func peopleMakeNobodyMiss() {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var random = SeededGenerator(seed: seed)
        var schedule = schedule([(0, 1_000), (1, 1_000), (2, 5_000), (3, 60_000)])
        var turns = PersonTurns(perSecond: 100)
        var now: Int64 = 1
        var asked = 0
        while now < 300_000 {
            let (step, overruns) = schedule.next(now: UTCInstant(milliseconds: now), monotonic: now)
            #expect(overruns.isEmpty, "seed \(seed), at \(now)")
            switch step {
            case .ask(let slot, let due):
                // Four reads may be due at once; each takes at most 40 ms.
                #expect(now - due.milliseconds <= 160, "seed \(seed), at \(now)")
                now += Int64.random(in: 1...40, using: &random)
                schedule.finished(slot: slot, status: 0, now: UTCInstant(milliseconds: now), monotonic: now)
            case .backedOff: Issue.record("nobody is silent")
            case .wait(let until, _):
                let room = schedule.room(now: UTCInstant(milliseconds: now), monotonic: now)
                #expect(room == until.milliseconds - now)
                switch turns.turn(cost: 20, need: 1_500, least: 60, room: room, monotonic: now) {
                case .wait(let rest): now = min(until.milliseconds, now + rest)
                case .ask(let within):
                    // The worst: no answer at all, and the margin used up for making the line sound again.
                    let worst = within + 20 + PersonTurns.marginMilliseconds
                    now += Bool.random(using: &random) ? worst : Int64.random(in: 1...worst, using: &random)
                    #expect(now <= until.milliseconds, "seed \(seed)")
                    turns.asked(monotonic: now)
                    asked += 1
                }
            }
        }
        #expect(asked > 200, "seed \(seed)")
    }
}
