// One bus and its meters in the agent's status: JSON for programs, lines for the person beside the cabinet.

internal import AgentCore
internal import Quantities

struct BusStatus {
    let plan: BusPlan
    let figures: BusFigures
    /// What of them happened lately: what was mended is not found any more.
    let recent: BusFigures
    /// Nanoseconds of the clock that never steps.
    let instant: Int64

    var load: Int64 { figures.load.percent(now: instant) }
    private var slowest: Int64 { (figures.meters.map(\.latencyMax).max() ?? 0) / 1000 }

    /// One JSON object.
    var json: String {
        let fields = [
            "\"endpoint\":\(StatusBoard.quoted(plan.endpoint.text))", "\"requests\":\(figures.total(\.requests))",
            "\"good\":\(figures.total(\.good))", "\"exceptions\":\(figures.exceptions)",
            "\"timeouts\":\(figures.total(\.timeouts))", "\"other_failures\":\(figures.wrong)",
            "\"backed_off\":\(figures.total(\.backedOff))", "\"connects\":\(figures.connects)",
            "\"missed\":\(figures.missed)", "\"cycle_too_short\":\(figures.isCycleTooShort)",
            "\"asked_by_people\":\(figures.askedByPeople)", "\"stray_bytes\":\(figures.strayBytes)",
            "\"babbles\":\(figures.babbles)", "\"load_percent\":\(load)",
            "\"took_ms_max\":\(slowest)", "\"problem\":\(figures.problem.map(StatusBoard.quoted) ?? "null")",
            "\"remark\":\(figures.remark.map(StatusBoard.quoted) ?? "null")",
            "\"characters\":\(figures.characters.map(Self.json) ?? "null")",
            "\"meters\":[\(zip(plan.meters, figures.meters).map(Self.json).joined(separator: ","))]",
        ]
        return "{" + fields.joined(separator: ",") + "}"
    }

    private static func json(_ errors: CharacterErrors) -> String {
        "{\"received\":\(errors.received),\"framing\":\(errors.framing),\"parity\":\(errors.parity),"
            + "\"overruns\":\(errors.overruns),\"breaks\":\(errors.breaks)}"
    }

    private static func json(_ meter: ConfiguredMeter, _ figures: MeterFigures) -> String {
        let exceptions = figures.exceptions.enumerated().filter { $0.element > 0 }
            .map { "\"\($0.offset + 1)\":\($0.element)" }
        let fields = [
            "\"id\":\(StatusBoard.quoted(meter.id.text))", "\"unit\":\(meter.unit)", "\"requests\":\(figures.requests)",
            "\"good\":\(figures.good)", "\"timeouts\":\(figures.timeouts)",
            "\"exceptions\":{\(exceptions.joined(separator: ","))}", "\"checksums\":\(figures.checksums)",
            "\"wrong_units\":\(figures.wrongUnits)", "\"wrong_answers\":\(figures.wrongAnswers)",
            "\"echoes\":\(figures.echoes)", "\"disconnects\":\(figures.disconnects)",
            "\"not_connected\":\(figures.notConnected)", "\"backed_off\":\(figures.backedOff)",
            "\"busy_retries\":\(figures.busyRetries)",
            "\"latency_us\":\(figures.latency.map { String($0) } ?? "null")",
            "\"latency_us_max\":\(figures.latencyMax)", "\"timeout_ms\":\(figures.timeoutMilliseconds)",
        ]
        return "{" + fields.joined(separator: ",") + "}"
    }

    /// For people: the bus, and below it each meter. 80 columns hold it unless an endpoint's name is long.
    var lines: [String] {
        var lines = ["bus        \(plan.endpoint.text)"]
        var parts = ["\(load) % busy", "\(figures.connects) connects", "slowest \(slowest) ms"]
        if figures.strayBytes > 0 { parts.append("\(figures.strayBytes) stray bytes") }
        if let errors = figures.characters, errors.all > 0 { parts.append("\(errors.all) broken characters") }
        if figures.missed > 0 { parts.append("\(figures.missed) reads missed") }
        if figures.askedByPeople > 0 { parts.append("\(figures.askedByPeople) asked by people") }
        lines.append("           " + parts.joined(separator: ", "))
        if figures.isCycleTooShort { lines.append("           CYCLE TOO SHORT: raise `interval` or split the bus") }
        if let problem = figures.problem { lines.append("           NOT OPEN: \(problem)") }
        if let remark = figures.remark { lines.append("           note: \(remark)") }
        lines.append("  " + Self.row("METER", "UNIT", "GOOD", "OF", "ANSWER", "GIVEN", "FAILURES"))
        lines += zip(plan.meters, figures.meters).map(Self.line)
        return lines
    }

    private static func line(_ meter: ConfiguredMeter, _ figures: MeterFigures) -> String {
        let counted: [(UInt64, String)] = [
            (figures.timeouts, "timeout"), (figures.checksums, "checksum"), (figures.wrongUnits, "wrong unit"),
            (figures.wrongAnswers, "wrong answer"), (figures.echoes, "echo"), (figures.disconnects, "disconnect"),
            (figures.notConnected, "not open"), (figures.backedOff, "not asked"), (figures.busyRetries, "busy"),
        ]
        let failures =
            counted.filter { $0.0 > 0 }.map { "\($0.0) \($0.1)" }
            + figures.exceptions.enumerated().filter { $0.element > 0 }
            .map { "\($0.element) exception \($0.offset + 1)" }
        return "  "
            + row(
                meter.id.text, "\(meter.unit)", "\(figures.good)", "\(figures.requests)",
                figures.latency.map { "\($0 / 1000) ms" } ?? "—", "\(figures.timeoutMilliseconds) ms",
                failures.isEmpty ? "none" : failures.joined(separator: ", "))
    }

    private static func row(
        _ meter: String, _ unit: String, _ good: String, _ all: String, _ answer: String, _ given: String,
        _ failures: String
    ) -> String {
        func right(_ text: String, _ width: Int) -> String {
            String(repeating: " ", count: max(1, width - text.count)) + text
        }
        return meter + String(repeating: " ", count: max(0, 16 - meter.count)) + right(unit, 5) + right(good, 9)
            + right(all, 9) + right(answer, 9) + right(given, 9) + "  " + failures
    }
}
