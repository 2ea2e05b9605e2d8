// Opening a spool: make or check the file, set what durability needs and read it back, load what is remembered.

internal import AgentCore
internal import CSQLite
internal import Evidence
internal import Glibc
internal import Proofs
internal import Quantities

extension Spool {
    /// How a spool was found.
    package enum Opening: Hashable, Sendable {
        /// No file was there.
        case fresh
        case resumed
        /// Pages were damaged: the file was moved to `quarantine`; what can be read is taken over, beside the work.
        case salvaging(quarantine: String)
    }

    /// `spool.db` in a folder.
    package static func file(_ folder: String) -> String { folder + "/spool.db" }

    /// Opens the file, or throws: damage is told apart by ``DatabaseError/isDamaged`` and ``SpoolError/damaged(_:)``.
    static func open(folder: String, gateway: Identifier, bytesMax: Int) throws -> (Spool, isFresh: Bool) {
        let file = file(folder)
        try checkHead(file)
        let database = try Database(path: file)
        database.padLog()
        do {
            try set(database, file: file, bytesMax: bytesMax)
            let isFresh = try database.integer("PRAGMA user_version") == 0 && !hasRecords(database)
            if isFresh { try create(database, gateway: gateway) }
            try checkVersion(database, file: file)
            try checkSchema(database)
            try index(database)
            let agent = try loadAgent(database)
            let streams = try loadStreams(database)
            database.holdLogTail()
            let owner = try database.text("SELECT gateway FROM agent") ?? ""
            guard owner == gateway.text else { throw SpoolError.otherGateway(path: file, found: owner) }
            let spool = Spool(folder: folder, database: database, agent: agent, streams: streams)
            // After an unclean stop every row is looked at, beside the work: a start waits for no disk of megabytes.
            if !agent.isClean { spool.examination = Examination() }
            return (spool, isFresh)
        } catch let error as DatabaseError {
            database.close()
            if error.isBusy { throw SpoolError.inUse(path: file) }
            throw error
        } catch {
            database.close()
            throw error
        }
    }

    /// PRAGMAs that decide what survives a power cut. A value SQLite does not keep ends the start.
    private static func set(_ database: Database, file: String, bytesMax: Int) throws {
        // Before anything is read: then the index of the log is memory of this process, and nobody else can open the file. Of a
        // file that has a log already, one page read earlier would make it a file, which a full disk refuses, and whose pages the
        // system writes each 30 s.
        try database.run("PRAGMA locking_mode = EXCLUSIVE")
        // A file that is there keeps its own.
        try database.run("PRAGMA page_size = \(pageBytes)")
        let pageBytes = max(512, try database.integer("PRAGMA page_size") ?? 0)
        let pages = Int64(bytesMax) / pageBytes
        let folded = String(logBytes / pageBytes)
        let settings: [(name: String, value: String, found: String)] = [
            ("auto_vacuum", "NONE", "0"),
            ("locking_mode", "EXCLUSIVE", "exclusive"),
            ("journal_mode", "WAL", "wal"),
            // FULL: the log is synced at each commit; NORMAL would lose commits at a power cut.
            ("synchronous", "FULL", "2"),
            // Folding the log in may make the file longer by as many pages: less than the reserve gives back.
            ("wal_autocheckpoint", folded, folded),
            // A log that once was long keeps its place on the disk: later commits need no new room there.
            ("journal_size_limit", "-1", "-1"),
            ("cell_size_check", "ON", "1"),
            ("foreign_keys", "OFF", "0"),
            ("temp_store", "MEMORY", "2"),
            ("cache_size", "-256", "-256"),
            ("max_page_count", String(pages), String(pages)),
        ]
        for setting in settings {
            try database.run("PRAGMA \(setting.name) = \(setting.value)")
            let found = try database.text("PRAGMA \(setting.name)") ?? ""
            // A file larger than a bound that was lowered keeps its pages; the policy shrinks what is used.
            if setting.name == "max_page_count", let count = Int64(found), count >= pages { continue }
            guard found == setting.found else {
                throw SpoolError.setting(name: setting.name, wanted: setting.value, found: found)
            }
        }
    }

    /// Older files lack them until they are opened.
    private static func index(_ database: Database) throws {
        // The latest birth is found without reading every record behind it.
        try database.run("CREATE INDEX IF NOT EXISTS birth ON record (position) WHERE kind = 1")
        // And which key is in force.
        try database.run("CREATE INDEX IF NOT EXISTS key ON record (position) WHERE kind = 5")
    }

    static func create(_ database: Database, gateway: Identifier) throws {
        try database.transaction {
            for table in tables { try database.run(table) }
            try database.run("PRAGMA application_id = \(applicationID); PRAGMA user_version = \(formatVersion)")
            try database.run(
                "INSERT INTO agent VALUES (1, ?, x'', 0, 0, 1, NULL, NULL, 0)", [.text(gateway.text)])
        }
        try index(database)
    }

    static func loadAgent(_ database: Database) throws -> AgentState {
        let statement = try database.statement(
            "SELECT boot, uptime, session, clean, receipt, checkpoint, key_list FROM agent WHERE one = 1")
        defer { statement.reset() }
        guard try statement.step() else { throw SpoolError.damaged("the agent's row is missing") }
        var agent = AgentState()
        agent.boot = statement.blob(0) ?? []
        agent.uptime = UInt64(max(0, statement.integer(1)))
        agent.session = UInt64(max(0, statement.integer(2)))
        agent.isClean = statement.integer(3) == 1
        agent.receipt = statement.blob(4)
        agent.checkpoint = statement.blob(5)
        agent.keyListNumber = UInt64(max(0, statement.integer(6)))
        return agent
    }

    static func loadStreams(_ database: Database) throws -> [StreamState] {
        let statement = try database.statement(
            "SELECT ordinal, id, head, link, receipted, ended FROM stream ORDER BY ordinal")
        defer { statement.reset() }
        var streams: [StreamState] = []
        while try statement.step() {
            guard let id = StreamID(statement.blob(1) ?? []), let link = Digest(statement.blob(3) ?? []),
                statement.integer(0) > 0, statement.integer(2) >= 0, statement.integer(4) >= 0
            else { throw SpoolError.damaged("stream \(statement.integer(0))") }
            streams.append(
                StreamState(
                    ordinal: statement.integer(0), id: id, head: UInt64(statement.integer(2)), link: link,
                    receipted: UInt64(statement.integer(4)), isEnded: statement.integer(5) != 0))
        }
        return streams
    }
}
