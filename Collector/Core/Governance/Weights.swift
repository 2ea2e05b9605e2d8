// How votes are weighed: production and population, apportioned to a million units. Pure arithmetic; when weights are
// calculated and from which windows is Governance's.

package import Quantities

/// What speaks for an entity's weight.
package struct WeightBasis: Hashable, Sendable {
    package let entity: Identifier
    /// Wh, not negative.
    package let production: Int64
    /// Not negative.
    package let population: Int64

    package init(entity: Identifier, production: Int64, population: Int64) {
        self.entity = entity
        self.production = production
        self.population = population
    }
}

package enum Weights {
    /// Shared out completely: the units of all entities add up to this.
    package static let units: Int64 = 1_000_000

    /// Units of each basis, in its order.
    ///
    /// score = a · P · ΣPop + b · Pop · ΣP, so that a : b weighs the two shares against each other. Without any
    /// production the population alone counts, without any population the production alone; without both, or with
    /// a = b = 0, all weigh the same. Largest remainder; of equal remainders the smaller id first.
    ///
    /// - Returns: nil when there is nobody, or a score leaves 128 bits: beyond 10^15 Wh of a hundred times mankind.
    package static func apportion(_ bases: [WeightBasis], a: Int64, b: Int64) -> [Int64]? {
        guard !bases.isEmpty, let scores = scores(bases, a: a, b: b) else { return nil }
        var total: UInt128 = 0
        for score in scores {
            let (sum, overflowed) = total.addingReportingOverflow(score)
            if overflowed { return nil }
            total = sum
        }
        if total == 0 { return apportion([UInt128](repeating: 1, count: bases.count), UInt128(bases.count), bases) }
        return apportion(scores, total, bases)
    }

    private static func scores(_ bases: [WeightBasis], a: Int64, b: Int64) -> [UInt128]? {
        guard a >= 0, b >= 0, bases.allSatisfy({ $0.production >= 0 && $0.population >= 0 }) else { return nil }
        // 2^63 numbers below 2^63 fit.
        let production = bases.reduce(UInt128(0)) { $0 + UInt128($1.production) }
        let population = bases.reduce(UInt128(0)) { $0 + UInt128($1.population) }
        if production == 0 { return bases.map { UInt128($0.population) } }
        if population == 0 { return bases.map { UInt128($0.production) } }
        var scores: [UInt128] = []
        for basis in bases {
            guard let first = product(UInt128(a), UInt128(basis.production), population),
                let second = product(UInt128(b), UInt128(basis.population), production)
            else { return nil }
            let (sum, overflowed) = first.addingReportingOverflow(second)
            if overflowed { return nil }
            scores.append(sum)
        }
        return scores
    }

    private static func product(_ factors: UInt128...) -> UInt128? {
        var result: UInt128 = 1
        for factor in factors {
            let (next, overflowed) = result.multipliedReportingOverflow(by: factor)
            if overflowed { return nil }
            result = next
        }
        return result
    }

    private static func apportion(_ scores: [UInt128], _ total: UInt128, _ bases: [WeightBasis]) -> [Int64] {
        var parts: [Int64] = []
        var rests: [UInt128] = []
        for score in scores {
            // A score times a million may leave 128 bits; score ≤ total, so the quotient is at most a million.
            let (part, rest) = total.dividingFullWidth(score.multipliedFullWidth(by: UInt128(units)))
            parts.append(Int64(part))
            rests.append(rest)
        }
        let missing = units - parts.reduce(0, +)
        let order = bases.indices.sorted { i, j in
            rests[i] == rests[j] ? bases[i].entity < bases[j].entity : rests[i] > rests[j]
        }
        // Fewer units are missing than there are entities.
        for index in order.prefix(Int(missing)) { parts[index] += 1 }
        return parts
    }
}
