// What a register said, as exact integers with their unit; or why it said nothing.

package import Quantities

/// A counter's count. Settled energy is a difference of counts × unit, rounded once, at the end.
package struct RegisterCount: Hashable, Sendable {
    package let count: UInt64
    /// Base units (Wh) one count is worth; the same for every reading of this quantity under this profile.
    package let unit: Rational
    /// The count at which the register starts again from 0.
    package let modulus: UInt64?
    /// The device's smallest step in base units, at the scale factor it just had.
    package let resolution: Rational

    package init(count: UInt64, unit: Rational, modulus: UInt64?, resolution: Rational) {
        self.count = count
        self.unit = unit
        self.modulus = modulus
        self.resolution = resolution
    }

    /// ⌊count × unit × ratio⌋ in whole units (Wh for energy). `ratio`: the registration's CT × PT factor.
    package static func whole(_ count: UInt64, unit: Rational, ratio: Rational = .one) -> Int64? {
        whole(UInt128(count), unit: unit, ratio: ratio)
    }

    /// The same for a count carried on past rollovers. Nil when it does not fit in 64 bits with sign.
    package static func whole(_ count: UInt128, unit: Rational, ratio: Rational = .one) -> Int64? {
        let (once, overflowed) = count.multipliedReportingOverflow(by: UInt128(unit.numerator))
        let (twice, overflowedAgain) = once.multipliedReportingOverflow(by: UInt128(ratio.numerator))
        guard !overflowed, !overflowedAgain else { return nil }
        return Int64(exactly: twice / (UInt128(unit.denominator) * UInt128(ratio.denominator)))
    }
}

/// A gauge's value: count × unit base units. Active power is positive for import, whatever sign the device has.
package struct GaugeReading: Hashable, Sendable {
    package let count: Int64
    package let unit: Rational

    package init(count: Int64, unit: Rational) {
        self.count = count
        self.unit = unit
    }

    /// ⌊count × unit ÷ step⌋: 1/1000 for milliwatts. Nil when it does not fit.
    package func floored(to step: Rational) -> Int64? {
        // 63 + 40 + 40 bits can exceed 127.
        let (once, overflowed) = Int128(count).multipliedReportingOverflow(by: Int128(unit.numerator))
        let (value, overflowedAgain) = once.multipliedReportingOverflow(by: Int128(step.denominator))
        guard !overflowed, !overflowedAgain else { return nil }
        let divisor = Int128(unit.denominator) * Int128(step.numerator)
        let (quotient, rest) = value.quotientAndRemainder(dividingBy: divisor)
        return Int64(exactly: rest < 0 ? quotient - 1 : quotient)
    }
}

/// Why an answer holds no value for a quantity. Declaration order is the order of the checks.
package enum NotAvailable: UInt8, Hashable, Sendable, CaseIterable {
    /// The answer has not the length of the request.
    case wrongLength = 1
    /// A float that is NaN or infinite.
    case notANumber = 2
    /// A bit pattern the profile declares as "no value".
    case declared = 3
    /// An accumulator at 0: nothing accumulated yet, or forgotten.
    case zeroAccumulator = 4
    /// The scale factor is missing or outside the profile's range.
    case scaleFactor = 5
    /// A counter below zero.
    case negativeCounter = 6
    /// Does not fit in 64 bits after scaling.
    case overflow = 7
    /// Outside the profile's valid range.
    case invalid = 8

    /// As frames files spell it.
    package var name: String {
        switch self {
        case .wrongLength: "wrong-length"
        case .notANumber: "not-a-number"
        case .declared: "declared"
        case .zeroAccumulator: "zero-accumulator"
        case .scaleFactor: "scale-factor"
        case .negativeCounter: "negative-counter"
        case .overflow: "overflow"
        case .invalid: "invalid"
        }
    }
}

package enum DecodedValue: Hashable, Sendable {
    case counter(RegisterCount)
    case gauge(GaugeReading)
    case notAvailable(NotAvailable)
}

extension RegisterCount {
    /// The count as whole watt-hours, rounded down.
    package func energy(ratio: Rational = .one) -> Energy? {
        Self.whole(count, unit: unit, ratio: ratio).map { Energy(wattHours: $0) }
    }
}
