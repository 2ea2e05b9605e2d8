// Two profile versions side by side on one device: whether what the second one says agrees with what the first one says.
// Never evidence, and nothing that is signed depends on it.

package import Metering
package import Quantities

/// One quantity under both profiles.
package enum ShadowVerdict: Hashable, Sendable {
    case agrees
    /// What the second says, and what the first says.
    case differs(String, String)
    /// The first has no value: nothing can be compared.
    case nothing

    /// A register may move between two reads: the second's value may lie anywhere between two values of the first.
    ///
    /// - Parameters:
    ///   - before: the first profile's value, read before the second's, or from the same words.
    ///   - after: read after it.
    ///   - text: a value for a person.
    package init(
        _ shadow: DecodedValue, before: DecodedValue, after: DecodedValue, text: (DecodedValue) -> String
    ) {
        guard let low = Amount(before), let high = Amount(after) else {
            // Without a value in both it is the same word that must stand there: not a number, declared …
            self =
                before == after && before == shadow
                ? .agrees : before == after ? .differs(text(shadow), text(before)) : .nothing
            return
        }
        let (first, last) = low < high ? (low, high) : (high, low)
        if let value = Amount(shadow), !(value < first), !(last < value) {
            self = .agrees
        } else {
            self = .differs(text(shadow), before == after ? text(before) : "\(text(before)) … \(text(after))")
        }
    }
}

/// count × unit, compared exactly.
private struct Amount: Comparable {
    /// count × unit in whole units and the rest of it, over `denominator`.
    private let whole: Int128
    private let rest: UInt64
    private let denominator: UInt64

    init?(_ value: DecodedValue) {
        switch value {
        case .counter(let count): self.init(Int128(count.count), count.unit)
        case .gauge(let gauge): self.init(Int128(gauge.count), gauge.unit)
        case .notAvailable: return nil
        }
    }

    /// 64 and 40 bits fit in 127.
    private init(_ count: Int128, _ unit: Rational) {
        denominator = unit.denominator
        let product = count * Int128(unit.numerator)
        let (quotient, remainder) = product.quotientAndRemainder(dividingBy: Int128(denominator))
        whole = remainder < 0 ? quotient - 1 : quotient
        rest = UInt64(remainder < 0 ? remainder + Int128(denominator) : remainder)
    }

    static func < (a: Amount, b: Amount) -> Bool {
        if a.whole != b.whole { return a.whole < b.whole }
        return UInt128(a.rest) * UInt128(b.denominator) < UInt128(b.rest) * UInt128(a.denominator)
    }

    static func == (a: Amount, b: Amount) -> Bool { !(a < b) && !(b < a) }
}

/// What was found of one quantity of one meter since its comparison began.
package struct ShadowTally: Hashable, Sendable {
    package private(set) var agreed: UInt64 = 0
    package private(set) var differed: UInt64 = 0
    /// When the first of ``agreed`` in a row was read; a difference begins it anew.
    package private(set) var since: UTCInstant?
    /// The last difference: the second's value, the first's.
    package private(set) var difference: (shadow: String, own: String)? {
        get { words.map { ($0[0], $0[1]) } }
        set { words = newValue.map { [$0.shadow, $0.own] } }
    }
    private var words: [String]?

    package init() {}

    /// - Returns: whether this is the first difference, or the first after agreement.
    package mutating func count(_ verdict: ShadowVerdict, at instant: UTCInstant) -> Bool {
        switch verdict {
        case .nothing: return false
        case .agrees:
            if since == nil {
                since = instant
                agreed = 0
            }
            agreed += 1
            return false
        case .differs(let shadow, let own):
            let isNew = since != nil || differed == 0
            since = nil
            differed += 1
            difference = (shadow, own)
            return isNew
        }
    }
}
