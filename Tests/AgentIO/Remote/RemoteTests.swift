// A real agent that is told versions of its configuration through a real broker: tried, confirmed, rolled back, refused.

internal import AgentIO
internal import Evidence
internal import Keys
internal import Kit
internal import Testing

@Suite(.serialized) struct RemoteTests {
    @Test func aGoodVersionIsConfirmedWithoutLosingASample() async throws {
        let world = try RemoteWorld()
        try world.start(world.file())
        let first = world.samples.count
        try world.until("some reads") { world.samples.count > first + 2 }
        try world.send(3, "interval: 1s\n")
        try world.until(outcome: "3 applied")
        #expect(world.outcomes == ["3 tried", "3 applied"])
        let applied = world.samples.count
        try world.until("reads go on") { world.samples.count > applied + 4 }
        let samples = world.samples
        #expect(samples.contains { $0.interval == 2_000 } && samples.last?.interval == 1_000)
        let status = try await world.until(status: "\"version\":3,\"on_trial\":0")
        #expect(status.contains("\"last_outcome\":\"applied\""))
        let shown = try await world.agent("config", "show", "--origin")
        #expect(shown.contains("remote version 3"), "\(shown)")

        // A person at the gateway takes it back; the retained command does not bring it again.
        let said = try await world.agent("config", "rollback")
        #expect(said.contains("remote version 3 is taken back; in use: the site's file alone"), "\(said)")
        try world.until(outcome: "3 rolled back: taken back at the gateway by")
        try world.until("the old interval") { world.samples.last?.interval == 2_000 }
        // Each question that the meter was asked is one sample, however slow the machine: over two exchanges none is lost
        // and none stands twice. That none is left out is BusExchange's to show.
        let asked = try world.asked()
        try world.until("a sample of each question") { world.samples.count >= asked }
        #expect(world.samples.count <= (try world.asked()))
        #expect(world.collector.refusals == [] && world.collector.streams.count == 1)
    }

    @Test func aVersionThatBreaksAMeterRollsBack() async throws {
        let world = try RemoteWorld()
        try world.start(world.file(trial: "6s"))
        try world.send(1, "meters: [{id: meter-1, unit: 9}]")
        try world.until(outcome: "1 rolled back: no longer answering: meter-1")
        let back = Yard.now()
        try world.until("it is read again") { world.samples.contains { $0.at > back && $0.status == 0 } }
        // Another meter answers there: no matter of time.
        try world.send(2, "meters: [{id: meter-1, unit: 2}]")
        try world.until(outcome: "2 rolled back: meter-1 answers with serial number")
        #expect(world.outcomes.filter { $0.hasSuffix("tried") } == ["1 tried", "2 tried"])
        #expect(world.collector.refusals == [])
    }

    @Test func aVersionWithoutReceiptsRollsBack() async throws {
        let world = try RemoteWorld()
        try world.start(world.file(trial: "5s"))
        world.collector.isSilent = true
        try world.send(1, "window: {bytes_per_second_max: 1KiB}")
        try world.until("it rolls back") { try world.yard.agentLog().contains("no receipt came") }
        world.collector.isSilent = false
        try world.collector.receipt()
        try world.until(outcome: "1 rolled back: no receipt came for what was signed with it")
        #expect(world.collector.refusals == [])
    }

    @Test func killedInMidTrial() async throws {
        let world = try RemoteWorld()
        let file = world.file(trial: "60s")
        try world.start(file)
        world.collector.isSilent = true
        try world.send(1, "interval: 1s")
        for _ in 0..<3 {
            try world.until("it is on trial") { try world.yard.agentLog().contains("trial") }
            try await world.crash(file)
        }
        // The third start on trial ends well.
        world.collector.isSilent = false
        try world.collector.receipt()
        try world.until(outcome: "1 applied")
        try world.until("the new interval") { world.samples.last?.interval == 1_000 }

        world.collector.isSilent = true
        try world.send(2, "interval: 2s")
        for _ in 0..<4 {
            try world.until("it is on trial") { try world.yard.agentLog().contains("version=2") }
            try await world.crash(file)
        }
        world.collector.isSilent = false
        try world.collector.receipt()
        try world.until(outcome: "2 rolled back: the agent was started 3 times")
        try world.until("what was in force") { world.samples.last?.interval == 1_000 }
        #expect(world.collector.refusals == [])
    }

    @Test func whatIsNotToBeBelievedOrFollowed() async throws {
        let world = try RemoteWorld()
        try world.start(world.file())
        try world.send(5, "interval: 2s")
        try world.until(outcome: "5 applied")
        try world.send(6, "interval: 2s", expires: -1)
        try world.until(outcome: "6 refused: it expired at")
        try world.send(7, "interval: 500ms")
        try world.until(outcome: "7 refused: remote version 7: `meters: meter-1.interval: 500ms` is too short")
        try world.send(8, "mqtt: {host: elsewhere.example}")
        try world.until(outcome: "8 refused: remote version 8")
        // Not believed: each kind once an hour.
        try world.send(4, "interval: 1s")
        try world.until(outcome: "4 unbelieved: number 4 is not above 8")
        try world.send(9, "interval: 1s", by: try PrivateKey.generate(.es256))
        try world.until(outcome: "0 unbelieved: no key of role command")
        try world.send(9, "interval: 1s", by: world.yard.receiptKey)
        try world.send(9, "interval: 1s", to: "gw-2")
        try world.until(outcome: "9 unbelieved: it is for gw-2")
        try world.collector.command([UInt8](repeating: 0xA0, count: Command.envelopeBytesMax + 1))
        try world.until(outcome: "0 unbelieved: 20481 bytes")
        try world.collector.command([0xA0])
        try world.until(outcome: "0 unbelieved: it is no command")
        let status = try await world.until(status: "\"commands_unbelieved\":6")
        #expect(status.contains("\"version\":5") && status.contains("\"refused\":3"), "\(status)")
        // After all of that a sound one is followed.
        try world.send(9, "interval: 1s")
        try world.until(outcome: "9 applied")
        #expect(world.collector.refusals == [])
    }

    @Test func aSiteThatAllowsNothing() async throws {
        let world = try RemoteWorld()
        try world.start(world.file(allowed: false))
        try world.send(1, "interval: 4s")
        try world.until(outcome: "1 refused: the site's file does not allow it")
        #expect(world.samples.last?.interval == 2_000)
        try world.send(2, "")
        try world.until(outcome: "2 refused: the site's file does not allow it")
    }
}
