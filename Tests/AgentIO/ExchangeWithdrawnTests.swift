// The spool or the key's store lets no exchange of meters come about: what ran before goes on, and one side alone decides.

@testable internal import AgentIO
internal import AgentCore
internal import Evidence
internal import Keys
internal import Kit
internal import Proofs
internal import Quantities
internal import Settings
internal import Testing

@Suite struct ExchangeWithdrawnTests {
    private func exchange(_ meters: [ConfiguredMeter]) -> MeterExchange {
        MeterExchange(meters: meters, kept: [], commitEvery: 500, limits: .init())
    }

    @Test func whatIsWithdrawnChangesNoBirth() throws {
        let bench = try SpoolBench(try TemporaryDirectory())
        try bench.commit()
        let born = bench.keeper.lastBirth
        bench.keeper.spool.fault = { _ in .refused }
        try bench.commit()
        let asked = exchange([])
        bench.keeper.exchange = asked
        try bench.keeper.exchangeMeters()
        #expect(asked.done.isOpen)
        #expect(asked.decision.decide(done: false))
        bench.keeper.spool.fault = nil
        try bench.keeper.exchangeMeters()
        #expect(bench.keeper.exchange == nil && asked.done.isOpen && asked.standing.take(within: 0).isEmpty)
        try bench.commit()
        try bench.commit()
        #expect(bench.keeper.planner.register.meters.count == 1 && bench.keeper.lastBirth == born)
        let samples = try bench.outgoing().reduce(0) { count, record in
            if case .readings(let readings) = record.body { count + readings.samples.count } else { count }
        }
        #expect(samples == 12)
    }

    @Test func whatIsDoneIsNotWithdrawn() throws {
        let bench = try SpoolBench(try TemporaryDirectory())
        try bench.commit()
        let asked = exchange([])
        bench.keeper.exchange = asked
        try bench.keeper.exchangeMeters()
        #expect(!asked.done.isOpen && !asked.decision.decide(done: false))
        #expect(bench.keeper.planner.register.meters.isEmpty)
    }

    /// Nobody answers: the buses that ended begin again, with numbers of reads that were not used, and the file is refused.
    @Test(arguments: [true, false]) func busesGoOnWhenNobodyExchanges(isInboxFull: Bool) throws {
        let place = try TemporaryDirectory()
        let path = place.file("agent.yaml")
        func file(_ interval: String) -> [UInt8] {
            Array(
                """
                gateway: gw-1
                key: \(Workplace.root)/none
                interval: \(interval)
                spool: {path: \(place.file("spool"))}
                profiles: \(Workplace.root)/firmware-profiles
                buses:
                  - tcp: 127.0.0.1:9
                    meters: [{id: meter-1, profile: abb/b23}]
                """.utf8)
        }
        try SpoolFolder.create(place.file("spool"))
        try Workplace.write(file("2s"), to: path)
        let keys = KeyRing(try .generate(.eddsa))
        let (clock, log) = (try MachineClock(house: .real), Log(write: { _ in }))
        let start = try RemoteStart(path: path, log: log)
        let parts = try AgentParts(start.settings, keys: keys)
        let recorder = Recorder(clock: clock, meters: [1])
        let board = StatusBoard(recorder: recorder, buses: parts.buses)
        let inbox = Mailbox<KeeperEvent>(itemsMax: isInboxFull ? 0 : 8)
        let (desk, reading) = (BusDesk(), ReadingEnd())
        var threads = BusThreads(recorder: recorder, clock: clock, desk: desk)
        for plan in parts.buses { try threads.start(plan) }
        var reloader = Reloader(
            parts, remote: start,
            chain: Chain(gateway: parts.settings.gateway, stream: try #require(StreamID([1, 2, 3, 4, 5, 6, 7, 8]))),
            clock: clock, threads: threads, recorder: recorder, inbox: inbox, board: board,
            context: ControlContext(
                settings: parts.settings, desk: desk, board: board, keeper: inbox, clock: clock, reading: reading),
            supervisor: parts.keeper.supervisor, log: log, reading: reading)
        defer { reloader.threads.endAll() }
        reloader.patience = 100_000_000
        try Workplace.write(file("3s"), to: path)
        let next = try AgentParts(try SiteFile(path: path).settings, keys: keys)
        #expect(throws: ExchangeWithdrawn.self) { _ = try reloader.apply(next, reading.reloads) }
        #expect(reloader.threads.plans.map { $0.meters.map(\.interval) } == [[2_000]])
        #expect(desk.plans.count == 1 && reloader.settings.buses == parts.settings.buses)
        // The keeper comes to it too late.
        for event in inbox.take(within: 0) {
            if case .exchange(let exchange) = event { #expect(!exchange.decision.decide(done: true)) }
        }
        let generations = reloader.threads.end([0]).map(\.generations)
        #expect(generations == [[2]])
    }
}
