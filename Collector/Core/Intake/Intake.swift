// Intake decides about each record that comes: taken, known, not next, forked or refused. It reads no clock, checks no
// signature itself and writes nothing; the shell makes what was taken durable and only then answers with a receipt.

package import Evidence
package import Proofs
package import Quantities

/// One message from a gateway's evidence topic.
package struct Delivery: Sendable {
    /// The gateway that the topic names; the broker let only this one write there.
    package let gateway: Identifier
    package let message: Result<SignedMessage, EnvelopeError>
    /// In the house's time.
    package let receivedAt: UTCInstant

    /// Parses the envelope.
    package init(gateway: Identifier, envelope: [UInt8], receivedAt: UTCInstant) {
        self.gateway = gateway
        self.receivedAt = receivedAt
        message = Result { () throws(EnvelopeError) in try SignedMessage(parsing: envelope, as: .record) }
    }
}

/// What becomes of a delivery.
package enum IntakeOutcome: Sendable {
    /// Authentic and next: append it to the Evidence log, then ``IntakeState/apply(_:position:)``, then the receipt.
    /// `first` is the number it stands at in the log: its own, or, for a skip that begins at or before the head, the
    /// one after the head. So each number of a stream stands in the log once.
    case append(TakenRecord, first: UInt64)
    /// Held already, or inside a skipped range: the current receipt answers.
    case duplicate(RecordPlace)
    /// Authentic, but something before it is missing: the receipt asks for it.
    case notNext(RecordPlace, resendFrom: UInt64)
    /// Proof of two histories: journal it, then ``IntakeState/apply(_:)``; the receipt says the stream ended.
    case forked(RecordPlace, Event.StreamForked)
    /// The place is nil when it could not be read: then only the counter knows of it.
    case refuse(RefusalCode, RecordPlace?)

    /// The code to count; nil for what is in order.
    package var refusal: RefusalCode? {
        switch self {
        case .append, .duplicate: nil
        case .notNext: .notNext
        case .forked: .forked
        case .refuse(let code, _): code
        }
    }
}

/// Heads, keys and holds of every stream: a fold over the Evidence log and intake's events of the Journal.
package struct IntakeState: Sendable {
    /// Whether a message's signature is that of a key (SPKI).
    package typealias SignatureCheck = (SignedMessage, [UInt8]) -> Bool
    /// The identity of the record held at a number of a stream: from the Evidence log's index. Asked only for numbers
    /// up to the stream's head, outside skipped ranges.
    package typealias HeldIdentity = (StreamID, UInt64) -> Digest?

    package let clock: HouseClock
    /// Looked up; listed only in order of id.
    var gateways: [Identifier: GatewayState] = [:]

    package init(clock: HouseClock) { self.clock = clock }

    package func gateway(_ id: Identifier) -> GatewayState? { gateways[id] }

    /// Every gateway that ever sent something authentic, by id.
    package var gatewayIDs: [Identifier] { gateways.keys.sorted() }

    /// Decides about one delivery. Checks run in the order of ``RefusalCode``.
    ///
    /// - Parameters:
    ///   - keys: nil when the gateway is not registered.
    ///   - held: see ``HeldIdentity``.
    ///   - isSigned: may answer from verdicts computed before, in parallel.
    package func decide(
        _ delivery: Delivery, keys: GatewayKeys?, held: HeldIdentity, isSigned: SignatureCheck
    ) -> IntakeOutcome {
        let message: SignedMessage
        switch delivery.message {
        case .failure(let error): return .refuse(RefusalCode(error), nil)
        case .success(let parsed): message = parsed
        }
        guard let record = TakenRecord(message, receivedAt: delivery.receivedAt) else {
            return .refuse(.malformed, nil)
        }
        let place = record.place
        // Positions are counted in 63 bits; the last one is never given.
        guard place.sequence < UInt64(Int64.max) else { return .refuse(.malformed, place) }
        guard place.gateway == delivery.gateway else { return .refuse(.wrongTopic, nil) }
        guard let keys else { return .refuse(.unknownGateway, place) }
        let state = gateways[place.gateway]
        guard let key = keys.key(of: message, at: place, in: state) else {
            return .refuse(.unknownKey, place)
        }
        guard !keys.isRevoked(key, in: state) else { return .refuse(.revokedKey, place) }
        guard isSigned(message, key) else { return .refuse(.badSignature, place) }
        guard let stream = state?.streams[place.stream] else {
            return Self.opening(record, isSuperseded: keys.isSuperseded(key, in: state))
        }
        return Self.following(record, stream, held)
    }

    /// An authentic record of a stream of which nothing is held.
    private static func opening(_ record: TakenRecord, isSuperseded: Bool) -> IntakeOutcome {
        guard record.place.sequence == 1 else { return .notNext(record.place, resendFrom: 1) }
        guard record.place.previous == .zero else { return .refuse(.malformed, record.place) }
        // What is not understood may well be a birth of a later version: it is kept with a finding.
        if case .success(let content) = record.content {
            switch content.body {
            case .birth, .skip: break
            case .readings, .note, .key: return .refuse(.notBorn, record.place)
            }
        }
        guard !isSuperseded else { return .refuse(.supersededKey, record.place) }
        return .append(record, first: 1)
    }

    /// An authentic record of a stream of which something is held.
    private static func following(_ record: TakenRecord, _ stream: StreamState, _ held: HeldIdentity) -> IntakeOutcome {
        let (place, head) = (record.place, stream.head)
        let isBehind = place.sequence <= head.through
        if isBehind, record.through <= head.through {
            if record.skip != nil || stream.isSkipped(place.sequence) { return .duplicate(place) }
            guard let identity = held(place.stream, place.sequence), identity != record.identity else {
                return .duplicate(place)
            }
            return fork(record, stream, at: place.sequence, held: identity)
        }
        guard !stream.isEnded else { return .refuse(.streamEnded, place) }
        guard place.sequence <= head.through + 1 else { return .notNext(place, resendFrom: head.through + 1) }
        guard place.sequence > 1 || place.previous == .zero else { return .refuse(.malformed, place) }
        // Here it is next: it begins right after the head, or it is a skip that begins before and ends past it.
        guard let before = identity(before: place.sequence, stream, held, place.stream) else {
            return .append(record, first: head.through + 1)
        }
        guard before == place.previous else { return fork(record, stream, at: place.sequence - 1, held: before) }
        return .append(record, first: head.through + 1)
    }

    /// What the record at `sequence` must follow; nil where nothing stands before it, or a skip took that place.
    private static func identity(
        before sequence: UInt64, _ stream: StreamState, _ held: HeldIdentity, _ id: StreamID
    ) -> Digest? {
        if sequence == 1 { return nil }
        if sequence == stream.head.through + 1 { return stream.head.identity }
        return stream.isSkipped(sequence - 1) ? nil : held(id, sequence - 1)
    }

    private static func fork(
        _ record: TakenRecord, _ stream: StreamState, at sequence: UInt64, held: Digest
    ) -> IntakeOutcome {
        // A fork is told once; afterwards the stream is ended.
        guard !stream.isEnded else { return .refuse(.streamEnded, record.place) }
        return .forked(
            record.place,
            Event.StreamForked(
                gateway: record.place.gateway, stream: record.place.stream, sequence: sequence, identityHeld: held,
                otherEnvelope: record.message.encoded))
    }
}

extension RefusalCode {
    /// The code of an envelope that could not be parsed.
    package init(_ error: EnvelopeError) {
        switch error {
        case .tooLarge: self = .oversized
        case .notCBOR, .notCOSESign1, .unknownAlgorithm: self = .malformed
        case .unprotectedHeaderNotEmpty: self = .unprotectedHeader
        case .otherContentType: self = .wrongContentType
        }
    }
}
