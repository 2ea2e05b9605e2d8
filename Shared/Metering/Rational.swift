// Exact positive fractions: how many base units one count is worth. Not a general number type.

/// A positive fraction in lowest terms, both parts 1 … 10^12.
///
/// Lowest terms make one value one encoding; the bound keeps products of two of them and a 32-bit count in 128 bits.
package struct Rational: Hashable, Sendable, CustomStringConvertible {
    package static let partMax: UInt64 = 1_000_000_000_000

    package let numerator: UInt64
    package let denominator: UInt64

    package static let one = Rational(unchecked: 1, 1)
    static let thousand = Rational(unchecked: 1000, 1)

    /// Reduces. Nil when a part is 0 or, reduced, above `partMax`.
    package init?(_ numerator: UInt64, _ denominator: UInt64 = 1) {
        guard numerator > 0, denominator > 0 else { return nil }
        let divisor = Self.greatestCommonDivisor(numerator, denominator)
        guard numerator / divisor <= Self.partMax, denominator / divisor <= Self.partMax else { return nil }
        self.init(unchecked: numerator / divisor, denominator / divisor)
    }

    /// From `10`, `0.01` or `1/3`. Nil for signs, exponents, zero and anything else.
    package init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        if parts.count == 2 {
            guard let numerator = Self.digits(parts[0]), let denominator = Self.digits(parts[1]) else { return nil }
            self.init(numerator, denominator)
            return
        }
        let halves = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard let whole = halves.first, Self.digits(whole) != nil else { return nil }
        let fraction = halves.count == 2 ? halves[1] : ""
        guard halves.count == 1 || Self.digits(fraction) != nil, fraction.utf8.count <= 12,
            let significand = Self.digits(whole + fraction), let power = PowersOfTen.value(fraction.utf8.count)
        else { return nil }
        self.init(significand, power)
    }

    private init(unchecked numerator: UInt64, _ denominator: UInt64) {
        self.numerator = numerator
        self.denominator = denominator
    }

    package static func * (a: Rational, b: Rational) -> Rational? {
        // At most 10^24 each: fits in 128 bits; reduced it may fit the bound again.
        let numerator = UInt128(a.numerator) * UInt128(b.numerator)
        let denominator = UInt128(a.denominator) * UInt128(b.denominator)
        let divisor = greatestCommonDivisor(numerator, denominator)
        guard let exactNumerator = UInt64(exactly: numerator / divisor),
            let exactDenominator = UInt64(exactly: denominator / divisor)
        else { return nil }
        return Rational(exactNumerator, exactDenominator)
    }

    package var inverse: Rational { Rational(unchecked: denominator, numerator) }

    /// This times 10^exponent, −18 … 18. Nil when it leaves the bound.
    package func scaled(byPowerOfTen exponent: Int) -> Rational? {
        guard let power = PowersOfTen.value(exponent < 0 ? 0 &- exponent : exponent) else { return nil }
        guard let factor = exponent < 0 ? Rational(1, power) : Rational(power, 1) else { return nil }
        return self * factor
    }

    package static func < (a: Rational, b: Rational) -> Bool {
        UInt128(a.numerator) * UInt128(b.denominator) < UInt128(b.numerator) * UInt128(a.denominator)
    }

    /// `10`, `1/100`.
    package var description: String { denominator == 1 ? "\(numerator)" : "\(numerator)/\(denominator)" }

    private static func digits(_ text: Substring) -> UInt64? {
        guard !text.isEmpty, text.utf8.allSatisfy({ (48...57).contains($0) }) else { return nil }
        return UInt64(text)
    }

    private static func greatestCommonDivisor<Number: BinaryInteger>(_ a: Number, _ b: Number) -> Number {
        var (a, b) = (a, b)
        while b != 0 { (a, b) = (b, a % b) }
        return a
    }
}

extension Rational: Comparable {}

/// 10^0 … 10^19, all that fits in 64 bits.
enum PowersOfTen {
    private static let values: [UInt64] = (0...19).map { exponent in (0..<exponent).reduce(1) { power, _ in power * 10 }
    }

    static func value(_ exponent: Int) -> UInt64? { values.indices.contains(exponent) ? values[exponent] : nil }
}
