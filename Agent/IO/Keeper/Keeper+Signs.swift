// What the keeper tells the supervisor: ready, alive, how it goes. Given by the keeper's own thread: if that hangs, or a
// bus thread does, the sign of life stays away and the agent is started again.

internal import AgentCore
internal import Supervision

/// What was told last.
struct SignsOfLife {
    /// Real milliseconds between two status lines.
    static let statusEvery: Int64 = 10_000

    /// The first commit was tried: what is read can be kept from here on, or the log says why not.
    var isReady = false
    var isReadyTold = false
    var aliveAt = Int64.min / 2
    var statusAt = Int64.min / 2
    var status = ""
}

extension Keeper {
    func giveSigns() {
        let supervisor = settings.supervisor
        let now = clock.now().monotonic
        if signs.isReady, !signs.isReadyTold {
            signs.isReadyTold = true
            board.update { $0.isReady = true }
            supervisor.ready(statusLine)
            // Connecting, the first plans and the first birth are over too.
            Footprint.trim()
            Footprint.dropCode()
        }
        giveSignOfLife(now)
        guard signs.isReady, supervisor.socketPath != nil, now - signs.statusAt >= SignsOfLife.statusEvery else {
            return
        }
        signs.statusAt = now
        let status = statusLine
        guard status != signs.status else { return }
        signs.status = status
        supervisor.status(status)
    }

    private func giveSignOfLife(_ now: Int64) {
        guard let every = settings.supervisor.signEvery, now - signs.aliveAt >= every else { return }
        let stalled = recorder.liveness.stalled(now: now)
        guard stalled.isEmpty else {
            // What is read meanwhile is committed as ever; the supervisor ends us when its patience does.
            return log.line(
                .error, "a bus thread hangs; the watchdog is no longer told that all is well",
                [("buses", stalled.map(String.init).joined(separator: ","))], limit: "")
        }
        signs.aliveAt = now
        settings.supervisor.alive()
    }

    /// One line: what `systemctl status` shows.
    private var statusLine: String {
        let head = streams[sending].head
        let waiting = head - min(head, window.receipted)
        let count = planner.register.meters.count
        return "\(count) \(count == 1 ? "meter" : "meters"); \(chain.head) records signed, \(waiting) not receipted; "
            + (window.isConnected
                ? "broker connected" : session == nil ? enrolment.figures.short : "broker not connected")
            + (isWritable ? "" : "; THE SPOOL REFUSES WRITES") + (signerProblem == nil ? "" : "; THE KEY DOES NOT SIGN")
    }
}
