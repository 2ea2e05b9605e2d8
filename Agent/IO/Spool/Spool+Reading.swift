// Looking into the spool: which record covers a number, which rows stand where, what a run leaves behind.

package import AgentCore
package import Evidence
internal import Metering
internal import Proofs
internal import Quantities

extension Spool {
    private static let columns = "position, through, kind, link, envelope, summary"

    /// The row that covers `sequence`: it begins at or before it and ends at or after it.
    package func record(covering sequence: UInt64, in stream: StreamState) throws -> StoredRecord? {
        let row = try first(
            "SELECT \(Self.columns) FROM record WHERE position BETWEEN ? AND ? ORDER BY position DESC LIMIT 1",
            [.integer(try Self.position(stream.ordinal, 0)), .integer(try Self.position(stream.ordinal, sequence))])
        guard let row, row.through >= sequence else { return nil }
        return row
    }

    /// The first row that begins after `sequence`.
    package func record(after sequence: UInt64, in stream: StreamState) throws -> StoredRecord? {
        try first(
            "SELECT \(Self.columns) FROM record WHERE position > ? AND position < ? ORDER BY position LIMIT 1",
            [
                .integer(try Self.position(stream.ordinal, sequence)),
                .integer(try Self.position(stream.ordinal + 1, 0)),
            ])
    }

    /// Rows whose first number lies in the range, oldest first, at most ``SpoolPolicy/rowsMax``.
    package func rows(of stream: StreamState, from: UInt64, through: UInt64) throws -> [StoredRecord] {
        let statement = try database.statement(
            "SELECT \(Self.columns) FROM record WHERE position BETWEEN ? AND ? ORDER BY position LIMIT ?")
        defer { statement.reset() }
        try statement.bind([
            .integer(try Self.position(stream.ordinal, from)), .integer(try Self.position(stream.ordinal, through)),
            .integer(Int64(SpoolPolicy.rowsMax)),
        ])
        var rows: [StoredRecord] = []
        while try statement.step() { rows.append(try Self.stored(statement)) }
        return rows
    }

    /// Rows after `sequence` as the policy looks at them, oldest first, without their bytes.
    package func outline(of stream: StreamState, after sequence: UInt64 = 0) throws -> [SpoolPolicy.Row] {
        let statement = try database.statement(
            """
            SELECT position, through, kind, coalesce(length(envelope), 0), utc FROM record
            WHERE position > ? AND position < ? ORDER BY position LIMIT ?
            """)
        defer { statement.reset() }
        try statement.bind([
            .integer(try Self.position(stream.ordinal, sequence)),
            .integer(try Self.position(stream.ordinal + 1, 0)),
            .integer(Int64(SpoolPolicy.rowsMax)),
        ])
        var rows: [SpoolPolicy.Row] = []
        while try statement.step() {
            guard let kind = RecordKind(rawValue: UInt64(bitPattern: statement.integer(2))) else { continue }
            rows.append(
                SpoolPolicy.Row(
                    sequence: Self.sequence(statement.integer(0)),
                    through: UInt64(bitPattern: statement.integer(1)), kind: kind, bytes: Int(statement.integer(3)),
                    utc: UTCInstant(milliseconds: statement.integer(4))))
        }
        return rows
    }

    /// The latest birth of a stream, as stored.
    package func latestBirth(of stream: StreamState) throws -> [UInt8]? {
        try first(
            """
            SELECT \(Self.columns) FROM record WHERE kind = 1 AND position > ? AND position < ?
            ORDER BY position DESC LIMIT 1
            """,
            [
                .integer(try Self.position(stream.ordinal, 0)), .integer(try Self.position(stream.ordinal + 1, 0)),
            ])?.envelope
    }

    /// Boot and uptime of the last commit: the last record says them, the agent's row is as old as thirty commits.
    package func lastCommit() throws -> (boot: [UInt8], uptime: UInt64) {
        if let stream = streams.last, stream.head > 0,
            let clock = try record(covering: stream.head, in: stream)?.range(reason: "")?.lastClock,
            clock.boot != agent.boot || clock.uptimeMilliseconds > agent.uptime
        {
            return (clock.boot, clock.uptimeMilliseconds)
        }
        return (agent.boot, agent.uptime)
    }

    private func first(_ sql: String, _ values: [SQLValue]) throws -> StoredRecord? {
        let statement = try database.statement(sql)
        defer { statement.reset() }
        try statement.bind(values)
        return try statement.step() ? try Self.stored(statement) : nil
    }

    static func stored(_ statement: Statement) throws(SpoolError) -> StoredRecord {
        let first = sequence(statement.integer(0))
        let through = UInt64(bitPattern: statement.integer(1))
        guard let kind = RecordKind(rawValue: UInt64(bitPattern: statement.integer(2))),
            let link = Digest(statement.blob(3) ?? []), through >= first, through < 1 << UInt64(sequenceBits)
        else { throw .damaged("row \(first)") }
        return StoredRecord(
            first: first, through: through, kind: kind, link: link, envelope: statement.blob(4),
            summary: statement.blob(5))
    }

    private static func sequence(_ position: Int64) -> UInt64 { UInt64(position & (1 << sequenceBits - 1)) }

    // MARK: What a run leaves

    /// The rows of a run as one range; nil for rows that are no neighbours.
    ///
    /// A row that cannot be read stands for its numbers with the clock of the readable one before it, or, at the very
    /// beginning, of the one after it.
    static func range(_ rows: [StoredRecord], isSacrifice: Bool) -> ForgottenRange? {
        let reason = isSacrifice ? ForgottenRange.spoolFull : ForgottenRange.afterReceipt
        let readable = rows.map { $0.range(reason: reason) }
        guard var last = readable.compactMap({ $0 }).first else { return nil }
        var whole: ForgottenRange?
        for (row, known) in zip(rows, readable) {
            let part =
                known
                ?? ForgottenRange(
                    first: row.first, through: row.through, link: row.link, firstClock: last.lastClock,
                    lastClock: last.lastClock, completeThrough: last.completeThrough, losses: [],
                    reason: ForgottenRange.damaged)
            if let before = whole, part.first != before.through + 1 { return nil }
            whole = whole?.joined(part) ?? part
            last = part
        }
        return whole
    }
}

extension StoredRecord {
    /// What a skip would say of this row; nil when it cannot be read.
    package func range(reason: String) -> ForgottenRange? {
        do {
            if let summary {
                return try ForgottenRange(summary: summary, first: first, through: through, link: link)
            }
            guard let envelope else { return nil }
            let message = try SignedMessage(parsing: envelope, as: .record)
            return ForgottenRange(try Record(decoding: message.payload), link: link, reason: reason)
        } catch { return nil }  // Unreadable is an answer here: the caller puts the clock of a neighbour.
    }

    /// The record's place; nil when it cannot be read.
    package var place: RecordPlace? {
        do {
            guard let envelope else { return nil }
            return RecordPlace.lenient(try SignedMessage(parsing: envelope, as: .record).payload)?.place
        } catch { return nil }  // Unreadable is an answer here.
    }
}
