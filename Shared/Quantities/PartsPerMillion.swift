// Ratios as integers: shares, tolerances, confidence.

/// A ratio from 0 to 1 in parts per million: 0 … 1 000 000.
package struct PartsPerMillion: Hashable, Comparable, Sendable {
    package let value: Int64

    package static let zero = PartsPerMillion(unchecked: 0)
    package static let one = PartsPerMillion(unchecked: 1_000_000)

    /// Nil outside 0 … 1 000 000.
    package init?(_ value: Int64) {
        guard (0...1_000_000).contains(value) else { return nil }
        self.value = value
    }

    private init(unchecked value: Int64) { self.value = value }

    package static func < (a: PartsPerMillion, b: PartsPerMillion) -> Bool { a.value < b.value }
}
