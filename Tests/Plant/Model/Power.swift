// Power as the plant's file spells it, exactly, in units of 10 µW. Rounding to a register's unit is the meters'.

/// Active power in units of 10 µW: the finest digit of the production file. Positive is delivered.
package struct Power: Hashable, Sendable {
    package let tenMicrowatts: Int64

    package static let zero = Power(tenMicrowatts: 0)
    /// 10 µW in one watt.
    package static let perWatt: Int64 = 100_000
    /// The largest power a file may state: 10 GW. Keeps every product of power and time far inside 128 bits.
    package static let wattsMax: Int64 = 10_000_000_000

    package init(tenMicrowatts: Int64) { self.tenMicrowatts = tenMicrowatts }

    /// Parses a decimal number of watts: an optional `-`, digits, optionally `.` and one to five digits.
    ///
    /// Nil for anything else: exponents, `+`, spaces, a sixth digit (it would have to be rounded), more than
    /// `wattsMax`.
    package init?(watts text: some Sequence<UInt8>) {
        var value: Int64 = 0
        var negative = false
        var digits = 0
        var fraction: Int?
        for (index, byte) in text.enumerated() {
            switch byte {
            case UInt8(ascii: "-") where index == 0:
                negative = true
            case UInt8(ascii: ".") where fraction == nil && digits > 0:
                fraction = 0
            case 48...57:
                if let count = fraction { fraction = count + 1 } else { digits += 1 }
                value = value * 10 + Int64(byte - 48)
                guard value <= Self.wattsMax * Self.perWatt, fraction ?? 0 <= 5 else { return nil }
            default:
                return nil
            }
        }
        guard digits > 0, fraction != 0 else { return nil }
        for _ in (fraction ?? 0)..<5 {
            // At most 10¹⁶: a value above the bound stops growing here, before it could overflow.
            guard value <= Self.wattsMax * Self.perWatt else { return nil }
            value *= 10
        }
        guard value <= Self.wattsMax * Self.perWatt else { return nil }
        tenMicrowatts = negative ? -value : value
    }
}
