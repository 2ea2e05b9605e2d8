// The rows beside the Evidence tree while a batch is appended: streams' heads, records, envelopes.

internal import CollectorCore
internal import Evidence
internal import Foundation
internal import GRDB
internal import Proofs
internal import Quantities

/// A row of the stream table.
struct StreamRow {
    let id: Int64
    let gateway: Identifier
    let stream: StreamID
    var through: UInt64
    var identity: Digest
    var position: LogPosition?
    var state: EvidenceHead.State
    var reason: String

    var head: EvidenceHead {
        EvidenceHead(
            gateway: gateway, stream: stream, through: through, identity: identity, position: position, state: state,
            reason: reason)
    }

    mutating func close(_ closing: StreamClosing) {
        // Forked stays forked: nothing makes it trustworthy again.
        guard state != .forked else { return }
        (state, reason) = (closing.state, closing.reason)
    }

    static func fetch(_ db: Database, _ gateway: Identifier, _ stream: StreamID) throws -> StreamRow? {
        try fetch(db, "WHERE gateway = ? AND stream = ?", [gateway.text, Data(stream.bytes)]).first
    }

    static func fetch(_ db: Database, _ condition: String, _ arguments: StatementArguments) throws -> [StreamRow] {
        let statement = try db.cachedStatement(
            sql: "SELECT id, gateway, stream, through, identity, position, state, reason FROM stream \(condition)")
        return try Row.fetchAll(statement, arguments: arguments).map { row in
            guard let gateway = Identifier(row[1]), let stream = StreamID(Array(row[2] as Data)),
                let identity = Digest(row[4] as Data),
                let state = EvidenceHead.State(rawValue: UInt64(clamping: row[6] as Int64))
            else { throw LogError.damaged("a stream's head cannot be read: restore the evidence log's newest copy") }
            return StreamRow(
                id: row[0], gateway: gateway, stream: stream, through: UInt64(clamping: row[3] as Int64),
                identity: identity,
                position: (row[5] as Int64?).map(LogPosition.init(row:)), state: state, reason: row[7])
        }
    }
}

/// The heads a batch touches, read once and written once each.
struct EvidenceHeads {
    private struct Key: Hashable {
        let gateway: Identifier
        let stream: StreamID
    }

    private let db: Database
    private var rows: [StreamRow] = []
    /// For looking up only: rows keep the order of first appearance.
    private var indices: [Key: Int] = [:]

    init(_ db: Database) throws { self.db = db }

    subscript(index: Int) -> StreamRow {
        get { rows[index] }
        set { rows[index] = newValue }
    }

    /// Where the stream's row is; a stream nobody saw before gets one.
    mutating func index(of gateway: Identifier, _ stream: StreamID) throws -> Int {
        let key = Key(gateway: gateway, stream: stream)
        if let index = indices[key] { return index }
        if let row = try StreamRow.fetch(db, gateway, stream) {
            rows.append(row)
        } else {
            try db.execute(
                sql: "INSERT INTO stream VALUES (NULL, ?, ?, 0, ?, NULL, ?, '')",
                arguments: [
                    gateway.text, Data(stream.bytes), Data(Digest.zero.bytes),
                    Int64(clamping: EvidenceHead.State.open.rawValue),
                ])
            rows.append(
                StreamRow(
                    id: db.lastInsertedRowID, gateway: gateway, stream: stream, through: 0, identity: .zero,
                    position: nil,
                    state: .open, reason: ""))
        }
        indices[key] = rows.count - 1
        return rows.count - 1
    }

    func store() throws {
        let statement = try db.cachedStatement(
            sql: "UPDATE stream SET through = ?, identity = ?, position = ?, state = ?, reason = ? WHERE id = ?")
        for row in rows {
            try statement.execute(
                arguments: [
                    Int64(clamping: row.through), Data(row.identity.bytes), row.position?.row,
                    Int64(clamping: row.state.rawValue), row.reason, row.id,
                ])
        }
    }
}

/// Writes the records of one batch.
struct RecordWriter {
    private let db: Database
    private let envelope: Statement
    private let record: Statement

    init(_ db: Database) throws {
        self.db = db
        envelope = try db.cachedStatement(sql: "INSERT INTO envelope VALUES (?, ?, ?)")
        record = try db.cachedStatement(sql: "INSERT INTO record VALUES (?, ?, ?, ?)")
    }

    /// Where `draft` stands: now, or since it was appended before.
    mutating func append(
        _ draft: EvidenceDraft, to head: inout StreamRow, _ appender: inout TreeAppender
    ) throws -> LogPosition {
        if draft.sequence <= head.through { return try held(draft, head) }
        guard head.state == .open else {
            throw LogError.refused("stream \(draft.gateway)/\(draft.stream) takes nothing more: \(head.reason)")
        }
        guard draft.sequence == head.through + 1 else {
            throw LogError.moved(expected: draft.sequence, actual: head.through + 1)
        }
        let position = try appender.append(draft.entry.encoded)
        try envelope.execute(arguments: [position.row, Digest(of: draft.envelope).prefix, Data(draft.envelope)])
        try record.execute(
            arguments: [head.id, Int64(clamping: draft.sequence), position.row, draft.identity.prefix])
        (head.through, head.identity, head.position) = (draft.through, draft.throughIdentity, position)
        return position
    }

    private func held(_ draft: EvidenceDraft, _ head: StreamRow) throws -> LogPosition {
        let row = try Int64.fetchOne(
            db.cachedStatement(sql: "SELECT position FROM record WHERE stream = ? AND sequence = ?"),
            arguments: [head.id, Int64(clamping: draft.sequence)])
        // A skip covers the number, so no record of its own stands there.
        guard let row else { throw LogError.moved(expected: draft.sequence, actual: head.through + 1) }
        let position = LogPosition(row: row)
        guard let bytes = try SQLiteTree.entry(db, position),
            try EvidenceEntry(decoding: bytes).identity == draft.identity
        else { throw LogError.duplicateID(existing: position) }
        return position
    }
}
