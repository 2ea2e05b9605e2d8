// Everything that is decoded from a wire, under seeded damage: no trap, no endless work, and what is understood encodes to
// what came. Signatures are another matter: whoever can sign can say what he likes, and is held to the form all the same.

import CBOR
import Evidence
import Kit
import Proofs
import Quantities
import Testing

struct DecoderFuzzTests {
    private static let roundsMax = 20_000

    private func fuzz(_ sound: [UInt8], seed: UInt64, _ decode: ([UInt8]) -> [UInt8]?) {
        var random = SeededGenerator(seed: seed)
        var understood = 0
        for round in 0..<Self.roundsMax {
            let bytes = round % 4 == 0 ? random.bytes(Int.random(in: 0...200, using: &random)) : random.mutated(sound)
            guard let again = decode(bytes) else { continue }
            understood += 1
            #expect(again == bytes, "seed \(seed), round \(round): \(bytes)")
        }
        print("seed \(seed): \(understood) of \(Self.roundsMax) understood")
    }

    @Test func receipts() {
        fuzz(Golden.receipt.encoded, seed: 1) { bytes in
            do { return try Receipt(decoding: bytes).encoded } catch { return nil }
        }
    }

    @Test func commands() {
        fuzz(Golden.command.encoded, seed: 9) { bytes in
            do { return try Command(decoding: bytes).encoded } catch { return nil }
        }
    }

    @Test func keyLists() {
        let entries = [KeyRole.receipt, .command].map {
            KeyList.Entry(
                spki: [1, 2, 3], role: $0, validFrom: UTCInstant(milliseconds: 5), validTo: UTCInstant(milliseconds: 9))
        }
        let list = KeyList(number: 7, issuedAt: UTCInstant(milliseconds: 5), entries: entries)
        fuzz(list.encoded, seed: 2) { bytes in
            do {
                // Keys of roles that this version does not know are passed over.
                let list = try KeyList(decoding: bytes)
                return try KeyList(decoding: list.encoded) == list ? bytes : []
            } catch { return nil }
        }
    }

    @Test func envelopes() throws {
        let sound = try #require(Self.envelope)
        for content in [ContentType.receipt, .keyList, .record] {
            fuzz(sound, seed: 3) { bytes in
                do { return try SignedMessage(parsing: bytes, as: content).encoded } catch { return nil }
            }
        }
    }

    /// An envelope's form with a signature that nobody made.
    private static var envelope: [UInt8]? {
        let header = CBORValue.map([
            .init(.int(1), .int(-7)), .init(.int(3), .text("application/vnd.kilomint.receipt+cbor")),
            .init(.int(4), .bytes([UInt8](repeating: 4, count: 8))),
        ]).encoded()
        let parts: [CBORValue] = [
            .bytes(header), .map([]), .bytes(Golden.receipt.encoded), .bytes([UInt8](repeating: 9, count: 64)),
        ]
        return CBORValue.tagged(18, .array(parts)).encoded()
    }

    /// Texts that people type, and texts that nobody would.
    @Test func claimCodes() {
        var random = SeededGenerator(seed: 4)
        let code = ClaimCode(random: [UInt8](repeating: 77, count: ClaimCode.randomBytes), certificate: [1, 2, 3])
        for _ in 0..<Self.roundsMax {
            let bytes = random.mutated(Array(code.text.utf8))
            do throws(ClaimCodeError) {
                let read = try ClaimCode(reading: String(decoding: bytes, as: UTF8.self))
                #expect(try ClaimCode(reading: read.text) == read)
            } catch { continue }
        }
    }
}
