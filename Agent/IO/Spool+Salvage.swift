// A damaged spool at start: moved aside, read as far as it can be read, and the agent starts anyway.
//
// What is readable goes into a new file in its old order; what is missing between two readable records becomes a range
// that a skip will stand for. The keeper sends all that first and opens a new stream after it.

internal import AgentCore
internal import CSQLite
internal import Evidence
internal import Glibc
package import Keys
internal import Proofs
package import Quantities

/// The key whose signatures salvaged records must carry.
package struct SpoolKey: Sendable {
    let key: PublicKey

    package init(_ key: PublicKey) { self.key = key }
}

extension Spool {
    /// Numbers looked up one by one between the readable beginning and the readable end.
    static let probesMax: Int64 = 200_000
    /// Salvaged records stored in one transaction.
    private static let salvageBatch = 256

    /// Opens the spool of `folder`; damaged pages do not stop the agent.
    package static func openOrSalvage(
        folder: String, gateway: Identifier, bytesMax: Int, key: SpoolKey, at now: UTCInstant, log: Log
    ) throws -> (Spool, Opening) {
        do {
            let (spool, isFresh) = try open(folder: folder, gateway: gateway, bytesMax: bytesMax)
            return (spool, isFresh ? .fresh : .resumed)
        } catch let error as DatabaseError where error.isDamaged {
            log.line(.error, "the spool is damaged", [("error", error.description)])
        } catch SpoolError.damaged(let what) {
            log.line(.error, "the spool is damaged", [("error", what)])
        }
        let quarantine = folder + "/quarantine-\(now.milliseconds)"
        try moveAside(folder, to: quarantine)
        let (spool, _) = try open(folder: folder, gateway: gateway, bytesMax: bytesMax)
        var salvage = Salvage(into: spool, gateway: gateway, key: key)
        do { try salvage.run(from: quarantine + "/spool.db", batch: salvageBatch) } catch {
            // Less was saved than hoped for; what is in the new file stands.
            log.line(.error, "salvaging ended early", [("error", "\(error)")])
        }
        log.line(
            .warning, "salvaged",
            [("records", String(salvage.records)), ("holes", String(salvage.holes)), ("from", quarantine)])
        return (spool, .salvaged(quarantine: quarantine, records: salvage.records, holes: salvage.holes))
    }

    /// Moves database and log together: one without the other would be another database.
    private static func moveAside(_ folder: String, to quarantine: String) throws(SystemError) {
        guard mkdir(quarantine, 0o700) == 0 || errno == EEXIST else { throw SystemError("create \(quarantine)") }
        // The log first: a crash in between leaves the damaged database without it, still damaged, moved next time.
        for name in ["spool.db-wal", "spool.db-shm", "spool.db-journal", "spool.db"] {
            guard rename(folder + "/" + name, quarantine + "/" + name) == 0 || errno == ENOENT else {
                throw SystemError("move \(name) to \(quarantine)")
            }
        }
    }
}

/// One pass over a damaged file.
private struct Salvage {
    private let spool: Spool
    private let gateway: Identifier
    private let key: SpoolKey
    private(set) var records = 0
    private(set) var holes = 0
    private var streams: [Int64: StreamState] = [:]
    /// Last row taken over, with what a hole after it would say.
    private var last: (ordinal: Int64, range: ForgottenRange)?

    init(into spool: Spool, gateway: Identifier, key: SpoolKey) {
        self.spool = spool
        self.gateway = gateway
        self.key = key
    }

    mutating func run(from path: String, batch: Int) throws {
        let damaged = try Database(path: path)
        defer { damaged.close() }
        rememberState(damaged)
        let positions = Self.positions(damaged)
        for start in stride(from: 0, to: positions.count, by: batch) {
            try spool.database.transaction {
                for position in positions[start..<min(start + batch, positions.count)] {
                    try take(position, from: damaged)
                }
                for ordinal in streams.keys.sorted() { if let stream = streams[ordinal] { try spool.store(stream) } }
            }
        }
        spool.streams = try Spool.loadStreams(spool.database)
    }

    /// What the agent remembered, if its tables can be read.
    private mutating func rememberState(_ damaged: Database) {
        do {
            var agent = try Spool.loadAgent(damaged)
            agent.isClean = false
            for stream in try Spool.loadStreams(damaged) {
                streams[stream.ordinal] = StreamState(
                    ordinal: stream.ordinal, id: stream.id, receipted: stream.receipted, isEnded: stream.isEnded)
            }
            try spool.commit(
                [], agent: agent, streams: [StreamState](streams.values.sorted { $0.ordinal < $1.ordinal }))
        } catch {
            // Unreadable: streams are found again by their records, receipts by the collector's next one.
            streams = [:]
        }
    }

    /// Positions that can be read: from the front, from the back, and one by one between the two.
    private static func positions(_ damaged: Database) -> [Int64] {
        func walk(_ order: String) -> (found: [Int64], isWhole: Bool) {
            var found: [Int64] = []
            do {
                let statement = try damaged.statement("SELECT position FROM record ORDER BY position \(order)")
                defer { statement.reset() }
                while try statement.step() { found.append(statement.integer(0)) }
                return (found, true)
            } catch { return (found, false) }  // As far as it goes: the other direction does the rest.
        }
        let (front, isWhole) = walk("ASC")
        if isWhole { return front }
        let (back, _) = walk("DESC")
        let first = front.last ?? 0
        let end = back.last ?? first
        var between: [Int64] = []
        if end > first + 1 {
            for position in (first + 1)..<min(end, first + Spool.probesMax) {
                do {
                    if try damaged.integer("SELECT position FROM record WHERE position = ?", [.integer(position)])
                        != nil
                    {
                        between.append(position)
                    }
                } catch { continue }  // This one is on a damaged page.
            }
        }
        return Set(front + between + back).sorted()
    }

    private mutating func take(_ position: Int64, from damaged: Database) throws {
        let ordinal = position >> Spool.sequenceBits
        guard let row = Self.row(position, damaged), let range = sound(row, ordinal) else { return }
        if let last, last.ordinal == ordinal {
            guard row.first > last.range.through else { return }
            if row.first > last.range.through + 1 {
                guard let previous = row.place?.previous else { return }
                try fill(from: last.range, through: row.first - 1, link: previous, ordinal)
            }
        }
        if let envelope = row.envelope {
            try spool.insert(row, envelope: envelope, range: range, at: position)
        } else {
            try spool.insert(range, envelope: nil, at: position)
        }
        records += 1
        last = (ordinal, range)
        streams[ordinal]?.head = row.through
        streams[ordinal]?.link = row.link
    }

    private mutating func fill(
        from before: ForgottenRange, through: UInt64, link: Digest, _ ordinal: Int64
    ) throws {
        holes += 1
        let hole = ForgottenRange(
            first: before.through + 1, through: through, link: link, firstClock: before.lastClock,
            lastClock: before.lastClock, completeThrough: before.completeThrough, losses: [],
            reason: ForgottenRange.damaged)
        try spool.insert(hole, envelope: nil, at: try Spool.position(ordinal, hole.first))
    }

    private static func row(_ position: Int64, _ damaged: Database) -> StoredRecord? {
        do {
            let statement = try damaged.statement(
                "SELECT position, through, kind, link, envelope, summary FROM record WHERE position = ?")
            defer { statement.reset() }
            try statement.bind([.integer(position)])
            return try statement.step() ? try Spool.stored(statement) : nil
        } catch { return nil }  // A hole; the next readable row says what it followed.
    }

    /// What a row says, if it is ours and still what was signed. Makes its stream known when the table was lost.
    private mutating func sound(_ row: StoredRecord, _ ordinal: Int64) -> ForgottenRange? {
        guard let range = row.range(reason: ForgottenRange.damaged) else { return nil }
        guard let envelope = row.envelope else { return streams[ordinal] == nil ? nil : range }
        do {
            let message = try SignedMessage(parsing: envelope, as: .record)
            guard message.isSigned(by: key.key), let place = row.place, place.gateway == gateway,
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
