// What the Evidence log promises beyond a signed tree: records by stream, and one head a stream. Decides nothing: which
// record is taken is Intake's.

package import CollectorCore
package import Evidence
package import Proofs
package import Quantities

/// A record that Intake took, to be kept byte for byte.
package struct EvidenceDraft: Hashable, Sendable {
    package let gateway: Identifier
    package let stream: StreamID
    package let sequence: UInt64
    /// The last number this record stands for: `sequence`, or a skip's `to`.
    package let through: UInt64
    /// Of the envelope.
    package let identity: Digest
    /// Of the record at `through`: `identity`, or what a skip names. The next record's field 5.
    package let throughIdentity: Digest
    package let envelope: [UInt8]
    package let receivedAt: UTCInstant

    package init(
        gateway: Identifier, stream: StreamID, sequence: UInt64, through: UInt64? = nil, identity: Digest,
        throughIdentity: Digest? = nil, envelope: [UInt8], receivedAt: UTCInstant
    ) {
        self.gateway = gateway
        self.stream = stream
        self.sequence = sequence
        self.through = through ?? sequence
        self.identity = identity
        self.throughIdentity = throughIdentity ?? identity
        self.envelope = envelope
        self.receivedAt = receivedAt
    }

    package var entry: EvidenceEntry {
        EvidenceEntry(
            gateway: gateway, stream: stream, sequence: sequence, identity: identity,
            envelopeBytes: UInt64(envelope.count), receivedAt: receivedAt)
    }
}

/// How a stream stands.
package struct EvidenceHead: Hashable, Sendable {
    package enum State: UInt64, Hashable, Sendable {
        case open = 1
        /// A newer stream was born, or an operator ended it.
        case ended = 2
        case forked = 3
    }

    package let gateway: Identifier
    package let stream: StreamID
    /// 0 when nothing of it is held.
    package let through: UInt64
    /// Of the record at `through`; zeros when nothing is held.
    package let identity: Digest
    /// Where the record that reached `through` stands; nil when nothing is held.
    package let position: LogPosition?
    package let state: State
    /// Why it is not open; empty while it is.
    package let reason: String

    package init(
        gateway: Identifier, stream: StreamID, through: UInt64, identity: Digest, position: LogPosition?,
        state: State = .open, reason: String = ""
    ) {
        self.gateway = gateway
        self.stream = stream
        self.through = through
        self.identity = identity
        self.position = position
        self.state = state
        self.reason = reason
    }
}

/// A stream that takes nothing more from now on.
package struct StreamClosing: Hashable, Sendable {
    package let gateway: Identifier
    package let stream: StreamID
    /// `.ended` or `.forked`.
    package let state: EvidenceHead.State
    package let reason: String

    package init(gateway: Identifier, stream: StreamID, state: EvidenceHead.State, reason: String) {
        self.gateway = gateway
        self.stream = stream
        self.state = state
        self.reason = reason
    }
}

/// A record in the log.
package struct HeldRecord: Hashable, Sendable {
    package let position: LogPosition
    package let entry: EvidenceEntry
    /// As it arrived. Nil when it was erased after its retention.
    package let envelope: [UInt8]?

    package init(position: LogPosition, entry: EvidenceEntry, envelope: [UInt8]?) {
        self.position = position
        self.entry = entry
        self.envelope = envelope
    }
}

/// The gateways' signed records, byte for byte, in order of arrival.
package protocol EvidenceLog: TransparencyLog {
    /// Most records of one append.
    static var batchMax: Int { get }

    /// Appends `drafts` in their order, moves their streams' heads and closes streams, in one transaction: one sync for
    /// the whole batch, so callers collect before they call. On return all is durable, and a receipt may be signed.
    ///
    /// Per stream the numbers must follow the head without a gap (`.moved` otherwise: compare-and-swap). A draft whose
    /// number is held already with the same identity is answered with its place and written no second time, so a batch
    /// whose answer got lost is simply appended again; with another identity it is `.duplicateID`.
    ///
    /// - Returns: a position for each draft.
    func append(_ drafts: [EvidenceDraft], closing: [StreamClosing]) throws(LogError) -> [LogPosition]

    /// Every stream ever held, by gateway and stream.
    func heads() throws(LogError) -> [EvidenceHead]

    func head(gateway: Identifier, stream: StreamID) throws(LogError) -> EvidenceHead?

    /// In log order from `from` on through all epochs, at most `limit`; epoch entries are no records. Empty at the end.
    func records(from: LogPosition, limit: Int) throws(LogError) -> [HeldRecord]

    /// A stream's records with numbers in `range`, in order, at most `limit`.
    func records(
        gateway: Identifier, stream: StreamID, in range: ClosedRange<UInt64>, limit: Int
    ) throws(LogError) -> [HeldRecord]

    func record(identity: Digest) throws(LogError) -> HeldRecord?

    /// Compares with a receipt somebody else holds; its signature was checked by the caller. Of no interest when it
    /// belongs to an epoch that has ended.
    @discardableResult
    func learned(receipt: Receipt) throws(LogError) -> LogStanding

    /// Erases the envelopes of `range` for good. Entries, tree and heads stay.
    func eraseEnvelopes(in range: Range<LogPosition>) throws(LogError)
}

extension EvidenceLog {
    package func append(_ drafts: [EvidenceDraft]) throws(LogError) -> [LogPosition] {
        try append(drafts, closing: [])
    }
}
