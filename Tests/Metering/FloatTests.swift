// The rounding of floats against the processor's own arithmetic, where that is exact, and against exact fractions.

import Kit
import Metering
import Testing

struct FloatTests {
    private func count(_ fields: String, _ pattern: UInt64, words: Int) throws -> Int64? {
        guard case .gauge(let reading) = try OneQuantity.value(fields, RegisterOrder().bytes(pattern, words: words))
        else {
            return nil
        }
        return reading.count
    }

    /// binary32 × 1000 needs 34 bits: exact in binary64, whose rounding is then the reference.
    @Test(arguments: [UInt64(1), 2])
    func binary32(seed: UInt64) throws {
        let profile = try OneQuantity.profile("type: f32, scale: 1000, step: 1")
        let decoder = ReadDecoder(profile, ReadRequest(function: 3, address: 0, count: 2))
        var random = SeededGenerator(seed: seed)
        for _ in 0..<5000 {
            // Exponents −20 … 70: from far below a half to beyond 64 bits.
            let exponent = UInt32(107 + random.next() % 91) << 23
            let pattern = UInt32(truncatingIfNeeded: random.next()) & 0x807F_FFFF | exponent
            let exact = (Double(Float(bitPattern: pattern)) * 1000).rounded(.toNearestOrEven)
            let decoded = decoder.decode(RegisterOrder().bytes(UInt64(pattern), words: 2))[0].value
            if abs(exact) < 0x1p63 {
                guard case .gauge(let reading) = decoded else {
                    Issue.record("seed \(seed): \(pattern) gave \(decoded)")
                    continue
                }
                #expect(Double(reading.count) == exact, "seed \(seed): \(pattern)")
            } else {
                #expect(decoded == .notAvailable(.overflow), "seed \(seed): \(pattern)")
            }
        }
    }

    @Test func binary64Whole() throws {
        let decoder = ReadDecoder(
            try OneQuantity.profile("type: f64, scale: 1, step: 1"), ReadRequest(function: 3, address: 0, count: 4))
        var random = SeededGenerator(seed: 3)
        for _ in 0..<5000 {
            let exponent = UInt64(1000 + random.next() % 100) << 52
            let pattern = random.next() & 0x800F_FFFF_FFFF_FFFF | exponent
            let exact = Double(bitPattern: pattern).rounded(.toNearestOrEven)
            let decoded = decoder.decode(RegisterOrder().bytes(pattern, words: 4))[0].value
            if abs(exact) < 0x1p63 {
                #expect(decoded == .gauge(GaugeReading(count: Int64(exactly: exact) ?? 0, unit: .one)), "\(pattern)")
            } else {
                #expect(decoded == .notAvailable(.overflow), "\(pattern)")
            }
        }
    }

    /// From Python: round(Fraction(x) * scale / step).
    @Test(
        arguments: [
            ("type: f32, scale: 1, step: 0.1", 0x3E80_0000, 2, 2),  // 2.5
            ("type: f32, scale: 1, step: 0.1", 0x3F40_0000, 2, 8),  // 7.5
            ("type: f32, scale: 1, step: 0.1", 0xBE80_0000, 2, -2),
            ("type: f32, scale: 1, step: 1000000000000", 0x7F7F_FFFF, 2, nil),
            ("type: f32, scale: 1, step: 1000000000000", 0x6F80_0000, 2, 79_228_162_514_264_338),
            ("type: f32, scale: 1/1000000000000, step: 1", 0x5368_D4A5, 2, 1),  // 999 999 995 904 × 10^-12
            ("type: f32, scale: 1/1000000000000, step: 1", 0x52E8_D4A5, 2, 0),  // just below a half
            ("type: f32, scale: 1/1000000000000, step: 1", 0x52E8_D4A6, 2, 1),  // just above a half
            ("type: f64, scale: 1, step: 1/1000000000000", 0x3FF0_0000_0000_0000, 4, 1_000_000_000_000),
            ("type: f64, scale: 1000, step: 1", 0x0000_0000_0000_0001, 4, 0),
            ("type: f64, scale: 1000, step: 1", 0x7FEF_FFFF_FFFF_FFFF, 4, nil),
            ("type: f64, scale: 1, step: 1", 0x43DF_FFFF_FFFF_FFFF, 4, 9_223_372_036_854_774_784),
            ("type: f64, scale: 1, step: 1", 0x43E0_0000_0000_0000, 4, nil),
            ("type: f64, scale: 1/3, step: 1/7", 0x3FF0_0000_0000_0000, 4, 2),  // 7/3
        ] as [(String, UInt64, Int, Int64?)])
    func exactly(fields: String, pattern: UInt64, words: Int, expected: Int64?) throws {
        #expect(try count(fields, pattern, words: words) == expected)
    }
}
