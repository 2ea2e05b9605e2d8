// The Evidence log folded again: each record decided as Intake decides it - signature, key in force, chain - and admitted
// as windows read it. One record after the other, as far as a window's checkpoint reaches.

internal import CBOR
internal import Evidence
internal import Proofs
internal import Quantities

/// State of the fold. Owned by one audit.
final class EvidenceFold {
    private let images: [LogImage]
    private let tools: AuditTools
    private var bundles = RecordBundles(.evidence, epoch: 1)
    private var position = LogPosition.start
    private var frontier = MerkleFrontier()

    /// From the Evidence log alone: what the Journal adds (forks, a person's choice) is applied where it is asked for.
    private(set) var intake: IntakeState
    var admission = Admission()
    /// Events that Intake must have drafted from these records, by event id.
    private(set) var drafts: [Digest: CBORValue] = [:]
    /// Where each gateway's records were found, for people.
    private(set) var records: UInt64 = 0
    private(set) var readings: UInt64 = 0
    private(set) var streams: UInt64 = 0

    init(_ images: [LogImage], clock: HouseClock, _ tools: AuditTools) {
        self.images = images
        self.tools = tools
        intake = IntakeState(clock: clock)
    }

    private var total: UInt64 { images.reduce(0) { $0 + $1.size } }

    /// Where the fold stands: entries of the epoch before this index are in it.
    var end: LogPosition { position }

    /// Folds up to `size` entries of `epoch` and tells the root over them. Nil when the log does not reach that far, or
    /// the fold is beyond it.
    func advance(epoch: UInt64, size: UInt64, _ registry: Registry) async throws -> Digest? {
        guard epoch >= position.epoch, epoch <= UInt64(images.count), images[Int(epoch) - 1].size >= size else {
            return nil
        }
        while position.epoch < epoch {
            try await fold(to: images[Int(position.epoch) - 1].size, registry)
            position = LogPosition(epoch: position.epoch + 1, index: 0)
            bundles = RecordBundles(.evidence, epoch: position.epoch)
            frontier = MerkleFrontier()
        }
        guard position.index <= size else { return nil }
        try await fold(to: size, registry)
        return frontier.root
    }

    /// Folds everything there is.
    func finish(_ registry: Registry) async throws {
        guard let last = images.last else { return }
        _ = try await advance(epoch: UInt64(images.count), size: last.size, registry)
    }

    private func fold(to size: UInt64, _ registry: Registry) async throws {
        let image = images[Int(position.epoch) - 1]
        while position.index < size {
            let here = position
            position = LogPosition(epoch: here.epoch, index: here.index + 1)
            frontier.append(image.leaves[Int(here.index)])
            // Compared with the ended epoch when the images were loaded.
            if here.epoch > 1, here.index == 0 { continue }
            if here.index.isMultiple(of: 64) { tools.progress("checking records", records, total) }
            try await take(here, image.entries[Int(here.index)], registry)
        }
    }

    private func take(_ position: LogPosition, _ bytes: [UInt8], _ registry: Registry) async throws {
        let entry: EvidenceEntry
        do throws(LogEntryError) { entry = try EvidenceEntry(decoding: bytes) } catch {
            throw AuditFailure(.entry(.evidence, position), "is no Evidence entry: \(error)")
        }
        let place = AuditPlace.record(position, gateway: entry.gateway, stream: entry.stream, sequence: entry.sequence)
        let item = try await bundles.item(position.index, tools)
        guard case .bytes(let envelope) = item else {
            throw AuditFailure(
                place, item.isNull ? "its envelope was erased: it cannot be checked" : "beside it stands no envelope")
        }
        let record = try matched(envelope, entry, place)
        try requireNext(envelope, entry, position, place, registry)
        admit(record, position, clockError: registry.gateway(entry.gateway, at: entry.receivedAt)?.clockError ?? 0)
    }

    /// The envelope's record, every field of the entry compared with it.
    private func matched(_ envelope: [UInt8], _ entry: EvidenceEntry, _ place: AuditPlace) throws -> TakenRecord {
        let message: SignedMessage
        do throws(EnvelopeError) { message = try SignedMessage(parsing: envelope, as: .record) } catch {
            throw AuditFailure(place, "its envelope is none of ours (\(error))")
        }
        guard let record = TakenRecord(message, receivedAt: entry.receivedAt) else {
            throw AuditFailure(place, "its payload names no gateway, stream and number")
        }
        guard record.identity == entry.identity else {
            throw AuditFailure(
                place, "its envelope has the identity \(record.identity), the entry says \(entry.identity)")
        }
        guard UInt64(envelope.count) == entry.envelopeBytes else {
            throw AuditFailure(place, "its envelope has \(envelope.count) bytes, the entry says \(entry.envelopeBytes)")
        }
        let own = record.place
        // A skip that begins before the last number held stands at the one after that: requireNext knows which it is.
        let isPlaced = own.sequence == entry.sequence || (record.skip != nil && own.sequence < entry.sequence)
        guard own.gateway == entry.gateway, own.stream == entry.stream, isPlaced else {
            throw AuditFailure(
                place, "the record is of gateway \(own.gateway), stream \(own.stream), seq \(own.sequence)")
        }
        return record
    }

    /// Decides again: only what is authentic and next may stand in the log.
    private func requireNext(
        _ envelope: [UInt8], _ entry: EvidenceEntry, _ position: LogPosition, _ place: AuditPlace, _ registry: Registry
    ) throws {
        let image = images[Int(position.epoch) - 1]
        let outcome = intake.decide(
            Delivery(gateway: entry.gateway, envelope: envelope, receivedAt: entry.receivedAt),
            keys: registry.gatewayKeys(entry.gateway, at: entry.receivedAt),
            held: { stream, sequence in Self.identity(stream, sequence, in: image.entries[..<Int(position.index)]) },
            isSigned: tools.isSigned)
        switch outcome {
        case .append(_, let first):
            guard first == entry.sequence else {
                throw AuditFailure(place, "is next as seq \(first), the entry says \(entry.sequence)")
            }
        case .duplicate: throw AuditFailure(place, "stands in the log a second time")
        case .notNext(_, let from):
            throw AuditFailure(place, "the chain has a hole: seq \(from) of this stream is missing")
        case .forked(_, let fork):
            throw AuditFailure(
                place,
                "the chain is broken: at seq \(fork.sequence) stands \(fork.identityHeld), it follows another record")
        case .refuse(let code, _):
            throw AuditFailure(
                place, "would be refused with code \(code.rawValue) (\(code)): it is not authentic or not next")
        }
    }

    /// The identity held at a number, for records that overlap a skipped range: rare, so the entries are searched.
    private static func identity(_ stream: StreamID, _ sequence: UInt64, in entries: ArraySlice<[UInt8]>) -> Digest? {
        for bytes in entries.reversed() {
            // An entry that cannot be read was refused before this one was reached.
            do throws(LogEntryError) {
                let entry = try EvidenceEntry(decoding: bytes)
                if entry.stream == stream, entry.sequence == sequence { return entry.identity }
            } catch { continue }
        }
        return nil
    }

    private func admit(_ record: TakenRecord, _ position: LogPosition, clockError: Int64) {
        if intake.gateway(record.place.gateway)?.stream(record.place.stream) == nil { streams += 1 }
        for draft in intake.apply(record, position: position) { drafts[draft.eventID] = draft.payload.body }
        records += 1
        guard case .success(let content) = record.content else { return }
        if case .readings(let body) = content.body { readings += UInt64(body.samples.count) }
        // What keeps samples from having a time changes no evidence; the window's inputs are compared as a whole.
        _ = admission.admit(
            StoredRecord(record: content, identity: record.identity, receivedAt: record.receivedAt),
            clockError: clockError)
    }
}
