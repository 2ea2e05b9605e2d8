// Rule 9: floors, carries, debts and the largest remainder. Every minor unit is accounted for.

import CollectorCore
import Kit
import Quantities
import Testing

struct AllocationTests {
    private func entity(_ ppm: [Int64]) -> Entity {
        Entity(
            id: id("e"), organisation: id("o"), population: 0,
            shares: ppm.enumerated().map { index, ppm in
                Entity.Share(principal: id("p-\(index)"), account: id("a-\(index)"), ppm: ppm)
            })
    }

    private func carry(_ numerator: Int64, _ denominator: Int64 = 1) -> Carry {
        Carry(entity: id("e"), asset: "K$", numerator: numerator, denominator: denominator)
    }

    @Test(
        arguments: [
            // verified Wh, rate, carry in → amount, carry out
            (33_750, 1000, 1, 0, 1, 33_750_000, 0, 1), (0, 1000, 1, 0, 1, 0, 0, 1), (10, 1, 3, 0, 3, 3, 1, 3),
            (10, 1, 3, 2, 3, 4, 0, 3), (1, 1, 3, 1, 3, 0, 2, 3),
            // A debt waits, is netted, and is gone.
            (-5, 1000, 1, 0, 1, 0, -5000, 1), (3, 1000, 1, -5000, 1, 0, -2000, 1), (5, 1000, 1, -2000, 1, 3000, 0, 1),
            // A rate change rescales the carry by floor: 2/3 → 0 of 1, → 6 of 10; −1/3 → −1 of 1.
            (10, 1, 1, 2, 3, 10, 0, 1), (1, 1, 10, 2, 3, 0, 7, 10), (0, 1, 1, -1, 3, 0, -1, 1),
        ] as [(Int64, Int64, Int64, Int64, Int64, Int64, Int64, Int64)])
    func amountAndCarry(
        wattHours: Int64, numerator: Int64, denominator: Int64, carryIn: Int64, carryDenominator: Int64, amount: Int64,
        carryOut: Int64, outDenominator: Int64
    ) throws {
        let result = try #require(
            EntityAllocation(
                entity: entity([1_000_000]), verifiedWattHours: wattHours, carry: carry(carryIn, carryDenominator),
                rate: Manifest.Rate(numerator: numerator, denominator: denominator)))
        #expect(result.amount.minorUnits == amount)
        #expect(result.carry == carry(carryOut, outDenominator))
    }

    @Test func beyond64BitsIsNoAllocation() {
        let rate = Manifest.Rate(numerator: HouseBounds.rateMax, denominator: 1)
        let most = HouseBounds.wattHoursMax
        #expect(
            EntityAllocation(entity: entity([1_000_000]), verifiedWattHours: most, carry: carry(0), rate: rate) == nil)
        #expect(
            EntityAllocation(entity: entity([1_000_000]), verifiedWattHours: -most, carry: carry(0), rate: rate) == nil)
        let least = carry(.min)
        let one = Manifest.Rate(numerator: 1, denominator: 1)
        #expect(
            EntityAllocation(entity: entity([1_000_000]), verifiedWattHours: 0, carry: least, rate: one)?.carry == least
        )
        #expect(EntityAllocation(entity: entity([1_000_000]), verifiedWattHours: -1, carry: least, rate: one) == nil)
    }

    @Test(
        arguments: [
            (10, [600_000, 400_000], [6, 4]), (1, [500_000, 500_000], [1, 0]),
            (2, [333_333, 333_333, 333_334], [1, 0, 1]),
            (100, [333_333, 333_333, 333_334], [33, 33, 34]), (1, [1, 999_999], [0, 1]),
            (0, [500_000, 500_000], [0, 0]),
            (5, [200_000, 200_000, 200_000, 200_000, 200_000], [1, 1, 1, 1, 1]),
            // Three equal remainders, two units: the earlier ids get them.
            (8, [333_333, 333_333, 333_333, 1], [3, 3, 2, 0]), (Int64.max, [1_000_000], [Int64.max]),
        ] as [(Int64, [Int64], [Int64])])
    func largestRemainder(amount: Int64, shares: [Int64], parts: [Int64]) {
        #expect(EntityAllocation.split(amount, shares: shares) == parts)
    }

    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func nothingIsLostOverManyWindows(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let rate = Manifest.Rate(
            numerator: Int64.random(in: 1...1_000_000, using: &random),
            denominator: Int64.random(in: 1...1_000_000, using: &random))
        var cuts = (0..<4).map { _ in Int64.random(in: 0...1_000_000, using: &random) }.sorted()
        cuts = [0] + cuts + [1_000_000]
        let entity = entity(zip(cuts, cuts.dropFirst()).map { $1 - $0 })
        var carried = Carry(entity: id("e"), asset: "K$", numerator: 0, denominator: rate.denominator)
        var (energy, issued) = (Int128(0), Int128(0))
        for _ in 0..<200 {
            let wattHours = Int64.random(in: -50_000...200_000, using: &random)
            let result = try #require(
                EntityAllocation(entity: entity, verifiedWattHours: wattHours, carry: carried, rate: rate),
                "seed \(seed)")
            let parts = result.allocations.reduce(0) { $0 + $1.amount.minorUnits }
            #expect(parts == result.amount.minorUnits, "seed \(seed)")
            energy += Int128(wattHours)
            issued += Int128(parts)
            carried = result.carry
        }
        #expect(
            energy * Int128(rate.numerator) == issued * Int128(rate.denominator) + Int128(carried.numerator),
            "seed \(seed)")
    }
}
