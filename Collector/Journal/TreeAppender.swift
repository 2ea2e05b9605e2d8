// Appending to the tree inside one transaction: the entry rows and the tiles they change.

internal import CollectorCore
internal import Foundation
internal import GRDB
internal import Proofs

struct TreeAppender {
    private(set) var edge: TreeEdge
    let epoch: UInt64
    private let db: Database
    private let insert: Statement

    init(_ db: Database, epoch: UInt64, edge: TreeEdge) throws {
        self.db = db
        self.epoch = epoch
        self.edge = edge
        insert = try db.cachedStatement(sql: "INSERT INTO entry VALUES (?, ?)")
    }

    /// Appends an entry; its place is final when the transaction is.
    @discardableResult
    mutating func append(_ entry: [UInt8]) throws -> LogPosition {
        guard entry.count <= logEntryBytesMax else {
            throw LogError.refused("an entry of \(entry.count) bytes: the bound is \(logEntryBytesMax)")
        }
        let position = LogPosition(epoch: epoch, index: edge.size)
        guard let row = position.row else { throw LogError.refused("\(position): no epoch holds so many entries") }
        try insert.execute(arguments: [row, Data(entry)])
        edge.append(MerkleTree.leafHash(entry))
        return position
    }

    /// Stores every tile that changed. The one at the right edge is written again with each append: at most 8 KiB a
    /// level, and a reader never has to compute what is missing.
    mutating func storeTiles() throws {
        let statement = try db.cachedStatement(sql: "INSERT OR REPLACE INTO tile VALUES (?, ?, ?, ?)")
        for row in edge.takeChanges() {
            try statement.execute(
                arguments: [Int64(clamping: epoch), row.level, Int64(clamping: row.number), Data(row.hashes)])
        }
    }
}
