// Bodies of the house's own events, and of those that only carry a message as it was received.

package import CBOR
internal import Evidence
package import Quantities

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

    /// A gateway proved that it knows a claim's secret and has a key: the key is its own from now on.
    package struct KeyBound: EventBody {
        package let gateway: Identifier
        /// DER SubjectPublicKeyInfo.
        package let spki: [UInt8]
        /// The claim's 20 characters. Useless now: a claim is used once.
        package let secret: String
        /// PKCS #10 (DER), signed by the key.
        package let request: [UInt8]

        package init(gateway: Identifier, spki: [UInt8], secret: String, request: [UInt8]) {
            self.gateway = gateway
            self.spki = spki
            self.secret = secret
            self.request = request
        }

        package var cbor: CBORValue {
            .fields([(1, .id(gateway)), (2, .bytes(spki)), (3, .text(secret)), (4, .bytes(request))])
        }

        init(_ value: CBORValue) throws(ShapeError) {
            let fields = try value.fields(1...4, "body")
            let secret = try fields.text(3)
            guard ClaimCode.secret(reading: secret) == secret else {
                throw ShapeError("body.3", expected: "the \(ClaimCode.secretCharacters) characters of a claim's secret")
            }
            self.init(
                gateway: try fields.identifier(1), spki: try fields.bytes(2), secret: secret,
                request: try fields.bytes(4))
        }
    }
}
