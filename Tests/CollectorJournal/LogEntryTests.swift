// Entries and ids byte for byte, as docs/formats/logs.md has them; bytes that are none are refused, never a trap.

import CBOR
import CollectorCore
import Evidence
import Kit
import Proofs
import Quantities
import Testing

struct LogEntryTests {
    private let digest = Digest(of: [1])
    private var evidence: EvidenceEntry {
        EvidenceEntry(
            gateway: .test("gate"), stream: .test(2), sequence: 24, identity: digest, envelopeBytes: 700,
            receivedAt: .test)
    }
    private var journal: JournalEntry {
        JournalEntry(kind: "WindowCut", stage: .window, sequence: 1, time: .test, digest: digest)
    }

    /// Written by hand from the CDDL: heads of RFC 8949, 1 467 871 200 000 ms is 0x155C3F10300.
    @Test func entriesHaveTheirBytes() {
        let time: [UInt8] = [0x1B, 0, 0, 0x01, 0x55, 0xC3, 0xF1, 0x03, 0x00]
        let stream = [0x48] + [UInt8](repeating: 2, count: 8)
        let bytes: [UInt8] =
            [0xA6, 1, 0x64] + Array("gate".utf8) + [2] + stream + [3, 0x18, 24, 4, 0x58, 32] + digest.bytes
            + [5, 0x19, 0x02, 0xBC, 6] + time
        #expect(evidence.encoded == bytes)
        let window: [UInt8] =
            [0xA5, 1, 0x69] + Array("WindowCut".utf8) + [2, 0x66] + Array("window".utf8) + [3, 1, 4] + time
            + [5, 0x58, 32] + digest.bytes
        #expect(journal.encoded == window)
        #expect(
            EpochEntry(ended: "a/journal/1", lastPublished: [9], held: 3).encoded
                == [0xA3, 0x20, 0x6B] + Array("a/journal/1".utf8) + [0x21, 0x41, 9, 0x22, 3])
        #expect(
            JournalPayload(commandID: digest, ordinal: 2, body: .null).encoded
                == [0xA3, 1, 0x58, 32] + digest.bytes + [2, 2, 3, 0xF6])
    }

    @Test func idsAreHashesOfWhatCausedThem() {
        let payload = JournalPayload(commandID: digest, ordinal: 0x0102, body: .null)
        #expect(payload.eventID == Digest(of: digest.bytes + [0, 0, 0, 0, 0, 0, 1, 2]))
        #expect(CommandID.caused(by: digest, purpose: "credit") == Digest(of: digest.bytes + Array("credit".utf8)))
        #expect(CommandID.time(purpose: "cut", window: "w-1") == Digest(of: Array("timecutw-1".utf8)))
        #expect(CommandID.genesis([1, 2]) == Digest(of: Array("genesis".utf8) + [1, 2]))
    }

    @Test func entriesComeBack() throws {
        #expect(try EvidenceEntry(decoding: evidence.encoded) == evidence)
        #expect(try JournalEntry(decoding: journal.encoded) == journal)
        let payload = JournalPayload(commandID: digest, ordinal: .max, body: .array([.text("x")]))
        #expect(try JournalPayload(decoding: payload.encoded) == payload)
    }

    /// Damaged bytes are refused or are another entry in its one spelling.
    @Test(arguments: [UInt64(11), 12, 13])
    func damagedBytesAreRefusedOrExact(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let epoch = EpochEntry(ended: "a/journal/1", lastPublished: [9], held: 3)
        var refused = 0
        for _ in 0..<2000 {
            let bytes = [evidence.encoded, journal.encoded, epoch.encoded].map { random.mutated($0) }
            do { #expect(try EvidenceEntry(decoding: bytes[0]).encoded == bytes[0]) } catch { refused += 1 }
            do { #expect(try JournalEntry(decoding: bytes[1]).encoded == bytes[1]) } catch { refused += 1 }
            do { #expect(try EpochEntry(decoding: bytes[2]).encoded == bytes[2]) } catch { refused += 1 }
        }
        #expect(refused > 1000, "seed \(seed)")
    }

    @Test(arguments: [
        ("kilomint.example/demo/evidence/1", true), ("a/journal/18446744073709551615", true), ("a/b/journal/2", true),
        ("a/journal/0", false), ("a/journal/01", false), ("a/journal/+1", false), ("a/journal/", false),
        ("journal/1", false), ("/journal/1", false), ("a/other/1", false), ("a/journal/1/", false),
        ("a/journal/18446744073709551616", false), ("", false),
    ])
    func originsEndInLogAndEpoch(text: String, isOne: Bool) {
        let origin = LogOrigin(text)
        #expect((origin != nil) == isOne)
        if let origin { #expect("\(origin)" == text) }
    }

    @Test func positionsFollowEpochThenIndex() {
        let sorted = [LogPosition.start, LogPosition(epoch: 1, index: .max), LogPosition(epoch: 2, index: 0)]
        #expect(sorted.reversed().sorted() == sorted)
    }
}
