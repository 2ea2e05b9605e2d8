// Energy in whole watt-hours. What a register counts before it is scaled to Wh is Metering's, not this file's.

/// Active electrical energy in whole watt-hours.
///
/// An integer, because a ledger must add up. Signed, because the difference between two meters can be negative.
package struct Energy: Hashable, Comparable, Sendable {
    package let wattHours: Int64

    package static let zero = Energy(wattHours: 0)

    package init(wattHours: Int64) { self.wattHours = wattHours }

    package static func < (a: Energy, b: Energy) -> Bool { a.wattHours < b.wattHours }

    /// The sum, or nil when it does not fit. Never capped: a capped sum is a wrong sum.
    package func adding(_ other: Energy) -> Energy? {
        let (sum, overflowed) = wattHours.addingReportingOverflow(other.wattHours)
        return overflowed ? nil : Energy(wattHours: sum)
    }

    /// The difference, or nil when it does not fit.
    package func subtracting(_ other: Energy) -> Energy? {
        let (difference, overflowed) = wattHours.subtractingReportingOverflow(other.wattHours)
        return overflowed ? nil : Energy(wattHours: difference)
    }
}
