// The Evidence log and the Journal in memory: the contract in its plainest words.

import CBOR
import CollectorCore
import CollectorJournal
import Evidence
import Proofs
import Quantities
import Synchronization

struct MemoryEvidenceLog: EvidenceLog, MemoryBackedLog {
    static let batchMax = 4096
    let name = LogName.evidence
    let disk: MemoryDisk
    let key: LogKey
    let base: String
    let step: @Sendable (LogStep) throws -> Void

    func append(_ drafts: [EvidenceDraft], closing: [StreamClosing]) throws(LogError) -> [LogPosition] {
        guard drafts.count <= Self.batchMax else { throw .refused("too many") }
        return try append { volume in
            let positions = try drafts.map { draft in try volume.take(draft) }
            for closing in closing { volume.close(closing) }
            return positions
        }
    }

    func heads() throws(LogError) -> [EvidenceHead] {
        disk.volume.withLock { $0.heads.sorted { ($0.gateway, $0.stream) < ($1.gateway, $1.stream) } }
    }

    func head(gateway: Identifier, stream: StreamID) throws(LogError) -> EvidenceHead? {
        try heads().first { $0.gateway == gateway && $0.stream == stream }
    }

    func records(from: LogPosition, limit: Int) throws(LogError) -> [HeldRecord] {
        disk.volume.withLock { Array($0.records.drop { $0.position < from }.prefix(limit)) }
    }

    func records(
        gateway: Identifier, stream: StreamID, in range: ClosedRange<UInt64>, limit: Int
    ) throws(LogError) -> [HeldRecord] {
        disk.volume.withLock { volume in
            let mine = volume.records.filter {
                $0.entry.gateway == gateway && $0.entry.stream == stream && range.contains($0.entry.sequence)
            }
            return Array(mine.prefix(limit))
        }
    }

    func record(identity: Digest) throws(LogError) -> HeldRecord? {
        disk.volume.withLock { $0.records.first { $0.entry.identity == identity } }
    }

    func learned(receipt: Receipt) throws(LogError) -> LogStanding {
        guard receipt.durableThrough > 0, let origin = LogOrigin(receipt.logOrigin), origin.base == base,
            origin.log == name
        else { return try standing() }
        return disk.volume.withLock { volume in
            guard origin.epoch >= volume.end.epoch else { return volume.standing }
            let head = KnownHead(
                origin: origin, size: receipt.leafIndex + 1, root: nil,
                holder: "receipt of \(receipt.gateway)/\(receipt.stream)")
            let place = LogPosition(epoch: origin.epoch, index: receipt.leafIndex)
            let entry = volume.records.first { $0.position == place }?.entry
            if place >= volume.end {
                volume.remember(.behind(head))
            } else if entry?.gateway != receipt.gateway || entry?.stream != receipt.stream
                || entry.map({ $0.sequence > receipt.durableThrough }) ?? true
            {
                volume.remember(.contradicted(head))
            }
            return volume.standing
        }
    }

    func eraseEnvelopes(in range: Range<LogPosition>) throws(LogError) {
        disk.volume.withLock { volume in
            for index in volume.records.indices where range.contains(volume.records[index].position) {
                let record = volume.records[index]
                volume.records[index] = HeldRecord(position: record.position, entry: record.entry, envelope: nil)
                volume.beside[record.position] = nil
            }
        }
    }
}

extension MemoryVolume {
    fileprivate mutating func take(_ draft: EvidenceDraft) throws -> LogPosition {
        let at = index(of: draft.gateway, draft.stream)
        let head = heads[at]
        if draft.sequence <= head.through {
            let held = records.first {
                $0.entry.gateway == draft.gateway && $0.entry.stream == draft.stream
                    && $0.entry.sequence == draft.sequence
            }
            guard let held else { throw LogError.moved(expected: draft.sequence, actual: head.through + 1) }
            guard held.entry.identity == draft.identity else { throw LogError.duplicateID(existing: held.position) }
            return held.position
        }
        guard head.state == .open else { throw LogError.refused("takes nothing more") }
        guard draft.sequence == head.through + 1 else {
            throw LogError.moved(expected: draft.sequence, actual: head.through + 1)
        }
        let position = append(draft.entry.encoded)
        records.append(HeldRecord(position: position, entry: draft.entry, envelope: draft.envelope))
        beside[position] = .bytes(draft.envelope)
        heads[at] = EvidenceHead(
            gateway: draft.gateway, stream: draft.stream, through: draft.through, identity: draft.throughIdentity,
            position: position)
        return position
    }

    fileprivate mutating func close(_ closing: StreamClosing) {
        let head = heads[index(of: closing.gateway, closing.stream)]
        guard head.state != .forked else { return }
        heads[index(of: closing.gateway, closing.stream)] = EvidenceHead(
            gateway: head.gateway, stream: head.stream, through: head.through, identity: head.identity,
            position: head.position, state: closing.state, reason: closing.reason)
    }

    private mutating func index(of gateway: Identifier, _ stream: StreamID) -> Int {
        if let found = heads.firstIndex(where: { $0.gateway == gateway && $0.stream == stream }) { return found }
        heads.append(EvidenceHead(gateway: gateway, stream: stream, through: 0, identity: .zero, position: nil))
        return heads.count - 1
    }
}

struct MemoryJournal: Journal, MemoryBackedLog {
    static let batchMax = 4096
    let name = LogName.journal
    let disk: MemoryDisk
    let key: LogKey
    let base: String
    let step: @Sendable (LogStep) throws -> Void
    let salt: @Sendable () -> [UInt8]

    func append(_ batch: JournalBatch, now: UTCInstant) throws(LogError) -> [JournalEvent] {
        guard batch.drafts.count <= Self.batchMax else { throw .refused("too many") }
        return try append { volume in
            if let events = try volume.held(batch) {
                if let advance = batch.advancing, volume.cursors[advance.consumer] ?? .start < advance.to {
                    volume.cursors[advance.consumer] = advance.to
                }
                return events
            }
            let sequence = volume.sequence(of: batch.stage)
            guard sequence == batch.after else { throw LogError.moved(expected: batch.after, actual: sequence) }
            let time = max(now, volume.events.last?.time ?? now)
            let events = try batch.drafts.enumerated().map { offset, draft in
                if let taken = volume.ids[draft.eventID] { throw LogError.duplicateID(existing: taken) }
                let salt = salt()
                let entry = JournalEntry(
                    kind: draft.kind, stage: draft.stage, sequence: batch.after + UInt64(offset) + 1, time: time,
                    digest: Digest(of: salt, draft.payload.encoded))
                let position = volume.append(entry.encoded)
                volume.beside[position] = .array([.bytes(salt), .bytes(draft.payload.encoded)])
                volume.ids[draft.eventID] = position
                volume.events.append(JournalEvent(position: position, entry: entry, payload: draft.payload))
                return volume.events[volume.events.count - 1]
            }
            if let advance = batch.advancing {
                if let cursor = volume.cursors[advance.consumer], cursor > advance.to {
                    throw LogError.moved(expected: advance.to.index, actual: cursor.index)
                }
                volume.cursors[advance.consumer] = advance.to
            }
            return events
        }
    }

    func sequence(of stage: Stage) throws(LogError) -> UInt64 { disk.volume.withLock { $0.sequence(of: stage) } }

    func events(from: LogPosition, limit: Int) throws(LogError) -> [JournalEvent] {
        disk.volume.withLock { Array($0.events.drop { $0.position < from }.prefix(limit)) }
    }

    func position(of event: Digest) throws(LogError) -> LogPosition? { disk.volume.withLock { $0.ids[event] } }

    func cursor(of consumer: String) throws(LogError) -> LogPosition? { disk.volume.withLock { $0.cursors[consumer] } }

    func erasePayloads(in range: Range<LogPosition>) throws(LogError) {
        disk.volume.withLock { volume in
            for index in volume.events.indices where range.contains(volume.events[index].position) {
                let event = volume.events[index]
                volume.events[index] = JournalEvent(position: event.position, entry: event.entry, payload: nil)
                volume.beside[event.position] = nil
            }
        }
    }
}

extension MemoryVolume {
    fileprivate func sequence(of stage: Stage) -> UInt64 { events.last { $0.stage == stage }?.sequence ?? 0 }

    /// The events of the very same batch, when they stand here; throws when only some of their ids do.
    fileprivate func held(_ batch: JournalBatch) throws -> [JournalEvent]? {
        let taken = batch.drafts.compactMap { ids[$0.eventID] }
        guard let first = taken.first else { return nil }
        let same = batch.drafts.enumerated().compactMap { offset, draft in
            events.first {
                $0.payload == draft.payload && $0.kind == draft.kind && $0.stage == draft.stage
                    && $0.sequence == batch.after + UInt64(offset) + 1
            }
        }
        guard same.count == batch.drafts.count else { throw LogError.duplicateID(existing: first) }
        return same
    }
}
