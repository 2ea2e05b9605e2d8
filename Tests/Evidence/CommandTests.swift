// Commands and their outcomes: what is written is read, what has another form is refused with the place that is wrong.

import CBOR
import Evidence
import Proofs
import Quantities
import Testing

struct CommandTests {
    private static let sound: [(Int64, CBORValue?)] = [
        (1, .unsigned(1)), (2, .text("gw-1")), (3, .unsigned(7)), (4, .int(-5)), (5, .int(5)), (6, .unsigned(1)),
        (7, .fields([(1, .text("interval: 10s"))])),
    ]

    private static func with(_ key: Int64, _ value: CBORValue?) -> [UInt8] {
        CBORValue.fields(sound.filter { $0.0 != key } + [(key, value)]).encoded()
    }

    @Test func anUnknownKindKeepsItsBody() throws {
        let body = CBORValue.fields([(4, .text("restart"))])
        let command = Command(
            gateway: Golden.gateway, number: 1, issuedAt: UTCInstant(milliseconds: 0),
            expiresAt: UTCInstant(milliseconds: 1), body: .unknown(9, body))
        #expect(try Command(decoding: command.encoded) == command)
    }

    @Test(
        arguments: [
            (1, .unsigned(2)), (2, .text("GW 1")), (3, .unsigned(0)), (3, .unsigned(1 << 63)), (5, .int(-5)),
            (6, .text("1")), (7, .text("interval: 10s")), (7, .fields([])), (7, .fields([(1, .bytes([1]))])),
            (7, .fields([(1, .text("")), (2, .text(""))])),
            (7, .fields([(1, .text(String(repeating: "é", count: Command.textBytesMax / 2 + 1)))])), (8, .unsigned(1)),
            (-1, .unsigned(1)), (4, nil),
        ] as [(Int64, CBORValue?)])
    func anotherFormIsRefused(key: Int64, value: CBORValue?) throws {
        #expect(try Command(decoding: Self.with(3, .unsigned(7))).number == 7)
        #expect(throws: RecordError.self) { try Command(decoding: Self.with(key, value)) }
    }

    @Test func theLongestFitsIntoAnEnvelope() {
        let command = Command(
            gateway: Identifier(String(repeating: "g", count: 40))!, number: UInt64(Int64.max),
            issuedAt: UTCInstant(milliseconds: .min), expiresAt: UTCInstant(milliseconds: .max),
            body: .configuration(String(repeating: "x", count: Command.textBytesMax)))
        let message = SignedMessage.signing(
            command.encoded, as: .command, algorithm: .es256, kid: [UInt8](repeating: 0, count: 8)
        ) { _ in [UInt8](repeating: 0, count: 64) }
        #expect(message.encoded.count <= Command.envelopeBytesMax)
    }

    @Test(arguments: CommandOutcome.Word.allCases, ["", "because"])
    func outcomesAreReadAgain(word: CommandOutcome.Word, reason: String) throws {
        let outcome = CommandOutcome(identity: Golden.profile, word: word, number: 3, reason: reason)
        #expect(try CommandOutcome(outcome.note(uptime: 5)) == outcome)
        let other = Note(uptimeMilliseconds: 5, code: .clockStepped, details: [])
        #expect(try CommandOutcome(other) == nil)
    }

    @Test func aNewCommandKeyEndsTheFormerOne() {
        func entry(_ byte: UInt8, _ role: KeyRole, _ from: Int64, _ to: Int64) -> KeyList.Entry {
            KeyList.Entry(
                spki: [byte], role: role, validFrom: UTCInstant(milliseconds: from),
                validTo: UTCInstant(milliseconds: to))
        }
        let forever: Int64 = 253_402_300_799_999
        let list = KeyList(
            number: 4, issuedAt: UTCInstant(milliseconds: 0),
            entries: [entry(1, .receipt, 0, forever), entry(2, .command, 0, forever), entry(3, .command, 90, 99)])
        let next = list.authorizing(command: [4], from: UTCInstant(milliseconds: 50))
        #expect(next.number == 5)
        #expect(
            next.entries == [
                entry(1, .receipt, 0, forever), entry(2, .command, 0, 50), entry(4, .command, 50, forever),
            ])
    }

    @Test func longReasonsAreCutBetweenCharacters() throws {
        let outcome = CommandOutcome(
            identity: .zero, word: .refused, number: 0, reason: "x" + String(repeating: "é", count: 300))
        #expect(outcome.reason.utf8.count == 399)
        #expect(try CommandOutcome(outcome.note(uptime: 0)) == outcome)
        let long = Note(
            uptimeMilliseconds: 0, code: .commandDone,
            details: [
                (1, .bytes(Golden.profile.bytes)), (2, .text("refused")), (3, .unsigned(0)),
                (4, .text(String(repeating: "x", count: 401))),
            ])
        #expect(throws: ShapeError.self) { try CommandOutcome(long) }
    }
}
