// Every type in every order, every reason for no value, and that no words at all can trap the decoder.

import Kit
import Metering
import Testing

struct DecodingTests {
    /// type, bit pattern, what it is worth.
    @Test(
        arguments: [
            ("u16", 0xFFFE, 65534), ("s16", 0xFFFE, -2), ("s16", 0x7FFF, 32767), ("s16", 0x8000, -32768),
            ("u32", 0xFFFF_FFFE, 4_294_967_294), ("s32", 0xFFFF_FFFE, -2), ("s32", 0x8000_0000, -2_147_483_648),
            ("u64", 0x0123_4567_89AB_CDEF, 0x0123_4567_89AB_CDEF), ("s64", UInt64.max - 1, -2),
            ("s64", 0x8000_0000_0000_0001, -Int64.max),
            ("f32", 0x449A_51EC, 1_234_560), ("f32", 0xC2C8_0000, -100_000), ("f32", 0x0000_0001, 0), ("f32", 0, 0),
            ("f64", 0x4097_3333_3333_3333, 1_484_800), ("f64", 0xBFF0_0000_0000_0000, -1000),
        ] as [(String, UInt64, Int64)])
    func everyTypeInEveryOrder(type: String, pattern: UInt64, expected: Int64) throws {
        let words = type.hasSuffix("16") ? 1 : type.hasSuffix("32") ? 2 : 4
        let scale = type.hasPrefix("f") ? "scale: 1, step: 0.001" : "scale: 1"
        for (wordOrder, lowWord) in [("high-first", false), ("low-first", true)] {
            for (byteOrder, lowByte) in [("high-first", false), ("low-first", true)] {
                let order = RegisterOrder(lowWordFirst: lowWord, lowByteFirst: lowByte)
                let value = try OneQuantity.value(
                    "type: \(type), \(scale), word-order: \(wordOrder), byte-order: \(byteOrder)",
                    order.bytes(pattern, words: words))
                guard case .gauge(let reading) = value else {
                    Issue.record("\(type) \(wordOrder) \(byteOrder): \(value)")
                    continue
                }
                #expect(reading.count == expected, "\(wordOrder) \(byteOrder)")
            }
        }
    }

    @Test func ordersAsTheyAreCalled() {
        let pattern: UInt64 = 0x0A0B_0C0D
        #expect(RegisterOrder().bytes(pattern, words: 2) == [0x0A, 0x0B, 0x0C, 0x0D])  // ABCD
        #expect(RegisterOrder(lowWordFirst: true).bytes(pattern, words: 2) == [0x0C, 0x0D, 0x0A, 0x0B])  // CDAB
        #expect(RegisterOrder(lowByteFirst: true).bytes(pattern, words: 2) == [0x0B, 0x0A, 0x0D, 0x0C])  // BADC
        let both = RegisterOrder(lowWordFirst: true, lowByteFirst: true)
        #expect(both.bytes(pattern, words: 2) == [0x0D, 0x0C, 0x0B, 0x0A])  // DCBA
    }

    @Test(
        arguments: [
            ("type: u16, scale: 10, not-available: [7]", [0, 7], .notAvailable(.declared)),
            ("type: u16, scale: 10, not-available: [7]", [0, 8], .counter(8, "10", nil, "10")),
            ("type: u16, scale: 0.1, modulus: 10000", [0x27, 0x0F], .counter(9999, "1/10", 10000, "1/10")),
            ("type: u16, scale: 1, resolution: 100", [0, 1], .counter(1, "1", nil, "100")),
            ("type: s16, scale: 1", [0xFF, 0xFF], .notAvailable(.negativeCounter)),
            ("type: acc16, scale: 1", [0, 0], .notAvailable(.zeroAccumulator)),
            ("type: acc16, scale: 1", [0, 1], .counter(1, "1", nil, "1")),
            ("type: u64, scale: 1", [255, 255, 255, 255, 255, 255, 255, 255], .counter(.max, "1", nil, "1")),
            (
                "type: u32, scale: 1, scale-factor: {address: 2, min: -1, max: 3}, modulus: 0x100000000",
                [0, 0, 0, 5, 0, 0], .counter(50, "1/10", 42_949_672_960, "1")
            ),
            (
                "type: u32, scale: 1, scale-factor: {address: 2, min: -1, max: 3}", [0, 0, 0, 5, 0xFF, 0xFF],
                .counter(5, "1/10", nil, "1/10")
            ),
            (
                "type: u32, scale: 1, scale-factor: {address: 2, min: -1, max: 3}", [0, 0, 0, 5, 0, 4],
                .notAvailable(.scaleFactor)
            ),
            (
                "type: u32, scale: 1, scale-factor: {address: 2, min: -1, max: 3}", [0, 0, 0, 5, 0xFF, 0xFE],
                .notAvailable(.scaleFactor)
            ),
            (
                "type: u32, scale: 1, scale-factor: {address: 2, min: -1, max: 3}", [0, 0, 0, 5, 0x80, 0],
                .notAvailable(.scaleFactor)
            ),
            (
                "type: u64, scale: 1, scale-factor: {address: 4, min: 0, max: 1}", [16, 0, 0, 0, 0, 0, 0, 0, 0, 1],
                .counter(11_529_215_046_068_469_760, "1", nil, "10")
            ),
            (
                "type: u64, scale: 1, scale-factor: {address: 4, min: 0, max: 1}", [32, 0, 0, 0, 0, 0, 0, 0, 0, 1],
                .notAvailable(.overflow)
            ),
            ("type: f32, scale: 1000, step: 1", [0x7F, 0x80, 0, 0], .notAvailable(.notANumber)),
            ("type: f32, scale: 1000, step: 1", [0xFF, 0xC0, 0, 1], .notAvailable(.notANumber)),
            ("type: f32, scale: 1000, step: 1", [0xBF, 0x80, 0, 0], .notAvailable(.negativeCounter)),
            ("type: f32, scale: 1000, step: 1", [0x80, 0, 0, 0], .counter(0, "1", nil, "1")),
            ("type: f32, scale: 1000, step: 1", [0x7F, 0x7F, 255, 255], .notAvailable(.overflow)),
            (
                "type: f32, scale: 1000, step: 1, not-available: [0x42C80000]", [0x42, 0xC8, 0, 0],
                .notAvailable(.declared)
            ),
        ] as [(String, [UInt8], ExpectedCounter)])
    func counters(fields: String, words: [UInt8], expected: ExpectedCounter) throws {
        #expect(try OneQuantity.value(counter: true, fields, words) == expected.value)
    }

    enum ExpectedCounter: Sendable {
        case counter(UInt64, String, UInt64?, String)
        case notAvailable(NotAvailable)

        var value: DecodedValue {
            switch self {
            case .notAvailable(let reason): return .notAvailable(reason)
            case .counter(let count, let unit, let modulus, let resolution):
                guard let unit = Rational(unit), let resolution = Rational(resolution) else {
                    preconditionFailure("not a ratio")
                }
                return .counter(RegisterCount(count: count, unit: unit, modulus: modulus, resolution: resolution))
            }
        }
    }

    @Test(
        arguments: [
            ("type: s16, scale: 0.1, valid: {min: -10, max: 10}", [0, 100], 100),
            ("type: s16, scale: 0.1, valid: {min: -10, max: 10}", [0, 101], nil),
            ("type: s16, scale: 0.1, valid: {min: -10, max: 10}", [0xFF, 0x9C], -100),
            ("type: s16, scale: 0.1, valid: {min: -10, max: 10}", [0xFF, 0x9B], nil),
            ("type: s16, scale: 1, direction: export", [0x10, 0xE1], -4321),
            ("type: s16, scale: 1, direction: export", [0xFF, 0xFF], 1),
            // The valid range is the register's own, before the sign becomes that of import.
            ("type: s16, scale: 1, direction: export, valid: {min: 0, max: 10}", [0, 5], -5),
            ("type: s16, scale: 1, direction: export, valid: {min: 0, max: 10}", [0xFF, 0xFB], nil),
        ] as [(String, [UInt8], Int64?)])
    func gauges(fields: String, words: [UInt8], expected: Int64?) throws {
        let value = try OneQuantity.value(fields, words)
        if let expected, case .gauge(let reading) = value {
            #expect(reading.count == expected)
        } else {
            #expect(expected == nil && value == .notAvailable(.invalid))
        }
    }

    @Test func gaugesBeyond64BitsHaveNoValue() throws {
        #expect(try OneQuantity.value("type: u64, scale: 1", [128, 0, 0, 0, 0, 0, 0, 0]) == .notAvailable(.overflow))
        #expect(try OneQuantity.value("type: s64, scale: 1", [128, 0, 0, 0, 0, 0, 0, 0]) == .notAvailable(.overflow))
    }

    /// A value is decoded only from a read that holds all of it and its scale factor.
    @Test(
        arguments: [
            (3, 0, 3, true), (3, 0, 2, false), (3, 1, 125, false), (4, 0, 125, false), (3, 0, 125, true),
            (3, 65535, 1, false),
            (43, 0, 3, false), (3, 0, 0, false),
        ] as [(UInt8, UInt16, UInt16, Bool)])
    func coverage(function: UInt8, address: UInt16, count: UInt16, isHeld: Bool) throws {
        let profile = try OneQuantity.profile("type: u32, scale: 1, scale-factor: {address: 2, min: 0, max: 3}")
        let request = ReadRequest(function: function, address: address, count: count)
        #expect(ReadDecoder(profile, request).quantities == (isHeld ? [.activePower] : []))
    }

    @Test(arguments: ProfileFile.all)
    func noWordsTrap(file: ProfileFile) throws {
        let profile = try file.profile()
        var random = SeededGenerator(seed: 20160707)
        var values = 0
        let usual = profile.exampleChain(from: 70)
        // Where value or scale factor begins.
        let places = profile.quantities.compactMap { quantity in
            let before = quantity.scaleFactor.map { max(0, Int(quantity.place.address) - Int($0.address)) } ?? 0
            return quantity.place.resolved(usual).map { $0 - before }
        }
        for _ in 0..<400 {
            let function: UInt8 =
                random.next() % 8 == 0 ? UInt8(truncatingIfNeeded: random.next()) : profile.quantities[0].place.function
            let near = places[Int(random.next() % UInt64(places.count))] - Int(random.next() % 4)
            let address = UInt16(clamping: random.next() % 16 == 0 ? Int(random.next() % 65536) : near)
            let request = ReadRequest(function: function, address: address, count: UInt16(random.next() % 130))
            let isMoved = random.next() % 8 == 0
            let chain = usual.map { model in
                let address = isMoved ? UInt16(truncatingIfNeeded: random.next()) : model.address
                return SunSpecModel(id: model.id, address: address, length: model.length)
            }
            var words = random.bytes(2 * Int(request.count))
            if random.next() % 4 == 0 { words = words.map { $0 < 128 ? 0 : 255 } }
            if random.next() % 16 == 0 { words.removeLast(min(words.count, Int(random.next() % 3))) }
            for decoded in ReadDecoder(profile, request, chain: chain).decode(words) {
                if case .notAvailable = decoded.value { continue }
                values += 1
            }
        }
        #expect(values > 10, "the generator hits no values")
    }
}
