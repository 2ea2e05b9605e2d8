// Weights: (production, population) of each entity, in order of id, and the units they come to.

import CollectorCore
import Kit
import Proofs
import Quantities
import Testing

struct WeightsTests {
    static func bases(_ pairs: [(Int64, Int64)]) -> [WeightBasis] {
        pairs.enumerated().map {
            WeightBasis(entity: id("e\($0.offset)"), production: $0.element.0, population: $0.element.1)
        }
    }

    /// (bases, a, b, units)
    @Test(
        arguments: [
            ([(5, 7)], 3, 1, [1_000_000]),
            // 3 · P · ΣPop + Pop · ΣP: 3·3·2 + 1·4 = 22 against 3·1·2 + 1·4 = 10.
            ([(3, 1), (1, 1)], 3, 1, [687_500, 312_500]),
            ([(1, 1), (1, 1)], 3, 1, [500_000, 500_000]),
            // Production alone, population alone, neither.
            ([(3, 9), (1, 1)], 1, 0, [750_000, 250_000]),
            ([(3, 9), (1, 1)], 0, 1, [900_000, 100_000]),
            ([(3, 9), (1, 1)], 0, 0, [500_000, 500_000]),
            ([(0, 3), (0, 1)], 3, 1, [750_000, 250_000]),
            ([(3, 0), (1, 0)], 3, 1, [750_000, 250_000]),
            ([(0, 0), (0, 0)], 3, 1, [500_000, 500_000]),
            ([(0, 0), (1, 1)], 3, 1, [0, 1_000_000]),
            // Ties of remainders: the smaller id first.
            ([(1, 1), (1, 1), (1, 1)], 3, 1, [333_334, 333_333, 333_333]),
            ([(0, 0), (0, 0), (0, 0)], 3, 1, [333_334, 333_333, 333_333]),
            (
                [(1, 0), (1, 0), (1, 0), (1, 0), (1, 0), (1, 0)], 3, 1,
                [166_667, 166_667, 166_667, 166_667, 166_666, 166_666]
            ),
            // Large: 10^15 Wh of 10^11 people, weighed a million to a million.
            (
                [(1_000_000_000_000_000, 100_000_000_000), (1_000_000_000_000_000, 100_000_000_000)], 1_000_000,
                1_000_000,
                [500_000, 500_000]
            ),
            ([(.max, 1), (.max, 1), (.max, 2)], 3, 1, [312_500, 312_500, 375_000]),
            // Refused: nobody, below zero, out of range.
            ([], 3, 1, nil),
            ([(-1, 1)], 3, 1, nil),
            ([(1, -1)], 3, 1, nil),
            ([(1, 1)], -1, 1, nil),
            ([(.max, .max)], 5, 1, nil),
        ] as [([(Int64, Int64)], Int64, Int64, [Int64]?)])
    func apportions(pairs: [(Int64, Int64)], a: Int64, b: Int64, units: [Int64]?) {
        #expect(Weights.apportion(Self.bases(pairs), a: a, b: b) == units)
    }

    /// All units are given, nobody gets more than a unit beside the exact quota, and the order of entities changes nothing.
    @Test(arguments: 1...200 as ClosedRange<UInt64>)
    func givesEveryUnit(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let count = Int.random(in: 1...40, using: &random)
        let bases = Self.bases(
            (0..<count).map { _ in
                (Int64.random(in: 0...1_000_000, using: &random), Int64.random(in: 0...5000, using: &random))
            })
        let units = try #require(Weights.apportion(bases, a: 3, b: 1), "seed \(seed)")
        #expect(units.reduce(0, +) == 1_000_000, "seed \(seed)")
        let production = bases.reduce(0) { $0 + $1.production }
        let population = bases.reduce(0) { $0 + $1.population }
        if production > 0, population > 0 {
            let scores = bases.map { Int128(3 * $0.production * population + $0.population * production) }
            let total = scores.reduce(0, +)
            for (score, part) in zip(scores, units) {
                let difference = Int128(part) * total - score * 1_000_000
                #expect(difference.magnitude < total.magnitude, "seed \(seed): further than a unit from the quota")
            }
        }
        let order = bases.indices.shuffled(using: &random)
        let shuffled = Weights.apportion(order.map { bases[$0] }, a: 3, b: 1)
        #expect(shuffled == order.map { units[$0] }, "seed \(seed): order matters")
    }
}
