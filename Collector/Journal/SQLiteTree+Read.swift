// Reading the tree: entries, hashes, proofs, tiles, and the audit that computes everything again. Changes nothing.

internal import CBOR
internal import CollectorCore
internal import Foundation
internal import GRDB
internal import Proofs

extension LogPosition {
    /// One SQLite integer: epoch · 2^40 + index. Nil outside what a log can hold.
    var row: Int64? {
        guard epoch < 1 << 22, index < TreeEdge.sizeMax else { return nil }
        return Int64(epoch) << 40 | Int64(index)
    }

    init(row: Int64) {
        self.init(
            epoch: UInt64(truncatingIfNeeded: row >> 40),
            index: UInt64(truncatingIfNeeded: row) & (TreeEdge.sizeMax - 1))
    }

    /// The row to start reading at: positions beyond every log come after everything.
    var firstRow: Int64 { row ?? .max }

    /// Stands for the end of the epoch before: no record, no event.
    var isEpochEntry: Bool { epoch > 1 && index == 0 }
}

extension SQLiteTree {
    /// Most entries, records or events one call reads.
    static let readMax = 10_000
    /// Leaves out epoch entries: index 0 of every epoch after the first.
    static let isNoEpochEntry = "(position & 0xFFFFFFFFFF <> 0 OR position >> 40 = 1)"

    static func epochs(_ db: Database) throws -> [(number: UInt64, origin: String)] {
        try Row.fetchAll(db, sql: "SELECT number, origin FROM epoch ORDER BY number").map { row in
            (UInt64(clamping: row[0] as Int64), row[1])
        }
    }

    /// Entries held of an epoch.
    static func size(_ db: Database, _ epoch: UInt64) throws -> UInt64 {
        guard let first = LogPosition(epoch: epoch, index: 0).row else { return 0 }
        let last = try Int64.fetchOne(
            db, sql: "SELECT max(position) FROM entry WHERE position >= ? AND position < ?",
            arguments: [first, first + (1 << 40)])
        return last.map { LogPosition(row: $0).index + 1 } ?? 0
    }

    static func entry(_ db: Database, _ position: LogPosition) throws -> [UInt8]? {
        try Data.fetchOne(db, sql: "SELECT bytes FROM entry WHERE position = ?", arguments: [position.row]).map(
            Array.init)
    }

    static func note(_ db: Database, _ epoch: UInt64) throws -> [UInt8]? {
        try Data.fetchOne(db, sql: "SELECT note FROM checkpoint WHERE epoch = ?", arguments: [Int64(clamping: epoch)])
            .map(Array.init)
    }

    /// A stored tile's hashes; empty when there is none.
    static func tile(_ db: Database, _ epoch: UInt64, _ level: Int, _ number: UInt64) throws -> [UInt8] {
        let statement = try db.cachedStatement(
            sql: "SELECT hashes FROM tile WHERE epoch = ? AND level = ? AND number = ?")
        let data = try Data.fetchOne(
            statement, arguments: [Int64(clamping: epoch), level, Int64(clamping: number)])
        return data.map(Array.init) ?? []
    }

    func root(_ db: Database, _ epoch: UInt64, _ size: UInt64) throws -> Digest {
        try MerkleTree.root(size: size) { try Self.node(db, epoch, $0) }
    }

    private static func node(_ db: Database, _ epoch: UInt64, _ coordinate: SubtreeCoordinate) throws -> Digest {
        try TreeEdge.node(coordinate) { level, number in try tile(db, epoch, level, number) }
    }

    // MARK: What TransparencyLog asks

    func end() throws(LogError) -> LogPosition {
        try file.read { db in
            let epoch = UInt64(try Self.epochs(db).count)
            return LogPosition(epoch: epoch, index: try Self.size(db, epoch))
        }
    }

    func epochs() throws(LogError) -> [LogEpoch] {
        try file.read { db in
            try Self.epochs(db).map { LogEpoch(origin: origin($0.number), size: try Self.size(db, $0.number)) }
        }
    }

    func published(epoch: UInt64?) throws(LogError) -> PublishedCheckpoint? {
        try file.read { db in
            guard let number = try epoch ?? Self.epochs(db).last?.number, let note = try Self.note(db, number),
                let signed = SignedNote(parsing: note), let checkpoint = Checkpoint(text: signed.text)
            else { return nil }
            return PublishedCheckpoint(checkpoint: checkpoint, note: note)
        }
    }

    func entries(from: LogPosition, limit: Int) throws(LogError) -> [[UInt8]] {
        try file.read { db in try Self.entries(db, from, limit) }
    }

    private static func entries(_ db: Database, _ from: LogPosition, _ limit: Int) throws -> [[UInt8]] {
        guard let row = from.row, limit > 0 else { return [] }
        return try Data.fetchAll(
            db, sql: "SELECT bytes FROM entry WHERE position >= ? AND position < ? ORDER BY position LIMIT ?",
            arguments: [row, (Int64(from.epoch) + 1) << 40, min(limit, readMax)]
        ).map(Array.init)
    }

    func root(epoch: UInt64, size: UInt64) throws(LogError) -> Digest {
        try file.read { db in
            try requireHeld(db, epoch, size)
            return try root(db, epoch, size)
        }
    }

    func inclusionProof(of position: LogPosition, size: UInt64) throws(LogError) -> [Digest] {
        try file.read { db in
            try requireHeld(db, position.epoch, size)
            guard position.index < size else {
                throw LogError.refused("\(position) is not among the first \(size) entries")
            }
            return try MerkleTree.inclusionProof(index: position.index, size: size) {
                try Self.node(db, position.epoch, $0)
            }
        }
    }

    func consistencyProof(epoch: UInt64, old: UInt64, new: UInt64) throws(LogError) -> [Digest] {
        try file.read { db in
            try requireHeld(db, epoch, new)
            guard old <= new else {
                throw LogError.refused("a consistency proof goes from the smaller tree to the larger")
            }
            return try MerkleTree.consistencyProof(old: old, new: new) { try Self.node(db, epoch, $0) }
        }
    }

    private func requireHeld(_ db: Database, _ epoch: UInt64, _ size: UInt64) throws {
        let held = try Self.size(db, epoch)
        guard size <= held else { throw LogError.refused("\(origin(epoch)) holds \(held) entries, not \(size)") }
    }

    // MARK: Served files

    func file(epoch: UInt64, path: String) throws(LogError) -> [UInt8]? {
        try file.read { db in
            if path == "checkpoint" { return try Self.note(db, epoch) }
            guard path.hasPrefix("tile/"), let tile = Tile.parse(path: String(path.dropFirst(5))) else { return nil }
            let size = try covered(db, epoch)
            let (first, level) = (tile.index.multipliedReportingOverflow(by: 256), tile.level ?? 0)
            guard !first.overflow, first.partialValue < TreeEdge.sizeMax else { return nil }
            let end = first.partialValue + UInt64(tile.width)
            guard end <= size >> UInt64(8 * level) else { return nil }
            guard tile.level != nil else {
                return try entriesBundle(db, LogPosition(epoch: epoch, index: first.partialValue), tile.width)
            }
            let hashes = try Self.tile(db, epoch, level, tile.index)
            guard hashes.count >= 32 * tile.width else {
                throw LogError.damaged(LogFile.damageText(file.path, "\(path) is too short"))
            }
            return Array(hashes[..<(32 * tile.width)])
        }
    }

    /// Entries that may be shown: a tile that was fetched once may never change, so none shows more than was signed.
    private func covered(_ db: Database, _ epoch: UInt64) throws -> UInt64 {
        let isEnded = try Self.epochs(db).contains { $0.number > epoch }
        if isEnded { return try Self.size(db, epoch) }
        return UInt64(
            clamping: try Int64.fetchOne(
                db, sql: "SELECT size FROM checkpoint WHERE epoch = ?", arguments: [Int64(clamping: epoch)]) ?? 0)
    }

    private func entriesBundle(_ db: Database, _ from: LogPosition, _ count: Int) throws -> [UInt8] {
        var bundle: [UInt8] = []
        let entries = try Self.entries(db, from, count)
        guard entries.count == count else {
            throw LogError.damaged(LogFile.damageText(file.path, "entries are missing"))
        }
        for entry in entries {
            bundle += [UInt8(entry.count >> 8), UInt8(entry.count & 0xFF)]
            bundle += entry
        }
        return bundle
    }

    /// - Parameter beside: what lies beside the entries of rows in a range, by row, without those where nothing does.
    func records(
        epoch: UInt64, bundle: UInt64, beside: (Database, Range<Int64>) throws -> [Int64: CBORValue]
    ) throws(LogError) -> [UInt8]? {
        try file.read { db in
            let size = try covered(db, epoch)
            guard bundle < TreeEdge.sizeMax / 256, bundle * 256 < size,
                let first = LogPosition(epoch: epoch, index: bundle * 256).row
            else { return nil }
            let rows = first..<(first + Int64(min(256, size - bundle * 256)))
            let found = try beside(db, rows)
            return CBORValue.array(rows.map { found[$0] ?? .null }).encoded()
        }
    }
}
