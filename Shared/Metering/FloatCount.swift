// The one place where a meter's float becomes an integer. Works on the bits: exact, the same on every machine.

/// An IEEE 754 number as sign × significand × 2^exponent, exact.
struct FloatParts: Hashable, Sendable {
    let isNegative: Bool
    /// At most 53 bits.
    let significand: UInt64
    let exponent: Int

    /// Nil for NaN of any payload and for infinities: a meter that says so has no value.
    init?(binary32 pattern: UInt64) { self.init(pattern, exponentBits: 8, fractionBits: 23) }

    /// Nil for NaN of any payload and for infinities.
    init?(binary64 pattern: UInt64) { self.init(pattern, exponentBits: 11, fractionBits: 52) }

    private init?(_ pattern: UInt64, exponentBits: UInt64, fractionBits: UInt64) {
        let fraction = pattern & ((1 << fractionBits) - 1)
        let biased = Int(pattern >> fractionBits & ((1 << exponentBits) - 1))
        let special = (1 << Int(exponentBits)) - 1
        guard biased != special else { return nil }
        let bias = special / 2
        isNegative = pattern >> (fractionBits + exponentBits) & 1 == 1
        // Subnormal numbers have no hidden bit and the exponent of the smallest normal ones.
        significand = biased == 0 ? fraction : fraction | 1 << fractionBits
        exponent = max(biased, 1) - bias - Int(fractionBits)
    }

    /// This number times `factor` as the nearest integer, ties to the even one (IEEE 754 roundTiesToEven).
    /// Nil when it does not fit in 64 bits with sign.
    func rounded(times factor: Rational) -> Int64? {
        // 53 + 40 bits.
        let product = UInt128(significand) * UInt128(factor.numerator)
        guard product != 0 else { return 0 }
        let magnitude: UInt128
        if exponent >= 0 {
            // A result below 2^63 needs product × 2^exponent < 2^63 × denominator < 2^103.
            guard product.bitWidth - product.leadingZeroBitCount + exponent <= 104 else { return nil }
            magnitude = Self.quotient(product << UInt128(exponent), UInt128(factor.denominator))
        } else {
            let denominator = UInt128(factor.denominator)
            let bits = denominator.bitWidth - denominator.leadingZeroBitCount - exponent
            // The denominator is then at least 2^119, the product below 2^93: far less than a half.
            guard bits <= 120 else { return 0 }
            magnitude = Self.quotient(product, denominator << UInt128(0 - exponent))
        }
        guard let exact = Int64(exactly: magnitude) else { return nil }
        return isNegative ? 0 - exact : exact
    }

    /// Nearest, ties to even. Both at most 120 bits.
    private static func quotient(_ numerator: UInt128, _ denominator: UInt128) -> UInt128 {
        let (quotient, rest) = numerator.quotientAndRemainder(dividingBy: denominator)
        let twice = rest << 1
        if twice > denominator || (twice == denominator && quotient & 1 == 1) { return quotient + 1 }
        return quotient
    }
}
