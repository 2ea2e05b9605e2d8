// Our CBOR against RFC 8949 appendix A and against Python's cbor2: the same bytes, both ways.

import CBOR
import Foundation
import Kit
import Testing

/// A value as vectors.py spells it in JSON.
struct SpelledValue: Decodable, Sendable {
    let value: CBORValue

    private enum Key: String, CodingKey { case u, n, b, t, a, m, g, v }

    init(from decoder: any Decoder) throws {
        let single = try decoder.singleValueContainer()
        if single.decodeNil() {
            value = .null
            return
        }
        // Not a boolean means an object follows; the decoder has no other way to ask.
        if let bool = try? single.decode(Bool.self) {
            value = .bool(bool)
            return
        }
        let object = try decoder.container(keyedBy: Key.self)
        func number(_ key: Key) throws -> UInt64 {
            guard let number = UInt64(try object.decode(String.self, forKey: key)) else {
                throw KitError("a number in cbor.json does not fit in 64 bits")
            }
            return number
        }
        switch object.allKeys.first {
        case .u: value = .unsigned(try number(.u))
        case .n: value = .negative(try number(.n))
        case .b: value = .bytes([UInt8](try object.decode(String.self, forKey: .b).utf8HexBytes))
        case .t: value = .text(try object.decode(String.self, forKey: .t))
        case .a: value = .array(try object.decode([SpelledValue].self, forKey: .a).map(\.value))
        case .m:
            value = .map(
                try object.decode([[SpelledValue]].self, forKey: .m).map { CBORValue.Pair($0[0].value, $0[1].value) })
        case .g, .v: value = .tagged(try number(.g), try object.decode(SpelledValue.self, forKey: .v).value)
        case nil: throw KitError("an empty object in cbor.json")
        }
    }
}

extension String {
    /// The bytes of a hexadecimal string; the room under test has no such function, and Quantities is not its friend.
    var utf8HexBytes: [UInt8] {
        let digits = Array(utf8)
        return stride(from: 0, to: digits.count, by: 2).map { index in
            UInt8(String(decoding: digits[index...index + 1], as: UTF8.self), radix: 16)!
        }
    }
}

func hexText(_ bytes: [UInt8]) -> String { bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() }

struct CBORVectorTests {
    struct Vector: Decodable {
        let value: SpelledValue
        let hex: String
    }

    @Test func agreesWithCbor2() throws {
        let all = try vectors("cbor.json", as: [Vector].self)
        #expect(all.count == 300)
        for vector in all {
            let bytes = vector.hex.utf8HexBytes
            #expect(hexText(vector.value.value.encoded()) == vector.hex)
            #expect(try CBORValue(decoding: bytes).encoded() == bytes)
            #expect(try CBORValue(lenientlyDecoding: bytes) == CBORValue(decoding: bytes))
        }
    }

    /// RFC 8949 appendix A: every example that our subset has.
    static let examples: [(CBORValue, String)] = [
        (.unsigned(0), "00"), (.unsigned(1), "01"), (.unsigned(10), "0a"), (.unsigned(23), "17"),
        (.unsigned(24), "1818"),
        (.unsigned(25), "1819"), (.unsigned(100), "1864"), (.unsigned(1000), "1903e8"),
        (.unsigned(1_000_000), "1a000f4240"),
        (.unsigned(1_000_000_000_000), "1b000000e8d4a51000"), (.unsigned(.max), "1bffffffffffffffff"),
        (.tagged(2, .bytes([1, 0, 0, 0, 0, 0, 0, 0, 0])), "c249010000000000000000"),
        (.negative(.max), "3bffffffffffffffff"),
        (.tagged(3, .bytes([1, 0, 0, 0, 0, 0, 0, 0, 0])), "c349010000000000000000"), (.int(-1), "20"),
        (.int(-10), "29"),
        (.int(-100), "3863"), (.int(-1000), "3903e7"), (.bool(false), "f4"), (.bool(true), "f5"), (.null, "f6"),
        (.tagged(0, .text("2013-03-21T20:04:00Z")), "c074323031332d30332d32315432303a30343a30305a"),
        (.tagged(1, .unsigned(1_363_896_240)), "c11a514b67b0"), (.tagged(23, .bytes([1, 2, 3, 4])), "d74401020304"),
        (.tagged(24, .bytes([0x64, 0x49, 0x45, 0x54, 0x46])), "d818456449455446"),
        (.tagged(32, .text("http://www.example.com")), "d82076687474703a2f2f7777772e6578616d706c652e636f6d"),
        (.bytes([]), "40"), (.bytes([1, 2, 3, 4]), "4401020304"), (.text(""), "60"), (.text("a"), "6161"),
        (.text("IETF"), "6449455446"), (.text("\"\\"), "62225c"), (.text("\u{fc}"), "62c3bc"),
        (.text("\u{6c34}"), "63e6b0b4"),
        (.text("\u{10151}"), "64f0908591"), (.array([]), "80"), (.array([1, 2, 3].map { .unsigned($0) }), "83010203"),
        (
            .array([.unsigned(1), .array([.unsigned(2), .unsigned(3)]), .array([.unsigned(4), .unsigned(5)])]),
            "8301820203820405"
        ),
        (.array((1...25).map { .unsigned($0) }), "98190102030405060708090a0b0c0d0e0f101112131415161718181819"),
        (.map([]), "a0"), (.map([.init(.unsigned(1), .unsigned(2)), .init(.unsigned(3), .unsigned(4))]), "a201020304"),
        (
            .map([.init(.text("a"), .unsigned(1)), .init(.text("b"), .array([.unsigned(2), .unsigned(3)]))]),
            "a26161016162820203"
        ),
        (.array([.text("a"), .map([.init(.text("b"), .text("c"))])]), "826161a161626163"),
        (
            .map(["a", "b", "c", "d", "e"].map { .init(.text($0), .text($0.uppercased())) }),
            "a56161614161626142616361436164614461656145"
        ),
    ]

    @Test(arguments: examples)
    func appendixA(value: CBORValue, hex: String) throws {
        #expect(hexText(value.encoded()) == hex)
        #expect(try CBORValue(decoding: hex.utf8HexBytes) == value)
        #expect(try CBORValue(lenientlyDecoding: hex.utf8HexBytes) == value)
    }

    /// Keys are ordered by their encoded bytes (RFC 8949 §4.2.1), not by length first (RFC 7049 §3.9).
    @Test func mapsAreOrderedByTheBytesOfTheirKeys() {
        let keys: [CBORValue] = [
            .unsigned(10), .unsigned(100), .int(-1), .text("z"), .text("aa"), .array([.unsigned(100)]),
            .array([.int(-1)]), .bool(false),
        ]
        // The example of RFC 8949 §4.2.1, which is given in this order.
        for order in [keys, keys.reversed()] {
            let map = CBORValue.map(order.map { .init($0, .null) })
            #expect(hexText(map.encoded()) == "a8" + keys.map { hexText($0.encoded()) + "f6" }.joined())
        }
    }
}
