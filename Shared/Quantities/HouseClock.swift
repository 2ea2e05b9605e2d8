// The clock of a house as a rule: real time, or a replayed one. Who reads the machine's clock passes it in.

/// Which time a house lives in. Fixed by genesis; a process with another one does not start.
package enum HouseClock: Hashable, Sendable {
    /// UTC as the machine has it.
    case real
    /// start + speed × max(0, real − zero): it stands at `start` until `zero`, then runs `speed` times as fast.
    /// `speed` is at least 1: a configuration with another one is refused at start.
    case replayed(start: UTCInstant, speed: Int64, zero: UTCInstant)

    /// The house's time when the machine's clock shows `real`. Beyond what 64 bits hold it stands still.
    package func now(real: UTCInstant) -> UTCInstant {
        switch self {
        case .real: real
        case .replayed(let start, let speed, let zero): start + Self.product(speed, max(0, real - zero))
        }
    }

    /// The machine's time at which the house's clock first shows `instant`; in replay rounded up to a millisecond.
    package func real(when instant: UTCInstant) -> UTCInstant {
        switch self {
        case .real: return instant
        case .replayed(let start, let speed, let zero):
            let ahead = max(0, instant - start)
            return zero + (ahead / speed + (ahead % speed == 0 ? 0 : 1))
        }
    }

    /// Milliseconds a machine needs for `milliseconds` of the house's time, at least one.
    package func realDuration(_ milliseconds: Int64) -> Int64 {
        switch self {
        case .real: milliseconds
        case .replayed(_, let speed, _): max(1, milliseconds / speed)
        }
    }

    /// Saturating; neither factor is negative.
    private static func product(_ a: Int64, _ b: Int64) -> Int64 {
        let (product, overflowed) = a.multipliedReportingOverflow(by: b)
        return overflowed ? .max : product
    }
}
