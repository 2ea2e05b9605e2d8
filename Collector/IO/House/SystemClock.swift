// The machine's clocks, read in one place and handed on.

internal import Glibc
package import Quantities

package enum SystemClock {
    /// CLOCK_REALTIME in whole milliseconds.
    package static func realNow() -> UTCInstant { UTCInstant(milliseconds: milliseconds(CLOCK_REALTIME)) }

    /// CLOCK_MONOTONIC in whole milliseconds: for intervals only.
    package static func uptime() -> Int64 { milliseconds(CLOCK_MONOTONIC) }

    private static func milliseconds(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        // Both clocks exist on every Linux; the call cannot fail with a valid pointer.
        precondition(clock_gettime(clock, &time) == 0, "clock_gettime failed")
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}
