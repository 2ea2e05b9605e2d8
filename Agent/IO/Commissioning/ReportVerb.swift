// The verb `report`: the page that is handed over when the work on site is done, as Markdown that also reads as it stands.
// What the running agent knows; the doctor's part and the lines for signatures are the tool's.

internal import AgentCore
internal import Evidence
internal import Metering
internal import Quantities

extension ControlVerb {
    static let report = ControlVerb("report", isLong: true) { _, caller, context in
        guard let board = context.board else {
            throw ControlRefusal("this needs the running agent: systemctl start kilomint-agent")
        }
        for line in HandoverPage(board, context).lines { try caller.line(line) }
    }
}

/// The page's first part.
struct HandoverPage {
    private static let setup: [Identity.Role] = [
        .mode, .selector, .wiring, .currentRatio, .voltageRatio, .currentPrimary, .currentSecondary, .voltagePrimary,
        .voltageSecondary,
    ]

    private let board: StatusBoard
    private let context: ControlContext

    init(_ board: StatusBoard, _ context: ControlContext) {
        self.board = board
        self.context = context
    }

    var lines: [String] {
        let (figures, _) = board.snapshot
        let receipt = figures.secondsSinceReceipt.map { "last receipt \($0) s ago" } ?? "no receipt in this run"
        let standings = board.standings
        let done = standings.count { $0.standing.isDone }
        var lines = [
            "# Handover of gateway \(figures.gateway)", "", "- made: \(context.utc), \(agentVersion)",
            "- stream: \(figures.stream), \(figures.head) records signed, \(figures.receipted) receipted",
            "- uplink: \(figures.isConnected ? "connected" : "not connected"), \(receipt)",
            "- spool: \(figures.spoolBytes / 1_024) KiB of \(figures.spoolBytesMax / 1_048_576) MiB",
        ]
        lines += certificate
        lines += ["- meters: \(standings.count), \(done) commissioned", "", "## Meters"]
        for standing in standings { lines += self.lines(standing) }
        lines +=
            ["", "## Plan", ""]
            + PlanTable(board.busStatuses.map(\.plan)).text.split(separator: "\n").map { "    \($0)" }
        return lines
    }

    private var certificate: [String] {
        guard let settings = context.settings else { return [] }
        return DoctorTool.certificates(settings).filter { $0.wantedName != nil }.map { facts in
            switch facts.content {
            case .unreadable(let reason): "- certificate: \(reason)"
            case .sound(let name, _, let to): "- certificate: \(name), until \(to) (\(facts.path))"
            }
        }
    }

    private func lines(_ standing: StatusBoard.MeterStanding) -> [String] {
        let (meter, identity) = (standing.meter, standing.identity)
        let who = [("model", identity.model), ("serial", identity.serial), ("firmware", identity.firmware)]
            .map { "\($0) \($1.isEmpty ? "unknown" : $1)" }.joined(separator: ", ")
        let setup = Self.setup.filter { !identity.text($0).isEmpty }.map { "\($0.name) \(identity.text($0))" }
        let profile = meter.profile
        var lines = [
            "", "### \(meter.id)", "", "- \(meter.endpoint), unit \(meter.unit)", "- \(who)",
            "- profile \(profile.name) revision \(profile.revision), level \(profile.level.name)",
            "  \(meter.profileDigest)",
        ]
        if !setup.isEmpty { lines.append("- setup: " + setup.joined(separator: ", ")) }
        guard case .commissioned(let entry) = standing.standing else {
            return lines + ["- **\(standing.standing.words.uppercased())**"]
        }
        lines.append("- commissioned \(entry.at) by \(entry.by.name), as \(entry.by.user)")
        for seen in entry.registers {
            let typed = seen.typedWattHours.map { DisplayedEnergy.kilowattHours($0) } ?? "-"
            let read = seen.read.map { DisplayedEnergy.kilowattHours($0.wattHours) } ?? "-"
            lines.append("  - \(seen.obis): display \(typed) kWh, meter \(read) kWh")
        }
        if let reason = entry.accepted { lines.append("  - difference accepted: \(reason)") }
        return lines
    }
}
