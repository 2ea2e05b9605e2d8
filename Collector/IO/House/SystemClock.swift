// The machine's clocks, read in one place and handed on.

internal import Glibc
package import Quantities

package enum SystemClock {
    /// CLOCK_REALTIME in whole milliseconds.
    package static func realNow() -> UTCInstant { UTCInstant(milliseconds: milliseconds(CLOCK_REALTIME)) }

    /// CLOCK_MONOTONIC in whole milliseconds: for intervals only.
    package static func uptime() -> Int64 { milliseconds(CLOCK_MONOTONIC) }

    private static func milliseconds(_ clock: clockid_t) -> Int64 {
        withUnsafeTemporaryAllocation(of: timespec.self, capacity: 1) { time in
            let address = time.baseAddress!
            // Both clocks exist on every Linux; the call cannot fail with a valid pointer.
            precondition(clock_gettime(clock, address) == 0, "clock_gettime failed")
            // Seconds and nanoseconds, 8 bytes each on 64 bits. Not by their names: linked statically, as packages are, these
            // members are CoreFoundation's for the compiler.
            let raw = UnsafeRawPointer(address)
            return raw.load(as: Int64.self) * 1000 + raw.load(fromByteOffset: 8, as: Int64.self) / 1_000_000
        }
    }
}
