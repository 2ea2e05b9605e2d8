// Exact energy of the measured file, against an independent computation.
//
// The constants were computed in Python with fractions.Fraction, from the CSV alone: for every row the decimal power
// times the milliseconds of the row that lie before the instant, positive and negative powers summed apart, in
// 10 µW·ms (× 100 000).

import Kit
import PlantModel
import Quantities
import Testing

/// The measured production that comes with the project.
func measuredSeries() throws -> ProductionSeries {
    try ProductionFile.parse(try Workplace.bytes(of: "Tests/Plant/Data/serf-east-2016.csv"))
}

struct ProductionSeriesTests {
    @Test func theFileCoversSixWeeks() throws {
        let series = try measuredSeries()
        #expect(series.rows == 4032)
        #expect(series.first.description == "2016-07-01T07:00:00Z")
        #expect(series.end.description == "2016-08-12T07:00:00Z")
    }

    @Test(
        arguments: [
            ("2016-07-01T06:59:59.999Z", 0, 0, 0),
            ("2016-07-01T07:00:00Z", 0, 0, -286_010),
            ("2016-07-01T07:00:00.001Z", 0, 286_010, -286_010),
            ("2016-07-01T12:20:00.007Z", 2_464_167_495_900, 5_846_499_000_000, 8_213_700),
            ("2016-07-07T06:00:00Z", 52_446_458_190_600_000, 66_509_514_000_000, -285_670),
            ("2016-07-07T18:07:30.123Z", 57_861_680_363_550_000, 73_474_632_000_000, 421_650_000),
            ("2016-08-12T06:59:59.999Z", 415_606_031_487_900_000, 482_410_774_500_580, -299_420),
            ("2016-08-12T07:00:00Z", 415_606_031_487_900_000, 482_410_774_800_000, 0),
            ("9999-12-31T23:59:59.999Z", 415_606_031_487_900_000, 482_410_774_800_000, 0),
        ] as [(String, Int64, Int64, Int64)])
    func energyIsExact(at text: String, delivered: Int64, drawn: Int64, power: Int64) throws {
        let state = try measuredSeries().state(at: try #require(UTCInstant(text)))
        // The arguments are Int64: an Int128 among a test's arguments crashes Swift Testing (Swift 6.3.1, Linux).
        #expect(state.delivered == Int128(delivered) && state.drawn == Int128(drawn))
        #expect(state.power == Power(tenMicrowatts: power))
    }

    @Test(
        arguments: [
            (10, [33750, 27160, 29920, 30340, 32840, 33490, 32830, 34300]),
            (1, [33746, 27164, 29921, 30339, 32841, 33485, 32837, 34295]),
        ] as [(Int64, [Int64])])
    func eightDaysByRegister(resolution: Int64, wattHours: [Int64]) throws {
        let series = try measuredSeries()
        let start = try #require(UTCInstant("2016-07-07T06:00:00Z"))
        let days = (0..<8).map { day -> Int128 in
            let from = start + Int64(day) * 86_400_000
            return series.registerAdvance(from: from, to: from + 86_400_000, resolution: resolution)
        }
        #expect(days == wattHours.map { Int128($0) })
        let all = series.registerAdvance(from: start, to: start + 8 * 86_400_000, resolution: resolution)
        #expect(all == days.reduce(0, +), "registers add up over any division of time")
    }

    @Test func extremeInstantsDoNotOverflow() throws {
        let series = try measuredSeries()
        let end = series.state(at: series.end)
        #expect(series.state(at: UTCInstant(milliseconds: .max)) == end)
        #expect(series.state(at: UTCInstant(milliseconds: .min)).delivered == 0)
        let early = series.beginning(at: UTCInstant(milliseconds: -1000))
        #expect(early.state(at: UTCInstant(milliseconds: .max)) == end)
        let empty = ProductionSeries(first: series.first, powers: [])
        #expect(empty.state(at: series.first) == PlantState(delivered: 0, drawn: 0, power: .zero))
    }

    @Test func movingTheFileMovesItsEnergy() throws {
        let series = try measuredSeries()
        let moved = series.beginning(at: UTCInstant(milliseconds: 5))
        #expect(
            moved.state(at: UTCInstant(milliseconds: 5 + 40_000_000)) == series.state(at: series.first + 40_000_000))
    }

    /// Counters never run backwards, and are in step with the power, at any two instants.
    @Test func countersNeverDecrease() throws {
        let series = try measuredSeries()
        var generator = SeededGenerator(seed: 7)
        for _ in 0..<5000 {
            let from = series.first + Int64.random(in: -1_000_000...3_700_000_000, using: &generator)
            let to = from + Int64.random(in: 0...3_000_000, using: &generator)
            let (a, b) = (series.state(at: from), series.state(at: to))
            #expect(a.delivered <= b.delivered && a.drawn <= b.drawn)
        }
    }
}
