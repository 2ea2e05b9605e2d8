// When a certificate is renewed: half-way through its life, spread so that a fleet enrolled in one week does not come back
// in one minute.

package import Quantities

package enum RenewalSchedule {
    /// The spread is this part of the life: one twentieth.
    private static let spreadDivisor: Int64 = 20

    /// When a certificate of this life is due.
    ///
    /// - Parameter share: 0 … 65 535, the gateway's own place in the spread.
    package static func due(from: UTCInstant, through: UTCInstant, share: UInt16) -> UTCInstant {
        let life = max(0, through - from)
        return from + (life / 2 + life / spreadDivisor * Int64(share) / 65_536)
    }
}
