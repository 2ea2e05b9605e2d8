// What an operator tells a gateway from afar: signed, numbered, for a time. The format is in docs/formats/evidence.md,
// "Command". Who may sign it, and what a gateway lets itself be told, is not decided here.

package import CBOR
package import Proofs
package import Quantities

/// A command as understood.
package struct Command: Hashable, Sendable {
    /// Bytes of an envelope on the topic `command`.
    package static let envelopeBytesMax = 20_480
    /// Bytes of a configuration's text.
    package static let textBytesMax = 16_384

    package enum Body: Hashable, Sendable {
        /// A version of the configuration's remote part, as YAML; the empty text takes the former one back.
        case configuration(String)
        /// A kind this version does not know, and its body.
        case unknown(UInt64, CBORValue)

        package var kind: UInt64 {
            switch self {
            case .configuration: 1
            case .unknown(let kind, _): kind
            }
        }
    }

    package let gateway: Identifier
    /// Rises with every command to this gateway: 1 … 2^63 − 1.
    package let number: UInt64
    package let issuedAt: UTCInstant
    /// From here on it is not followed any more.
    package let expiresAt: UTCInstant
    package let body: Body

    package init(gateway: Identifier, number: UInt64, issuedAt: UTCInstant, expiresAt: UTCInstant, body: Body) {
        self.gateway = gateway
        self.number = number
        self.issuedAt = issuedAt
        self.expiresAt = expiresAt
        self.body = body
    }

    /// The deterministic payload to sign.
    package var encoded: [UInt8] {
        let content: CBORValue =
            switch body {
            case .configuration(let text): .fields([(1, .text(text))])
            case .unknown(_, let value): value
            }
        return CBORValue.fields([
            (1, .unsigned(1)), (2, .text(gateway.text)), (3, .unsigned(number)), (4, .int(issuedAt.milliseconds)),
            (5, .int(expiresAt.milliseconds)), (6, .unsigned(body.kind)), (7, content),
        ]).encoded()
    }

    package init(decoding payload: [UInt8]) throws(RecordError) {
        let item: CBORValue
        do { item = try CBORValue(decoding: payload) } catch { throw .notCBOR(error) }
        do throws(ShapeError) { self = try Command(item) } catch { throw .notUnderstood(error) }
    }

    private init(_ item: CBORValue) throws(ShapeError) {
        let fields = try item.fields(1...7, "command")
        guard try fields.uint(1) == 1 else { throw ShapeError("command.1", expected: "version 1") }
        guard let gateway = Identifier(try fields.text(2)) else {
            throw ShapeError("command.2", expected: "a gateway id")
        }
        let number = try fields.uint(3)
        guard (1...UInt64(Int64.max)).contains(number) else {
            throw ShapeError("command.3", expected: "1 … 2^63 − 1")
        }
        let (issued, expires) = (try fields.int(4), try fields.int(5))
        guard issued < expires else { throw ShapeError("command.5", expected: "an instant after command.4") }
        let (kind, value) = (try fields.uint(6), try fields.value(7))
        guard case .map = value else { throw ShapeError("command.7", expected: "a map") }
        self.init(
            gateway: gateway, number: number, issuedAt: UTCInstant(milliseconds: issued),
            expiresAt: UTCInstant(milliseconds: expires),
            body: kind == 1 ? .configuration(try Self.text(value)) : .unknown(kind, value))
    }

    private static func text(_ value: CBORValue) throws(ShapeError) -> String {
        let text = try value.fields(1...1, "command.7").text(1)
        guard text.utf8.count <= textBytesMax else {
            throw ShapeError("command.7.1", expected: "at most \(textBytesMax) bytes")
        }
        return text
    }
}

/// What became of a command: a note of code 6. Words are signed: never change one.
package struct CommandOutcome: Hashable, Sendable {
    /// Bytes of the reason.
    package static let reasonBytesMax = 400

    package enum Word: String, Hashable, Sendable, CaseIterable {
        /// On trial from now on.
        case tried
        /// The trial was passed: in force.
        case applied
        /// The configuration before it is in force again.
        case rolledBack = "rolled back"
        /// Signed by a key that may, and not followed.
        case refused
        /// Not signed by a key that may, another gateway's, or seen before.
        case unbelieved
    }

    /// Of the command; of its bytes where they are no envelope.
    package let identity: Digest
    package let word: Word
    /// 0: it could not be read.
    package let number: UInt64
    /// Empty where there is none.
    package let reason: String

    package init(identity: Digest, word: Word, number: UInt64, reason: String) {
        self.identity = identity
        self.word = word
        self.number = number
        // Whole characters within the bound.
        var text = ""
        for character in reason.prefix(Self.reasonBytesMax)
        where text.utf8.count + character.utf8.count <= Self.reasonBytesMax {
            text.append(character)
        }
        self.reason = text
    }

    package func note(uptime: UInt64) -> Note {
        Note(
            uptimeMilliseconds: uptime, code: .commandDone,
            details: [
                (1, .bytes(identity.bytes)), (2, .text(word.rawValue)), (3, .unsigned(number)),
                (4, reason.isEmpty ? nil : .text(reason)),
            ])
    }

    /// Nil for a note of another code.
    package init?(_ note: Note) throws(ShapeError) {
        guard note.code == NoteCode.commandDone.rawValue else { return nil }
        let fields = try note.details.fields(1...4, "note")
        guard let identity = Digest(try fields.bytes(count: 32, 1)) else {
            throw ShapeError("note.1", expected: "32 bytes")
        }
        guard let word = Word(rawValue: try fields.text(2)) else { throw ShapeError("note.2", expected: "an outcome") }
        let reason = try fields.optional(4)?.text("note.4") ?? ""
        guard reason.utf8.count <= Self.reasonBytesMax else {
            throw ShapeError("note.4", expected: "at most \(Self.reasonBytesMax) bytes")
        }
        self.identity = identity
        self.word = word
        number = try fields.uint(3)
        self.reason = reason
    }
}
