// Rule 8: up to which day an entity settles, and how much energy that is. Later days wait for the first one that does not.

internal import Quantities

enum SettledThrough {
    /// How many days from the first are verified at every metering point. Nothing without a metering point.
    static func days(_ points: [PointVerification], count: Int) -> Int {
        guard !points.isEmpty else { return 0 }
        return (0..<count).first { day in points.contains { $0.days[day].outcome != .verified } } ?? count
    }

    /// Σ of the settled energies. Nil when it leaves ± ``HouseBounds/wattHoursMax``.
    static func energy(_ points: [PointVerification], days: Int) -> Int64? {
        // At most 4 096 × 4 096 × 2·10^15.
        var sum: Int128 = 0
        for point in points {
            for energy in point.energies.prefix(days) {
                // A verified day is measured; one that is not would be graded F.
                guard let energy else { return nil }
                sum += Int128(energy)
            }
        }
        guard let exact = Int64(exactly: sum), exact.magnitude <= UInt64(HouseBounds.wattHoursMax) else { return nil }
        return exact
    }
}
