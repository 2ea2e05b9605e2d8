// The Journal in one SQLite file: the tree, salts and payloads beside it, the index of event ids, stages and cursors.

internal import CBOR
package import CollectorCore
internal import Foundation
internal import GRDB
internal import Keys
package import Proofs
package import Quantities

package final class SQLiteJournal: Journal, TreeBackedLog {
    package static let batchMax = 4096
    /// Longest payload: a document with its envelopes fits.
    package static let payloadBytesMax = 4_194_304

    static let schema = LogSchema(
        applicationID: 0x4B4D_4A4F,  // "KMJO"
        migrations: [
            SQLiteTree.schema + """
                CREATE TABLE payload (position INTEGER PRIMARY KEY, salt BLOB, bytes BLOB) STRICT;
                CREATE TABLE event (id BLOB PRIMARY KEY, position INTEGER NOT NULL) STRICT, WITHOUT ROWID;
                CREATE TABLE stage (name TEXT PRIMARY KEY, sequence INTEGER NOT NULL, time INTEGER NOT NULL)
                    STRICT, WITHOUT ROWID;
                CREATE TABLE cursor (consumer TEXT PRIMARY KEY, position INTEGER NOT NULL) STRICT, WITHOUT ROWID;
                """
        ])

    let tree: SQLiteTree
    private let salt: @Sendable () -> [UInt8]

    /// Opens the log, or makes it when there is no file.
    ///
    /// - Parameters:
    ///   - salt: sixteen new random bytes at each call; a table in tests.
    ///   - step: see ``LogStep``.
    /// - Throws: `.inUse`, `.unsuitable`, `.damaged`, `.storage`. A log that is behind opens; it appends nothing.
    package init(
        _ configuration: LogConfiguration, key: LogKey,
        salt: @escaping @Sendable () -> [UInt8] = { secureRandom(count: JournalEntry.saltBytes) },
        step: @escaping @Sendable (LogStep) throws -> Void = { _ in }
    ) throws(LogError) {
        tree = try SQLiteTree(configuration, name: .journal, schema: Self.schema, key: key, step: step)
        self.salt = salt
    }

    package func append(_ batch: JournalBatch, now: UTCInstant) throws(LogError) -> [JournalEvent] {
        guard batch.drafts.count <= Self.batchMax else {
            throw .refused("a batch of \(batch.drafts.count) events: the bound is \(Self.batchMax)")
        }
        return try tree.append { db, appender in
            if let events = try held(batch, db) {
                // Decided again by a consumer that had not moved: it moves now, never back.
                if let advance = batch.advancing { _ = try Self.advance(advance, db) }
                return events
            }
            let stage = try Self.stage(db, batch.stage)
            guard stage == batch.after else { throw LogError.moved(expected: batch.after, actual: stage) }
            let events = try write(batch, now, db, &appender)
            if let advance = batch.advancing, let further = try Self.advance(advance, db) {
                throw LogError.moved(expected: advance.to.index, actual: further.index)
            }
            return events
        }
    }

    /// The events of a batch that stands in the Journal already: its answer got lost.
    ///
    /// - Throws: `.duplicateID` when an id is taken, but not by this very batch.
    private func held(_ batch: JournalBatch, _ db: Database) throws -> [JournalEvent]? {
        var events: [JournalEvent] = []
        var taken: LogPosition?
        for (offset, draft) in batch.drafts.enumerated() {
            guard let position = try Self.position(db, draft.eventID) else { continue }
            taken = taken ?? position
            guard let event = try Self.events(db, from: position, limit: 1).first, event.payload == draft.payload,
                event.kind == draft.kind, event.stage == draft.stage,
                event.sequence == batch.after &+ UInt64(offset) &+ 1
            else { continue }
            events.append(event)
        }
        guard let taken else { return nil }
        guard events.count == batch.drafts.count else { throw LogError.duplicateID(existing: taken) }
        return events
    }

    private func write(
        _ batch: JournalBatch, _ now: UTCInstant, _ db: Database, _ appender: inout TreeAppender
    ) throws -> [JournalEvent] {
        let last = try Int64.fetchOne(db, sql: "SELECT max(time) FROM stage")
        let time = max(now, last.map { UTCInstant(milliseconds: $0) } ?? now)
        let payloadRow = try db.cachedStatement(sql: "INSERT INTO payload VALUES (?, ?, ?)")
        let idRow = try db.cachedStatement(sql: "INSERT INTO event VALUES (?, ?)")
        var events: [JournalEvent] = []
        for draft in batch.drafts {
            // The same id twice in one batch: the first has the place.
            if let taken = try Self.position(db, draft.eventID) { throw LogError.duplicateID(existing: taken) }
            let (salt, payload) = (salt(), draft.payload.encoded)
            guard salt.count == JournalEntry.saltBytes, payload.count <= Self.payloadBytesMax else {
                throw LogError.refused("a payload of \(payload.count) bytes: the bound is \(Self.payloadBytesMax)")
            }
            let entry = JournalEntry(
                kind: draft.kind, stage: draft.stage, sequence: batch.after + UInt64(events.count) + 1, time: time,
                digest: Digest(of: salt, payload))
            let position = try appender.append(entry.encoded)
            try payloadRow.execute(arguments: [position.row, Data(salt), Data(payload)])
            try idRow.execute(arguments: [Data(draft.eventID.bytes), position.row])
            events.append(JournalEvent(position: position, entry: entry, payload: draft.payload))
        }
        if let last = events.last {
            try db.execute(
                sql: "INSERT OR REPLACE INTO stage VALUES (?, ?, ?)",
                arguments: [batch.stage.rawValue, Int64(clamping: last.sequence), time.milliseconds])
        }
        return events
    }

    /// Moves a cursor forward.
    ///
    /// - Returns: where it stands when that is further on; it stays there.
    private static func advance(_ advance: CursorAdvance, _ db: Database) throws -> LogPosition? {
        let stored = try Int64.fetchOne(
            db, sql: "SELECT position FROM cursor WHERE consumer = ?", arguments: [advance.consumer])
        guard let row = advance.to.row else { throw LogError.refused("\(advance.to) is no position") }
        if let stored, stored > row { return LogPosition(row: stored) }
        try db.execute(sql: "INSERT OR REPLACE INTO cursor VALUES (?, ?)", arguments: [advance.consumer, row])
        return nil
    }

    // MARK: Reading

    package func sequence(of stage: Stage) throws(LogError) -> UInt64 {
        try tree.file.read { db in try Self.stage(db, stage) }
    }

    private static func stage(_ db: Database, _ stage: Stage) throws -> UInt64 {
        UInt64(
            clamping: try Int64.fetchOne(
                db, sql: "SELECT sequence FROM stage WHERE name = ?", arguments: [stage.rawValue]) ?? 0)
    }

    package func events(from: LogPosition, limit: Int) throws(LogError) -> [JournalEvent] {
        try tree.file.read { db in try Self.events(db, from: from, limit: limit) }
    }

    private static func events(_ db: Database, from: LogPosition, limit: Int) throws -> [JournalEvent] {
        // The inner query names positions once, so that the condition needs no table before it.
        let statement = try db.cachedStatement(
            sql: """
                SELECT entry.position, entry.bytes, payload.salt, payload.bytes, payload.position FROM (
                    SELECT position, bytes FROM entry WHERE position >= ? AND \(SQLiteTree.isNoEpochEntry)
                    ORDER BY position LIMIT ?) AS entry
                LEFT JOIN payload ON payload.position = entry.position ORDER BY entry.position
                """)
        let limit = max(0, min(limit, SQLiteTree.readMax))
        return try Row.fetchAll(statement, arguments: [from.firstRow, limit]).map { row in
            let position = LogPosition(row: row[0])
            let entry = try JournalEntry(decoding: Array(row[1] as Data))
            // The row of an erased payload stays, so that one that got lost is not taken for erased.
            guard row[4] as Int64? != nil else {
                throw LogError.damaged("the payload at \(position) is missing: restore the newest copy")
            }
            guard let salt = row[2] as Data?, let bytes = row[3] as Data? else {
                return JournalEvent(position: position, entry: entry, payload: nil)
            }
            let payload = Array(bytes)
            guard Digest(of: Array(salt), payload) == entry.digest else {
                throw LogError.damaged(
                    "the payload at \(position) is not the one its entry names: restore the newest copy")
            }
            return JournalEvent(position: position, entry: entry, payload: try JournalPayload(decoding: payload))
        }
    }

    package func position(of event: Digest) throws(LogError) -> LogPosition? {
        try tree.file.read { db in try Self.position(db, event) }
    }

    private static func position(_ db: Database, _ event: Digest) throws -> LogPosition? {
        try Int64.fetchOne(
            db.cachedStatement(sql: "SELECT position FROM event WHERE id = ?"), arguments: [Data(event.bytes)]
        ).map(LogPosition.init(row:))
    }

    package func cursor(of consumer: String) throws(LogError) -> LogPosition? {
        try tree.file.read { db in
            try Int64.fetchOne(db, sql: "SELECT position FROM cursor WHERE consumer = ?", arguments: [consumer])
                .map(LogPosition.init(row:))
        }
    }

    package func records(epoch: UInt64, bundle: UInt64) throws(LogError) -> [UInt8]? {
        try tree.records(epoch: epoch, bundle: bundle) { db, rows in
            let found = try Row.fetchAll(
                db,
                sql:
                    "SELECT position, salt, bytes FROM payload WHERE position >= ? AND position < ? AND bytes NOT NULL",
                arguments: [rows.lowerBound, rows.upperBound])
            return Dictionary(
                uniqueKeysWithValues: found.map { row in
                    (row[0] as Int64, .array([.bytes(Array(row[1] as Data)), .bytes(Array(row[2] as Data))]))
                })
        }
    }

    // MARK: Erasing and auditing

    package func erasePayloads(in range: Range<LogPosition>) throws(LogError) {
        try tree.file.write { db in
            try db.execute(
                sql: "UPDATE payload SET salt = NULL, bytes = NULL WHERE position >= ? AND position < ?",
                arguments: [range.lowerBound.firstRow, range.upperBound.firstRow])
        }
        try tree.file.truncateWriteAheadLog()
    }

    package func audit() throws(LogError) -> LogAudit {
        // For looking up only.
        var last: [Stage: JournalEntry] = [:]
        var time = UTCInstant(milliseconds: .min)
        return try tree.audit { db, position, bytes in
            let entry = try JournalEntry(decoding: bytes)
            guard entry.sequence == (last[entry.stage]?.sequence ?? 0) + 1, entry.time >= time else {
                throw tree.damage("event \(position) does not follow the one before it")
            }
            (last[entry.stage], time) = (entry, entry.time)
            guard let event = try Self.events(db, from: position, limit: 1).first, let id = event.id else {
                return false
            }
            guard try Self.position(db, id) == position else {
                throw tree.damage("event \(position) is not in the index of ids")
            }
            return true
        }
    }
}
