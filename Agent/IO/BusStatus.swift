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
            "\"meters\":[\(zip(plan.meters, figures.meters).map(Self.json).joined(separator: ","))]",
        ]
        return "{" + fields.joined(separator: ",") + "}"
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

    /// For people: the bus, and below it each meter.
    var lines: [String] {
        var lines = [
            "bus        \(plan.endpoint.text): \(load) % busy, \(figures.connects) connects, slowest \(slowest) ms, "
                + "\(figures.strayBytes) stray bytes, \(figures.missed) reads missed"
                + (figures.isCycleTooShort ? ", CYCLE TOO SHORT: raise `interval` or split the bus" : "")
        ]
        if let problem = figures.problem { lines.append("           NOT OPEN: \(problem)") }
        if let remark = figures.remark { lines.append("           note: \(remark)") }
        lines += zip(plan.meters, figures.meters).map(Self.line)
        return lines
    }

    private static func line(_ meter: ConfiguredMeter, _ figures: MeterFigures) -> String {
        var parts = ["\(figures.requests) requests", "\(figures.good) good"]
        let counted: [(UInt64, String)] = [
            (figures.timeouts, "timeouts"), (figures.checksums, "bad checksums"), (figures.wrongUnits, "wrong unit"),
            (figures.wrongAnswers, "wrong answers"), (figures.echoes, "echo"), (figures.disconnects, "disconnects"),
            (figures.notConnected, "not connected"), (figures.backedOff, "not asked"),
            (figures.busyRetries, "asked again while busy"),
        ]
        parts += counted.filter { $0.0 > 0 }.map { "\($0.0) \($0.1)" }
        parts += figures.exceptions.enumerated().filter { $0.element > 0 }
            .map { "\($0.element) × exception \($0.offset + 1)" }
        let latency = figures.latency.map { "\($0 / 1000) ms" } ?? "no answer yet"
        return "  meter    \(meter.id), unit \(meter.unit): " + parts.joined(separator: ", ")
            + "; answers in \(latency), given \(figures.timeoutMilliseconds) ms"
    }
}
