// How much of a line the agent uses when more is due than fits: beside a bare libmodbus loop over TCP, and beside what a
// serial line's speed allows. A real agent process; the slaves answer late as real ones do.

internal import CModbus
internal import Glibc
internal import Kit

enum LineFigures {
    private static let seconds = 20
    private static let warmUp: Duration = .seconds(15)
    /// Milliseconds between request and answer; a bare loop over loopback would measure the kernel.
    private static let delay = 2

    static func measure() throws -> [Row] {
        var rows = [try tcp()]
        for baud in [9_600, 19_200] { rows += try serial(baud) }
        return rows
    }

    // MARK: TCP

    private static func tcp() throws -> Row {
        let plant = try FloatPlant.Running(endpoints: 1, delay: delay)
        defer { withExtendedLifetime(plant) {} }
        let bare = try bareLoop(plant.ports[0])
        let (reads, _) = try agentReads { $0.floatBuses(plant.ports, units: 100) }
        let again = try bareLoop(plant.ports[0])
        return Row(
            "line, TCP", "back-to-back reads of 20 floats", Figure.perSecond(reads),
            limit: Figure.perSecond(0.9 * max(bare, again)),
            "90 % of bare libmodbus, before and after: \(Figure.perSecond(bare)), \(Figure.perSecond(again)); the device "
                + "takes \(delay) ms: \(Figure.percent(reads, of: max(bare, again)))")
    }

    private static func bareLoop(_ port: Int) throws -> Double {
        guard let context = modbus_new_tcp("127.0.0.1", Int32(port)), modbus_connect(context) == 0 else {
            throw KitError("libmodbus cannot connect to port \(port)")
        }
        defer {
            modbus_close(context)
            modbus_free(context)
        }
        var words = [UInt16](repeating: 0, count: 125)
        var reads = 0
        let begin = ContinuousClock.now
        while .now - begin < .seconds(seconds / 2) {
            modbus_set_slave(context, Int32(reads % 100 + 1))
            let count = Int32(2 * FloatPlant.values)
            guard modbus_read_registers(context, 0, count, &words) == count else {
                throw KitError("the plant does not answer libmodbus")
            }
            reads += 1
        }
        return Double(reads) / ((ContinuousClock.now - begin) / .seconds(1))
    }

    /// Good reads a second of an agent that runs for a while; what `during` gives at begin and end of the time.
    private static func agentReads(
        _ buses: (BenchYard) -> [String], during: () -> Int = { 0 }
    ) throws -> (reads: Double, counted: Double) {
        let yard = try BenchYard()
        defer { withExtendedLifetime(yard) {} }
        try yard.startAgent(buses: buses(yard), interval: "100ms", commit: "1s")
        let collector = try yard.collector()
        try collector.run(until: .now + warmUp)
        let (begin, first) = (Machine.uptime(), during())
        try collector.run(until: .now + .seconds(seconds))
        let (end, last) = (Machine.uptime(), during())
        try collector.run(until: .now + .seconds(4))
        let reads = collector.sampleTimes.filter { begin..<end ~= $0 }.count
        guard reads > 0 else { throw KitError("the agent reads nothing:\n\(try yard.agentLog().suffix(2_000))") }
        let elapsed = Double(end - begin) / 1_000
        return (Double(reads) / elapsed, Double(last - first) / elapsed)
    }

    // MARK: Serial

    private static func serial(_ baud: Int) throws -> [Row] {
        let line = try PacedLine(baud: baud)
        let (reads, asked) = try agentReads(
            { $0.serialBuses(line.device, baud: baud, units: 20) }, during: { line.asked })
        // Request, answer, one gap before the next request, and the slave's delay.
        let characters = Double(8 + 5 + 4 * FloatPlant.values) * Double(line.characterNanoseconds)
        let needed = (characters + Double(line.gapNanoseconds + PacedLine.delayNanoseconds)) / 1e9
        return [
            Row(
                "line, RTU \(baud) baud", "reads of 20 floats", Figure.perSecond(reads),
                limit: Figure.perSecond(0.9 / needed),
                "90 % of what request, answer, t3.5 and the slave's 5 ms leave: \(Figure.percent(reads * needed, of: 1)); "
                    + "asked \(Figure.perSecond(asked))"),
            Row(
                "line, RTU \(baud) baud", "shortest gap before a request",
                Figure.number(Double(line.shortestGap) / 1e6) + " ms",
                limit: Figure.number(Double(line.gapNanoseconds) / 1e6) + " ms", "t3.5, never less"),
        ]
    }
}
