// How the agent runs as a service: since when, ready or not, which configurations it took. Part of its status.

/// Beside the keeper's figures.
struct ServiceFigures: Hashable, Sendable {
    /// Nanoseconds of the clock that never steps.
    let startedAt: Int64
    /// The first commit was tried.
    var isReady = false
    /// Configurations applied and refused while running.
    var reloads = 0
    var refusals = 0
    /// Why the last one was refused; nil when it was not.
    var refusal: String?
    /// Why the key's store does not sign; nil while it does.
    var signerProblem: String?
    /// Why `control_group` may not call; nil when it may.
    var controlProblem: String?
    /// Keys of the configuration file whose new value waits for a restart.
    var restartNeeded: [String] = []

    init(startedAt: Int64) { self.startedAt = startedAt }

    var uptimeSeconds: Int64 { (steadyNanoseconds() - startedAt) / 1_000_000_000 }

    var json: [String] {
        [
            "\"version\":\(StatusBoard.quoted(agentVersion))", "\"uptime_s\":\(uptimeSeconds)", "\"ready\":\(isReady)",
            "\"reloads\":\(reloads)", "\"reloads_refused\":\(refusals)",
            "\"key_problem\":\(signerProblem.map(StatusBoard.quoted) ?? "null")",
            "\"control_problem\":\(controlProblem.map(StatusBoard.quoted) ?? "null")",
            "\"reload_refused_because\":\(refusal.map(StatusBoard.quoted) ?? "null")",
            "\"restart_needed\":[\(restartNeeded.map(StatusBoard.quoted).joined(separator: ","))]",
        ]
    }

    /// For people; nothing while there is nothing to say.
    var lines: [String] {
        var lines: [String] = []
        if !isReady { lines.append("starting   the first birth waits for meters to say who they are") }
        if let signerProblem { lines.append("key        DOES NOT SIGN, nothing is stored: \(signerProblem)") }
        if let controlProblem { lines.append("control    NOT FOR THE GROUP: \(controlProblem)") }
        if let refusal { lines.append("reload     REFUSED, the old configuration goes on: \(refusal)") }
        if !restartNeeded.isEmpty {
            lines.append("restart    needed for what changed in: \(restartNeeded.joined(separator: ", "))")
        }
        return lines
    }
}
