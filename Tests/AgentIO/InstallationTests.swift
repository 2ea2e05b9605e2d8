// An installation that is wrong, end to end: a plant that delivers behind a meter that is said to take, read and signed by a
// real agent; `doctor` names it through the control socket, and says nothing of the kind where it is right.

internal import AgentIO
internal import Evidence
internal import Kit
internal import Testing

@Suite(.serialized) struct InstallationTests {
    @Test(arguments: [("consumption", true), ("production", false)])
    func aMeterMountedTheOtherWayRoundIsNamed(role: String, isWrong: Bool) async throws {
        let yard = try Yard()
        try yard.startBroker()
        let zero = Yard.now() + 1_000
        try yard.startPlant(zero: zero)
        let collector = try yard.collector()
        let meter = "{id: meter-1, profile: abb/b23}"
        let configuration = yard.configuration(zero: zero)
        #expect(configuration.contains(meter))
        try yard.startAgent(
            configuration: configuration.replacing(meter, with: "{id: meter-1, profile: abb/b23, measures: \(role)}"))
        let agent = try Workplace.program("kilomint-agent")
        let arguments = ["doctor", "--config", yard.place.file("agent.yaml"), "--json"]
        let deadline = ContinuousClock.now + .seconds(120)
        var told = ""
        while true {
            guard ContinuousClock.now < deadline else { throw KitError("never: \(told)\n\(try yard.agentLog())") }
            let pause = ContinuousClock.now + .seconds(1)
            while ContinuousClock.now < pause { try collector.step() }
            told = try await run(agent, arguments).1
            // From the morning on the plant delivers; until then nothing can be said.
            guard (collector.records.last?.completeThrough ?? 0) > 8 * 3_600_000 else { continue }
            if told.contains("direction-reversed") || !isWrong { break }
        }
        #expect(told.contains("direction-reversed") == isWrong, "\(told)")
        if isWrong {
            #expect(told.contains("meter-1, unit 1") && told.contains("a meter of consumption delivers"), "\(told)")
        }
        #expect(told.contains("recorded answers"))
    }
}
