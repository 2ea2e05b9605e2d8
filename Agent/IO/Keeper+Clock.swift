// Whether the clock was stepped since the last commit: noted, logged, and counted for the doctor.

internal import AgentCore
internal import Evidence
internal import Quantities

extension Keeper {
    func noteClockStep(_ clock: RecordClock, _ monotonic: Int64) {
        let now = clock.utc.milliseconds - Int64(clamping: clock.uptimeMilliseconds)
        defer { offset = (now, clock.sync) }
        guard let before = offset, abs(now - before.milliseconds) > 1_000 || clock.sync != before.sync else { return }
        let step = now - before.milliseconds
        clockSteps.count += 1
        if abs(step) > abs(clockSteps.largest) { clockSteps.largest = step }
        planner.note(
            .clockStepped(
                by: now - before.milliseconds, before: before.sync, now: clock.sync,
                uptime: clock.uptimeMilliseconds),
            subject: "", monotonic: monotonic)
        log.line(
            .warning, "the clock was stepped",
            [("ms", String(now - before.milliseconds)), ("sync", String(clock.sync))], limit: "")
    }
}
