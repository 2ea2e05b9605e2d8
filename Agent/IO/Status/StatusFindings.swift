// What is wrong now, in the words of somebody who can mend it: the first lines of `status`. Judges what was counted; asks
// nobody.

internal import AgentCore
internal import Evidence
internal import Quantities

extension StatusBoard {
    /// Share of the spool above which a person should know, per cent.
    private static let spoolPercentMax = 80

    /// Worst first; nothing while all is well.
    var wrong: [String] {
        let (now, service) = snapshot
        var lines: [String] = []
        if !now.isWritable { lines.append("the spool takes no records: is the disk full or read-only?") }
        let percent = now.spoolBytesMax == 0 ? 0 : now.spoolBytes * 100 / now.spoolBytesMax
        if percent >= Self.spoolPercentMax {
            lines.append("the spool is \(percent) % full: unreceipted readings go at 90 %; does the collector answer?")
        }
        if let refusal = service.refusal { lines.append("the last configuration was refused: \(refusal)") }
        let answers = latest.answers
        for bus in busStatuses { lines += wrong(bus, answers) }
        lines += uplink(now)
        if now.key.progress.hangs { lines.append("the change of keys hangs: \(now.key.step.words)") }
        let differing = shadow.lines.count { $0.tally.since == nil && $0.tally.difference != nil }
        if differing > 0 { lines.append("\(differing) quantities of shadow profiles differ: kilomint-agent shadow") }
        return lines
    }

    private func uplink(_ now: AgentFigures) -> [String] {
        if now.evidence.refusal != nil {
            return ["the broker gives this gateway no topic: revoked, or not known? What is read is kept"]
        }
        if let code = now.evidence.keyRefusal {
            return [
                "the collector takes nothing: \(Receipt.Refusal.words(ofKey: code)) The right box enrols with a new claim code "
                    + "(kilomint-agent enroll --replace), where its key was revoked with another `key`; what is read is kept"
            ]
        }
        guard !now.isConnected else { return [] }
        // What stands further down says how to enrol; there is no broker that could be wrong.
        if now.enrolment.state == .missing { return ["not enrolled: nothing is sent; what is read is kept"] }
        let reason = now.evidence.reason
        return ["not connected to the broker\(reason.isEmpty ? "" : ": \(reason)"); what is read is kept"]
    }

    private func wrong(_ bus: BusStatus, _ answers: LatestAnswers) -> [String] {
        let name = bus.plan.endpoint.text
        // Whoever is behind a bus that is not open does not answer either.
        if let problem = bus.figures.problem { return ["bus \(name) is not open: \(problem)"] }
        var lines: [String] = []
        if bus.figures.isCycleTooShort { lines.append("bus \(name) misses reads: raise `interval` or split the bus") }
        for (meter, figures) in zip(bus.plan.meters, bus.figures.meters) where figures.requests > 0 {
            let statuses = Set(answers.values(ofMeter: meter.index).map(\.answer.status))
            if let obstacle = answers.obstacle(of: meter) {
                lines.append("meter \(meter.id) answers and is not read: \(obstacle)")
            } else if figures.good == 0 {
                lines.append("meter \(meter.id) never answered \(figures.requests) requests: unit, wiring, profile?")
            } else if !statuses.isEmpty, !statuses.contains(SampleStatus.good) {
                let words = statuses.sorted().map(WatchTable.word).joined(separator: ", ")
                lines.append(
                    "meter \(meter.id): \(words); \(figures.good) of \(figures.requests) requests were answered")
            }
        }
        return lines
    }
}
