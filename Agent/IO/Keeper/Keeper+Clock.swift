// Whether the clock was stepped since the last commit: noted, logged, and counted for the doctor.

internal import AgentCore
internal import Evidence
internal import Quantities

/// How far the machine's clock is behind what is proven. Looked at seldom: certificates and files are read for it.
struct ClockLag {
    static let lookEvery: Int64 = 10_000
    var milliseconds: Int64 = 0
    var lookedAt: Int64?
}

extension Keeper {
    /// What must have passed: the house's time, or where the clock is behind what is proven, that. Keys are judged by it: on a
    /// machine that woke in 1970 no key of today would be valid, and the receipts that tell the time would be refused.
    var provenTime: UTCInstant {
        let now = clock.now()
        guard settings.replay == nil, let parts = uplink?.parts else { return now.utc }
        if now.monotonic - (clockLag.lookedAt ?? .min / 2) >= ClockLag.lookEvery {
            let real = CertificateClock.realTime()
            clockLag = ClockLag(
                milliseconds: max(0, CertificateClock(parts.settings, clock: real).instant - real),
                lookedAt: now.monotonic)
        }
        return now.utc + clockLag.milliseconds
    }

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
