// What the agent writes to flash in a day, beside what `plan` says. Measured over minutes in which as many commits happen as in a
// longer time: a commit of one sample of each meter each second writes what one each 10 s, or each minute, writes. Of two whole
// runs, each with a start and an end that folds the log into the table, the difference counts: what the longer one has more.

internal import Foundation
internal import Kit

enum FlashFigures {
    private static let short: Duration = .seconds(20)
    private static let long: Duration = .seconds(200)

    /// What one run of the agent wrote, and for how much.
    private struct Run {
        let written: Double
        let records: Int
        let bytes: Int
    }

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
        let buses = yard.floatBuses(plant.ports, units: 5)
        // The first birth and every meter's identity belong to no day.
        let collector = try run(yard, buses, short, nil).collector
        let begin = try run(yard, buses, short, collector).run
        let whole = try run(yard, buses, long, collector).run
        let commits = Double(whole.records - begin.records)
        guard commits > 0 else { throw KitError("the agent commits nothing:\n\(try yard.agentLog().suffix(2_000))") }
        func day(_ bytes: Double) -> Double { bytes / commits * 86_400 / Double(every) / 1e6 }
        let raw = Double(endpoints * 5 * FloatPlant.values * 4) * 86_400 / Double(every) / 1e6
        return Row(
            "flash", "\(name), written a day", Figure.number(day(whole.written - begin.written)) + " MB",
            limit: "\(limit) MB",
            "`plan` says \(try plan(yard, buses, every)); scaled from \(Int(commits)) commits; raw words "
                + "\(Figure.number(raw)) MB, signed envelopes \(Figure.number(day(Double(whole.bytes - begin.bytes)))) MB of it"
        )
    }

    private static func run(
        _ yard: BenchYard, _ buses: [String], _ time: Duration, _ known: StandInCollector?
    ) throws -> (run: Run, collector: StandInCollector) {
        try yard.startAgent(buses: buses, interval: "1s", commit: "1s")
        let collector = try known ?? yard.collector()
        let (records, bytes) = (collector.records, collector.envelopeBytes)
        try collector.run(until: .now + time)
        let written = try end(yard)
        // What was under way.
        try collector.run(until: .now + .seconds(2))
        return (
            Run(written: written, records: collector.records - records, bytes: collector.envelopeBytes - bytes),
            collector
        )
    }

    /// Ends the agent in order. What it wrote in all is asked before the process is reaped.
    private static func end(_ yard: BenchYard) throws -> Double {
        guard let agent = yard.agent else { throw KitError("no agent") }
        agent.kill(SIGTERM)
        var info = siginfo_t()
        guard waitid(P_PID, id_t(agent.pid), &info, WEXITED | WNOWAIT) == 0 else { throw KitError("no agent ended") }
        let written = try ProcessFigures("\(agent.pid)").written
        guard agent.poll() == .exited(0) else {
            throw KitError("the agent did not end in order:\n\(try yard.agentLog().suffix(2_000))")
        }
        return written
    }

    /// What `plan` predicts for the interval that is meant: `12.3 MB`.
    private static func plan(_ yard: BenchYard, _ buses: [String], _ every: Int) throws -> String {
        let path = try yard.configure(buses: buses, interval: "\(every)s", commit: "10s")
        let asked = try ChildProcess(
            try Workplace.agent(), ["plan", "--config", path], outputPath: yard.place.file("plan.log"))
        while asked.poll() == nil { usleep(50_000) }
        let line = try asked.output.split(separator: "\n").first { $0.hasPrefix("flash") }
        guard let words = line?.split(separator: " "), words.count > 2 else {
            throw KitError("plan says nothing of flash:\n\(try asked.output)")
        }
        return "\(words[1]) \(words[2])"
    }
}
