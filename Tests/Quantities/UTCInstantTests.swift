// Instants against Python's datetime, and what is not an instant in RFC 3339 as we write it.

import Kit
import Quantities
import Testing

/// A row of instants.json: [milliseconds, text].
struct InstantVector: Decodable, Sendable {
    let milliseconds: Int64
    let text: String

    init(from decoder: any Decoder) throws {
        var row = try decoder.unkeyedContainer()
        milliseconds = try row.decode(Int64.self)
        text = try row.decode(String.self)
    }
}

struct UTCInstantTests {
    @Test func agreesWithPythonsCalendar() throws {
        let rows = try vectors("instants.json", as: [InstantVector].self)
        #expect(rows.count > 700)
        for row in rows {
            let instant = UTCInstant(milliseconds: row.milliseconds)
            #expect(instant.description == row.text)
            #expect(UTCInstant(row.text) == instant)
            #expect(instant.date == row.text.prefix(10))
        }
    }

    @Test(
        arguments: [
            ("2016-07-07T06:00:00Z", 1_467_871_200_000), ("1970-01-01T00:00:00Z", 0), ("1969-12-31T23:59:59.999Z", -1),
            ("2016-02-29T00:00:00Z", 1_456_704_000_000), ("2016-07-07T06:00:00.25Z", 1_467_871_200_250),
            ("2016-07-07T06:00:00.5Z", 1_467_871_200_500), ("2016-07-07T06:00:00.050Z", 1_467_871_200_050),
            ("0000-01-01T00:00:00Z", -62_167_219_200_000),
        ] as [(String, Int64)])
    func reads(text: String, milliseconds: Int64) {
        #expect(UTCInstant(text)?.milliseconds == milliseconds)
    }

    @Test(arguments: [
        "", "Z", "2016-07-07T06:00:00", "2016-07-07 06:00:00Z", "2016-07-07t06:00:00Z", "2016-07-07T06:00:00z",
        "2016-07-07T06:00:00+00:00", "2016-07-07T06:00Z", "2016-07-07T24:00:00Z", "2016-07-07T06:60:00Z",
        "2016-12-31T23:59:60Z", "2016-13-01T00:00:00Z", "2016-00-01T00:00:00Z", "2016-07-00T00:00:00Z",
        "2016-07-32T00:00:00Z", "2016-06-31T00:00:00Z", "2015-02-29T00:00:00Z", "1900-02-29T00:00:00Z",
        "2016-07-07T06:00:00.Z", "2016-07-07T06:00:00.1234Z", "2016-07-07T06:00:00,5Z", "16-07-07T06:00:00Z",
        "+016-07-07T06:00:00Z", "-001-07-07T06:00:00Z", "2016-07-07T06:00:00.-5Z", "２016-07-07T06:00:00Z",
        " 2016-07-07T06:00:00Z", "12016-07-07T06:00:00Z", "2016-07-07T06:00:00ZZ",
    ])
    func refuses(text: String) {
        #expect(UTCInstant(text) == nil)
    }

    @Test func yearsOutsideTheFormHaveASignOrMoreDigits() {
        #expect(UTCInstant(milliseconds: -62_167_219_200_001).description == "-0001-12-31T23:59:59.999Z")
        #expect(UTCInstant(milliseconds: 253_402_300_800_000).description == "10000-01-01T00:00:00Z")
        for extreme in [Int64.min, .max] {
            let text = UTCInstant(milliseconds: extreme).description
            #expect(UTCInstant(text) == nil, "\(text)")
        }
    }

    @Test(
        arguments: [
            (0, 1, 1), (0, -1, -1), (.max, 1, .max), (.max, -1, .max - 1), (.min, -1, .min), (.max, .max, .max),
            (.min, .min, .min),
            (.max, .min, -1),
        ] as [(Int64, Int64, Int64)])
    func additionNeverTraps(start: Int64, step: Int64, end: Int64) {
        #expect((UTCInstant(milliseconds: start) + step).milliseconds == end)
    }

    @Test(
        arguments: [
            (5, 3, 2), (3, 5, -2), (.max, -1, .max), (.min, 1, .min), (.min, .max, .min), (.max, .min, .max),
            (.min, .min, 0),
            (0, .min, .max), (-1, .min, .max),
        ] as [(Int64, Int64, Int64)])
    func subtractionNeverTraps(a: Int64, b: Int64, difference: Int64) {
        #expect(UTCInstant(milliseconds: a) - UTCInstant(milliseconds: b) == difference)
    }
}

struct HouseClockTests {
    private let zero = UTCInstant(milliseconds: 1_000_000)
    private let start = UTCInstant("2016-07-07T06:00:00Z")!
    private func clock(_ speed: Int64) -> HouseClock { .replayed(start: start, speed: speed, zero: zero) }

    @Test func realTimeIsItself() {
        #expect(HouseClock.real.now(real: start) == start)
        #expect(HouseClock.real.real(when: start) == start)
        #expect(HouseClock.real.realDuration(0) == 0)
        #expect(HouseClock.real.realDuration(60_000) == 60_000)
    }

    @Test(arguments: [(-5000, 0), (-1, 0), (0, 0), (1, 3600), (1000, 3_600_000)] as [(Int64, Int64)])
    func replayStandsUntilZeroAndThenRuns(real: Int64, house: Int64) {
        #expect(clock(3600).now(real: zero + real) == start + house)
    }

    @Test(
        arguments: [(-5, 0), (0, 0), (1, 1), (3599, 1), (3600, 1), (3601, 2), (86_400_000, 24_000)] as [(Int64, Int64)])
    func theMachinesInstantIsTheFirstThatShowsTheHouses(house: Int64, real: Int64) {
        let instant = start + house
        let found = clock(3600).real(when: instant)
        #expect(found == zero + real)
        #expect(clock(3600).now(real: found) >= instant)
        if house > 0 { #expect(clock(3600).now(real: found + -1) < instant) }
    }

    @Test(arguments: [(1, 1), (3600, 1), (7199, 1), (60_000, 16), (0, 1)] as [(Int64, Int64)])
    func aWaitIsAtLeastAMillisecond(house: Int64, real: Int64) {
        #expect(clock(3600).realDuration(house) == real)
    }

    @Test func anAbsurdConfigurationStandsStillInsteadOfTrapping() {
        #expect(clock(.max).now(real: zero + 2).milliseconds == .max)
        #expect(clock(1).real(when: UTCInstant(milliseconds: .max)).milliseconds > 0)
        #expect(clock(.max).real(when: UTCInstant(milliseconds: .max)) == zero + 1)
        #expect(clock(1).now(real: UTCInstant(milliseconds: .min)) == start)
    }
}
