// What the agent says of remote configuration: written by the reloader, read by the keeper (is a command new?), by status,
// figures and the control socket.

internal import AgentCore
internal import Evidence
internal import Synchronization

/// As it stands.
struct RemoteFigures: Hashable, Sendable {
    var isAllowed = false
    /// Numbers of versions; 0: none.
    var inForce: UInt64 = 0
    var onTrial: UInt64 = 0
    /// What the trial still waits for.
    var waitsFor = ""
    /// Steady milliseconds; nil: nothing is on trial.
    var until: Int64?
    var highest: UInt64 = 0
    var last: CommandOutcome?
    /// Since the agent started.
    var applied = 0
    var rolledBack = 0
    var refused = 0
    /// A command that is believed and waits, and for what.
    var held: String?
    /// The state could not be stored.
    var isStored = true

    var secondsLeft: Int64? { until.map { max(0, ($0 - steadyNanoseconds() / 1_000_000) / 1_000) } }

    /// For people; nothing where nothing ever came.
    var lines: [String] {
        var lines: [String] = []
        if onTrial > 0 {
            lines.append(
                "remote     version \(onTrial) ON TRIAL" + (secondsLeft.map { ", \($0) s left" } ?? "")
                    + (waitsFor.isEmpty ? "" : ": \(waitsFor)"))
        }
        if inForce > 0 { lines.append("remote     version \(inForce) in force: kilomint-agent config show --origin") }
        if let held { lines.append("remote     \(held)") }
        if let last, last.word == .rolledBack || last.word == .refused {
            lines.append("remote     command \(last.number) \(last.word.rawValue): \(last.reason)")
        }
        if !isStored { lines.append("remote     ITS STATE CANNOT BE STORED: is the disk full or read-only?") }
        return lines
    }

    var json: String {
        let (quoted, outcome) = (StatusBoard.quoted, last)
        let fields = [
            "\"allowed\":\(isAllowed)", "\"version\":\(inForce)", "\"on_trial\":\(onTrial)",
            "\"trial_s_left\":\(secondsLeft.map { String($0) } ?? "null")", "\"waits_for\":\(quoted(waitsFor))",
            "\"highest\":\(highest)", "\"applied\":\(applied)", "\"rolled_back\":\(rolledBack)",
            "\"refused\":\(refused)", "\"held\":\(held.map(quoted) ?? "null")", "\"stored\":\(isStored)",
            "\"last_command\":\(outcome?.number ?? 0)",
            "\"last_outcome\":\(outcome.map { quoted($0.word.rawValue) } ?? "null")",
            "\"last_reason\":\(outcome.map { quoted($0.reason) } ?? "null")",
        ]
        return "{" + fields.joined(separator: ",") + "}"
    }
}

final class RemoteBoard: Sendable {
    private let state = Mutex(RemoteConfiguration())
    private let figures = Mutex(RemoteFigures())

    func set(_ new: RemoteConfiguration, _ change: (inout RemoteFigures) -> Void) {
        state.withLock { $0 = new }
        figures.withLock { change(&$0) }
    }

    /// What commands are judged by.
    var configuration: RemoteConfiguration { state.withLock { $0 } }
    var now: RemoteFigures { figures.withLock { $0 } }
}
