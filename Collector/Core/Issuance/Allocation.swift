// Rule 9: from verified energy to minor units, exact to the last one. What remains is carried, what is missing is owed.

package import Quantities

/// What one principal is allotted from one entity's window.
package struct Allocation: Hashable, Sendable {
    package let entity: Identifier
    package let principal: Identifier
    package let account: Identifier
    package let ppm: Int64
    package let amount: Amount
    /// Of the whole entity.
    package let verifiedWattHours: Int64

    package init(
        entity: Identifier, principal: Identifier, account: Identifier, ppm: Int64, amount: Amount,
        verifiedWattHours: Int64
    ) {
        self.entity = entity
        self.principal = principal
        self.account = account
        self.ppm = ppm
        self.amount = amount
        self.verifiedWattHours = verifiedWattHours
    }
}

/// An entity's allocations of one window and what it carries on.
package struct EntityAllocation: Hashable, Sendable {
    package let amount: Amount
    /// By principal; together `amount`.
    package let allocations: [Allocation]
    package let carry: Carry

    /// Nil when amount or carry leave 64 bits: such an entity settles nothing.
    package init?(entity: Entity, verifiedWattHours: Int64, carry: Carry, rate: Manifest.Rate) {
        // Rescaled by floor: what a rate change loses is below one part of the new denominator.
        let product = Int128(carry.numerator) * Int128(rate.denominator)
        let carried = Self.floor(product, by: Int128(carry.denominator))
        // 10^15 Wh × 10^12: below 2^91.
        let raw = Int128(verifiedWattHours) * Int128(rate.numerator) + carried
        let denominator = Int128(rate.denominator)
        let whole = raw < 0 ? 0 : raw / denominator
        guard let amount = Int64(exactly: whole), let rest = Int64(exactly: raw - whole * denominator) else {
            return nil
        }
        self.amount = Amount(minorUnits: amount)
        self.carry = Carry(entity: entity.id, asset: carry.asset, numerator: rest, denominator: rate.denominator)
        let parts = Self.split(amount, shares: entity.shares.map(\.ppm))
        allocations = zip(entity.shares, parts).map { share, part in
            Allocation(
                entity: entity.id, principal: share.principal, account: share.account, ppm: share.ppm,
                amount: Amount(minorUnits: part), verifiedWattHours: verifiedWattHours)
        }
    }

    /// Largest remainder: each share's floor, then one unit each to the largest remainders, the earlier share first
    /// where two are equal. The parts add up to `amount`.
    ///
    /// - Parameter shares: ppm, together 1 000 000, in order of the principals' ids.
    package static func split(_ amount: Int64, shares: [Int64]) -> [Int64] {
        let products = shares.map { Int128(amount) * Int128($0) }
        // At most `amount` each.
        var parts = products.map { Int64($0 / 1_000_000) }
        let missing = amount - parts.reduce(0, +)
        let byRemainder = shares.indices.sorted { a, b in
            let (first, second) = (products[a] % 1_000_000, products[b] % 1_000_000)
            return first == second ? a < b : first > second
        }
        // Fewer units are missing than there are shares.
        for index in byRemainder.prefix(Int(missing)) { parts[index] += 1 }
        return parts
    }

    private static func floor(_ value: Int128, by divisor: Int128) -> Int128 {
        let (quotient, rest) = value.quotientAndRemainder(dividingBy: divisor)
        return rest < 0 ? quotient - 1 : quotient
    }
}
