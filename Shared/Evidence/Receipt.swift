// Receipts: the only thing that makes a record deletable at the gateway. Cumulative, signed by a key of the key list.

internal import CBOR
package import Proofs
package import Quantities

/// What a collector says it holds durably of a stream.
package struct Receipt: Hashable, Sendable {
    package struct Refusal: Hashable, Sendable {
        package let sequence: UInt64
        /// ``RefusalCode``, or a number this version does not know.
        package let code: UInt64

        package init(sequence: UInt64, code: UInt64) {
            self.sequence = sequence
            self.code = code
        }
    }

    package let gateway: Identifier
    package let stream: StreamID
    /// 0 when nothing of the stream is held yet; then `identity` is zeros and `leafIndex` 0.
    package let durableThrough: UInt64
    /// Identity of the record at `durableThrough`; of `to` when that record is a skip.
    package let identity: Digest
    package let receivedAt: UTCInstant
    /// The evidence log's origin with its epoch.
    package let logOrigin: String
    package let leafIndex: UInt64
    /// Devices the record is synced on before this was signed.
    package let devicesSynced: UInt64
    package let versionsAccepted: [UInt64]
    /// The gateway goes back to this number.
    package var resendFrom: UInt64?
    package var refusals: [Refusal] = []
    /// A signed checkpoint and the consistency proof from the one the gateway's status names.
    package var checkpoint: (note: [UInt8], consistency: [Digest])?
    /// Last number taken and why the stream ended; the gateway opens a new stream.
    package var ended: (lastSequence: UInt64, reason: String)?

    package init(
        gateway: Identifier, stream: StreamID, durableThrough: UInt64, identity: Digest, receivedAt: UTCInstant,
        logOrigin: String, leafIndex: UInt64, devicesSynced: UInt64, versionsAccepted: [UInt64]
    ) {
        self.gateway = gateway
        self.stream = stream
        self.durableThrough = durableThrough
        self.identity = identity
        self.receivedAt = receivedAt
        self.logOrigin = logOrigin
        self.leafIndex = leafIndex
        self.devicesSynced = devicesSynced
        self.versionsAccepted = versionsAccepted
    }

    package static func == (a: Receipt, b: Receipt) -> Bool { a.encoded == b.encoded }
    package func hash(into hasher: inout Hasher) { hasher.combine(encoded) }
}

/// Why intake did not take a message, in the order the checks run. Numbers travel in receipts: never renumber.
package enum RefusalCode: UInt64, Hashable, Sendable, CaseIterable {
    /// Larger than 131 072 bytes.
    case oversized = 1
    /// Not a COSE_Sign1 of ours, or its place cannot be read.
    case malformed = 2
    /// Something stands in the unprotected header.
    case unprotectedHeader = 3
    case wrongContentType = 4
    /// Topic and record name different gateways.
    case wrongTopic = 5
    case unknownGateway = 6
    /// The kid is not the key in force at this number.
    case unknownKey = 7
    case revokedKey = 8
    case badSignature = 9
    /// Another record with this number was taken: the stream takes nothing more.
    case forked = 10
    /// The stream ended: a newer one was born, or it forked.
    case streamEnded = 11
    /// Authentic, but not the next of its stream: dropped and answered with `resend from`.
    case notNext = 12
    /// The first record of a stream must be a birth (a skip standing for it counts).
    case notBorn = 13
    /// The key opens no stream any more: a key record named another one in its place.
    case supersededKey = 14
}

extension Receipt {
    package static let version: UInt64 = 1

    /// The deterministic payload to sign.
    package var encoded: [UInt8] {
        CBORValue.fields([
            (1, .unsigned(Self.version)), (2, .text(gateway.text)), (3, .bytes(stream.bytes)),
            (4, .unsigned(durableThrough)),
            (5, .bytes(identity.bytes)), (6, .int(receivedAt.milliseconds)), (7, .text(logOrigin)),
            (8, .unsigned(leafIndex)),
            (9, .unsigned(devicesSynced)), (10, .array(versionsAccepted.map { .unsigned($0) })),
            (11, resendFrom.map { .unsigned($0) }),
            (
                12,
                refusals.isEmpty ? nil : .array(refusals.map { .array([.unsigned($0.sequence), .unsigned($0.code)]) })
            ),
            (13, checkpoint.map { .array([.bytes($0.note), .array($0.consistency.map { .bytes($0.bytes) })]) }),
            (14, ended.map { .array([.unsigned($0.lastSequence), .text($0.reason)]) }),
        ]).encoded()
    }

    package init(decoding payload: [UInt8]) throws(RecordError) {
        let item: CBORValue
        do { item = try CBORValue(decoding: payload) } catch { throw .notCBOR(error) }
        do throws(ShapeError) { self = try Receipt(item) } catch { throw .notUnderstood(error) }
    }

    private init(_ item: CBORValue) throws(ShapeError) {
        let fields = try item.fields(1...14, extensible: true, "receipt")
        guard try fields.uint(1) == Self.version else { throw ShapeError("receipt.1", expected: "version 1") }
        guard let gateway = Identifier(try fields.text(2)) else {
            throw ShapeError("receipt.2", expected: "a gateway id")
        }
        guard let stream = StreamID(try fields.bytes(count: 8, 3)) else {
            throw ShapeError("receipt.3", expected: "8 bytes")
        }
        guard let identity = Digest(try fields.bytes(count: 32, 5)) else {
            throw ShapeError("receipt.5", expected: "32 bytes")
        }
        var versions: [UInt64] = []
        for version in try fields.array(10) { versions.append(try version.uint("receipt.10[]")) }
        self.init(
            gateway: gateway, stream: stream, durableThrough: try fields.uint(4), identity: identity,
            receivedAt: UTCInstant(milliseconds: try fields.int(6)), logOrigin: try fields.text(7),
            leafIndex: try fields.uint(8), devicesSynced: try fields.uint(9), versionsAccepted: versions)
        if let from = fields.optional(11) { resendFrom = try from.uint("receipt.11") }
        for item in try fields.optional(12)?.array("receipt.12") ?? [] {
            let parts = try item.array(count: 2, "receipt.12[]")
            refusals.append(
                Refusal(sequence: try parts[0].uint("receipt.12[][0]"), code: try parts[1].uint("receipt.12[][1]")))
        }
        if let item = fields.optional(13) {
            let parts = try item.array(count: 2, "receipt.13")
            var hashes: [Digest] = []
            for hash in try parts[1].array("receipt.13[1]") {
                guard let digest = Digest(try hash.bytes(count: 32, "receipt.13[1][]")) else { continue }
                hashes.append(digest)
            }
            checkpoint = (try parts[0].bytes("receipt.13[0]"), hashes)
        }
        if let item = fields.optional(14) {
            let parts = try item.array(count: 2, "receipt.14")
            ended = (try parts[0].uint("receipt.14[0]"), try parts[1].text("receipt.14[1]"))
        }
    }
}

/// What a gateway leaves on its retained status topic: unsigned, for lookers, and for a collector that lost its tail.
package struct GatewayStatus: Hashable, Sendable {
    package let gateway: Identifier
    package let isOnline: Bool
    /// Rises with every connection of the gateway.
    package let session: UInt64
    /// The last receipt held, the envelope as received.
    package let receipt: [UInt8]?
    /// The last checkpoint note held, as received.
    package let checkpoint: [UInt8]?

    package init(gateway: Identifier, isOnline: Bool, session: UInt64, receipt: [UInt8]?, checkpoint: [UInt8]?) {
        self.gateway = gateway
        self.isOnline = isOnline
        self.session = session
        self.receipt = receipt
        self.checkpoint = checkpoint
    }

    package var encoded: [UInt8] {
        CBORValue.fields([
            (1, .unsigned(1)), (2, .text(gateway.text)), (3, .bool(isOnline)), (4, .unsigned(session)),
            (5, receipt.map { .bytes($0) }), (6, checkpoint.map { .bytes($0) }),
        ]).encoded()
    }

    package init(decoding payload: [UInt8]) throws(RecordError) {
        let item: CBORValue
        do { item = try CBORValue(decoding: payload) } catch { throw .notCBOR(error) }
        do throws(ShapeError) {
            let fields = try item.fields(1...6, extensible: true, "status")
            guard try fields.uint(1) == 1 else { throw ShapeError("status.1", expected: "version 1") }
            guard let gateway = Identifier(try fields.text(2)) else {
                throw ShapeError("status.2", expected: "a gateway id")
            }
            self.init(
                gateway: gateway, isOnline: try fields.value(3).bool("status.3"), session: try fields.uint(4),
                receipt: try fields.optional(5)?.bytes("status.5"),
                checkpoint: try fields.optional(6)?.bytes("status.6"))
        } catch { throw .notUnderstood(error) }
    }
}
