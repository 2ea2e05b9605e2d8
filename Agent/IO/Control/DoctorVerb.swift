// The verb `doctor`: what the running agent finds in its own figures and readings, one line a finding.

internal import AgentCore
internal import Metering

extension ControlVerb {
    static let doctor = ControlVerb("doctor", isLong: true) { _, caller, context in
        guard let board = context.board else { throw ControlRefusal("no agent runs") }
        for finding in board.doctorFindings { try caller.line(finding.request) }
        let requests = board.busStatuses.reduce(0) { $0 + $1.recent.total(\.requests) }
        try caller.line(ControlRequest("looked", ["at": "\(requests) requests of the last minutes"]))
    }
}

extension StatusBoard {
    /// What the figures of the running agent say.
    var doctorFindings: [Finding] {
        var findings = busStatuses.flatMap { $0.lineCase.findings }
        if !snapshot.figures.isWritable {
            findings.append(
                Finding(.spoolRefuses, "", "\(readsWaiting) reads wait in memory for a commit that is refused"))
        }
        return (findings + commissioningFindings).ordered
    }
}

extension BusStatus {
    var lineCase: LineCase {
        let kind: LineCase.Kind
        switch plan.endpoint {
        case .tcp: kind = .tcp
        case .rtu: kind = .serial
        case .rtuOverTCP: kind = .server
        }
        return LineCase(
            name: plan.endpoint.text, kind: kind, hasEcho: plan.endpoint.hasEcho,
            meters: plan.meters.map {
                LineCase.Meter(id: $0.id, unit: $0.unit, isSingleClient: $0.profile.limits.isSingleClient)
            }, figures: recent)
    }
}
