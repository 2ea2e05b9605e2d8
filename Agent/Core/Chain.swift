// The order of a stream: which number comes next, what it follows, and the signed record that stands there.

package import Evidence
package import Proofs
package import Quantities

/// A record that has its place and its signature, ready to be stored and sent as it is.
package struct ChainedRecord: Hashable, Sendable {
    package let sequence: UInt64
    /// Last number it stands for: its own, or `to` of a skip.
    package let through: UInt64
    package let kind: RecordKind
    /// What the record after it names as its previous: its identity, or that of `to`.
    package let link: Digest
    package let clock: RecordClock
    package let completeThrough: UInt64
    package let envelope: [UInt8]
}

/// The head of one stream. A value: a commit works on a copy and keeps it only when the records are durable.
package struct Chain: Hashable, Sendable {
    package let gateway: Identifier
    package let stream: StreamID
    /// Number of the last record, 0 in a new stream.
    package private(set) var head: UInt64
    /// Identity of the last record, zeros in a new stream.
    package private(set) var link: Digest

    package init(gateway: Identifier, stream: StreamID, head: UInt64 = 0, link: Digest = .zero) {
        self.gateway = gateway
        self.stream = stream
        self.head = head
        self.link = link
    }

    /// Signs `body` as the next record.
    ///
    /// - Parameter sign: makes an envelope around a payload with the key in force.
    package mutating func append(
        _ body: RecordBody, clock: RecordClock, completeThrough: UInt64, sign: ([UInt8]) throws -> SignedMessage
    ) rethrows -> ChainedRecord {
        let record = try Self.sign(
            body, at: RecordPlace(gateway: gateway, stream: stream, sequence: head + 1, previous: link), clock: clock,
            completeThrough: completeThrough, sign: sign)
        head = record.through
        link = record.link
        return record
    }

    /// Signs `body` at a place: also for a skip in the middle of the stream.
    package static func sign(
        _ body: RecordBody, at place: RecordPlace, clock: RecordClock, completeThrough: UInt64,
        sign: ([UInt8]) throws -> SignedMessage
    ) rethrows -> ChainedRecord {
        let message = try sign(
            Record(place: place, clock: clock, completeThrough: completeThrough, body: body).encoded)
        let link: Digest
        let through: UInt64
        if case .skip(let skip) = body {
            (through, link) = (skip.to, skip.identity)
        } else {
            (through, link) = (place.sequence, message.identity)
        }
        return ChainedRecord(
            sequence: place.sequence, through: through, kind: body.kind, link: link, clock: clock,
            completeThrough: completeThrough, envelope: message.encoded)
    }
}

extension RecordBody {
    /// The number on the wire.
    package var kind: RecordKind {
        switch self {
        case .birth: .birth
        case .readings: .readings
        case .note: .note
        case .skip: .skip
        case .key: .key
        }
    }
}
