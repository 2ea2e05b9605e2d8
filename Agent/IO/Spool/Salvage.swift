// One pass over a damaged spool, in steps: what is readable, ours and still what was signed goes into the new file in its
// old order; what is missing between two such rows becomes a range that a skip will stand for. Not when, and not sending.

internal import AgentCore
internal import Evidence
internal import Glibc
internal import Keys
internal import Proofs
internal import Quantities

/// A value: a step that could not be stored is made again from where it began.
package struct Salvage {
    /// Rows read at once.
    private static let rowsMax = 32
    /// Damaged spools that are taken over one after the other, when one more is damaged before the last one is.
    static let quarantinesMax = 16
    /// Numbers looked up one by one where pages cannot be read: in one step, and in all.
    private static let probesOfStepMax = 256
    private static let probesMax = 200_000
    /// Streams looked for when their table cannot be read.
    private static let streamsMax: Int64 = 64
    /// Records at the end that only the table of streams knows.
    private static let tailMax: UInt64 = 1 << 20

    let quarantine: String
    private let damaged: Database
    private let gateway: Identifier
    private let keys: SpoolKeys
    /// What the damaged file says of its streams and of the agent, as far as it can be read.
    let claims: [StreamState]
    let agent: AgentState
    /// Streams still to go over.
    private var ordinals: [Int64]
    private var streams: [Int64: StreamState] = [:]
    /// Its turn has come: it stands at what is in the new file already.
    private var isBegun = false
    /// Last position looked at.
    private var cursor: Int64 = 0
    /// Last row taken over of this stream, with what a hole after it would say.
    private var last: ForgottenRange?
    private var probes = 0
    package private(set) var records = 0
    package private(set) var holes = 0

    var isDone: Bool { ordinals.isEmpty }
    /// Streams of this spool have ordinals above it from now on.
    let ordinalMax: Int64

    /// Nil when there is no file to read.
    init?(from quarantine: String, gateway: Identifier, keys: SpoolKeys) {
        guard access(quarantine + "/spool.db", F_OK) == 0, let opened = Self.open(quarantine, of: gateway) else {
            return nil
        }
        self.quarantine = quarantine
        self.gateway = gateway
        self.keys = keys
        damaged = opened.database
        claims = opened.claims
        agent = opened.agent
        let found = claims.isEmpty ? Self.ordinals(in: damaged) : claims.map(\.ordinal)
        ordinalMax = found.max() ?? Self.streamsMax
        ordinals = found
    }

    /// Begins with what was taken over before: from an older quarantine, or before a crash.
    private mutating func takeUp(_ spool: Spool) {
        isBegun = true
        // The stream that is appended to is not of a damaged file, wherever its numbers were looked for.
        if let current = spool.streams.last { ordinals.removeAll { $0 >= current.ordinal } }
        for stream in spool.streams where ordinals.contains(stream.ordinal) { streams[stream.ordinal] = stream }
        for claim in claims where streams[claim.ordinal] == nil {
            streams[claim.ordinal] = StreamState(
                ordinal: claim.ordinal, id: claim.id, receipted: claim.receipted, isEnded: claim.isEnded)
        }
        begin(spool)
    }

    func close() { damaged.close() }

    /// With its log; without it when the log is what cannot be read; with its first page made anew, without which nothing leads
    /// to the others.
    private static func open(_ quarantine: String, of gateway: Identifier) -> (
        database: Database, claims: [StreamState], agent: AgentState
    )? {
        if let whole = open(quarantine) { return whole }
        let log = quarantine + "/spool.db-wal"
        if access(log, F_OK) == 0, rename(log, log + ".unread") == 0, let whole = open(quarantine) { return whole }
        if !isSound(quarantine), Spool.restoreSchema(in: quarantine, gateway: gateway), let whole = open(quarantine) {
            return whole
        }
        // Streams are found again by their records, receipts by the collector's next one.
        guard isSound(quarantine) else { return nil }
        do {
            return (try Database(path: quarantine + "/spool.db"), [], AgentState())
        } catch { return nil }  // That is the answer.
    }

    private static func open(
        _ quarantine: String
    ) -> (database: Database, claims: [StreamState], agent: AgentState)? {
        do {
            let database = try Database(path: quarantine + "/spool.db")
            do {
                try Spool.checkHead(quarantine + "/spool.db")
                try Spool.checkSchema(database)
                return (database, try Spool.loadStreams(database), try Spool.loadAgent(database))
            } catch {
                database.close()
                throw error
            }
        } catch { return nil }  // That is the answer.
    }

    /// Whether the tables can be found, be they readable or not.
    private static func isSound(_ quarantine: String) -> Bool {
        do {
            try Spool.checkHead(quarantine + "/spool.db")
            let database = try Database(path: quarantine + "/spool.db")
            defer { database.close() }
            try Spool.checkSchema(database)
            return true
        } catch { return false }  // That is the answer.
    }

    private static func ordinals(in damaged: Database) -> [Int64] {
        var found: [Int64] = []
        var next: Int64 = 1
        while found.count < streamsMax {
            do {
                let position = try damaged.integer(
                    "SELECT position FROM record WHERE position >= ? ORDER BY position LIMIT 1",
                    [.integer(next << Spool.sequenceBits)])
                guard let position else { break }
                next = position >> Spool.sequenceBits
            } catch {}  // Its first page is damaged; what is behind it may not be.
            found.append(next)
            next += 1
        }
        return found
    }

    // MARK: Steps

    /// Some rows further. Called inside a transaction of the new file.
    mutating func step(_ spool: Spool, until deadline: Int64) throws {
        if !isBegun { takeUp(spool) }
        guard let ordinal = ordinals.first else { return }
        var taken = 0
        var goesOn = true
        while goesOn, taken < 256, steadyNanoseconds() < deadline {
            goesOn = try advance(ordinal, spool, until: deadline)
            taken += Self.rowsMax
        }
        if !goesOn { try finish(ordinal, spool) }
        if let stream = streams[ordinal] { try spool.store(stream) }
        guard !goesOn else { return }
        ordinals.removeFirst()
        begin(spool)
    }

    /// Stands at the beginning of the next stream, or behind what was taken over of it before a crash.
    private mutating func begin(_ spool: Spool) {
        guard let ordinal = ordinals.first else { return }
        cursor = ordinal << Spool.sequenceBits
        last = nil
        guard let stream = streams[ordinal], stream.head > 0 else { return }
        do {
            last = try spool.record(covering: stream.head, in: stream)?.range(reason: ForgottenRange.damaged)
            cursor = try Spool.position(ordinal, stream.head)
        } catch { last = nil }  // From the beginning again: rows that are there are passed over.
    }

    /// - Returns: false at the end of the stream.
    private mutating func advance(_ ordinal: Int64, _ spool: Spool, until deadline: Int64) throws -> Bool {
        let end = (ordinal + 1) << Spool.sequenceBits
        var count = 0
        do {
            let statement = try asked(
                """
                SELECT position, through, kind, link, envelope, summary FROM record WHERE position > ? AND position < ?
                ORDER BY position LIMIT ?
                """, [.integer(cursor), .integer(end), .integer(Int64(Self.rowsMax))])
            defer { statement.reset() }
            while try Self.next(statement) {
                // Pages that stand in each other's place give rows out of order: they would be walked in a circle.
                guard statement.integer(0) > cursor else { throw Unreadable() }
                count += 1
                cursor = statement.integer(0)
                if let row = Self.row(statement) { try take(row, ordinal, spool) }
            }
            return count == Self.rowsMax
        } catch is Unreadable { return try probe(ordinal, spool, until: deadline) }
    }

    /// Pages that cannot be read lie ahead: one number after another, until one can. A worn disk takes its time over each.
    private mutating func probe(_ ordinal: Int64, _ spool: Spool, until deadline: Int64) throws -> Bool {
        let claim = claims.first { $0.ordinal == ordinal }.map { ordinal << Spool.sequenceBits + Int64($0.head) }
        for _ in 0..<Self.probesOfStepMax {
            guard probes < Self.probesMax, cursor < claim ?? .max else { return false }
            cursor += 1
            probes += 1
            do {
                let statement = try asked(
                    "SELECT position, through, kind, link, envelope, summary FROM record WHERE position = ?",
                    [.integer(cursor)])
                defer { statement.reset() }
                guard try Self.next(statement) else { continue }
                if let row = Self.row(statement) { try take(row, ordinal, spool) }
                return true
            } catch is Unreadable {
                if steadyNanoseconds() >= deadline { return true }
            }
        }
        return true
    }

    /// The damaged file's own errors, told apart from the new one's.
    private struct Unreadable: Error {}

    private func asked(_ sql: String, _ values: [SQLValue]) throws(Unreadable) -> Statement {
        do throws(DatabaseError) {
            let statement = try damaged.statement(sql)
            try statement.bind(values)
            return statement
        } catch { throw Unreadable() }
    }

    private static func next(_ statement: Statement) throws(Unreadable) -> Bool {
        do throws(DatabaseError) { return try statement.step() } catch { throw Unreadable() }
    }

    private static func row(_ statement: Statement) -> StoredRecord? {
        do throws(SpoolError) { return try Spool.stored(statement) } catch { return nil }  // A hole.
    }

    // MARK: Rows

    private mutating func take(_ row: StoredRecord, _ ordinal: Int64, _ spool: Spool) throws {
        guard let range = sound(row, ordinal) else { return }
        let begin = (last?.through ?? 0) + 1
        guard row.first >= begin else { return }
        if row.first > begin {
            holes += 1
            guard let envelope = row.envelope else {
                // Nobody knows what the range followed: it begins where the hole does.
                return try take(widened(range, from: begin), ordinal, spool)
            }
            // A hole at the very beginning is the keeper's: it knows what the collector holds there.
            if let last {
                guard let previous = row.place?.previous else { return }
                try fill(after: last, through: row.first - 1, link: previous, ordinal, spool)
            }
            return try store(row, envelope, range, ordinal, spool)
        }
        guard let envelope = row.envelope else { return try take(range, ordinal, spool) }
        try store(row, envelope, range, ordinal, spool)
    }

    private mutating func store(
        _ row: StoredRecord, _ envelope: [UInt8], _ range: ForgottenRange, _ ordinal: Int64, _ spool: Spool
    ) throws {
        try spool.insert(row, envelope: envelope, range: range, at: try Spool.position(ordinal, row.first))
        noted(range, ordinal)
    }

    private mutating func take(_ range: ForgottenRange, _ ordinal: Int64, _ spool: Spool) throws {
        try spool.insert(range, envelope: nil, at: try Spool.position(ordinal, range.first))
        noted(range, ordinal)
    }

    private mutating func noted(_ range: ForgottenRange, _ ordinal: Int64) {
        records += 1
        last = range
        streams[ordinal]?.head = range.through
        streams[ordinal]?.link = range.link
    }

    private func widened(_ range: ForgottenRange, from begin: UInt64) -> ForgottenRange {
        ForgottenRange(
            first: begin, through: range.through, link: range.link, firstClock: last?.lastClock ?? range.firstClock,
            lastClock: range.lastClock, completeThrough: range.completeThrough, losses: range.losses,
            reason: ForgottenRange.damaged)
    }

    private func fill(
        after before: ForgottenRange, through: UInt64, link: Digest, _ ordinal: Int64, _ spool: Spool
    ) throws {
        let hole = ForgottenRange(
            first: before.through + 1, through: through, link: link, firstClock: before.lastClock,
            lastClock: before.lastClock, completeThrough: before.completeThrough, losses: [],
            reason: ForgottenRange.damaged)
        try spool.insert(hole, envelope: nil, at: try Spool.position(ordinal, hole.first))
    }

    /// Records behind the last readable one: the table of streams knows how many, and what the last one was.
    private mutating func finish(_ ordinal: Int64, _ spool: Spool) throws {
        guard let claim = claims.first(where: { $0.ordinal == ordinal }), let last, claim.head > last.through,
            claim.head - last.through <= Self.tailMax
        else { return }
        holes += 1
        try fill(after: last, through: claim.head, link: claim.link, ordinal, spool)
        streams[ordinal]?.head = claim.head
        streams[ordinal]?.link = claim.link
    }

    /// What a row says, if it is ours and still what was signed. Makes its stream known when the table was lost.
    private mutating func sound(_ row: StoredRecord, _ ordinal: Int64) -> ForgottenRange? {
        guard let range = row.range(reason: ForgottenRange.damaged) else { return nil }
        guard let envelope = row.envelope else { return streams[ordinal] == nil ? nil : range }
        do {
            let message = try SignedMessage(parsing: envelope, as: .record)
            guard keys.signed(message), let place = row.place, place.gateway == gateway,
                place.sequence == row.first, row.kind == .skip || message.identity == row.link
            else { return nil }
            if streams[ordinal] == nil { streams[ordinal] = StreamState(ordinal: ordinal, id: place.stream) }
            return streams[ordinal]?.id == place.stream ? range : nil
        } catch { return nil }  // No envelope any more.
    }
}

extension Spool {
    /// Takes a row over as it is.
    fileprivate func insert(_ row: StoredRecord, envelope: [UInt8], range: ForgottenRange, at position: Int64) throws {
        try database.run(
            "INSERT INTO record (position, through, kind, link, utc, envelope, summary) VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                .integer(position), .integer(Int64(row.through)), .integer(Int64(row.kind.rawValue)),
                .blob(row.link.bytes), .integer(range.lastClock.utc.milliseconds), .blob(envelope),
                .optional(row.summary),
            ])
    }
}
