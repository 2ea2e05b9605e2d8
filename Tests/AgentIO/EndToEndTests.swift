// A real agent process against a real broker and real Modbus meters: from the bus to the receipt, through every stop.

internal import AgentIO
internal import Evidence
internal import Glibc
internal import Kit
internal import Quantities
internal import Testing

@Suite(.serialized) struct EndToEndTests {
    private func births(_ records: [Record]) -> [Birth] {
        records.compactMap { if case .birth(let birth) = $0.body { birth } else { nil } }
    }

    private func samples(_ records: [Record]) -> [(read: UInt64, uptime: UInt64, status: UInt64)] {
        records.flatMap { record -> [(UInt64, UInt64, UInt64)] in
            guard case .readings(let readings) = record.body else { return [] }
            return readings.samples.map { ($0.read, readings.base + $0.dt, $0.status) }
        }
    }

    private func until(
        _ what: String, _ collector: MiniCollector, seconds: Int = 20, _ yard: Yard, _ holds: () throws -> Bool
    ) throws {
        let deadline = ContinuousClock.now + .seconds(seconds)
        while try !holds() {
            guard ContinuousClock.now < deadline else {
                throw KitError("never: \(what); refusals \(collector.refusals)\n\(try yard.agentLog().suffix(3000))")
            }
            try collector.step()
        }
    }

    @Test func readsBeforeZeroRunsAndStopsInOrder() async throws {
        let yard = try Yard()
        try yard.startBroker()
        let zero = Yard.now() + 4_000
        try yard.startPlant(zero: zero)
        let collector = try yard.collector()
        try yard.startAgent(zero: zero)

        try until("both meters are receipted before zero", collector, yard) {
            Set(samples(collector.records).map { $0.read / 100 }).count == 2
                && births(collector.records).contains { $0.meters.allSatisfy { !$0.serial.isEmpty } }
        }
        #expect(Yard.now() < zero)
        let first = try #require(births(collector.records).first)
        #expect(first.meters.map(\.serial) == ["20160701", "SERF-EAST-1"])
        #expect(first.replay?.speed == Yard.speed)
        #expect(first.predecessor == nil)
        #expect(
            samples(collector.records).allSatisfy {
                $0.uptime <= 10 && [0, SampleStatus.connectFailed].contains($0.status)
            })

        try until("an hour and a half was read", collector, yard) {
            (collector.records.last?.completeThrough ?? 0) > 90 * 60_000
        }
        // Once before zero, then each minute: phase-aligned, with what little is late.
        let register = samples(collector.records).filter { $0.read == first.reads[3].index }.map(\.uptime)
        let minutes = Set(register.map { ($0 + 500) / 60_000 })
        #expect(minutes.count > 80, "\(register.count) reads in 90 minutes")
        #expect(register.contains { $0 / 900_000 == 1 && $0 % 900_000 < 60_000 })

        yard.agent?.kill(SIGTERM)
        let agent = try #require(yard.agent)
        try until("the agent ends", collector, yard) { agent.poll() != nil }
        let log = try yard.agentLog()
        #expect(agent.poll() == .exited(0), "\(log)")
        #expect(collector.refusals == [])
        let notes = collector.records.filter { if case .note = $0.body { true } else { false } }
        #expect(notes.allSatisfy { if case .note(let note) = $0.body { note.code == 9 } else { false } })

        // The same stream goes on, without a crash note and without a second birth.
        let before = collector.head
        let count = births(collector.records).count
        try yard.startAgent(zero: zero)
        try until("the stream goes on", collector, yard) { collector.head > before + 3 }
        #expect(collector.streams.count == 1)
        #expect(births(collector.records).count == count)
        #expect(!hasNote(collector, .startedAfterCrash))
        #expect(collector.statuses.contains { $0.isOnline && $0.receipt != nil })
    }

    private func hasNote(_ collector: MiniCollector, _ code: NoteCode) -> Bool {
        collector.records.contains { if case .note(let note) = $0.body { note.code == code.rawValue } else { false } }
    }

    @Test func killedAgainAndAgainLosesNothingCommitted() async throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var random = SeededGenerator(seed: seed)
        let yard = try Yard()
        try yard.startBroker()
        let zero = Yard.now() + 1_000
        try yard.startPlant(zero: zero)
        let collector = try yard.collector()
        for _ in 0..<6 {
            try yard.startAgent(zero: zero)
            let life = ContinuousClock.now + .milliseconds(Int64.random(in: 200...1_500, using: &random))
            while ContinuousClock.now < life { try collector.step(.milliseconds(20)) }
            yard.agent?.kill(SIGKILL)
            let agent = try #require(yard.agent)
            _ = try await agent.wait()
        }
        try yard.startAgent(zero: zero)
        let before = collector.head
        try until("it goes on", collector, yard) { collector.head > before + 5 }
        // Every record that any life committed is there, in order: the chain has no hole and no second history.
        #expect(collector.refusals == [], "seed \(seed)")
        #expect(collector.streams.count == 1, "seed \(seed)")
        #expect(collector.current.map(\.place.sequence) == Array(1...UInt64(collector.current.count)), "seed \(seed)")
        #expect(hasNote(collector, .startedAfterCrash), "seed \(seed)")
    }

    @Test func silentBrokenAndRestoredCollector() async throws {
        let yard = try Yard()
        let zero = Yard.now() + 1_000
        try yard.startPlant(zero: zero)
        // The broker is not there yet: reading and storing go on.
        try yard.startAgent(zero: zero)
        try await Task.sleep(for: .seconds(2))
        try yard.startBroker()
        let collector = try yard.collector()
        try until("what was read without a broker arrives", collector, yard) { collector.head > 5 }

        // No receipts: it is sent again, and nothing is lost.
        collector.isSilent = true
        let quiet = ContinuousClock.now + .seconds(3)
        while ContinuousClock.now < quiet { try collector.step() }
        #expect(collector.duplicates > 0)
        collector.isSilent = false
        try collector.receipt()
        let head = collector.head
        try until("it goes on after the silence", collector, yard) { collector.head > head + 3 }

        // Restored from an older copy: the tail comes again, and a note says so.
        collector.forget(after: 3)
        try collector.receipt()
        try until("the tail comes again", collector, yard) { hasNote(collector, .receiptWentBack) }
        #expect(collector.current.map(\.place.sequence) == Array(1...UInt64(collector.current.count)))

        // The collector ends the stream: a new one names it.
        let old = try #require(collector.streams.last?.id)
        try collector.receipt(ended: "forked")
        try until("a new stream is born", collector, yard) { collector.streams.count == 2 && collector.head > 1 }
        let birth = try #require(births(collector.records).first)
        #expect(birth.predecessor?.stream == old)
        #expect(birth.predecessor?.reason == "forked")
        #expect(collector.refusals.allSatisfy { $0.hasPrefix("old stream") })

        let (_, status) = try await run(
            try Workplace.program("kilomint-agent"),
            ["status", "--config", yard.place.file("agent.yaml"), "--json"])
        #expect(status.contains("\"connected\":true"), "\(status)")
    }
}
