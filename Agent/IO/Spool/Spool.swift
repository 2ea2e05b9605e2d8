// The agent's durable store: signed records until they are receipted, and what it must remember. docs/formats/spool.md.
//
// One connection of one thread. What affects durability is set explicitly and read back at start. Decisions about what
// goes are SpoolPolicy's, about order UplinkWindow's.

package import AgentCore
internal import CSQLite
package import Evidence
package import Proofs
internal import Quantities

/// Why a spool cannot be used; what to do about it.
package enum SpoolError: Error, Sendable, CustomStringConvertible {
    case database(DatabaseError)
    case system(SystemError)
    /// Another process holds it.
    case inUse(path: String)
    case otherVersion(path: String, found: Int64)
    /// The file system does not do what durability needs.
    case setting(name: String, wanted: String, found: String)
    case otherGateway(path: String, found: String)
    /// A number outside what the format allows.
    case damaged(String)

    package var description: String {
        switch self {
        case .database(let error): error.description
        case .system(let error): error.description
        case .inUse(let path):
            "\(path) is used by another process: stop the other agent, or give this one its own spool"
        case .otherVersion(let path, let found):
            "\(path) has format \(found), this agent writes \(Spool.formatVersion): install the agent that wrote it"
        case .setting(let name, let wanted, let found):
            "SQLite refuses \(name)=\(wanted) and keeps \(found): put the spool on a local file system"
        case .otherGateway(let path, let found):
            "\(path) belongs to gateway \(found): give each gateway its own spool folder"
        case .damaged(let what): "the spool is damaged: \(what)"
        }
    }
}

/// One stream as the spool remembers it.
package struct StreamState: Hashable, Sendable {
    /// Order of the streams of this spool, from 1.
    package let ordinal: Int64
    package let id: StreamID
    package internal(set) var head: UInt64
    package internal(set) var link: Digest
    /// Number through which a verified receipt was held.
    package var receipted: UInt64
    /// Nothing of it is sent any more.
    package var isEnded: Bool

    package init(
        ordinal: Int64, id: StreamID, head: UInt64 = 0, link: Digest = .zero, receipted: UInt64 = 0,
        isEnded: Bool = false
    ) {
        self.ordinal = ordinal
        self.id = id
        self.head = head
        self.link = link
        self.receipted = receipted
        self.isEnded = isEnded
    }
}

extension [StreamState] {
    /// The same streams, as long and as ended.
    func differOnlyInReceipts(from others: [StreamState]) -> Bool {
        count == others.count
            && zip(self, others).allSatisfy {
                ($0.id, $0.head, $0.link, $0.isEnded) == ($1.id, $1.head, $1.link, $1.isEnded)
            }
    }
}

/// What the agent remembers beside its streams, at the latest with every thirtieth commit.
package struct AgentState: Hashable, Sendable {
    /// Boot and uptime of the last commit that remembered them; ``Spool/lastCommit()`` says those of the very last.
    package var boot: [UInt8] = []
    package var uptime: UInt64 = 0
    /// Rises with every start.
    package var session: UInt64 = 0
    /// The last commit of a run that ended in order.
    package var isClean = true
    /// Last receipt and checkpoint held, as received.
    package var receipt: [UInt8]?
    package var checkpoint: [UInt8]?
    /// Highest number of a key list believed.
    package var keyListNumber: UInt64 = 0

    package init() {}

    /// Whether a crash may forget what differs: receipts and checkpoints come again, the clock stands in the records.
    func needsNoWriteAfter(_ kept: AgentState) -> Bool {
        (session, isClean, keyListNumber) == (kept.session, kept.isClean, kept.keyListNumber)
    }
}

/// A row of the spool: a signed record, or a range whose envelopes are gone.
package struct StoredRecord: Hashable, Sendable {
    package let first: UInt64
    package let through: UInt64
    package let kind: RecordKind
    package let link: Digest
    /// Nil for a range that is not signed as a skip yet.
    package let envelope: [UInt8]?
    /// Of skips and ranges.
    package let summary: [UInt8]?

    package init(
        first: UInt64, through: UInt64, kind: RecordKind, link: Digest, envelope: [UInt8]?, summary: [UInt8]?
    ) {
        self.first = first
        self.through = through
        self.kind = kind
        self.link = link
        self.envelope = envelope
        self.summary = summary
    }

    package var own: OwnRecord { OwnRecord(first: first, through: through, link: link) }
}

/// The writes of a spool, as tests fail them.
package enum SpoolWrite: Hashable, Sendable, CaseIterable {
    case openStream
    case commit
    case remember
    case forget
    case storeSkip
}

/// The two ways a write fails.
package enum SpoolFault: Hashable, Sendable {
    case refused
    /// Applied, but reported as failed.
    case answerLost
}

/// The spool. Not Sendable: it belongs to the keeper's thread.
package final class Spool {
    package static let formatVersion: Int64 = 1
    /// "KMsp" as PRAGMA application_id.
    static let applicationID: Int64 = 0x4B4D_7370
    /// Of a new file. What a commit changes is written by whole pages, twice: into the log, and when the log is folded in. Of a
    /// hundred meters' nine kilobytes pages of 4 096 bytes make 35 written ones, of 1 024 bytes 26, these make 22.
    static let pageBytes: Int64 = 512
    /// The log is folded into the file when it has so many bytes: seldom, and less than the reserve.
    static let logBytes: Int64 = 1_638_400
    /// Records of one stream: position = ordinal × 2^40 + number.
    static let sequenceBits: Int64 = 40

    /// The folder it lies in.
    package let folder: String
    let database: Database
    package internal(set) var agent: AgentState
    /// Oldest first; the last is the one that is appended to.
    package internal(set) var streams: [StreamState]
    /// What damaged files still hold is being taken over, one after the other, oldest first.
    package internal(set) var salvages: [Salvage] = []
    /// Quarantined folders beyond the bound that are not taken over, until a note that says so is durable.
    var leftAside: [String] = []
    /// Rows are being looked at after an unclean stop; nil: they are not.
    var examination: Examination?
    /// Fails writes on purpose; nil outside tests.
    package var fault: ((SpoolWrite) -> SpoolFault?)?

    init(folder: String, database: Database, agent: AgentState, streams: [StreamState]) {
        self.folder = folder
        self.database = database
        self.agent = agent
        self.streams = streams
    }

    /// Bytes of pages in use; free pages inside the file are room.
    package func usedBytes() throws(DatabaseError) -> Int {
        let pages = try database.integer("PRAGMA page_count") ?? 0
        let free = try database.integer("PRAGMA freelist_count") ?? 0
        return Int(max(0, pages - free) * (try database.integer("PRAGMA page_size") ?? Self.pageBytes))
    }

    /// Folds the log into the file and gives its place on the disk back. For a full disk: otherwise the log keeps it.
    package func shrinkLog() throws(DatabaseError) {
        _ = try database.text("PRAGMA wal_checkpoint(TRUNCATE)")
    }

    /// Gives back what the last connection of a process leaves: the log is folded into the file.
    package func close() { database.close() }

    // MARK: Writing

    /// Appends signed records to the last stream and remembers `streams`, all or nothing, durable on return.
    ///
    /// - Parameter keepsAgent: `agent` is remembered too.
    ///
    /// If this throws, the records may still be in place: the power failed, or only the answer was lost.
    /// ``reload()`` tells, and ``hasRecords(through:link:)`` compares.
    package func commit(
        _ records: [ChainedRecord], agent: AgentState, streams: [StreamState], keepsAgent: Bool = true
    ) throws {
        var after = streams
        try write(records.isEmpty ? .remember : .commit) {
            for record in records {
                guard var current = after.last else { throw SpoolError.damaged("no stream is open") }
                guard record.sequence == current.head + 1 else { throw SpoolError.damaged("records out of order") }
                try insert(record, ordinal: current.ordinal)
                current.head = record.through
                current.link = record.link
                after[after.count - 1] = current
            }
            for stream in after { try store(stream) }
            if keepsAgent { try store(agent) }
        }
        if keepsAgent { self.agent = agent }
        self.streams = after
    }

    /// Adds a stream after the others; from now on records are appended to it.
    package func open(_ stream: StreamState) throws {
        try write(.openStream) { try store(stream) }
        streams.append(stream)
    }

    /// Replaces neighbouring records by one range without envelopes.
    ///
    /// A record that cannot be read any more counts without its samples. The receipt that let them go is remembered in the same
    /// transaction: a crash never leaves a spool that forgot records and does not know that somebody holds them.
    package func forget(_ run: SpoolPolicy.Run, of stream: StreamState) throws {
        let rows = try rows(of: stream, from: run.first, through: run.through)
        guard let range = Self.range(rows, isSacrifice: run.isSacrifice) else { return }
        try write(.forget) {
            try replace(with: range, envelope: nil, stream: stream)
            // Not its head: what a commit whose answer was lost has stored is further on than `stream` knows.
            try database.run(
                "UPDATE stream SET receipted = ?1, ended = ?2 WHERE ordinal = ?3 AND (receipted, ended) IS NOT (?1, ?2)",
                [.integer(Int64(stream.receipted)), .integer(stream.isEnded ? 1 : 0), .integer(stream.ordinal)])
        }
        guard let index = streams.firstIndex(where: { $0.ordinal == stream.ordinal }) else { return }
        (streams[index].receipted, streams[index].isEnded) = (stream.receipted, stream.isEnded)
    }

    /// Puts a signed skip where its range stands. Signed once: from here on these bytes are the record.
    package func store(skip: ChainedRecord, of range: ForgottenRange, in stream: StreamState) throws {
        try write(.storeSkip) { try replace(with: range, envelope: skip.envelope, stream: stream) }
    }

    /// Reads back what is durable after a write whose outcome is unknown.
    package func reload() throws {
        agent = try Self.loadAgent(database)
        streams = try Self.loadStreams(database)
    }

    private func write(_ kind: SpoolWrite, _ body: () throws -> Void) throws {
        let fault = fault?(kind)
        if fault == .refused { throw DatabaseError(code: SQLITE_IOERR, message: "refused on purpose") }
        try database.transaction(body)
        if fault == .answerLost { throw DatabaseError(code: SQLITE_IOERR, message: "answer lost on purpose") }
    }

    private func insert(_ record: ChainedRecord, ordinal: Int64) throws {
        try database.run(
            "INSERT INTO record (position, through, kind, link, utc, envelope, summary) VALUES (?, ?, ?, ?, ?, ?, NULL)",
            [
                .integer(try Self.position(ordinal, record.sequence)), .integer(Int64(record.through)),
                .integer(Int64(record.kind.rawValue)), .blob(record.link.bytes),
                .integer(record.clock.utc.milliseconds), .blob(record.envelope),
            ])
    }

    private func replace(with range: ForgottenRange, envelope: [UInt8]?, stream: StreamState) throws {
        let first = try Self.position(stream.ordinal, range.first)
        try database.run(
            "DELETE FROM record WHERE position BETWEEN ? AND ?",
            [.integer(first), .integer(try Self.position(stream.ordinal, range.through))])
        try insert(range, envelope: envelope, at: first)
    }

    func insert(_ range: ForgottenRange, envelope: [UInt8]?, at position: Int64) throws {
        try database.run(
            "INSERT INTO record (position, through, kind, link, utc, envelope, summary) VALUES (?, ?, 4, ?, ?, ?, ?)",
            [
                .integer(position), .integer(Int64(range.through)), .blob(range.link.bytes),
                .integer(range.lastClock.utc.milliseconds), .optional(envelope), .blob(range.summary),
            ])
    }

    func store(_ stream: StreamState) throws {
        try database.run(
            """
            INSERT INTO stream (ordinal, id, head, link, receipted, ended) VALUES (?, ?, ?, ?, ?, ?)
            ON CONFLICT (ordinal) DO UPDATE SET head = excluded.head, link = excluded.link,
                receipted = excluded.receipted, ended = excluded.ended
            WHERE (head, receipted, ended) IS NOT (excluded.head, excluded.receipted, excluded.ended)
            """,
            [
                .integer(stream.ordinal), .blob(stream.id.bytes), .integer(Int64(stream.head)),
                .blob(stream.link.bytes), .integer(Int64(stream.receipted)), .integer(stream.isEnded ? 1 : 0),
            ])
    }

    func store(_ agent: AgentState) throws {
        try database.run(
            """
            UPDATE agent SET boot = ?, uptime = ?, session = ?, clean = ?, receipt = ?, checkpoint = ?, key_list = ?
            """,
            [
                .blob(agent.boot), .integer(Int64(clamping: agent.uptime)), .integer(Int64(clamping: agent.session)),
                .integer(agent.isClean ? 1 : 0), .optional(agent.receipt), .optional(agent.checkpoint),
                .integer(Int64(clamping: agent.keyListNumber)),
            ])
    }

    static func position(_ ordinal: Int64, _ sequence: UInt64) throws(SpoolError) -> Int64 {
        guard sequence < 1 << UInt64(sequenceBits), ordinal < 1 << 22 else { throw .damaged("number \(sequence)") }
        return ordinal << sequenceBits | Int64(sequence)
    }
}
