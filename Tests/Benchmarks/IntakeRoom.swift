// What the collector's house does with a batch of messages, in the same order and with the same parts: keys, decision,
// one durable append, fold, admission, receipts. Without HTTP, console and the broker's link.

internal import CollectorCore
internal import CollectorJournal
internal import Evidence
internal import Keys
internal import Kit
internal import Proofs
internal import Quantities

final class IntakeRoom {
    private let registry: Registry
    private let log: SQLiteEvidenceLog
    private let receiptKey: PrivateKey
    private var keys = BenchKeys()
    private var intake = IntakeState(clock: .real)
    private var schedule = ReceiptSchedule()
    private var admission = Admission()
    private(set) var records = 0
    private(set) var receipts = 0

    init(_ house: BenchHouse, in place: TemporaryDirectory) throws {
        registry = house.registry
        receiptKey = try PrivateKey.generate(.eddsa)
        log = try SQLiteEvidenceLog(
            LogConfiguration(
                path: place.file("evidence.sqlite"), base: "bench.example/house",
                witnesses: [place.file("evidence.witness")]), key: LogKey(try PrivateKey.generate(.eddsa)))
    }

    func close() throws { try log.close() }

    func take(_ messages: ArraySlice<(gateway: Identifier, envelope: [UInt8])>) throws {
        // No record is from the future: a record every ten seconds, a hundred gateways in turn.
        let rounds = (records + messages.count) / IntakeFigures.gateways + 2
        let now = BenchHouse.anchor + Int64(rounds) * 10_000
        // As the house does: the batch's state is put in place only when its records are durable.
        var next = intake
        var end = try log.end()
        var drafts: [EvidenceDraft] = []
        var taken: [(record: TakenRecord, outcome: IntakeOutcome)] = []
        for message in messages {
            let delivery = Delivery(gateway: message.gateway, envelope: message.envelope, receivedAt: now)
            let outcome = next.decide(
                delivery, keys: registry.gatewayKeys(message.gateway, at: now), held: { _, _ in nil },
                isSigned: { keys.isSigned($0, by: $1) })
            guard case .append(let record, let first) = outcome else { throw KitError("refused: \(outcome)") }
            drafts.append(
                EvidenceDraft(
                    gateway: record.place.gateway, stream: record.place.stream, sequence: first,
                    through: record.through, identity: record.identity, throughIdentity: record.throughIdentity,
                    envelope: record.message.encoded, receivedAt: record.receivedAt))
            guard next.apply(record, position: end).isEmpty else { throw KitError("a routine record is not routine") }
            end = LogPosition(epoch: end.epoch, index: end.index + 1)
            taken.append((record, outcome))
        }
        _ = try log.append(drafts)
        intake = next
        for (record, outcome) in taken {
            if case .success(let content) = record.content {
                _ = admission.admit(
                    StoredRecord(record: content, identity: record.identity, receivedAt: now), clockError: 1_000)
            }
            schedule.want(outcome)
        }
        records += taken.count
        try answer(now)
    }

    /// What a restart does: all of the log into new folds. Signatures were checked when the records came.
    ///
    /// - Returns: records folded.
    func refold() throws -> Int {
        var (intake, admission) = (IntakeState(clock: .real), Admission())
        var (next, folded) = (LogPosition.start, 0)
        while let page = try pageOfLog(from: next) {
            for held in page {
                guard let envelope = held.envelope else { throw KitError("a record without its envelope") }
                let message = try SignedMessage(parsing: envelope, as: .record)
                guard let record = TakenRecord(message, receivedAt: held.entry.receivedAt) else {
                    throw KitError("a record of the log is not one")
                }
                _ = intake.apply(record, position: held.position)
                if case .success(let content) = record.content {
                    _ = admission.admit(
                        StoredRecord(record: content, identity: record.identity, receivedAt: record.receivedAt),
                        clockError: 1_000)
                }
                next = LogPosition(epoch: held.position.epoch, index: held.position.index + 1)
            }
            folded += page.count
        }
        return folded
    }

    private func pageOfLog(from position: LogPosition) throws -> [HeldRecord]? {
        let page = try log.records(from: position, limit: 1_000)
        return page.isEmpty ? nil : page
    }

    /// Receipts that may go out now, signed.
    private func answer(_ now: UTCInstant) throws {
        for due in schedule.take(uptime: Int64(Machine.uptime())) {
            let context = ReceiptContext(originBase: "bench.example/house", epoch: 1, devicesSynced: 1, now: now)
            let receipt = intake.receipt(due.gateway, due.stream, context, answer: due.answer)
            _ = try SignedMessage.signing(receipt.encoded, as: .receipt, with: receiptKey).encoded
            receipts += 1
        }
    }
}
