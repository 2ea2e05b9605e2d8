// Bodies of the house's own events, and of those that only carry a message as it was received.

package import CBOR

extension Event {
    /// A signed message, byte for byte as received: statement, review, seal, proof, decision.
    package struct Received: EventBody {
        package let envelope: [UInt8]

        package init(envelope: [UInt8]) { self.envelope = envelope }

        package var cbor: CBORValue { .fields([(1, .bytes(envelope))]) }

        init(_ value: CBORValue) throws(ShapeError) { envelope = try value.fields(1...1, "body").bytes(1) }
    }

    /// A registration took effect in the registry.
    package struct Registered: EventBody {
        /// The document: its array of envelopes.
        package let document: CBORValue

        package init(document: CBORValue) { self.document = document }

        package var cbor: CBORValue { .fields([(1, .some(document))]) }

        init(_ value: CBORValue) throws(ShapeError) {
            document = try value.fields(1...1, "body").value(1)
            _ = try document.array("body.1")
        }
    }

    /// An operator opened a new epoch of a log that had lost its tail.
    package struct EpochOpened: EventBody {
        /// The epoch document: its array of envelopes.
        package let document: CBORValue

        package init(document: CBORValue) { self.document = document }

        package var cbor: CBORValue { .fields([(1, .some(document))]) }

        init(_ value: CBORValue) throws(ShapeError) {
            document = try value.fields(1...1, "body").value(1)
            _ = try document.array("body.1")
        }
    }

    /// The tail that the ended epoch had lost is here again, or named as lost: money may move.
    package struct EpochReconciled: EventBody {
        package let log: LogName
        /// Of the epoch that is in force now.
        package let origin: String

        package init(log: LogName, origin: String) {
            self.log = log
            self.origin = origin
        }

        package var cbor: CBORValue { .fields([(1, .text(log.rawValue)), (2, .text(origin))]) }

        init(_ value: CBORValue) throws(ShapeError) {
            let fields = try value.fields(1...2, "body")
            guard let log = LogName(rawValue: try fields.text(1)) else {
                throw ShapeError("body.1", expected: "journal or evidence")
            }
            self.init(log: log, origin: try fields.shortText(2))
        }
    }
}
