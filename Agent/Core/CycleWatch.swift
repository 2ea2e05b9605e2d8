// Whether a bus keeps up with its intervals, said once per change: a warning each second is no warning.

/// Of one bus. Real milliseconds of the clock that never steps.
package struct CycleWatch: Hashable, Sendable {
    /// Without a missed multiple for so long the bus keeps up again.
    package static let calmMilliseconds: Int64 = 300_000

    package private(set) var isTooShort = false
    private var lastMissed = Int64.min

    package init() {}

    /// - Parameter missed: whether a multiple was missed now.
    /// - Returns: whether ``isTooShort`` changed.
    package mutating func observe(missed: Bool, monotonic: Int64) -> Bool {
        if missed { lastMissed = monotonic }
        let now = missed || (isTooShort && monotonic - lastMissed < Self.calmMilliseconds)
        defer { isTooShort = now }
        return now != isTooShort
    }
}
