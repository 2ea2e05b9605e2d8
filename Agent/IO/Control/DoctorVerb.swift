// The verb `doctor`: what the running agent finds in its own figures and readings, one line a finding.

internal import AgentCore
internal import Glibc
internal import Metering
internal import Quantities

extension ControlVerb {
    static let doctor = ControlVerb("doctor", isLong: true) { _, caller, context in
        guard let board = context.board else { throw ControlRefusal("no agent runs") }
        let statuses = board.busStatuses
        let settings = context.settings
        let roles = Dictionary(
            (settings?.buses ?? []).flatMap(\.meters).map { ($0.id, $0.role) }, uniquingKeysWith: { first, _ in first })
        let recent = RecentSeries(context.recentRecords(), statuses.flatMap(\.plan.meters), roles: roles)
        var findings = board.doctorFindings + InstallationChecks.findings(recent.meters)
        findings += context.clock?.findings ?? []
        if let mqtt = settings?.mqtt {
            findings += board.snapshot.figures.evidence.findings(
                broker: "\(mqtt.host):\(mqtt.port)", keepAlive: Int64(mqtt.keepAliveSeconds) * 1_000,
                quota: settings?.simQuota, now: steadyMilliseconds())
        } else {
            findings += board.snapshot.figures.evidence.findings(
                broker: "the enrolled broker", keepAlive: 30_000, quota: settings?.simQuota, now: steadyMilliseconds())
        }
        var enrolled = MachineFacts()
        if let settings {
            enrolled.certificates = DoctorTool.certificates(settings)
            if settings.clock == .real { enrolled.clock = MachineFactsReader.clock }
            findings += enrolled.certificateFindings
            for broker in DoctorTool.brokers(settings) { try caller.line(broker.request) }
        }
        for finding in findings.ordered { try caller.line(finding.request) }
        let requests = statuses.reduce(0) { $0 + $1.recent.total(\.requests) }
        try caller.line(ControlRequest("looked", ["at": "\(requests) requests of the last minutes"]))
        try caller.line(ControlRequest("looked", ["at": "\(recent.samples) recorded answers"]))
        var rest = statuses.flatMap { $0.lineCase.notLookedAt }
        let ids = statuses.flatMap { $0.plan.meters.map(\.id) }
        rest += InstallationChecks.notLookedAt(recent.meters, of: ids)
        rest += board.snapshot.figures.evidence.notLookedAt(quota: settings?.simQuota, now: steadyMilliseconds())
        if board.snapshot.figures.key.since == nil {
            rest.append(NotLookedAt("the key's age", because: "the clock was not known when it came in force"))
        }
        rest += enrolled.certificatesNotLookedAt(hidden: nil)
        if !enrolled.certificates.isEmpty {
            try caller.line(ControlRequest("looked", ["at": "\(enrolled.certificates.count) certificates"]))
        }
        for skipped in rest { try caller.line(skipped.request) }
        if let key = board.snapshot.figures.key.lines.first {
            let words = key.split(separator: " ").joined(separator: " ")
            try caller.line(ControlRequest("looked", ["at": words]))
        }
    }

    /// Real milliseconds as the keeper counts them: CLOCK_BOOTTIME.
    private static func steadyMilliseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000
    }
}

extension StatusBoard {
    /// What the figures of the running agent say.
    var doctorFindings: [Finding] {
        var findings = busStatuses.flatMap { $0.lineCase.findings }
        let figures = snapshot.figures
        if !figures.isWritable {
            findings.append(
                Finding(.spoolRefuses, "", "\(readsWaiting) reads wait in memory for a commit that is refused"))
        }
        findings += figures.key.progress.findings
        findings += ClockFacts.stepFindings(figures.clock.steps, largest: figures.clock.stepMax)
        return findings + commissioningFindings
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
