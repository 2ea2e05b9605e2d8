// The Evidence log in one SQLite file: the tree, the envelopes beside it, and a head a stream.

internal import CBOR
package import CollectorCore
package import Evidence
internal import Foundation
internal import GRDB
package import Proofs
package import Quantities

package final class SQLiteEvidenceLog: EvidenceLog, TreeBackedLog {
    package static let batchMax = 4096

    static let schema = LogSchema(
        applicationID: 0x4B4D_4556,  // "KMEV"
        migrations: [
            SQLiteTree.schema + """
                CREATE TABLE envelope (position INTEGER PRIMARY KEY, checksum INTEGER NOT NULL, bytes BLOB) STRICT;
                CREATE TABLE stream (
                    id INTEGER PRIMARY KEY, gateway TEXT NOT NULL, stream BLOB NOT NULL, through INTEGER NOT NULL,
                    identity BLOB NOT NULL, position INTEGER, state INTEGER NOT NULL, reason TEXT NOT NULL,
                    UNIQUE (gateway, stream)) STRICT;
                CREATE TABLE record (
                    stream INTEGER NOT NULL REFERENCES stream, sequence INTEGER NOT NULL, position INTEGER NOT NULL,
                    identity INTEGER NOT NULL, PRIMARY KEY (stream, sequence)) STRICT, WITHOUT ROWID;
                CREATE INDEX record_identity ON record (identity);
                """
        ])

    let tree: SQLiteTree

    /// Opens the log, or makes it when there is no file. Reads the whole file only with
    /// ``LogConfiguration/quickCheck``.
    ///
    /// - Parameter step: see ``LogStep``.
    /// - Throws: `.inUse`, `.unsuitable`, `.damaged`, `.storage`. A log that is behind opens; it appends nothing.
    package init(
        _ configuration: LogConfiguration, key: LogKey, step: @escaping @Sendable (LogStep) throws -> Void = { _ in }
    ) throws(LogError) {
        tree = try SQLiteTree(configuration, name: .evidence, schema: Self.schema, key: key, step: step)
    }

    package func append(
        _ drafts: [EvidenceDraft], closing: [StreamClosing]
    ) throws(LogError) -> [LogPosition] {
        guard drafts.count <= Self.batchMax, closing.count <= Self.batchMax else {
            throw .refused("a batch of \(drafts.count) records: the bound is \(Self.batchMax)")
        }
        for draft in drafts { try check(draft) }
        return try tree.append { db, appender in
            var heads = try EvidenceHeads(db)
            var writer = try RecordWriter(db)
            var positions: [LogPosition] = []
            for draft in drafts {
                let at = try heads.index(of: draft.gateway, draft.stream)
                positions.append(try writer.append(draft, to: &heads[at], &appender))
            }
            for closing in closing {
                let at = try heads.index(of: closing.gateway, closing.stream)
                heads[at].close(closing)
            }
            try heads.store()
            return positions
        }
    }

    private func check(_ draft: EvidenceDraft) throws(LogError) {
        guard draft.sequence >= 1, draft.through >= draft.sequence, draft.through < UInt64(Int64.max) else {
            throw .refused(
                "record \(draft.sequence) … \(draft.through) of \(draft.gateway): numbers run from 1 to 2^63 − 2")
        }
        guard draft.envelope.count <= SignedMessage.acceptedBytesMax else {
            throw .refused(
                "an envelope of \(draft.envelope.count) bytes: the bound is \(SignedMessage.acceptedBytesMax)")
        }
    }

    // MARK: Reading

    package func heads() throws(LogError) -> [EvidenceHead] {
        try tree.file.read { db in
            try StreamRow.fetch(db, "ORDER BY gateway, stream", []).map(\.head)
        }
    }

    package func head(gateway: Identifier, stream: StreamID) throws(LogError) -> EvidenceHead? {
        try tree.file.read { db in try StreamRow.fetch(db, gateway, stream)?.head }
    }

    private static let columns = "SELECT entry.position, entry.bytes, envelope.checksum, envelope.bytes"

    package func records(from: LogPosition, limit: Int) throws(LogError) -> [HeldRecord] {
        try tree.file.read { db in
            // The inner query names positions once, so that the condition needs no table before it.
            try Self.held(
                db,
                """
                \(Self.columns) FROM (SELECT position, bytes FROM entry WHERE position >= ? AND \(SQLiteTree.isNoEpochEntry)
                ORDER BY position LIMIT ?) AS entry LEFT JOIN envelope ON envelope.position = entry.position
                ORDER BY entry.position
                """, [from.firstRow, max(0, min(limit, SQLiteTree.readMax))])
        }
    }

    package func records(
        gateway: Identifier, stream: StreamID, in range: ClosedRange<UInt64>, limit: Int
    ) throws(LogError) -> [HeldRecord] {
        try tree.file.read { db in
            guard let row = try StreamRow.fetch(db, gateway, stream) else { return [] }
            return try Self.held(
                db,
                """
                \(Self.columns) FROM record JOIN entry ON entry.position = record.position
                LEFT JOIN envelope ON envelope.position = record.position
                WHERE record.stream = ? AND sequence BETWEEN ? AND ? ORDER BY sequence LIMIT ?
                """,
                [
                    row.id, Int64(clamping: range.lowerBound), Int64(clamping: range.upperBound),
                    max(0, min(limit, SQLiteTree.readMax)),
                ])
        }
    }

    package func record(identity: Digest) throws(LogError) -> HeldRecord? {
        try tree.file.read { db in
            // The index holds eight bytes of each identity; the entry decides.
            try Self.held(
                db,
                """
                \(Self.columns) FROM record JOIN entry ON entry.position = record.position
                LEFT JOIN envelope ON envelope.position = record.position WHERE record.identity = ?
                ORDER BY entry.position
                """, [identity.prefix]
            ).first { $0.entry.identity == identity }
        }
    }

    private static func held(_ db: Database, _ sql: String, _ arguments: StatementArguments) throws -> [HeldRecord] {
        try Row.fetchAll(db.cachedStatement(sql: sql), arguments: arguments).map { row in
            let position = LogPosition(row: row[0])
            let envelope = try envelope(at: position, checksum: row[2], bytes: row[3])
            return HeldRecord(
                position: position, entry: try EvidenceEntry(decoding: Array(row[1] as Data)), envelope: envelope)
        }
    }

    /// An envelope out of its columns, nil when it was erased. The row of an erased one stays, so that one that got
    /// lost is not taken for erased; the checksum covers the signature too, which the identity does not.
    private static func envelope(at position: LogPosition, checksum: Int64?, bytes: Data?) throws -> [UInt8]? {
        guard let checksum else {
            throw LogError.damaged("the envelope at \(position) is missing: restore the newest copy")
        }
        guard let envelope = bytes.map(Array.init) else { return nil }
        guard Digest(of: envelope).prefix == checksum else {
            throw LogError.damaged("the envelope at \(position) is not the one that arrived: restore the newest copy")
        }
        return envelope
    }

    package func records(epoch: UInt64, bundle: UInt64) throws(LogError) -> [UInt8]? {
        try tree.records(epoch: epoch, bundle: bundle) { db, rows in
            let found = try Row.fetchAll(
                db, sql: "SELECT position, bytes FROM envelope WHERE position >= ? AND position < ? AND bytes NOT NULL",
                arguments: [rows.lowerBound, rows.upperBound])
            return Dictionary(uniqueKeysWithValues: found.map { ($0[0] as Int64, .bytes(Array($0[1] as Data))) })
        }
    }

    // MARK: What others hold

    @discardableResult
    package func learned(receipt: Receipt) throws(LogError) -> LogStanding {
        guard receipt.durableThrough > 0, let origin = LogOrigin(receipt.logOrigin), origin.base == tree.base,
            origin.log == tree.name, receipt.leafIndex < TreeEdge.sizeMax
        else { return try standing() }
        return try tree.withState { state in
            guard origin.epoch >= state.epoch else { return state.standing }
            let head = KnownHead(
                origin: origin, size: receipt.leafIndex + 1, root: nil,
                holder: "receipt of \(receipt.gateway)/\(receipt.stream)")
            if origin.epoch > state.epoch || head.size > state.edge.size {
                return try tree.remember(.behind(head), &state)
            }
            let place = LogPosition(epoch: origin.epoch, index: receipt.leafIndex)
            let bytes = try tree.file.read { db in try SQLiteTree.entry(db, place) }
            // An epoch entry stands where a receipt says a record does: that is another history too. The identity is
            // not compared: for a skip the receipt names the record it reaches to.
            guard !place.isEpochEntry, let entry = try bytes.map(EvidenceEntry.init(decoding:)),
                entry.gateway == receipt.gateway, entry.stream == receipt.stream,
                entry.sequence <= receipt.durableThrough
            else { return try tree.remember(.contradicted(head), &state) }
            return state.standing
        }
    }

    // MARK: Erasing and auditing

    package func eraseEnvelopes(in range: Range<LogPosition>) throws(LogError) {
        try tree.file.write { db in
            try db.execute(
                sql: "UPDATE envelope SET bytes = NULL WHERE position >= ? AND position < ?",
                arguments: [range.lowerBound.firstRow, range.upperBound.firstRow])
        }
        try tree.file.truncateWriteAheadLog()
    }

    package func audit() throws(LogError) -> LogAudit {
        try tree.audit { db, position, bytes in
            let entry = try EvidenceEntry(decoding: bytes)
            guard let stream = try StreamRow.fetch(db, entry.gateway, entry.stream),
                try Int64.fetchOne(
                    db, sql: "SELECT position FROM record WHERE stream = ? AND sequence = ?",
                    arguments: [stream.id, Int64(clamping: entry.sequence)]) == position.row
            else { throw tree.damage("record \(position) is not in the index of its stream") }
            let row = try Row.fetchOne(
                db, sql: "SELECT checksum, bytes FROM envelope WHERE position = ?", arguments: [position.row])
            guard let envelope = try Self.envelope(at: position, checksum: row?[0], bytes: row?[1]) else {
                return false
            }
            guard UInt64(envelope.count) == entry.envelopeBytes,
                try SignedMessage(parsing: envelope, as: .record).identity == entry.identity
            else { throw tree.damage("the envelope at \(position) is not the one its entry names") }
            return true
        }
    }
}

extension Digest {
    /// The first eight bytes as SQLite's integer: what the identity index holds.
    var prefix: Int64 { Int64(bitPattern: bytes[..<8].reduce(0) { $0 << 8 | UInt64($1) }) }
}
