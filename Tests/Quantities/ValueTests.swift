// Energy, money, ratios, identifiers, bytes as text: from valid through the boundary to invalid.

import Kit
import Quantities
import Testing

struct EnergyTests {
    @Test(
        arguments: [(1, 2, 3), (.max, 0, .max), (.max, 1, nil), (.min, -1, nil), (.min, .max, -1)]
            as [(Int64, Int64, Int64?)])
    func sumsFitOrAreNone(a: Int64, b: Int64, sum: Int64?) {
        #expect(Energy(wattHours: a).adding(Energy(wattHours: b)) == sum.map { Energy(wattHours: $0) })
    }

    @Test(
        arguments: [(1, 2, -1), (.min, 0, .min), (.min, 1, nil), (.max, -1, nil), (0, .min, nil)]
            as [(Int64, Int64, Int64?)])
    func differencesFitOrAreNone(a: Int64, b: Int64, difference: Int64?) {
        #expect(Energy(wattHours: a).subtracting(Energy(wattHours: b)) == difference.map { Energy(wattHours: $0) })
    }

    @Test func order() {
        #expect([3, -1, 0].map { Energy(wattHours: $0) }.sorted().map(\.wattHours) == [-1, 0, 3])
        #expect(Energy.zero.wattHours == 0)
    }
}

struct MoneyTests {
    @Test(
        arguments: [
            (0, "0.000000"), (1, "0.000001"), (-1, "-0.000001"), (33_750_000, "33.750000"), (999_999, "0.999999"),
            (1_000_000, "1.000000"), (.max, "9223372036854.775807"), (.min, "-9223372036854.775808"),
        ] as [(Int64, String)])
    func amountsAreReadable(minorUnits: Int64, text: String) {
        #expect(Amount(minorUnits: minorUnits).description == text)
    }

    @Test(
        arguments: [
            (0, "00000000000000000000000000000000"), (1, "00000000000000000000000000000001"),
            (-1, "ffffffffffffffffffffffffffffffff"), (256, "00000000000000000000000000000100"),
            (.max, "7fffffffffffffffffffffffffffffff"), (.min, "80000000000000000000000000000000"),
        ] as [(Int128, String)])
    func sumsAreSixteenBytes(value: Int128, hex: String) {
        #expect(value.bigEndianBytes.hex == hex)
        #expect([UInt8](hex: hex).flatMap { Int128(bigEndianBytes: $0) } == value)
    }

    @Test(arguments: [0, 1, 15, 17, 32])
    func otherLengthsAreNoSum(count: Int) {
        #expect(Int128(bigEndianBytes: [UInt8](repeating: 0, count: count)) == nil)
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func everySumComesBack(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<1000 {
            let value = Int128.random(in: .min ... .max, using: &generator)
            #expect(Int128(bigEndianBytes: value.bigEndianBytes) == value)
        }
    }
}

struct PartsPerMillionTests {
    @Test(
        arguments: [(-1, false), (0, true), (1_000_000, true), (1_000_001, false), (.max, false), (.min, false)]
            as [(Int64, Bool)])
    func bounds(value: Int64, valid: Bool) {
        #expect((PartsPerMillion(value)?.value == value) == valid)
    }

    @Test func constants() {
        #expect(PartsPerMillion.zero == PartsPerMillion(0))
        #expect(PartsPerMillion.one == PartsPerMillion(1_000_000))
        #expect(PartsPerMillion.zero < .one)
    }
}

struct IdentifierTests {
    @Test(arguments: ["a", "0", "-", "gw-1", String(repeating: "z", count: 40)])
    func accepts(text: String) {
        #expect(Identifier(text)?.text == text)
        #expect(Identifier(text)?.description == text)
    }

    @Test(arguments: [
        "", String(repeating: "z", count: 41), "A", "gw_1", "gw 1", "gw/1", "é", "a\u{301}", "\u{212A}", "a\0", "＋",
        "٣",
    ])
    func refuses(text: String) {
        #expect(Identifier(text) == nil)
    }

    @Test func orderIsThatOfBytes() {
        let sorted = ["b", "a", "a-", "a0", "-", "10", "9"].compactMap { Identifier($0) }.sorted().map(\.text)
        #expect(sorted == ["-", "10", "9", "a", "a-", "a0", "b"])
    }
}

struct HexTests {
    @Test(arguments: [([], ""), ([0], "00"), ([0x0F, 0xF0, 0xAB], "0ff0ab")] as [([UInt8], String)])
    func bothWays(bytes: [UInt8], text: String) {
        #expect(bytes.hex == text)
        #expect([UInt8](hex: text) == bytes)
        #expect([UInt8](hex: text.uppercased()) == bytes)
    }

    @Test(arguments: ["0", "000", "0g", "g0", " 0", "0x", "é", "@0", "`0", "/0", ":0"])
    func refuses(text: String) {
        #expect([UInt8](hex: text) == nil)
    }
}
