// Money in minor units. Which asset and how many minor units make one is genesis' business.

/// An amount in minor units of the house's asset (10^6 per K$): one transfer, one allocation.
package struct Amount: Hashable, Comparable, Sendable {
    package let minorUnits: Int64

    package static let zero = Amount(minorUnits: 0)

    package init(minorUnits: Int64) { self.minorUnits = minorUnits }

    package static func < (a: Amount, b: Amount) -> Bool { a.minorUnits < b.minorUnits }

    /// `33.750000` for 33 750 000: six decimals, sign in front. For people; machines get the decimal minor units.
    package var description: String {
        let magnitude = minorUnits.magnitude
        let fraction = String(magnitude % 1_000_000)
        let padding = String(repeating: "0", count: 6 - fraction.count)
        return (minorUnits < 0 ? "-" : "") + String(magnitude / 1_000_000) + "." + padding + fraction
    }
}

extension Int128 {
    /// 16 bytes, big-endian two's complement: how balances, supply and sums are stored and hashed.
    package var bigEndianBytes: [UInt8] {
        (0..<16).map { UInt8(truncatingIfNeeded: self >> (8 * (15 - $0))) }
    }

    /// Nil unless exactly 16 bytes.
    package init?(bigEndianBytes bytes: some Collection<UInt8>) {
        guard bytes.count == 16 else { return nil }
        self = bytes.reduce(0) { ($0 << 8) | Int128($1) }
    }
}
