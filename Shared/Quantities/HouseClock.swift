// The clock of a house as a rule: real time, or a replayed one. Who reads the machine's clock passes it in.

/// Which time a house lives in. Fixed by genesis; a process with another one does not start.
package enum HouseClock: Hashable, Sendable {
    /// UTC as the machine has it.
    case real
    /// start + speed × max(0, real − zero): it stands at `start` until `zero`, then runs `speed` times as fast.
    case replayed(start: UTCInstant, speed: Int64, zero: UTCInstant)

    /// The house's time when the machine's clock shows `real`. In replay the answer never exceeds year 9999:
    /// a speed above 1 000 000 is refused where the clock is configured.
    package func now(real: UTCInstant) -> UTCInstant {
        switch self {
        case .real: real
        case .replayed(let start, let speed, let zero): start + speed * max(0, real - zero)
        }
    }

    /// The machine's time at which the house's clock first shows `instant`; in replay rounded up to a millisecond.
    package func real(when instant: UTCInstant) -> UTCInstant {
        switch self {
        case .real: return instant
        case .replayed(let start, let speed, let zero):
            let ahead = max(0, instant - start)
            return zero + (ahead + speed - 1) / speed
        }
    }

    /// Milliseconds a machine needs for `milliseconds` of the house's time, at least one.
    package func realDuration(_ milliseconds: Int64) -> Int64 {
        switch self {
        case .real: milliseconds
        case .replayed(_, let speed, _): max(1, milliseconds / speed)
        }
    }
}
