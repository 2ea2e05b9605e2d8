// Bodies of intake's events: what is not routine about records and streams. Routine records stand in the Evidence log only.

package import CBOR
package import Evidence
package import Proofs
package import Quantities

extension Event {
    /// Records of a gateway that were not taken, counted by reason: at most one event a minute a gateway.
    package struct RecordRefused: EventBody {
        package struct Count: Hashable, Sendable {
            /// ``RefusalCode``, or a number a later version gave.
            package let code: UInt64
            package let count: UInt64

            package init(code: UInt64, count: UInt64) {
                self.code = code
                self.count = count
            }
        }

        package let gateway: Identifier
        /// By code, none twice, at least one.
        package let counts: [Count]
        package let from: UTCInstant
        package let to: UTCInstant

        package init(gateway: Identifier, counts: [Count], from: UTCInstant, to: UTCInstant) {
            self.gateway = gateway
            self.counts = counts.sorted { $0.code < $1.code }
            self.from = from
            self.to = to
        }

        package var cbor: CBORValue {
            .fields([
                (1, .id(gateway)), (2, .array(counts.map { .array([.unsigned($0.code), .unsigned($0.count)]) })),
                (3, .ms(from)), (4, .ms(to)),
            ])
        }

        init(_ value: CBORValue) throws(ShapeError) {
            let fields = try value.fields(1...4, "body")
            let counts = try fields.value(2).list("body.2", min: 1, max: Event.listMax) {
                (value, path) throws(ShapeError) in
                let parts = try value.array(count: 2, path)
                return Count(code: try parts[0].uint(path), count: try parts[1].uint(path))
            }
            guard counts.map(\.code).isStrictlyAscending else {
                throw ShapeError("body.2", expected: "codes in order, none twice")
            }
            self.init(
                gateway: try fields.identifier(1), counts: counts, from: try fields.instant(3),
                to: try fields.instant(4))
        }
    }

    /// Something keeps a record out of windows until it is resolved.
    package struct FindingMade: EventBody {
        package let gateway: Identifier
        package let stream: StreamID
        package let sequence: UInt64
        package let identity: Digest
        /// ``IntakeFinding``, or a number a later version gave.
        package let finding: UInt64
        package let text: String

        package init(
            gateway: Identifier, stream: StreamID, sequence: UInt64, identity: Digest, finding: UInt64, text: String
        ) {
            self.gateway = gateway
            self.stream = stream
            self.sequence = sequence
            self.identity = identity
            self.finding = finding
            self.text = text
        }

        package var cbor: CBORValue {
            .fields([
                (1, .id(gateway)), (2, .bytes(stream.bytes)), (3, .unsigned(sequence)), (4, .digest(identity)),
                (5, .unsigned(finding)), (6, .text(text)),
            ])
        }

        init(_ value: CBORValue) throws(ShapeError) {
            let fields = try value.fields(1...6, "body")
            self.init(
                gateway: try fields.identifier(1), stream: try fields.stream(2), sequence: try fields.uint(3),
                identity: try fields.digest(4), finding: try fields.uint(5), text: try fields.shortText(6))
        }
    }

    /// A gateway signed two histories of one stream.
    package struct StreamForked: EventBody {
        package let gateway: Identifier
        package let stream: StreamID
        /// The number in dispute; unsettled readings from it on are held.
        package let sequence: UInt64
        package let identityHeld: Digest
        /// The proof: another record of that number, or one whose field 5 names another identity for it.
        package let otherEnvelope: [UInt8]

        package init(
            gateway: Identifier, stream: StreamID, sequence: UInt64, identityHeld: Digest, otherEnvelope: [UInt8]
        ) {
            self.gateway = gateway
            self.stream = stream
            self.sequence = sequence
            self.identityHeld = identityHeld
            self.otherEnvelope = otherEnvelope
        }

        package var cbor: CBORValue {
            .fields([
                (1, .id(gateway)), (2, .bytes(stream.bytes)), (3, .unsigned(sequence)), (4, .digest(identityHeld)),
                (5, .bytes(otherEnvelope)),
            ])
        }

        init(_ value: CBORValue) throws(ShapeError) {
            let fields = try value.fields(1...5, "body")
            self.init(
                gateway: try fields.identifier(1), stream: try fields.stream(2), sequence: try fields.uint(3),
                identityHeld: try fields.digest(4), otherEnvelope: try fields.bytes(5))
        }
    }

    /// A stream's last record is known.
    package struct StreamEnded: EventBody {
        package let gateway: Identifier
        package let stream: StreamID
        package let lastSequence: UInt64
        package let reason: String

        package init(gateway: Identifier, stream: StreamID, lastSequence: UInt64, reason: String) {
            self.gateway = gateway
            self.stream = stream
            self.lastSequence = lastSequence
            self.reason = reason
        }

        package var cbor: CBORValue {
            .fields([
                (1, .id(gateway)), (2, .bytes(stream.bytes)), (3, .unsigned(lastSequence)), (4, .text(reason)),
            ])
        }

        init(_ value: CBORValue) throws(ShapeError) {
            let fields = try value.fields(1...4, "body")
            self.init(
                gateway: try fields.identifier(1), stream: try fields.stream(2), lastSequence: try fields.uint(3),
                reason: try fields.shortText(4))
        }
    }

    /// A stream went on after another one's birth had ended it: GATEWAY_CLONED.
    package struct GatewayCloned: EventBody {
        package let gateway: Identifier
        package let ended: StreamID
        package let now: StreamID

        package init(gateway: Identifier, ended: StreamID, now: StreamID) {
            self.gateway = gateway
            self.ended = ended
            self.now = now
        }

        package var cbor: CBORValue {
            .fields([(1, .id(gateway)), (2, .bytes(ended.bytes)), (3, .bytes(now.bytes))])
        }

        init(_ value: CBORValue) throws(ShapeError) {
            let fields = try value.fields(1...3, "body")
            self.init(gateway: try fields.identifier(1), ended: try fields.stream(2), now: try fields.stream(3))
        }
    }

    /// A meter answers with another model, serial or firmware than before.
    package struct IdentityChanged: EventBody {
        package struct Identity: Hashable, Sendable {
            package let model: String
            package let serial: String
            package let firmware: String

            package init(model: String, serial: String, firmware: String) {
                self.model = model
                self.serial = serial
                self.firmware = firmware
            }

            var cbor: CBORValue { .array([.text(model), .text(serial), .text(firmware)]) }

            init(_ value: CBORValue, _ path: String) throws(ShapeError) {
                let parts = try value.array(count: 3, path)
                self.init(
                    model: try parts[0].shortText(path), serial: try parts[1].shortText(path),
                    firmware: try parts[2].shortText(path))
            }
        }

        package let gateway: Identifier
        package let meter: Identifier
        package let before: Identity
        package let now: Identity

        package init(gateway: Identifier, meter: Identifier, before: Identity, now: Identity) {
            self.gateway = gateway
            self.meter = meter
            self.before = before
            self.now = now
        }

        package var cbor: CBORValue {
            .fields([(1, .id(gateway)), (2, .id(meter)), (3, .some(before.cbor)), (4, .some(now.cbor))])
        }

        init(_ value: CBORValue) throws(ShapeError) {
            let fields = try value.fields(1...4, "body")
            self.init(
                gateway: try fields.identifier(1), meter: try fields.identifier(2),
                before: try Identity(try fields.value(3), "body.3"), now: try Identity(try fields.value(4), "body.4"))
        }
    }
}

extension CBORFields {
    fileprivate func stream(_ key: Int64) throws(ShapeError) -> StreamID {
        guard let stream = StreamID(try bytes(count: 8, key)) else {
            throw ShapeError("\(path).\(key)", expected: "8 bytes")
        }
        return stream
    }
}
