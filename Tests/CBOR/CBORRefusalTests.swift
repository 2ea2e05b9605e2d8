// What the decoder refuses, what it takes leniently, and that nothing at all makes it trap.

import CBOR
import Kit
import Testing

struct CBORRefusalTests {
    static let refusals: [(String, CBORError)] = [
        ("", .truncated(offset: 0)), ("18", .truncated(offset: 1)), ("19ff", .truncated(offset: 1)),
        ("1affffff", .truncated(offset: 1)),
        ("1bffffffffffffff", .truncated(offset: 1)), ("42ff", .truncated(offset: 1)),
        ("5bffffffffffffffff", .truncated(offset: 9)),
        ("81", .truncated(offset: 1)), ("9bffffffffffffffff", .truncated(offset: 9)), ("a1", .truncated(offset: 1)),
        ("a100", .truncated(offset: 1)), ("bbffffffffffffffff", .truncated(offset: 9)), ("c1", .truncated(offset: 1)),
        ("0000", .trailingBytes(offset: 1)), ("a0f6", .trailingBytes(offset: 1)),
        // Longer heads than needed.
        ("1817", .notDeterministic(offset: 0)), ("1900ff", .notDeterministic(offset: 0)),
        ("1a0000ffff", .notDeterministic(offset: 0)),
        ("1b00000000ffffffff", .notDeterministic(offset: 0)), ("3817", .notDeterministic(offset: 0)),
        ("580101", .notDeterministic(offset: 0)), ("7801ff", .notDeterministic(offset: 0)),
        ("980100", .notDeterministic(offset: 0)),
        ("b8010000", .notDeterministic(offset: 0)), ("d81200", .notDeterministic(offset: 0)),
        ("811817", .notDeterministic(offset: 1)),
        // Indefinite lengths.
        ("5f4100ff", .notDeterministic(offset: 0)), ("7f6161ff", .notDeterministic(offset: 0)),
        ("9fff", .notDeterministic(offset: 0)),
        ("bfff", .notDeterministic(offset: 0)), ("ff", .notDeterministic(offset: 0)),
        // Keys twice or out of order.
        ("a201000100", .notDeterministic(offset: 3)), ("a202000100", .notDeterministic(offset: 3)),
        ("a220000000", .notDeterministic(offset: 3)), ("a2181801200118", .trailingBytes(offset: 6)),
        ("a22001181801", .notDeterministic(offset: 3)),
        // Floats, undefined, simple values, reserved heads.
        ("f93c00", .unsupported(offset: 0)), ("fa47c35000", .unsupported(offset: 0)),
        ("fb3ff199999999999a", .unsupported(offset: 0)),
        ("f7", .unsupported(offset: 0)), ("e0", .unsupported(offset: 0)), ("f0", .unsupported(offset: 0)),
        ("f818", .unsupported(offset: 0)),
        ("f8ff", .unsupported(offset: 0)), ("f814", .unsupported(offset: 0)), ("1c", .unsupported(offset: 0)),
        ("1d", .unsupported(offset: 0)), ("1e", .unsupported(offset: 0)), ("fc", .unsupported(offset: 0)),
        // Text that is no UTF-8: a lone continuation, an overlong form, a surrogate, beyond U+10FFFF.
        ("6180", .notUTF8(offset: 0)), ("62c080", .notUTF8(offset: 0)), ("63eda080", .notUTF8(offset: 0)),
        ("64f4908080", .notUTF8(offset: 0)), ("61ff", .notUTF8(offset: 0)),
    ]

    @Test(arguments: refusals)
    func refuses(hex: String, error: CBORError) {
        #expect(throws: error) { try CBORValue(decoding: hex.utf8HexBytes) }
    }

    @Test func depthIsBounded() throws {
        let deepest = [UInt8](repeating: 0x81, count: CBORValue.depthMax - 1) + [0xF6]
        #expect(try CBORValue(decoding: deepest).encoded() == deepest)
        for head in [UInt8(0x81), 0xC1] {
            let tooDeep = [UInt8](repeating: head, count: CBORValue.depthMax) + [0xF6]
            #expect(throws: CBORError.tooDeep(offset: CBORValue.depthMax)) { try CBORValue(decoding: tooDeep) }
            #expect(throws: CBORError.tooDeep(offset: CBORValue.depthMax)) { try CBORValue(lenientlyDecoding: tooDeep) }
        }
        // A million heads end at the bound, not at the end of the stack.
        #expect(throws: CBORError.self) { try CBORValue(decoding: [UInt8](repeating: 0x81, count: 1_000_000)) }
        #expect(throws: CBORError.self) { try CBORValue(lenientlyDecoding: [UInt8](repeating: 0x9F, count: 1_000_000)) }
    }

    @Test func aSequenceIsReadItemByItem() throws {
        var decoder = CBORDecoder("0181f6".utf8HexBytes)
        #expect(try decoder.next() == .unsigned(1))
        #expect(decoder.offset == 1 && !decoder.isAtEnd)
        #expect(try decoder.next() == .array([.null]))
        #expect(decoder.isAtEnd)
        #expect(throws: CBORError.truncated(offset: 3)) { try decoder.next() }
    }

    static let lenient: [(String, CBORValue)] = [
        ("1817", .unsigned(23)), ("1b0000000000000001", .unsigned(1)), ("5f4101420203ff", .bytes([1, 2, 3])),
        ("7f61616162ff", .text("ab")), ("9f01ff", .array([.unsigned(1)])),
        ("bf01f6ff", .map([.init(.unsigned(1), .null)])),
        ("a202000100", .map([.init(.unsigned(2), .unsigned(0)), .init(.unsigned(1), .unsigned(0))])),
        ("a201000101", .map([.init(.unsigned(1), .unsigned(0)), .init(.unsigned(1), .unsigned(1))])),
        ("f93c00", .null), ("fb3ff199999999999a", .null), ("f7", .null), ("f8ff", .null), ("f4", .bool(false)),
        ("f5", .bool(true)),
    ]

    @Test(arguments: lenient)
    func lenientlyTakesAnyWellFormedSpelling(hex: String, value: CBORValue) throws {
        #expect(try CBORValue(lenientlyDecoding: hex.utf8HexBytes) == value)
    }

    @Test(arguments: [
        "", "18", "42ff", "81", "ff", "9f", "bf01ff", "5f01ff", "5f41", "7f41ffff", "1c", "6180", "0000", "dfff",
        "1fff", "3fff",
    ])
    func lenientlyRefusesWhatIsNotWellFormed(hex: String) {
        #expect(throws: CBORError.self) { try CBORValue(lenientlyDecoding: hex.utf8HexBytes) }
    }
}

struct CBORFieldTests {
    private let map = CBORValue.fields([
        (1, .unsigned(7)), (2, .int(-7)), (3, .bytes([1, 2])), (4, .text("t")), (5, .array([.null])), (6, nil),
    ])

    @Test func readsWhatIsThere() throws {
        let fields = try map.fields(1...6, "m")
        #expect(try fields.uint(1) == 7)
        #expect(try fields.int(1) == 7)
        #expect(try fields.int(2) == -7)
        #expect(try fields.int(in: 7...7, 1) == 7)
        #expect(try fields.bytes(count: 2, 3) == [1, 2])
        #expect(try fields.text(4) == "t")
        #expect(try fields.array(count: 1, 5) == [.null])
        #expect(fields.optional(6) == nil)
        #expect(try CBORValue.bool(true).bool("b"))
    }

    @Test func saysWhereAShapeIsWrong() throws {
        let fields = try map.fields(1...6, "m")
        func path(_ read: () throws(ShapeError) -> some Any) -> String? {
            do { _ = try read() } catch { return error.path }
            return nil
        }
        #expect(path { () throws(ShapeError) in try fields.uint(2) } == "m.2")
        #expect(path { () throws(ShapeError) in try fields.uint(6) } == "m.6")
        #expect(path { () throws(ShapeError) in try fields.int(3) } == "m.3")
        #expect(path { () throws(ShapeError) in try fields.int(in: 0...6, 1) } == "m.1")
        #expect(path { () throws(ShapeError) in try fields.int(in: 0...6, 2) } == "m.2")
        #expect(path { () throws(ShapeError) in try fields.bytes(count: 3, 3) } == "m.3")
        #expect(path { () throws(ShapeError) in try fields.text(3) } == "m.3")
        #expect(path { () throws(ShapeError) in try fields.array(count: 2, 5) } == "m.5")
        #expect(path { () throws(ShapeError) in try map.fields(1...4, "m") } == "m.5")
        #expect(path { () throws(ShapeError) in try CBORValue.null.fields(1...4, "m") } == "m")
        #expect(path { () throws(ShapeError) in try CBORValue.null.bool("b") } == "b")
        #expect(ShapeError("m.1", expected: "text").description == "m.1: expected text")
    }

    @Test func integersOfSixtyFourBitsAndNoMore() throws {
        #expect(try CBORValue.unsigned(UInt64(Int64.max)).int("i") == .max)
        #expect(try CBORValue.negative(UInt64(Int64.max)).int("i") == .min)
        #expect(throws: ShapeError.self) { try CBORValue.unsigned(UInt64(Int64.max) + 1).int("i") }
        #expect(throws: ShapeError.self) { try CBORValue.negative(UInt64(Int64.max) + 1).int("i") }
        #expect(throws: ShapeError.self) { try CBORValue.negative(.max).int("i") }
        #expect(throws: ShapeError.self) { try CBORValue.unsigned(.max).int(in: 0...Int.max, "i") }
        for value in [Int64.min, -25, -24, -1, 0, 23, 24, .max] { #expect(try CBORValue.int(value).int("i") == value) }
    }

    @Test func extensionsHaveNegativeKeys() throws {
        let map = CBORValue.fields([(1, .null), (-1, .text("later")), (-300, .null)])
        #expect(try map.fields(1...1, extensible: true, "m").optional(-1) == .text("later"))
        #expect(throws: ShapeError.self) { try map.fields(1...1, "m") }
        #expect(throws: ShapeError.self) {
            try CBORValue.map([.init(.text("a"), .null)]).fields(1...1, extensible: true, "m")
        }
        #expect(throws: ShapeError.self) { try CBORValue.fields([(0, .null)]).fields(1...1, extensible: true, "m") }
    }
}

struct CBORFuzzTests {
    /// Damaged vectors: whatever decodes is the bytes themselves, and lenient reads at least what strict reads.
    @Test(arguments: [11, 12, 13] as [UInt64])
    func damageNeverTraps(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let seeds = try vectors("cbor.json", as: [CBORVectorTests.Vector].self).map(\.hex.utf8HexBytes).filter {
            $0.count < 300
        }
        var accepted = 0
        for _ in 0..<4000 {
            let bytes = generator.mutated(seeds.randomElement(using: &generator)!)
            // Refusing is right for most of these; the values that come out are what is looked at.
            guard let value = try? CBORValue(decoding: bytes) else {
                _ = try? CBORValue(lenientlyDecoding: bytes)
                continue
            }
            accepted += 1
            #expect(value.encoded() == bytes, "seed \(seed): \(hexText(bytes))")
            #expect(try CBORValue(lenientlyDecoding: bytes) == value, "seed \(seed): \(hexText(bytes))")
        }
        #expect(accepted > 100 && accepted < 3900, "seed \(seed): the damage is of one kind only")
    }

    @Test(arguments: [21, 22] as [UInt64])
    func noiseNeverTraps(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<20_000 {
            let bytes = generator.bytes(Int.random(in: 0...40, using: &generator))
            if let value = try? CBORValue(decoding: bytes) { #expect(value.encoded() == bytes, "seed \(seed)") }
            if let value = try? CBORValue(lenientlyDecoding: bytes) { _ = value.isNull }
        }
    }
}
