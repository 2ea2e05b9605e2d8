// A log that keeps everything in memory and computes every hash anew: the other implementation the conformance suite
// runs against, and the oracle of what the contract means. Its "disk" outlives it, so that it can be opened again.

import CBOR
import CollectorCore
import CollectorJournal
import Keys
import Proofs
import Synchronization

/// What would be on the log's own volume.
struct MemoryVolume {
    struct Epoch {
        let origin: LogOrigin
        var entries: [[UInt8]] = []
        var note: [UInt8]?
    }

    var epochs: [Epoch]
    var standing = LogStanding.current
    /// What lies beside an entry, as it is served.
    var beside: [LogPosition: CBORValue] = [:]
    var heads: [EvidenceHead] = []
    var events: [JournalEvent] = []
    /// Of all events, also of erased ones.
    var ids: [Digest: LogPosition] = [:]
    var records: [HeldRecord] = []
    var cursors: [String: LogPosition] = [:]

    init(_ origin: LogOrigin) { epochs = [Epoch(origin: origin)] }

    var end: LogPosition {
        LogPosition(epoch: UInt64(epochs.count), index: UInt64(epochs[epochs.count - 1].entries.count))
    }

    mutating func append(_ entry: [UInt8]) -> LogPosition {
        defer { epochs[epochs.count - 1].entries.append(entry) }
        return end
    }
}

/// Both volumes: the log's, and the witness's.
final class MemoryDisk: Sendable {
    let volume: Mutex<MemoryVolume>
    let witness = Mutex<[UInt8]?>(nil)

    init(_ origin: LogOrigin) { volume = Mutex(MemoryVolume(origin)) }
}

protocol MemoryBackedLog: TransparencyLog {
    var disk: MemoryDisk { get }
    var key: LogKey { get }
    var base: String { get }
    var step: @Sendable (LogStep) throws -> Void { get }
}

/// A fault of a step, as any implementation must report it.
func asLogError(_ error: any Error) -> LogError { error as? LogError ?? .storage("\(error)") }

extension MemoryBackedLog {
    /// Compares with the witness, as opening a log does.
    func opened() throws -> Self {
        if let note = disk.witness.withLock({ $0 }) { try learned(checkpoint: note, from: "witness") }
        return self
    }

    private var origin: LogOrigin { disk.volume.withLock { $0.epochs[$0.epochs.count - 1].origin } }

    func append<T: Sendable>(_ body: (inout MemoryVolume) throws -> T) throws(LogError) -> T {
        do {
            return try disk.volume.withLock { volume in
                guard volume.standing == .current else { throw LogError.behind(volume.standing) }
                var changed = volume
                let result = try body(&changed)
                try step(.commit)
                volume = changed
                try step(.answer)
                return result
            }
        } catch { throw asLogError(error) }
    }

    func verified(_ note: [UInt8]) -> Checkpoint? {
        guard let signed = SignedNote(parsing: note), let checkpoint = Checkpoint(text: signed.text),
            let verifier = NoteVerifierKey(name: checkpoint.origin, ed25519: key.publicKey.rawEd25519 ?? []),
            verifier.verifies(signed, verify: { key.publicKey.verify(signature: $0, over: $1) })
        else { return nil }
        return checkpoint
    }

    func end() throws(LogError) -> LogPosition { disk.volume.withLock { $0.end } }
    func close() throws(LogError) {}
    func standing() throws(LogError) -> LogStanding { disk.volume.withLock { $0.standing } }

    func epochs() throws(LogError) -> [LogEpoch] {
        disk.volume.withLock { $0.epochs.map { LogEpoch(origin: $0.origin, size: UInt64($0.entries.count)) } }
    }

    func learned(checkpoint note: [UInt8], from holder: String) throws(LogError) -> LogStanding {
        guard let checkpoint = verified(note), let origin = LogOrigin(checkpoint.origin), origin.base == base,
            origin.log == name
        else { return try standing() }
        return disk.volume.withLock { volume in
            let current = volume.epochs[volume.epochs.count - 1]
            let head = KnownHead(origin: origin, size: checkpoint.size, root: checkpoint.root, holder: holder)
            guard origin.epoch >= current.origin.epoch else { return volume.standing }
            if origin.epoch > current.origin.epoch || checkpoint.size > UInt64(current.entries.count) {
                volume.remember(.behind(head))
            } else if NaiveTree.root(current.entries[..<Int(checkpoint.size)]) != checkpoint.root {
                volume.remember(.contradicted(head))
            }
            return volume.standing
        }
    }

    func publish() throws(LogError) -> PublishedCheckpoint {
        if let note = disk.witness.withLock({ $0 }) { try learned(checkpoint: note, from: "witness") }
        do {
            return try disk.volume.withLock { volume in
                guard volume.standing == .current else { throw LogError.behind(volume.standing) }
                let last = volume.epochs.count - 1
                let current = volume.epochs[last]
                if let note = current.note, let checkpoint = verified(note), checkpoint.size == volume.end.index {
                    disk.witness.withLock { $0 = note }
                    return PublishedCheckpoint(checkpoint: checkpoint, note: note)
                }
                let checkpoint = Checkpoint(
                    origin: "\(current.origin)", size: volume.end.index, root: NaiveTree.root(current.entries))
                let note = try LogRig.signed(checkpoint, by: key)
                try step(.witness)
                disk.witness.withLock { $0 = note }
                try step(.record)
                volume.epochs[last].note = note
                try step(.show)
                return PublishedCheckpoint(checkpoint: checkpoint, note: note)
            }
        } catch { throw asLogError(error) }
    }

    func published(epoch: UInt64?) throws(LogError) -> PublishedCheckpoint? {
        disk.volume.withLock { volume in
            guard let found = volume.epochs.last(where: { epoch == nil || $0.origin.epoch == epoch }),
                let note = found.note,
                let checkpoint = verified(note)
            else { return nil }
            return PublishedCheckpoint(checkpoint: checkpoint, note: note)
        }
    }

    func openEpoch(ended: String, lastPublished note: [UInt8]) throws(LogError) -> LogPosition {
        guard let last = verified(note), last.origin == ended, let origin = LogOrigin(ended), origin.log == name else {
            throw .refused("not a checkpoint of \(ended)")
        }
        let next = LogPosition(epoch: origin.epoch + 1, index: 0)
        do {
            try disk.volume.withLock { volume in
                let epoch = UInt64(volume.epochs.count)
                if origin.epoch < epoch {
                    guard next.epoch == epoch, let first = volume.epochs[volume.epochs.count - 1].entries.first,
                        try EpochEntry(decoding: first).lastPublished == note
                    else { throw LogError.refused("ended already") }
                    return
                }
                guard let known = volume.standing.head else { throw LogError.refused("not behind") }
                let floor = known.root == nil ? 0 : known.size
                let own = volume.epochs[Int(epoch) - 1].note.flatMap(verified)?.size ?? 0
                guard (origin.epoch, last.size) >= (known.origin.epoch, floor),
                    (origin.epoch, last.size) >= (epoch, own)
                else { throw LogError.refused("too small") }
                let held = origin.epoch == epoch ? volume.end.index : 0
                for number in (epoch + 1)...next.epoch {
                    volume.epochs.append(.init(origin: LogOrigin(base: base, log: name, epoch: number)))
                }
                volume.standing = .current
                _ = volume.append(EpochEntry(ended: ended, lastPublished: note, held: held).encoded)
                try step(.answer)
            }
        } catch { throw asLogError(error) }
        _ = try publish()
        return next
    }

    private func held(_ epoch: UInt64, _ size: UInt64) throws(LogError) -> [[UInt8]] {
        let entries = disk.volume.withLock { volume in
            volume.epochs.first { $0.origin.epoch == epoch }?.entries ?? []
        }
        guard size <= UInt64(entries.count) else { throw .refused("\(entries.count) entries are held, not \(size)") }
        return Array(entries[..<Int(size)])
    }

    func entries(from: LogPosition, limit: Int) throws(LogError) -> [[UInt8]] {
        let all = disk.volume.withLock { $0.epochs.first { $0.origin.epoch == from.epoch }?.entries ?? [] }
        return Array(all.dropFirst(Int(clamping: from.index)).prefix(limit))
    }

    func root(epoch: UInt64, size: UInt64) throws(LogError) -> Digest { NaiveTree.root(try held(epoch, size)) }

    func inclusionProof(of position: LogPosition, size: UInt64) throws(LogError) -> [Digest] {
        let entries = try held(position.epoch, size)
        guard position.index < size else { throw .refused("not among them") }
        return NaiveTree.path(Int(position.index), entries[...])
    }

    func consistencyProof(epoch: UInt64, old: UInt64, new: UInt64) throws(LogError) -> [Digest] {
        let entries = try held(epoch, new)
        guard old <= new else { throw .refused("the wrong way round") }
        return NaiveTree.consistency(Int(old), entries)
    }

    /// The entries of `epoch` that may be shown.
    private func shown(_ epoch: UInt64) throws(LogError) -> [[UInt8]] {
        let isEnded = disk.volume.withLock { UInt64($0.epochs.count) > epoch }
        let all = disk.volume.withLock { $0.epochs.first { $0.origin.epoch == epoch }?.entries ?? [] }
        return isEnded ? all : Array(all.prefix(Int(try published(epoch: epoch)?.checkpoint.size ?? 0)))
    }

    func file(epoch: UInt64, path: String) throws(LogError) -> [UInt8]? {
        if path == "checkpoint" { return try published(epoch: epoch)?.note }
        guard path.hasPrefix("tile/"), let tile = Tile.parse(path: String(path.dropFirst(5))) else { return nil }
        let entries = try shown(epoch)
        let (level, width) = (tile.level ?? 0, UInt64(tile.width))
        let first = tile.index.multipliedReportingOverflow(by: 256)
        guard !first.overflow, first.partialValue <= UInt64(Int.max) - 256,
            first.partialValue + width <= UInt64(entries.count) >> UInt64(8 * level)
        else { return nil }
        guard tile.level == nil else { return NaiveTree.tile(level, Int(tile.index), tile.width, entries) }
        return entries[Int(first.partialValue)..<Int(first.partialValue + width)].flatMap { entry in
            [UInt8(entry.count >> 8), UInt8(entry.count & 255)] + entry
        }
    }

    func records(epoch: UInt64, bundle: UInt64) throws(LogError) -> [UInt8]? {
        let count = UInt64(try shown(epoch).count)
        guard bundle < 1 << 32, bundle * 256 < count else { return nil }
        return disk.volume.withLock { volume in
            let indices = bundle * 256..<min(count, bundle * 256 + 256)
            return CBORValue.array(indices.map { volume.beside[LogPosition(epoch: epoch, index: $0)] ?? .null })
                .encoded()
        }
    }

    func audit() throws(LogError) -> LogAudit {
        disk.volume.withLock { volume in
            var audit = LogAudit()
            for epoch in volume.epochs {
                audit.entries += UInt64(epoch.entries.count)
                for index in epoch.entries.indices {
                    let position = LogPosition(epoch: epoch.origin.epoch, index: UInt64(index))
                    if position.index > 0 || position.epoch == 1, volume.beside[position] == nil { audit.erased += 1 }
                }
            }
            return audit
        }
    }
}

extension MemoryVolume {
    mutating func remember(_ new: LogStanding) {
        guard let head = new.head else { return }
        func rank(_ head: KnownHead) -> (UInt64, Int, UInt64) {
            (head.origin.epoch, head.root == nil ? 0 : 1, head.size)
        }
        if let known = standing.head, rank(known) >= rank(head) { return }
        standing = new
    }
}
