// The envelope: every way in which bytes are none of ours, and that a message is what was signed, not how.

import CBOR
import Evidence
import Keys
import Kit
import Proofs
import Testing

struct SignedMessageTests {
    static let kid: CBORValue = .bytes([UInt8](repeating: 7, count: 8))
    static let type: CBORValue = .text(ContentType.record.rawValue)
    static let header = map([1: .int(-7), 3: type, 4: kid])
    static let signature: CBORValue = .bytes([UInt8](repeating: 1, count: 64))

    static func map(_ pairs: KeyValuePairs<Int64, CBORValue>) -> CBORValue {
        .map(pairs.map { CBORValue.Pair(.int($0.key), $0.value) })
    }

    static func envelope(
        tag: UInt64 = 18, header: CBORValue = header, unprotected: CBORValue = .map([]),
        payload: CBORValue = .bytes([0xA0]), signature: CBORValue = signature, more: [CBORValue] = []
    ) -> [UInt8] {
        CBORValue.tagged(tag, .array([.bytes(header.encoded()), unprotected, payload, signature] + more)).encoded()
    }

    @Test func theRightOneParses() throws {
        let message = try SignedMessage(parsing: Self.envelope(), as: .record)
        #expect(message.algorithm == .es256 && message.contentType == .record && message.payload == [0xA0])
        #expect(message.kid == [UInt8](repeating: 7, count: 8) && message.signature == [UInt8](repeating: 1, count: 64))
        #expect(message.encoded == Self.envelope())
    }

    /// An envelope whose protected header has these three values.
    static func headed(_ algorithm: CBORValue, _ type: CBORValue = type, _ kid: CBORValue = kid) -> [UInt8] {
        envelope(header: map([1: algorithm, 3: type, 4: kid]))
    }

    static let wrongForm: [[UInt8]] = [
        Array(envelope().dropFirst()), [0xF6], [0xD2, 0x80], envelope(tag: 17), envelope(tag: 98),
        envelope(more: [.null]),
        envelope(payload: .null), envelope(payload: .text("a")), envelope(signature: .null),
        envelope(signature: .bytes([UInt8](repeating: 1, count: 63))),
        envelope(signature: .bytes([UInt8](repeating: 1, count: 65))), envelope(unprotected: .null),
    ]
    static let wrongHeader: [[UInt8]] = [
        envelope(header: .null), envelope(header: .map([])),
        envelope(header: map([1: .int(-7), 3: type])),
        envelope(header: map([1: .int(-7), 3: type, 4: kid, 5: .null])),
        envelope(header: map([1: .int(-7), 2: .array([.unsigned(1)]), 4: kid])),
        headed(.int(-7), .unsigned(50)), headed(.int(-7), type, .bytes([7])), headed(.int(-7), type, .text("12345678")),
    ]
    static let wrongAlgorithm: [[UInt8]] = [
        headed(.int(-9)), headed(.unsigned(7)), headed(.negative(.max)), headed(.text("ES256")),
        headed(.int(-9), .text("text/plain")),
    ]
    static let refusals: [([UInt8], EnvelopeError)] =
        [
            ([], .notCBOR(.truncated(offset: 0))),
            (envelope() + [0], .notCBOR(.trailingBytes(offset: envelope().count))),
            (envelope(unprotected: map([4: kid])), .unprotectedHeaderNotEmpty),
            (headed(.int(-7), .text(ContentType.receipt.rawValue)), .otherContentType),
            (headed(.int(-7), .text("text/plain")), .otherContentType),
            // The first check that fails is the one that is named.
            (envelope(header: .null, unprotected: map([4: kid])), .unprotectedHeaderNotEmpty),
        ] + (wrongForm + wrongHeader).map { ($0, .notCOSESign1) } + wrongAlgorithm.map { ($0, .unknownAlgorithm) }

    @Test(arguments: refusals.indices)
    func refuses(index: Int) {
        let (bytes, error) = Self.refusals[index]
        #expect(throws: error) { try SignedMessage(parsing: bytes, as: .record) }
    }

    @Test func aHeaderInAnotherSpellingIsRefused() {
        let long = CBORValue.tagged(18, .array([.bytes([0xBF, 0xFF]), .map([]), .bytes([]), Self.signature])).encoded()
        #expect(throws: EnvelopeError.notCBOR(.notDeterministic(offset: 0))) {
            try SignedMessage(parsing: long, as: .record)
        }
        let empty = CBORValue.tagged(18, .array([.bytes([]), .map([]), .bytes([]), Self.signature])).encoded()
        #expect(throws: EnvelopeError.notCBOR(.truncated(offset: 0))) { try SignedMessage(parsing: empty, as: .record) }
    }

    @Test(arguments: [(SignedMessage.acceptedBytesMax, true), (SignedMessage.acceptedBytesMax + 1, false)])
    func sizeIsBoundedBeforeAnythingElse(count: Int, accepted: Bool) {
        let overhead = Self.envelope(payload: .bytes([UInt8](repeating: 0, count: 70_000))).count - 70_000
        let bytes = Self.envelope(payload: .bytes([UInt8](repeating: 0, count: count - overhead)))
        #expect(bytes.count == count)
        if accepted {
            #expect(throws: Never.self) { try SignedMessage(parsing: bytes, as: .record) }
        } else {
            #expect(throws: EnvelopeError.tooLarge) { try SignedMessage(parsing: bytes, as: .record) }
            #expect(throws: Never.self) {
                try SignedMessage(parsing: bytes, as: .record, bytesMax: SignedMessage.documentBytesMax)
            }
        }
    }

    @Test(arguments: ContentType.allCases)
    func everyTypeComesBackAsItselfOnly(type: ContentType) throws {
        let key = try PrivateKey.generate(.eddsa)
        let bytes = try SignedMessage.signing([0xA0], as: type, with: key).encoded
        let message = try SignedMessage(parsing: bytes, as: type)
        #expect(message.isSigned(by: key.publicKey) && message.encoded == bytes)
        for other in ContentType.allCases where other != type {
            #expect(throws: EnvelopeError.otherContentType) { try SignedMessage(parsing: bytes, as: other) }
        }
    }

    /// ECDSA: if (r, s) stands over a message, so does (r, n − s). The message is the same one.
    @Test func identityIsUntouchedByTheSignaturesBytes() throws {
        let key = try PrivateKey.generate(.es256)
        let message = try SignedMessage.signing(Golden.receipt.encoded, as: .receipt, with: key)
        let order: [UInt8] = [
            0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xBC, 0xE6, 0xFA, 0xAD,
            0xA7, 0x17,
            0x9E, 0x84, 0xF3, 0xB9, 0xCA, 0xC2, 0xFC, 0x63, 0x25, 0x51,
        ]
        var borrow = 0
        var twin = Array(message.signature[..<32]) + [UInt8](repeating: 0, count: 32)
        for index in (0..<32).reversed() {
            let difference = Int(order[index]) - Int(message.signature[32 + index]) - borrow
            borrow = difference < 0 ? 1 : 0
            twin[32 + index] = UInt8(truncatingIfNeeded: difference)
        }
        var bytes = message.encoded
        bytes.replaceSubrange(bytes.count - 64..<bytes.count, with: twin)
        let altered = try SignedMessage(parsing: bytes, as: .receipt)
        #expect(altered.isSigned(by: key.publicKey))
        #expect(altered.encoded != message.encoded && altered.identity == message.identity)
    }

    @Test func identityIsThatOfEverythingSigned() throws {
        let key = try PrivateKey.generate(.eddsa)
        let message = try SignedMessage.signing([0xA0], as: .record, with: key)
        #expect(message.identity == Digest(of: message.signatureInput))
        let others = [
            try SignedMessage.signing([0xA1, 0x00, 0x00], as: .record, with: key),
            try SignedMessage.signing([0xA0], as: .receipt, with: key),
            try SignedMessage.signing([0xA0], as: .record, with: .generate(.eddsa)),
        ]
        for other in others { #expect(other.identity != message.identity) }
    }

    @Test(arguments: [51, 52] as [UInt64])
    func damageIsRefusedOrUnsigned(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        for algorithm in [SignatureAlgorithm.es256, .eddsa] {
            let key = try PrivateKey.generate(algorithm)
            let message = try SignedMessage.signing(Golden.receipt.encoded, as: .receipt, with: key)
            let bytes = message.encoded
            for _ in 0..<1500 {
                let damaged = generator.mutated(bytes)
                // Most of these are refused; what parses must not pass for signed unless it is the same message.
                guard damaged != bytes, let parsed = try? SignedMessage(parsing: damaged, as: .receipt) else {
                    continue
                }
                #expect(parsed.encoded == damaged, "seed \(seed)")
                let isTwin = parsed.identity == message.identity && parsed.algorithm == .es256
                #expect(
                    !parsed.isSigned(by: key.publicKey) || isTwin,
                    "seed \(seed): \(damaged.map { String($0, radix: 16) })")
            }
        }
    }
}
