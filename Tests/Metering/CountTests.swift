// Ratios, counter steps, and counts into whole units.

import Metering
import Quantities
import Testing

struct CountTests {
    @Test(
        arguments: [
            ("10", "10"), ("0.01", "1/100"), ("1/3", "1/3"), ("2/4", "1/2"), ("0.50", "1/2"),
            ("1000000000000", "1000000000000"),
            ("0.000000000001", "1/1000000000000"), ("1000000000001", nil), ("0", nil), ("0.0", nil), ("-1", nil),
            ("+1", nil),
            ("1e3", nil), (".5", nil), ("5.", nil), ("1/0", nil), ("0/1", nil), ("/", nil), ("", nil), ("1/2/3", nil),
            ("0.0000000000001", nil), ("99999999999999999999", nil), ("1 ", nil),
        ] as [(String, String?)])
    func ratios(text: String, expected: String?) {
        #expect(Rational(text)?.description == expected)
    }

    @Test func ratioArithmetic() throws {
        let third = try #require(Rational("1/3"))
        let tenth = try #require(Rational("0.1"))
        #expect((third * tenth)?.description == "1/30")
        #expect((third * third.inverse) == .one)
        #expect(tenth < third && !(third < tenth) && !(third < third))
        #expect(tenth.scaled(byPowerOfTen: -2)?.description == "1/1000")
        #expect(tenth.scaled(byPowerOfTen: 3)?.description == "100")
        #expect(tenth.scaled(byPowerOfTen: 19) == nil)
        #expect(tenth.scaled(byPowerOfTen: .min) == nil)
        let largest = try #require(Rational(Rational.partMax))
        #expect(largest * largest == nil)
        #expect(largest * largest.inverse == .one)
    }

    @Test(
        arguments: [
            (5, 5, nil, .forward(0)), (5, 9, nil, .forward(4)), (9, 5, nil, .decreased(4)), (9, 5, 10, .rollover(6)),
            (9, 0, 10, .rollover(1)), (10, 5, 10, .decreased(5)), (11, 5, 10, .decreased(6)), (5, 11, 10, .forward(6)),
            (0xFFFF_FFFF, 0, 0x1_0000_0000, .rollover(1)), (UInt64.max, 0, nil, .decreased(.max)),
            (0, UInt64.max, nil, .forward(.max)), (UInt64.max - 1, 0, UInt64.max, .rollover(1)),
        ] as [(UInt64, UInt64, UInt64?, CounterStep)])
    func steps(from: UInt64, to: UInt64, modulus: UInt64?, expected: CounterStep) {
        #expect(CounterStep(from: from, to: to, modulus: modulus) == expected)
    }

    @Test(
        arguments: [
            (0, "10", "1", 0), (1234, "10", "1", 12340), (9, "1/10", "1", 0), (10, "1/10", "1", 1),
            (19, "1/10", "1", 1),
            (7, "1/3", "100", 233), (UInt64.max, "1", "1", nil), (UInt64(Int64.max), "1", "1", .max),
            (UInt64.max, "1000000000000", "1000000000000", nil), (UInt64.max, "1/1000000000000", "1/1000000000000", 0),
        ] as [(UInt64, String, String, Int64?)])
    func wholeUnits(count: UInt64, unit: String, ratio: String, expected: Int64?) throws {
        let unit = try #require(Rational(unit))
        let ratio = try #require(Rational(ratio))
        #expect(RegisterCount.whole(count, unit: unit, ratio: ratio) == expected)
        let register = RegisterCount(count: count, unit: unit, modulus: nil, resolution: unit)
        #expect(register.energy(ratio: ratio) == expected.map { Energy(wattHours: $0) })
    }

    @Test(
        arguments: [
            (432_101, "1/100", "1", 4321), (-432_101, "1/100", "1", -4322), (-432_100, "1/100", "1", -4321),
            (-1, "1/100", "1/1000", -10), (Int64.max, "1000000000000", "1", nil), (Int64.min, "1", "1", .min),
            (Int64.max, "1000000000000", "1/1000000000000", nil),
        ] as [(Int64, String, String, Int64?)])
    func flooring(count: Int64, unit: String, step: String, expected: Int64?) throws {
        let reading = GaugeReading(count: count, unit: try #require(Rational(unit)))
        #expect(reading.floored(to: try #require(Rational(step))) == expected)
    }

    @Test(arguments: [
        ("1-0:1.8.0", true), ("0-0:96.1.0", true), ("255-255:255.255.255", true), ("1-0:256.8.0", false),
        ("1-0:01.8.0", false), ("1-0:1.8", false), ("1-0:1.8.0.255", false), ("1.0:1.8.0", false), ("", false),
        ("1-0:1.8.0 ", false), ("1-0:.8.0", false), ("１-0:1.8.0", false),
    ])
    func obisCodes(text: String, isValid: Bool) {
        #expect((ObisCode(text)?.text == text) == isValid)
    }

    @Test(
        arguments: [
            ([], "anything", true), (["B23 *"], "B23 112-100", true), (["B23 *"], "B23", false),
            (["B23*"], "B23", true),
            (["B21", "B23"], "B23", true), (["B2"], "B23", false), (["*"], "", true), (["*-100"], "B23 112-100", true),
            (["*1*0"], "B23 112-100", true), (["*1*0"], "B23 112-10x", false), (["a*b*c"], "abcbc", true),
            (["**"], "x", true),
            (["a*"], "ba", false), ([""], "", true),
        ] as [([String], String, Bool)])
    func expectedTexts(expected: [String], text: String, isAccepted: Bool) throws {
        var field = try #require(try ProfileFile.named("abb/b23").profile().identity[.model])
        field.expected = expected
        #expect(field.accepts(text) == isAccepted)
    }
}
