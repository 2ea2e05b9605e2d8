// Rules 2 and 3 as tables: what a run of counts comes to, in 10 Wh counts of a meter behind a 6 000 W plant.

@testable import CollectorCore
import Metering
import Proofs
import Quantities
import Testing

/// Minutes after the first day's start, and the count then.
struct WalkCase: CustomTestStringConvertible, Sendable {
    let name: String
    let counts: [(minute: Int64, count: UInt64)]
    var modulus: UInt64?
    var opening: UInt64?
    let energies: [Int64?]
    var glitches: [UInt64] = [0, 0]
    var decreases: [UInt64] = [0, 0]
    var rollovers: [UInt64] = [0, 0]
    var jumps: [UInt64] = [0, 0]

    var testDescription: String { name }
}

struct CounterWalkTests {
    static let unit = Rational(10)!
    static let days = DaySpan(start: anchor, length: day, count: 2)
    // 7 200 W with the margin: 720 counts an hour, 17 280 a day; two counts are always spare.
    static let scale = CounterScale(nameplateWatts: 6000, margin: 1_200_000, ratio: .one, interval: 900_000)

    static let cases = [
        WalkCase(
            name: "two plain days", counts: [(0, 100), (720, 500), (1440, 900), (2880, 1000)], energies: [8000, 1000]),
        WalkCase(
            name: "opening before the first day", counts: [(720, 500), (1440, 900)], opening: 100, energies: [8000, 0]),
        WalkCase(name: "nothing at all", counts: [], energies: [nil, nil]),
        WalkCase(name: "opening only", counts: [], opening: 7, energies: [0, 0]),
        WalkCase(name: "first count on the second day", counts: [(1500, 10), (2000, 30)], energies: [nil, 200]),
        WalkCase(
            name: "a count at the day's end is that day's", counts: [(0, 0), (1440, 50), (1441, 60)],
            energies: [500, 100]),
        WalkCase(
            name: "zero, then restored", counts: [(0, 100), (60, 0), (61, 0), (120, 200)], energies: [1000, 0],
            glitches: [2, 0]),
        WalkCase(
            name: "restored to the same count", counts: [(0, 100), (60, 0), (120, 100)], energies: [0, 0],
            glitches: [1, 0]),
        WalkCase(
            name: "decreased for good", counts: [(0, 1000), (60, 10), (120, 20)], energies: [0, 0], decreases: [2, 0]),
        WalkCase(
            name: "decreased on the second day only", counts: [(0, 1000), (1440, 1100), (1500, 3)],
            energies: [1000, 0],
            decreases: [0, 1]),
        WalkCase(
            name: "one less is low", counts: [(0, 1000), (60, 999)], energies: [0, 0], decreases: [1, 0]),
        WalkCase(
            name: "rolls over", counts: [(0, 65_500), (60, 64), (120, 164)], modulus: 65_536, energies: [2000, 0],
            rollovers: [1, 0]),
        WalkCase(
            name: "rolls over at the bound: 722 counts in an hour", counts: [(0, 65_500), (60, 686)], modulus: 65_536,
            energies: [7220, 0], rollovers: [1, 0]),
        WalkCase(
            name: "one count beyond it is a decrease", counts: [(0, 65_500), (60, 687)], modulus: 65_536,
            energies: [0, 0],
            decreases: [1, 0]),
        WalkCase(
            name: "a zero near the modulus is no rollover", counts: [(0, 65_500), (60, 0), (120, 65_510)],
            modulus: 65_536,
            energies: [100, 0], glitches: [1, 0]),
        WalkCase(
            name: "a zero at the rollover: the next count tells", counts: [(0, 65_500), (60, 0), (120, 1)],
            modulus: 65_536,
            energies: [370, 0], glitches: [1, 0], rollovers: [1, 0]),
        WalkCase(
            name: "rolls over once a day", counts: [(0, 65_500), (1440, 17_000), (2880, 34_000)], modulus: 65_536,
            energies: [170_360, 170_000], rollovers: [1, 0]),
        WalkCase(
            name: "a count its register cannot show is low", counts: [(0, 10), (60, 65_536), (61, 20)], modulus: 65_536,
            energies: [100, 0], glitches: [1, 0]),
        WalkCase(
            name: "opening carried past a rollover", counts: [(60, 30)], modulus: 65_536, opening: 65_536 * 3 + 20,
            energies: [100, 0]),
        WalkCase(name: "as much as the plant can", counts: [(0, 0), (60, 722)], energies: [7220, 0]),
        WalkCase(name: "one count more", counts: [(0, 0), (60, 723)], energies: [7230, 0], jumps: [1, 0]),
        WalkCase(
            name: "in a minute as much as in a quarter of an hour", counts: [(0, 0), (1440, 10), (1441, 192)],
            energies: [100, 1820]),
        WalkCase(
            name: "one count more in a minute", counts: [(0, 0), (1440, 10), (1441, 193)], energies: [100, 1830],
            jumps: [0, 1]),
        WalkCase(
            name: "twice what the plant can, minute by minute", counts: (0...16).map { ($0, UInt64($0) * 24) },
            energies: [3840, 0], jumps: [2, 0]),
        WalkCase(
            name: "stamped late, then in time", counts: [(0, 0), (14, 110), (15, 134), (16, 146)], energies: [1460, 0]),
    ]

    @Test(arguments: cases)
    func walk(_ test: WalkCase) {
        let readings = test.counts.enumerated().map { index, entry in
            RegisterReading(
                time: anchor + entry.minute * 60_000, count: entry.count, unit: Self.unit, modulus: test.modulus,
                resolution: Self.unit, interval: 60_000, reading: index)
        }
        let opening = test.opening.map {
            CounterOpening(
                key: CounterKey(meteringPoint: id("p"), meter: id("m"), quantity: .activeExport), epoch: 1, count: $0,
                unit: Self.unit, time: anchor, record: .zero, sampleIndex: 0)
        }
        let walk = CounterWalk(readings, opening: opening, scale: Self.scale, days: Self.days)
        #expect(walk.energies() == test.energies)
        #expect(walk.tallies.map(\.zeroGlitches) == test.glitches)
        #expect(walk.tallies.map(\.decreases) == test.decreases)
        #expect(walk.tallies.map(\.rollovers) == test.rollovers)
        #expect(walk.tallies.map(\.capacityJumps) == test.jumps)
    }

    @Test func anotherUnitIsNotAdmissible() {
        let readings = [(0, 100, 10), (60, 200, 10), (120, 3000, 1), (180, 300, 10)].enumerated().map { index, entry in
            RegisterReading(
                time: anchor + Int64(entry.0) * 60_000, count: UInt64(entry.1), unit: Rational(UInt64(entry.2))!,
                modulus: nil,
                resolution: Self.unit, interval: 60_000, reading: index)
        }
        let walk = CounterWalk(readings, opening: nil, scale: Self.scale, days: Self.days)
        #expect(walk.energies() == [2000, 0])
        #expect(walk.tallies.map(\.unitChanges) == [1, 0])
    }

    @Test func energyIsRoundedDownOncePerCount() {
        // 7 counts of 1/3 Wh an hour behind a ratio of 5/2: 5 5/6 Wh; whole days lose nothing.
        let scale = CounterScale(
            nameplateWatts: 6000, margin: 1_200_000, ratio: Rational(5, 2)!, interval: 900_000)
        let readings = (0...48).map { hour in
            RegisterReading(
                time: anchor + Int64(hour) * 3_600_000, count: UInt64(hour * 7), unit: Rational(1, 3)!, modulus: nil,
                resolution: .one, interval: 3_600_000, reading: hour)
        }
        let walk = CounterWalk(readings, opening: nil, scale: scale, days: Self.days)
        #expect(walk.energies() == [140, 140])
        #expect(walk.resolutionWattHours == 3)
    }
}
