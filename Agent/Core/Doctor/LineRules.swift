// From a bus's figures to findings: which fault leaves these traces. Total and pure; thresholds have names.

internal import Quantities

struct LineRules {
    /// Requests below which nothing is concluded.
    static let askedMin: UInt64 = 3
    /// Broken answers of a unit, percent, from which on it is not the odd one out any more.
    static let brokenPercentMin: UInt64 = 10
    /// Of the others on its line, at most.
    static let cleanPercentMax: UInt64 = 2
    /// Requests of each length before lengths are compared.
    static let lengthAskedMin: UInt64 = 20

    let line: LineCase
    let meters: [MeterCase]

    init(_ line: LineCase) {
        self.line = line
        meters = zip(line.meters, line.figures.meters).map {
            MeterCase(meter: $0, figures: $1, evidence: line.figures.evidence[$0.unit])
        }
    }

    var findings: [Finding] {
        if let problem = line.figures.problem {
            return [Finding(.busNotOpen, line.name, problem)] + meters.compactMap(clientRefused)
        }
        var found: [Finding] = []
        if let remark = line.figures.remark { found.append(Finding(.lineRemark, line.name, remark)) }
        // What takes the whole line also makes it slow: it is named alone.
        if line.kind != .tcp, let whole = echo ?? secondMaster ?? speedOrParity ?? lineSilent { return found + [whole] }
        if line.figures.isCycleTooShort {
            found.append(
                Finding(
                    .cycleTooShort, line.name,
                    "\(line.figures.missed) reads passed unread; the line was busy for most of the time"))
        }
        if line.kind == .tcp { return found + meters.flatMap(tcp) }
        let clashes = meters.compactMap(addressClash)
        found += clashes
        found += meters.flatMap { [unitWrong($0), timeoutShort($0), refused($0), silent($0)].compactMap { $0 } }
        found += meters.compactMap(gatewayNoAnswer)
        if clashes.isEmpty, let cable = termination ?? noise { found.append(cable) }
        return found
    }

    private func name(_ meter: MeterCase) -> String { "\(meter.meter.id), unit \(meter.meter.unit) on \(line.name)" }

    private func total(_ figure: (MeterCase) -> UInt64) -> UInt64 { meters.reduce(0) { $0 + figure($1) } }

    // MARK: The whole line

    private var echo: Finding? {
        let echoes = total(\.figures.echoes)
        guard echoes >= Self.askedMin, total(\.figures.good) == 0 else { return nil }
        let asked = total(\.asked)
        return line.hasEcho
            ? Finding(
                .echoMissing, line.name, "\(echoes) of \(asked) requests were answered without the echo before it")
            : Finding(.echoUnexpected, line.name, "\(echoes) of \(asked) requests came back as they were sent")
    }

    private var secondMaster: Finding? {
        let evidence = line.figures.evidence
        guard evidence.foreignRequests >= 2 || (evidence.foreignRequests > 0 && evidence.foreignAnswers > 0) else {
            return nil
        }
        let unit = evidence.foreignUnit.map { ", the last to unit \($0)" } ?? ""
        return Finding(
            .secondMaster, line.name,
            "\(evidence.foreignRequests) requests\(unit) and \(evidence.foreignAnswers) answers were heard that "
                + "this agent did not ask for; \(total(\.broken)) of \(total(\.asked)) own answers came broken")
    }

    private var speedOrParity: Finding? {
        let broken = total(\.broken)
        let asked = total(\.asked)
        guard meters.allSatisfy({ !$0.isAlive }), broken >= 5, broken * 2 >= asked else { return nil }
        let evidence = line.figures.evidence
        let zeros = evidence.brokenBytes.percent(evidence.brokenZeros)
        let points = zeros >= 25 && evidence.brokenBytes >= 20 ? "that points to parity" : "that points to the speed"
        return Finding(
            .speedOrParity, line.name,
            "none of \(asked) requests was answered soundly, \(broken) times something came that is no frame; "
                + "\(zeros) % of \(evidence.brokenBytes) bytes are 0: \(points)")
    }

    private var lineSilent: Finding? {
        guard meters.count > 1 || line.kind == .serial, line.figures.strayBytes == 0 else { return nil }
        guard meters.allSatisfy({ $0.asked >= Self.askedMin && $0.silent == $0.asked }), !meters.isEmpty else {
            return nil
        }
        return Finding(
            .lineSilent, line.name, "\(total(\.asked)) requests to \(meters.count) units, and not one byte came back")
    }

    private var termination: Finding? {
        let short = (asked: total(\.evidence.short.asked), broken: total(\.evidence.short.broken))
        let long = (asked: total(\.evidence.long.asked), broken: total(\.evidence.long.broken))
        guard short.asked >= Self.lengthAskedMin, long.asked >= Self.lengthAskedMin else { return nil }
        let (few, many) = (short.asked.percent(short.broken), long.asked.percent(long.broken))
        guard many >= 5, many >= 3 * few + 1 else { return nil }
        return Finding(
            .termination, line.name,
            "\(many) % of \(long.asked) answers above \(UnitEvidence.shortMax) bytes came broken, but \(few) % of "
                + "\(short.asked) shorter ones")
    }

    private var noise: Finding? {
        let (broken, asked) = (total(\.broken), total(\.asked))
        guard broken >= 5, asked.percent(broken) >= 2 else { return nil }
        let worst = meters.max { $0.asked.percent($0.broken) < $1.asked.percent($1.broken) }
        let whose = worst.map { "; worst: \($0.meter.id), \($0.broken) of \($0.asked)" } ?? ""
        return Finding(
            .noise, line.name, "\(broken) of \(asked) answers came broken (\(asked.percent(broken)) %)\(whose)")
    }

    // MARK: One meter

    private func addressClash(_ meter: MeterCase) -> Finding? {
        let evidence = meter.evidence
        let numbers =
            "\(meter.broken) of \(meter.asked) answers of unit \(meter.meter.unit) came broken, "
            + "\(evidence.overlong) of them longer than one answer is; \(evidence.secondAnswers) times a second answer came"
        let others = meters.filter { $0.meter.unit != meter.meter.unit }
        let (asked, broken) = others.reduce((0, 0)) { ($0.0 + $1.asked, $0.1 + $1.broken) }
        let clean = others.isEmpty ? "" : "; of the other units \(broken) of \(asked)"
        if evidence.secondAnswers >= 2 { return Finding(.addressClash, name(meter), numbers + clean) }
        guard meter.broken >= Self.askedMin, meter.asked.percent(meter.broken) >= Self.brokenPercentMin,
            evidence.overlong >= 2, evidence.overlong * 4 >= meter.broken,
            asked.percent(broken) <= Self.cleanPercentMax, !others.isEmpty || evidence.overlong * 2 >= meter.broken
        else { return nil }
        return Finding(.addressClash, name(meter), numbers + clean)
    }

    private func unitWrong(_ meter: MeterCase) -> Finding? {
        let wrong = meter.figures.wrongUnits
        guard !meter.isAlive, wrong >= Self.askedMin, wrong * 2 >= meter.asked else { return nil }
        let who = meter.evidence.answeredBy.map { "unit \($0)" } ?? "another unit"
        return Finding(
            .unitWrong, name(meter),
            "unit \(meter.meter.unit) was asked \(meter.asked) times; \(who) answered \(wrong) times")
    }

    private func timeoutShort(_ meter: MeterCase) -> Finding? {
        let (figures, late) = (meter.figures, meter.evidence.lateAnswers)
        if late >= 2 {
            return Finding(
                .timeoutShort, name(meter),
                "\(late) answers came after the agent had stopped waiting (it gives \(figures.timeoutMilliseconds) ms), "
                    + "at most \(meter.evidence.lateMilliseconds) ms after the request")
        }
        // Where late answers cannot be heard: a connection is made anew after each timeout.
        guard line.kind != .serial, figures.good >= Self.askedMin, figures.timeouts >= Self.askedMin,
            meter.asked.percent(figures.timeouts) >= 5, figures.timeoutMilliseconds > 0,
            figures.latencyMax / 1000 * 10 >= figures.timeoutMilliseconds * 7
        else { return nil }
        return Finding(
            .timeoutShort, name(meter),
            "\(figures.timeouts) of \(meter.asked) requests got no answer in \(figures.timeoutMilliseconds) ms, and the "
                + "slowest that was answered took \(figures.latencyMax / 1000) ms")
    }

    private func refused(_ meter: MeterCase) -> Finding? {
        let codes = (1...3).filter { meter.exception($0) >= Self.askedMin }
        guard let code = codes.first, meter.asked.percent(meter.exception(code)) >= 10 else { return nil }
        let meaning = [1: "it does not know the function", 2: "it has no such registers", 3: "it takes no such number"]
        return Finding(
            .registersRefused, name(meter),
            "exception \(code) answered \(meter.exception(code)) of \(meter.asked) requests: \(meaning[code] ?? "")")
    }

    private func silent(_ meter: MeterCase) -> Finding? {
        guard meter.evidence.lateAnswers < 2 else { return nil }
        let others = meters.filter { $0.meter.unit != meter.meter.unit && $0.isAlive }.count
        let rest = "; \(others) of \(meters.count - 1) other meters here answer"
        if meter.asked >= Self.askedMin, meter.silent == meter.asked {
            return Finding(.meterSilent, name(meter), "\(meter.asked) requests and not one byte\(rest)")
        }
        guard meter.figures.silentInARow >= Self.askedMin else { return nil }
        return Finding(
            .meterSilent, name(meter),
            "the last \(meter.figures.silentInARow) requests brought not one byte, after \(meter.figures.good) answers\(rest)"
        )
    }

    private func gatewayNoAnswer(_ meter: MeterCase) -> Finding? {
        let dead = meter.exception(10) + meter.exception(11)
        guard dead >= Self.askedMin, meter.asked.percent(dead) >= 20 else { return nil }
        let code = meter.exception(11) >= meter.exception(10) ? 11 : 10
        return Finding(
            .gatewayNoAnswer, name(meter),
            "the gateway answered exception \(code) to \(dead) of \(meter.asked) requests")
    }

    // MARK: TCP

    private func tcp(_ meter: MeterCase) -> [Finding] {
        [
            unitWrong(meter), gatewayNoAnswer(meter), timeoutShort(meter), clientRefused(meter), refused(meter),
            silent(meter),
        ].compactMap { $0 }
    }

    private func clientRefused(_ meter: MeterCase) -> Finding? {
        let figures = meter.figures
        guard line.kind == .tcp, figures.disconnects >= Self.askedMin,
            figures.requests.percent(figures.disconnects + figures.notConnected) >= 10
        else { return nil }
        let one = meter.meter.isSingleClient ? "; its profile says that it serves one client" : ""
        return Finding(
            .clientRefused, name(meter),
            "it closed the connection in \(figures.disconnects) and took none in \(figures.notConnected) of "
                + "\(figures.requests) requests\(one)")
    }
}
