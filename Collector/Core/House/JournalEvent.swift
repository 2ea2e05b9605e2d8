// Events as the stages make and read them, and the ids that let none be counted twice. Knows no body: journal.md does.

package import CBOR
package import Proofs
package import Quantities

/// Command ids: what caused an event. A signed message's identity is one; these are the others.
package enum CommandID {
    /// For an event caused by an event: SHA-256(its event id ‖ purpose as ASCII).
    package static func caused(by event: Digest, purpose: String) -> Digest {
        Digest(of: event.bytes, Array(purpose.utf8))
    }

    /// For an event caused by time: SHA-256("time" ‖ purpose ‖ window id as ASCII).
    package static func time(purpose: String, window: String) -> Digest {
        Digest(of: Array("time".utf8), Array(purpose.utf8), Array(window.utf8))
    }

    /// For the first event of all: SHA-256("genesis" ‖ genesis).
    package static func genesis(_ genesis: [UInt8]) -> Digest { Digest(of: Array("genesis".utf8), genesis) }
}

/// What lies beside a Journal entry: the event's cause and body. Can be erased; the tree stays.
package struct JournalPayload: Hashable, Sendable {
    package let commandID: Digest
    /// Which of the command's events this is.
    package let ordinal: UInt64
    package let body: CBORValue

    package init(commandID: Digest, ordinal: UInt64, body: CBORValue) {
        self.commandID = commandID
        self.ordinal = ordinal
        self.body = body
    }

    /// SHA-256(command id ‖ ordinal as 8 bytes big-endian). Accepted once.
    package var eventID: Digest {
        Digest(of: commandID.bytes, (0..<8).map { UInt8(truncatingIfNeeded: ordinal >> (56 - 8 * UInt64($0))) })
    }

    package var encoded: [UInt8] {
        CBORValue.fields([(1, .bytes(commandID.bytes)), (2, .unsigned(ordinal)), (3, body)]).encoded()
    }

    package init(decoding bytes: [UInt8]) throws(LogEntryError) {
        let item: CBORValue
        do { item = try CBORValue(decoding: bytes) } catch { throw LogEntryError("payload: not our CBOR: \(error)") }
        do throws(ShapeError) {
            let fields = try item.fields(1...3, "payload")
            guard let commandID = Digest(try fields.bytes(count: 32, 1)) else {
                throw ShapeError("payload.1", expected: "a command id")
            }
            self.init(commandID: commandID, ordinal: try fields.uint(2), body: try fields.value(3))
        } catch { throw LogEntryError(error.description) }
    }
}

/// An event a stage decided, not yet in the Journal.
package struct JournalDraft: Hashable, Sendable {
    package let kind: String
    package let stage: Stage
    package let payload: JournalPayload

    package init(kind: String, stage: Stage, commandID: Digest, ordinal: UInt64, body: CBORValue) {
        self.kind = kind
        self.stage = stage
        payload = JournalPayload(commandID: commandID, ordinal: ordinal, body: body)
    }

    package var eventID: Digest { payload.eventID }
}

/// An event in the Journal.
package struct JournalEvent: Hashable, Sendable {
    package let position: LogPosition
    package let entry: JournalEntry
    /// Nil when it was erased after its retention.
    package let payload: JournalPayload?

    package init(position: LogPosition, entry: JournalEntry, payload: JournalPayload?) {
        self.position = position
        self.entry = entry
        self.payload = payload
    }

    package var kind: String { entry.kind }
    package var stage: Stage { entry.stage }
    package var sequence: UInt64 { entry.sequence }
    package var time: UTCInstant { entry.time }
    package var body: CBORValue? { payload?.body }
    /// Nil when the payload was erased.
    package var id: Digest? { payload?.eventID }
}
