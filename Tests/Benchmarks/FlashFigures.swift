// What the agent writes to flash in a day. Measured over minutes in which as many commits happen as in a longer time: a commit
// of one sample of each meter each second writes what one each 10 s, or each minute, writes; what is remembered by the clock
// rather than by the commit is written too often here, not too seldom.

internal import Kit

enum FlashFigures {
    private static let seconds = 180
    private static let warmUp: Duration = .seconds(20)

    static func measure() throws -> [Row] {
        [
            try measure("100 meters × 20 values each 10 s", endpoints: 20, every: 10, limit: 200),
            try measure("5 meters × 20 values each 60 s", endpoints: 1, every: 60, limit: 20),
        ]
    }

    private static func measure(_ name: String, endpoints: Int, every: Int, limit: Int) throws -> Row {
        let plant = try FloatPlant.Running(endpoints: endpoints)
        let yard = try BenchYard()
        defer { withExtendedLifetime((plant, yard)) {} }
        try yard.startAgent(buses: yard.floatBuses(plant.ports, units: 5), interval: "1s", commit: "1s")
        let collector = try yard.collector()
        try collector.run(until: .now + warmUp)
        guard let agent = yard.agent, agent.poll() == nil else {
            throw KitError("the agent does not run:\n\(try yard.agentLog().suffix(2_000))")
        }
        let (before, records, bytes) = (try ProcessFigures("\(agent.pid)"), collector.records, collector.envelopeBytes)
        try collector.run(until: .now + .seconds(seconds))
        let after = try ProcessFigures("\(agent.pid)")
        let commits = Double(collector.records - records)
        guard commits > 0 else { throw KitError("the agent commits nothing") }
        let day = (after.written - before.written) / commits * 86_400 / Double(every) / 1e6
        let raw = Double(endpoints * 5 * FloatPlant.values * 4) * 86_400 / Double(every) / 1e6
        let envelopes = Double(collector.envelopeBytes - bytes) / commits * 86_400 / Double(every) / 1e6
        return Row(
            "flash", "\(name), written a day", Figure.number(day) + " MB", limit: "\(limit) MB",
            "scaled from \(Int(commits)) commits in \(seconds) s; raw words \(Figure.number(raw)) MB, signed envelopes "
                + "\(Figure.number(envelopes)) MB of it")
    }
}
