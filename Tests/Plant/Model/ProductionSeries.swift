// What the plant produced, as exact energy at any instant. Not a meter: registers and their units are elsewhere.

package import Quantities

/// A plant's counters at one instant: exact energy since the file's first row, in 10 µW·ms, and the power now.
package struct PlantState: Hashable, Sendable {
    /// Energy delivered: the sum of positive power.
    package let delivered: Int128
    /// Energy drawn: the sum of negative power, itself not negative.
    package let drawn: Int128
    package let power: Power

    package init(delivered: Int128, drawn: Int128, power: Power) {
        self.delivered = delivered
        self.drawn = drawn
        self.power = power
    }
}

/// 15-minute rows of constant power. Before the first row and after the last row's quarter of an hour: none.
package struct ProductionSeries: Hashable, Sendable {
    /// A row's length.
    package static let rowMilliseconds: Int64 = 900_000
    /// 10 µW·ms in one watt-hour.
    package static let perWattHour: Int128 = 360_000_000_000

    /// The start of the first row; all energy counts from here.
    package let first: UTCInstant
    /// Power of each row.
    private let powers: [Power]
    /// Energy before each row, and after the last: one element more than `powers`.
    private let delivered: [Int128]
    private let drawn: [Int128]

    /// - Parameter powers: row by row without gaps; may be empty.
    package init(first: UTCInstant, powers: [Power]) {
        var delivered: [Int128] = [0]
        var drawn: [Int128] = [0]
        for power in powers {
            let energy = Int128(power.tenMicrowatts) * Int128(Self.rowMilliseconds)
            delivered.append(delivered[delivered.count - 1] + max(0, energy))
            drawn.append(drawn[drawn.count - 1] + max(0, -energy))
        }
        self.first = first
        self.powers = powers
        self.delivered = delivered
        self.drawn = drawn
    }

    package var rows: Int { powers.count }

    /// The end of the last row.
    package var end: UTCInstant { first + Int64(powers.count) * Self.rowMilliseconds }

    /// The same rows, beginning at another instant.
    package func beginning(at instant: UTCInstant) -> ProductionSeries {
        ProductionSeries(first: instant, powers: powers)
    }

    /// The counters at `instant`. Constant time: rows are evenly spaced, so the row is a division, not a search.
    package func state(at instant: UTCInstant) -> PlantState {
        let (elapsed, overflowed) = instant.milliseconds.subtractingReportingOverflow(first.milliseconds)
        // An overflow is an instant hundreds of millions of years off; its sign says on which side.
        let beforeFirst = overflowed ? instant < first : elapsed < 0
        if beforeFirst { return PlantState(delivered: 0, drawn: 0, power: .zero) }
        guard !overflowed, elapsed / Self.rowMilliseconds < Int64(powers.count) else {
            return PlantState(delivered: delivered[powers.count], drawn: drawn[powers.count], power: .zero)
        }
        let row = Int(elapsed / Self.rowMilliseconds)
        let energy = Int128(powers[row].tenMicrowatts) * Int128(elapsed % Self.rowMilliseconds)
        return PlantState(
            delivered: delivered[row] + max(0, energy), drawn: drawn[row] + max(0, -energy), power: powers[row])
    }

    /// What a register of `resolution` Wh a count, delivered energy, advanced from one instant to another, in Wh.
    ///
    /// The difference of two readings, not of two energies: each is rounded down to a count first. Negative when
    /// `to` is before `from`.
    package func registerAdvance(from: UTCInstant, to: UTCInstant, resolution: Int64) -> Int128 {
        precondition(resolution > 0, "a register's unit is positive")
        let unit = Int128(resolution) * Self.perWattHour
        let counts = state(at: to).delivered / unit - state(at: from).delivered / unit
        return counts * Int128(resolution)
    }
}
