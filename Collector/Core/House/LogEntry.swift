// The entries of both logs, byte for byte as docs/formats/logs.md has them. An entry says nothing private.

internal import CBOR
package import Evidence
package import Proofs
package import Quantities

/// Bytes are not the entry or payload they should be.
package struct LogEntryError: Error, Hashable, Sendable, CustomStringConvertible {
    package let description: String

    init(_ description: String) { self.description = description }
}

/// Longest entry: an entries bundle writes the length in two bytes.
package let logEntryBytesMax = 65_535

/// What the Evidence log says of one envelope.
package struct EvidenceEntry: Hashable, Sendable {
    package let gateway: Identifier
    package let stream: StreamID
    package let sequence: UInt64
    package let identity: Digest
    package let envelopeBytes: UInt64
    /// By the collector's clock.
    package let receivedAt: UTCInstant

    package init(
        gateway: Identifier, stream: StreamID, sequence: UInt64, identity: Digest, envelopeBytes: UInt64,
        receivedAt: UTCInstant
    ) {
        self.gateway = gateway
        self.stream = stream
        self.sequence = sequence
        self.identity = identity
        self.envelopeBytes = envelopeBytes
        self.receivedAt = receivedAt
    }

    package var encoded: [UInt8] {
        CBORValue.fields([
            (1, .text(gateway.text)), (2, .bytes(stream.bytes)), (3, .unsigned(sequence)), (4, .bytes(identity.bytes)),
            (5, .unsigned(envelopeBytes)), (6, .int(receivedAt.milliseconds)),
        ]).encoded()
    }

    package init(decoding bytes: [UInt8]) throws(LogEntryError) {
        self = try decodingEntry(bytes, 1...6, "evidence entry") { fields throws(ShapeError) in
            guard let gateway = Identifier(try fields.text(1)), let stream = StreamID(try fields.bytes(count: 8, 2)),
                let identity = Digest(try fields.bytes(count: 32, 4))
            else { throw ShapeError(fields.path, expected: "a gateway id, a stream and an identity") }
            return EvidenceEntry(
                gateway: gateway, stream: stream, sequence: try fields.uint(3), identity: identity,
                envelopeBytes: try fields.uint(5), receivedAt: UTCInstant(milliseconds: try fields.int(6)))
        }
    }
}

/// What the Journal says of one event.
package struct JournalEntry: Hashable, Sendable {
    /// Sixteen random bytes before each payload, so that nobody finds a payload by guessing.
    package static let saltBytes = 16

    package let kind: String
    package let stage: Stage
    /// 1, 2, 3 … in the stage's stream.
    package let sequence: UInt64
    /// max(now, the last event's time): never goes back.
    package let time: UTCInstant
    /// SHA-256(salt ‖ payload).
    package let digest: Digest

    package init(kind: String, stage: Stage, sequence: UInt64, time: UTCInstant, digest: Digest) {
        self.kind = kind
        self.stage = stage
        self.sequence = sequence
        self.time = time
        self.digest = digest
    }

    package var encoded: [UInt8] {
        CBORValue.fields([
            (1, .text(kind)), (2, .text(stage.rawValue)), (3, .unsigned(sequence)), (4, .int(time.milliseconds)),
            (5, .bytes(digest.bytes)),
        ]).encoded()
    }

    package init(decoding bytes: [UInt8]) throws(LogEntryError) {
        self = try decodingEntry(bytes, 1...5, "journal entry") { fields throws(ShapeError) in
            guard let stage = Stage(rawValue: try fields.text(2)), let digest = Digest(try fields.bytes(count: 32, 5))
            else { throw ShapeError(fields.path, expected: "a stage and a digest") }
            return JournalEntry(
                kind: try fields.text(1), stage: stage, sequence: try fields.uint(3),
                time: UTCInstant(milliseconds: try fields.int(4)), digest: digest)
        }
    }
}

/// Index 0 of every epoch after the first, in both logs: how the ended one stood.
package struct EpochEntry: Hashable, Sendable {
    /// Longest note an epoch entry carries.
    package static let noteBytesMax = 8192

    /// Origin of the ended epoch.
    package let ended: String
    /// Its last published checkpoint: the signed note.
    package let lastPublished: [UInt8]
    /// How many of its entries this log holds.
    package let held: UInt64

    package init(ended: String, lastPublished: [UInt8], held: UInt64) {
        self.ended = ended
        self.lastPublished = lastPublished
        self.held = held
    }

    package var encoded: [UInt8] {
        CBORValue.fields([(-1, .text(ended)), (-2, .bytes(lastPublished)), (-3, .unsigned(held))]).encoded()
    }

    package init(decoding bytes: [UInt8]) throws(LogEntryError) {
        self = try decodingEntry(bytes, -3...(-1), "epoch entry") { fields throws(ShapeError) in
            EpochEntry(ended: try fields.text(-1), lastPublished: try fields.bytes(-2), held: try fields.uint(-3))
        }
    }
}

private func decodingEntry<Entry>(
    _ bytes: [UInt8], _ keys: ClosedRange<Int64>, _ name: String, _ make: (CBORFields) throws(ShapeError) -> Entry
) throws(LogEntryError) -> Entry {
    let item: CBORValue
    do { item = try CBORValue(decoding: bytes) } catch { throw LogEntryError("\(name): not our CBOR: \(error)") }
    do throws(ShapeError) {
        return try make(try item.fields(keys, name))
    } catch { throw LogEntryError(error.description) }
}
