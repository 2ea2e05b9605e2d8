// The audit: every hash, tile and root computed again from the entries. Changes nothing, trusts nothing stored.

internal import CollectorCore
internal import Foundation
internal import GRDB
internal import Proofs

extension SQLiteTree {
    /// Entries of one tile a reader transaction: the write-ahead log can be reset in between.
    private static var chunk: Int { Tile.width }

    /// - Parameter beside: checks what lies beside an entry that is no epoch entry; false when it was erased.
    func audit(beside: (Database, LogPosition, [UInt8]) throws -> Bool) throws(LogError) -> LogAudit {
        var audit = LogAudit()
        for epoch in try epochs() { try self.audit(epoch, &audit, beside) }
        return audit
    }

    private func audit(
        _ epoch: LogEpoch, _ audit: inout LogAudit, _ beside: (Database, LogPosition, [UInt8]) throws -> Bool
    ) throws(LogError) {
        let published = try file.read { db in try Self.note(db, epoch.origin.epoch).map { verified($0) } }
        if case .some(.none) = published {
            throw damage("its checkpoint of \(epoch.origin) is not signed by the log key")
        }
        var edge = TreeEdge()
        while edge.size < epoch.size {
            try file.read { db in try auditTile(db, epoch, &edge, &audit, published ?? nil, beside) }
        }
        if let checkpoint = published??.checkpoint, checkpoint.size > epoch.size {
            throw damage("\(epoch.origin) has \(epoch.size) entries, its checkpoint signed \(checkpoint.size)")
        }
    }

    /// The next 256 entries of `epoch`, or as many as there are.
    private func auditTile(
        _ db: Database, _ epoch: LogEpoch, _ edge: inout TreeEdge, _ audit: inout LogAudit,
        _ published: PublishedCheckpoint?, _ beside: (Database, LogPosition, [UInt8]) throws -> Bool
    ) throws {
        let first = LogPosition(epoch: epoch.origin.epoch, index: edge.size)
        let end = min(epoch.size, edge.size + UInt64(Self.chunk))
        let rows = try Row.fetchAll(
            db, sql: "SELECT position, bytes FROM entry WHERE position >= ? AND position < ? ORDER BY position",
            arguments: [first.firstRow, LogPosition(epoch: first.epoch, index: end).firstRow])
        for row in rows {
            let position = LogPosition(row: row[0])
            guard position.index == edge.size else { throw damage("entry \(first.epoch)/\(edge.size) is missing") }
            let entry = Array(row[1] as Data)
            edge.append(MerkleTree.leafHash(entry))
            audit.entries += 1
            if position.isEpochEntry {
                _ = try EpochEntry(decoding: entry)
            } else {
                let isThere = try beside(db, position, entry)
                if !isThere { audit.erased += 1 }
            }
            if let checkpoint = published?.checkpoint, checkpoint.size == edge.size,
                checkpoint.root != edge.frontier.root
            {
                throw damage("the first \(edge.size) entries of \(epoch.origin) are not those its checkpoint signed")
            }
        }
        guard edge.size == end else { throw damage("entry \(first.epoch)/\(edge.size) is missing") }
        for tile in edge.takeChanges() {
            // The stored row may have grown since: its first hashes are what counts.
            guard try Self.tile(db, first.epoch, tile.level, tile.number).starts(with: tile.hashes) else {
                throw damage("tile \(tile.level)/\(tile.number) of \(epoch.origin) is not what its entries give")
            }
        }
    }

    func damage(_ what: String) -> LogError { .damaged(LogFile.damageText(file.path, what)) }
}
