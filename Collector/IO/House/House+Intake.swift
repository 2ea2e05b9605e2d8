// Messages from gateways: decided, made durable together, then answered with receipts.

internal import CollectorCore
internal import CollectorJournal
internal import Evidence
internal import Keys
internal import Logging
internal import MQTT
internal import Proofs
internal import Quantities

/// A message to publish.
struct OutgoingMessage: Sendable {
    let topic: String
    let payload: [UInt8]
    let retain: Bool
}

/// A message that came, with its topic.
struct IncomingMessage: Sendable {
    let topic: String
    let payload: [UInt8]

    init(topic: String, payload: [UInt8]) {
        self.topic = topic
        self.payload = payload
    }
}

extension House {
    /// Takes a batch of messages in their order and answers with what is to be published.
    ///
    /// Records of the batch become durable in one transaction; only then receipts are made. When the transaction fails,
    /// nothing was taken and no receipt goes out: gateways send it again.
    func take(_ messages: [IncomingMessage], _ share: PartitionShare) -> [OutgoingMessage] {
        let receivedAt = now()
        do {
            var (batch, next) = try beginBatch()
            for message in messages {
                if let gateway = GatewayTopics.gateway(ofTopic: message.topic, leaf: "evidence") {
                    decide(Delivery(gateway: gateway, envelope: message.payload, receivedAt: receivedAt), &batch, &next)
                } else if let gateway = GatewayTopics.gateway(ofTopic: message.topic, leaf: "status") {
                    note(status: message.payload, of: gateway)
                }
            }
            try commit(batch)
        } catch {
            logger.error("intake: a batch was not taken and will be sent again: \(error)")
            trouble("Intake: \(error)")
            return []
        }
        return dueReceipts(share)
    }

    /// One record through the HTTP interface: the same path, answered with the envelope of its stream's receipt.
    ///
    /// - Throws: ``Problem`` with the number of the refusal.
    func ingest(_ envelope: [UInt8], gateway: Identifier) throws -> [UInt8] {
        var (batch, next) = try beginBatch()
        decide(Delivery(gateway: gateway, envelope: envelope, receivedAt: now()), &batch, &next)
        try commit(batch)
        let place: RecordPlace
        switch batch.outcomes[0] {
        case .append(let record, _): place = record.place
        case .duplicate(let known): place = known
        case .notNext(_, let from):
            throw Problem.recordRefused(.notNext, detail: "records before it are missing: send from \(from) on")
        case .forked: throw Problem.recordRefused(.forked)
        case .refuse(let code, _): throw Problem.recordRefused(code)
        }
        return try receipt(place.gateway, place.stream, answer: ReceiptAnswer(), wantsCheckpoint: false).encoded
    }

    /// Whatever an earlier batch left open comes first.
    private func beginBatch() throws -> (IntakeBatch, LogPosition) {
        try catchUp()
        try payOwed()
        return (IntakeBatch(intake), try stores.evidence.end())
    }

    private func decide(_ delivery: Delivery, _ batch: inout IntakeBatch, _ next: inout LogPosition) {
        let keys = state.registry.gatewayKeys(delivery.gateway, at: delivery.receivedAt)
        let outcome = batch.intake.decide(
            delivery, keys: keys,
            held: { [stores] stream, sequence in
                batch.identity(stream, sequence) ?? Self.held(stores, delivery.gateway, stream, sequence)
            }, isSigned: { message, spki in self.keyCache.isSigned(message, by: spki) })
        if let code = outcome.refusal { refusals.count(code, gateway: delivery.gateway, at: delivery.receivedAt) }
        switch outcome {
        case .append(let record, let first):
            batch.append(record, first: first, at: next)
            next = LogPosition(epoch: next.epoch, index: next.index + 1)
        case .forked(_, let fork):
            if case .success(let message) = delivery.message {
                batch.events.append(Event.streamForked(fork).draft(commandID: message.identity))
            }
            batch.closing.append(
                StreamClosing(
                    gateway: fork.gateway, stream: fork.stream, state: .forked,
                    reason: "two records at \(fork.sequence)"))
            batch.intake.apply(Event.streamForked(fork))
        case .refuse(.supersededKey, _): supersededAt[delivery.gateway] = delivery.receivedAt
        case .duplicate, .notNext, .refuse: break
        }
        batch.outcomes.append(outcome)
    }

    /// The identity the Evidence log holds at a number. A log that cannot be read now answers nil: the record then counts
    /// as a duplicate and is looked at again when the gateway sends it again.
    static func held(_ stores: HouseStores, _ gateway: Identifier, _ stream: StreamID, _ sequence: UInt64)
        -> Digest?
    {
        do {
            return try stores.evidence.records(gateway: gateway, stream: stream, in: sequence...sequence, limit: 1)
                .first?.entry.identity
        } catch { return nil }  // As said above.
    }

    private func commit(_ batch: IntakeBatch) throws {
        if let last = batch.records.last?.position {
            // Until the answer is here nobody knows whether the records stand: then the log is read before the next batch.
            isUncertain = true
            let positions = try stores.evidence.append(batch.drafts)
            guard positions == batch.records.map(\.position) else {
                throw HouseFileError(
                    description: "the Evidence log holds records this process did not write: it is read again")
            }
            isUncertain = false
            foldedEvidence = LogPosition(epoch: last.epoch, index: last.index + 1)
        }
        // A crash here loses nothing: at start the records are folded from the log and give the same events.
        intake = batch.intake
        for (record, _) in batch.records { fold(record) }
        owed.events += batch.events
        owed.closings += batch.closing
        for outcome in batch.outcomes { receipts.want(outcome) }
        try payOwed()
    }

    /// What the house remembers of a record beside intake's state: samples for windows, last readings for people.
    func fold(_ record: TakenRecord) {
        gateways.take(record, profiles: profiles)
        // What intake holds is admitted too: the cut asks, because a person may release it.
        guard case .success(let content) = record.content else { return }
        let clockError = state.registry.gateway(record.place.gateway, at: record.receivedAt)?.clockError ?? 0
        _ = admission.admit(
            StoredRecord(record: content, identity: record.identity, receivedAt: record.receivedAt),
            clockError: clockError)
    }

    // MARK: - Receipts

    /// Receipts that may go out now. Called after each batch and while nothing comes. Those of a topic go out by one
    /// connection alone, so that an older one never replaces a newer.
    func dueReceipts(_ share: PartitionShare) -> [OutgoingMessage] {
        let wanted = receipts.take(uptime: SystemClock.uptime(), of: share.holds)
        guard !wanted.isEmpty, maySign() else { return [] }
        var outgoing: [OutgoingMessage] = []
        for due in wanted {
            do {
                let envelope = try receipt(
                    due.gateway, due.stream, answer: due.answer, wantsCheckpoint: due.wantsCheckpoint)
                outgoing.append(
                    OutgoingMessage(topic: GatewayTopics(due.gateway).receipt, payload: envelope.encoded, retain: true))
            } catch {
                logger.error("receipt for \(due.gateway) could not be made: \(error)")
            }
        }
        return outgoing
    }

    /// A log that lost its tail signs nothing, and gateways keep the receipts that prove how far it was. After an epoch was
    /// opened all receipts are wanted again.
    private func maySign() -> Bool {
        do {
            let standing = try stores.evidence.standing()
            guard standing != .current else { return true }
            trouble("\(standing)")
        } catch { trouble("Evidence log: \(error)") }
        return false
    }

    /// - Throws: `.behind` of a log that lost its tail.
    private func receipt(
        _ gateway: Identifier, _ stream: StreamID, answer: ReceiptAnswer, wantsCheckpoint: Bool
    ) throws -> SignedMessage {
        let standing = try stores.evidence.standing()
        guard standing == .current else { throw LogError.behind(standing) }
        let end = try stores.evidence.end()
        let context = ReceiptContext(
            originBase: state.genesis.originBase, epoch: end.epoch, devicesSynced: 1, now: now(),
            checkpoint: wantsCheckpoint ? try checkpointForReceipt(gateway) : nil)
        let receipt = intake.receipt(gateway, stream, context, answer: answer)
        if receipt.durableThrough > 0 { receipted[gateway] = receipt.durableThrough }
        return try sign(receipt.encoded, as: .receipt)
    }

    /// A published checkpoint with the consistency proof from the one the gateway's status names, when it is of this epoch.
    private func checkpointForReceipt(_ gateway: Identifier) throws -> (note: [UInt8], consistency: [Digest]) {
        let published = try stores.evidence.publish()
        guard let held = gateways.checkpoint(of: gateway), held.origin == published.checkpoint.origin, held.size > 0,
            held.size <= published.checkpoint.size, let origin = LogOrigin(held.origin)
        else { return (published.note, []) }
        return (
            published.note,
            try stores.evidence.consistencyProof(epoch: origin.epoch, old: held.size, new: published.checkpoint.size)
        )
    }

    /// All streams' receipts are wanted again: at start, and when the broker connects.
    func wantAllReceipts() {
        for (gateway, stream) in intake.streams { receipts.want(gateway, stream) }
    }

    // MARK: - What gateways hold

    /// A retained status: who is online, and receipts and checkpoints that prove how far this log once was.
    private func note(status payload: [UInt8], of gateway: Identifier) {
        do {
            let status = try GatewayStatus(decoding: payload)
            guard status.gateway == gateway else { return }
            let checkpoint = status.checkpoint.flatMap { SignedNote(parsing: $0) }.flatMap { Checkpoint(text: $0.text) }
            gateways.note(status, checkpoint: checkpoint)
            if let envelope = status.receipt {
                let message = try SignedMessage(parsing: envelope, as: .receipt)
                if message.isSigned(by: keys.receipt.publicKey) {
                    let receipt = try Receipt(decoding: message.payload)
                    try stores.evidence.learned(receipt: receipt)
                    if receipt.gateway == gateway { heldReceipts[gateway] = .some(receipt) }
                }
            } else if heldReceipts[gateway] == nil {
                heldReceipts[gateway] = .some(nil)
            }
            if let note = status.checkpoint {
                try stores.evidence.learned(checkpoint: note, from: "gateway \(gateway)")
            }
        } catch {
            logger.warning("status of \(gateway) is not usable: \(error)")
        }
    }

    func trouble(_ text: String) {
        if troubles.last != text { troubles.append(text) }
        troubles = troubles.suffix(5)
    }
}

/// A batch on its way: intake's state as it would be, and what must be durable first.
private struct IntakeBatch {
    var intake: IntakeState
    var drafts: [EvidenceDraft] = []
    var records: [(record: TakenRecord, position: LogPosition)] = []
    var events: [JournalDraft] = []
    var closing: [StreamClosing] = []
    var outcomes: [IntakeOutcome] = []
    private var identities: [Key: Digest] = [:]

    private struct Key: Hashable {
        let stream: StreamID
        let sequence: UInt64
    }

    init(_ intake: IntakeState) { self.intake = intake }

    /// Of a record of this batch.
    func identity(_ stream: StreamID, _ sequence: UInt64) -> Digest? {
        identities[Key(stream: stream, sequence: sequence)]
    }

    /// `first`: the number it stands at in the log.
    mutating func append(_ record: TakenRecord, first: UInt64, at position: LogPosition) {
        drafts.append(
            EvidenceDraft(
                gateway: record.place.gateway, stream: record.place.stream, sequence: first, through: record.through,
                identity: record.identity, throughIdentity: record.throughIdentity, envelope: record.message.encoded,
                receivedAt: record.receivedAt))
        records.append((record, position))
        identities[Key(stream: record.place.stream, sequence: first)] = record.identity
        events += intake.apply(record, position: position)
    }
}
