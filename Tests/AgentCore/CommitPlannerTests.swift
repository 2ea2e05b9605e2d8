// The bodies of commits: births before what they explain, once; notes at most once an hour; a word when there is none.

internal import AgentCore
internal import Evidence
internal import Kit
internal import Metering
internal import Quantities
internal import Settings
internal import Testing

struct CommitPlannerTests {
    private func meter() throws -> ConfiguredMeter {
        let profile = try Profile(try SettingsFile.load(path: Workplace.root + "/firmware-profiles/abb/b23.yaml"))
        return ConfiguredMeter(
            index: 0, id: Identifier("meter-1")!, profile: profile, unit: 1, endpoint: "tcp://x:502",
            quantities: [.activeExport], interval: 60_000, identityInterval: 3_600_000)
    }

    private func planner(_ born: Birth? = nil) throws -> CommitPlanner {
        CommitPlanner(
            register: MeterRegister([try meter()]), agentVersion: "test", replay: nil, born: born, predecessor: nil,
            monotonic: 0)
    }

    private func input(
        _ reads: [FinishedRead] = [], _ notices: [BusNotice] = [], uptime: UInt64 = 1_000, monotonic: Int64 = 0,
        dropped: [Skip.Loss] = []
    ) -> CommitPlanner.Input {
        CommitPlanner.Input(
            cut: OpenCommit.Cut(reads: reads, openSince: nil, dropped: dropped), notices: notices,
            clock: RecordClock(
                sync: 2, errorMilliseconds: 0, boot: [], uptimeMilliseconds: uptime, utc: UTCInstant(milliseconds: 0)),
            monotonic: monotonic)
    }

    /// The answer of the B23's serial number read.
    private func serial(_ number: UInt8) -> FinishedRead {
        FinishedRead(read: 0, began: 10, ended: 20, status: 0, words: [0, 0, 0, number])
    }

    private func kinds(_ bodies: [PlannedBody]) -> [RecordKind] { bodies.map(\.body.kind) }

    @Test func birthComesFirstAndOnce() throws {
        var planner = try planner()
        let plan = try MeterPlan(try meter(), chain: [])
        #expect(plan.reads.map(\.isIdentity) == [true, true, true, false])
        let first = planner.bodies(input([serial(7)], [.planned(plan)]))
        #expect(kinds(first) == [.birth, .readings])
        #expect(first.map(\.completeThrough) == [10, 1_000])
        guard case .birth(let birth) = first[0].body else { return }
        #expect(birth.meters[0].serial == "7" && birth.reads.count == 4)
        #expect(birth.meters[0].identityReads == [0, 1, 2])
        #expect(kinds(planner.bodies(input([serial(7)]))) == [.readings])
        // After a restart the same meters and identities need no birth, even before they were heard.
        var again = try self.planner(birth)
        #expect(kinds(again.bodies(input([], [.planned(plan)]))) == [])
    }

    @Test func otherMetersAreBornOnceTheirPlansAreThere() throws {
        var planner = try planner()
        let plan = try MeterPlan(try meter(), chain: [])
        _ = planner.bodies(input([serial(7)], [.planned(plan), .opened(meter: 0)]))
        #expect(planner.isOpen(since: 0, now: 0))
        // A second meter comes, with an index that is not its position; the first one stays as it is.
        let old = try meter()
        let second = ConfiguredMeter(
            index: 4, id: Identifier("meter-2")!, profile: old.profile, unit: 2, endpoint: "tcp://y:502",
            quantities: old.quantities, interval: old.interval, identityInterval: old.identityInterval)
        planner.exchange([old, second], kept: [0])
        #expect(!planner.isOpen(since: 0, now: 4_999) && planner.isOpen(since: 0, now: 5_000))
        let other = try MeterPlan(second, chain: [])
        planner.take([.planned(other), .opened(meter: 4)])
        #expect(planner.isOpen(since: 0, now: 0))
        let bodies = planner.bodies(input([serial(7)]))
        #expect(kinds(bodies) == [.birth, .readings])
        guard case .birth(let birth) = bodies[0].body else { return }
        #expect(birth.meters.map(\.index) == [0, 4] && birth.meters.map(\.serial) == ["7", ""])
        #expect(birth.reads.map(\.index) == [0, 1, 2, 3, 400, 401, 402, 403])
        #expect(birth.meters[1].identityReads == [400, 401, 402])
        // The first meter's bus begins anew with another interval: who it is is not forgotten and not a change.
        planner.exchange([second], kept: [4])
        planner.exchange([old, second], kept: [4])
        #expect(planner.register.identities.map(\.serial) == ["", ""])
        planner.exchange([second, old], kept: [])
        #expect(planner.register.plans == [nil, nil])
        // A plan of a meter that left comes too late for any birth.
        planner.exchange([second], kept: [4])
        planner.take([.planned(plan)])
        #expect(planner.register.plans == [nil])
    }

    @Test func readsOfAFormerPlanStandBeforeTheBirthThatDropsIt() throws {
        var planner = try planner()
        _ = planner.bodies(input([serial(7)], [.planned(try MeterPlan(try meter(), chain: []))]))
        // Planned anew while reads of both plans wait for one commit: the old ones began at 10 and 30, the new one at 25.
        let late = FinishedRead(read: 3, began: 30, ended: 40, status: 0, words: [])
        let new = FinishedRead(read: 1_000_000, began: 25, ended: 45, status: 0, words: [0, 0, 0, 7])
        let plan = try MeterPlan(try meter(), chain: [], generation: 1)
        #expect(plan.reads[0].index == new.read)
        let bodies = planner.bodies(input([serial(7), late, new], [.planned(plan)]))
        #expect(kinds(bodies) == [.readings, .birth, .readings])
        #expect(bodies.map(\.completeThrough) == [25, 25, 1_000])
        guard case .readings(let before) = bodies[0].body, case .birth(let birth) = bodies[1].body,
            case .readings(let after) = bodies[2].body
        else { return }
        #expect(before.samples.map(\.read) == [0, 3] && after.samples.map(\.read) == [new.read])
        #expect(birth.reads.map(\.index) == plan.reads.map(\.index))
    }

    @Test func changedIdentityIsBornAndNoted() throws {
        var planner = try planner()
        let plan = try MeterPlan(try meter(), chain: [])
        _ = planner.bodies(input([], [.planned(plan)]))
        // Becoming known is a birth, but no change.
        #expect(kinds(planner.bodies(input([serial(7)]))) == [.birth, .readings])
        let bodies = planner.bodies(input([serial(8)]))
        #expect(kinds(bodies) == [.birth, .readings, .note])
        guard case .note(let note) = bodies[2].body else { return }
        #expect(note.code == NoteCode.identityChanged.rawValue)
        // A failed identity read changes nothing.
        let failed = FinishedRead(read: 0, began: 1, ended: 2, status: SampleStatus.timeout, words: [])
        #expect(kinds(planner.bodies(input([failed]))) == [.readings])
    }

    @Test func sameNoteComesOnceAnHour() throws {
        var planner = try planner()
        _ = planner.bodies(input())
        let overrun = BusSchedule.overrun(read: 3)
        var counts: [Int] = []
        for minute in 0..<121 as Range<Int64> {
            counts.append(
                kinds(planner.bodies(input([], [.overrun(overrun, bus: 0)], monotonic: minute * 60_000)))
                    .count { $0 == .note })
        }
        #expect(counts.indices.filter { counts[$0] > 0 } == [0, 60, 120])
        #expect(
            kinds(planner.bodies(input([], [.silent(meter: 0, status: 32), .silent(meter: 0, status: 32)]))) == [.note])
    }

    @Test func silenceIsBrokenEveryFiveMinutes() throws {
        var planner = try planner()
        _ = planner.bodies(input(monotonic: 0))
        #expect(planner.bodies(input(monotonic: 299_999)).isEmpty)
        let bodies = planner.bodies(input(uptime: 777, monotonic: 300_000))
        #expect(kinds(bodies) == [.readings] && bodies[0].completeThrough == 777)
        #expect(planner.bodies(input(monotonic: 300_001)).isEmpty)
    }

    @Test func droppedSamplesAreNamed() throws {
        var planner = try planner()
        _ = planner.bodies(input())
        let bodies = planner.bodies(input(dropped: [Skip.Loss(read: 3, samples: 9)]))
        guard case .note(let note)? = bodies.last?.body else { return #expect(Bool(false), "no note") }
        #expect(note.code == NoteCode.samplesDropped.rawValue)
    }

    @Test func openingWaitsForEachMeterButNotForEver() throws {
        var planner = try planner()
        #expect(!planner.isOpen(since: 0, now: 4_999))
        #expect(planner.isOpen(since: 0, now: 5_000))
        planner.take([.opened(meter: 0)])
        #expect(planner.isOpen(since: 0, now: 0))
    }
}

extension BusSchedule {
    /// An overrun, made the way it comes about.
    fileprivate static func overrun(read: UInt64) -> Overrun {
        var schedule = BusSchedule(boundary: 900_000)
        schedule.add(
            [ScheduledRead(read: read, meter: 0, interval: 1_000, opening: .none)], now: UTCInstant(milliseconds: 1))
        return schedule.next(now: UTCInstant(milliseconds: 5_000), monotonic: 0).overruns[0]
    }
}
