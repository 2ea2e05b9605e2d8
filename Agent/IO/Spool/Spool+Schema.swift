// A spool whose first page cannot be read: nothing leads to the others without it, and what it says (the file's head, where each
// table begins) is the same in every spool. So it is taken from a new one. Only of a damaged file that was moved aside.

internal import Glibc
internal import Quantities

extension Spool {
    /// As they stand in every file, to the letter.
    static let tables = [
        """
        CREATE TABLE stream (ordinal INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, head INTEGER NOT NULL,
            link BLOB NOT NULL, receipted INTEGER NOT NULL, ended INTEGER NOT NULL)
        """,
        """
        CREATE TABLE record (position INTEGER PRIMARY KEY, through INTEGER NOT NULL, kind INTEGER NOT NULL,
            link BLOB NOT NULL, utc INTEGER NOT NULL, envelope BLOB, summary BLOB)
        """,
        """
        CREATE TABLE agent (one INTEGER PRIMARY KEY CHECK (one = 1), gateway TEXT NOT NULL, boot BLOB NOT NULL,
            uptime INTEGER NOT NULL, session INTEGER NOT NULL, clean INTEGER NOT NULL, receipt BLOB,
            checkpoint BLOB, key_list INTEGER NOT NULL)
        """,
    ]

    /// Of this version's files and of older ones.
    private static let pageBytesKnown: [Int64] = [pageBytes, 1_024, 4_096]
    /// Formats that may follow this one. Another number in a file that has our tables is damage.
    private static let versionsToCome: ClosedRange<Int64> = 2...99

    /// - Throws: ``SpoolError/otherVersion(path:found:)``, or ``SpoolError/damaged(_:)`` for our tables under a head that is not.
    static func checkVersion(_ database: Database, file: String) throws {
        let version = try database.integer("PRAGMA user_version") ?? 0
        let isOurs = try database.integer("PRAGMA application_id") == applicationID
        guard version != formatVersion || !isOurs else { return }
        if !isOurs || !versionsToCome.contains(version), try hasRecords(database) {
            throw SpoolError.damaged("its head says format \(version)")
        }
        throw SpoolError.otherVersion(path: file, found: version)
    }

    /// What SQLite believes of a file's head without asking twice: with another write version it refuses to write, with
    /// reserved bytes it looks for everything elsewhere (fileformat2, section 1.3).
    static func checkHead(_ file: String) throws {
        let descriptor = Glibc.open(file, O_RDONLY | O_CLOEXEC)
        // Not there yet, or not ours to read: opening it says so.
        guard descriptor >= 0 else { return }
        defer { Glibc.close(descriptor) }
        var head = [UInt8](repeating: 0, count: 24)
        let count = pread(descriptor, &head, head.count, 0)
        guard count >= 0 || errno != EIO else {
            throw SpoolError.damaged("its first page, which the disk does not give")
        }
        guard count == head.count else { return }
        // A power cut while the log was folded in for the first time: the page is in the log.
        guard head.contains(where: { $0 != 0 }) else { return }
        guard (1...2).contains(head[18]), (1...2).contains(head[19]), Array(head[20...]) == [0, 64, 32, 32] else {
            throw SpoolError.damaged("its first page")
        }
    }

    /// A letter that changed in the tables' definition is another column, and an error that is not called damage.
    static func checkSchema(_ database: Database) throws {
        for table in tables
        where try database.integer("SELECT count(*) FROM sqlite_schema WHERE sql = ?", [.text(table)]) != 1 {
            throw SpoolError.damaged("its tables")
        }
    }

    static func hasRecords(_ database: Database) throws -> Bool {
        try database.integer("SELECT count(*) FROM sqlite_schema WHERE name = 'record'") == 1
    }

    /// Puts a new spool's head and schema into the file of `folder`; what stood there is kept beside it.
    ///
    /// - Returns: whether a record can be read now. If not the file is as it was.
    static func restoreSchema(in folder: String, gateway: Identifier) -> Bool {
        for bytes in pageBytesKnown {
            do {
                let pages = try schemaPages(in: folder, gateway: gateway, pageBytes: bytes)
                if try replace(pages, in: folder, pageBytes: bytes) { return true }
            } catch { continue }  // Not of this size, or the disk refuses: then nothing is restored.
        }
        return false
    }

    /// Number and bytes of the pages of a new spool that belong to no table.
    private static func schemaPages(
        in folder: String, gateway: Identifier, pageBytes: Int64
    ) throws -> [(number: Int64, bytes: [UInt8])] {
        let path = folder + "/template.db"
        unlink(path)
        defer { unlink(path) }
        let database = try Database(path: path)
        defer { database.close() }
        // Nobody needs it after this.
        for setting in ["page_size = \(pageBytes)", "journal_mode = MEMORY", "synchronous = OFF"] {
            try database.run("PRAGMA \(setting)")
        }
        try create(database, gateway: gateway)
        var others = Set(1...(try database.integer("PRAGMA page_count") ?? 1))
        let roots = try database.statement("SELECT rootpage FROM sqlite_schema")
        while try roots.step() { others.remove(roots.integer(0)) }
        roots.reset()
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw SystemError("open \(path)") }
        defer { Glibc.close(descriptor) }
        return try others.sorted().map { ($0, try read(descriptor, page: $0, pageBytes)) }
    }

    private static func replace(
        _ pages: [(number: Int64, bytes: [UInt8])], in folder: String, pageBytes: Int64
    ) throws -> Bool {
        let path = file(folder)
        let descriptor = Glibc.open(path, O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else { throw SystemError("open \(path)") }
        defer { Glibc.close(descriptor) }
        let length = Int64(lseek(descriptor, 0, SEEK_END))
        guard let last = pages.last?.number, length >= last * pageBytes else { return false }
        let found = try pages.map { ($0.number, try read(descriptor, page: $0.number, pageBytes)) }
        for (number, bytes) in pages {
            var bytes = bytes
            if number == 1 {
                // Pages of the file, big-endian (fileformat2, 1.3.7). The list of free pages stays empty: nothing is written to it.
                let count = UInt32(clamping: length / pageBytes)
                for index in 0..<4 { bytes[28 + index] = UInt8(truncatingIfNeeded: count >> (24 - 8 * UInt32(index))) }
            }
            try write(bytes, to: descriptor, at: (number - 1) * pageBytes)
        }
        if isReadable(path) {
            let kept = Glibc.open(path + "-schema.unread", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
            guard kept >= 0 else { return true }
            defer { Glibc.close(kept) }
            for (number, bytes) in found { try write(bytes, to: kept, at: (number - 1) * pageBytes) }
            return true
        }
        for (number, bytes) in found { try write(bytes, to: descriptor, at: (number - 1) * pageBytes) }
        return false
    }

    private static func isReadable(_ path: String) -> Bool {
        do {
            let database = try Database(path: path)
            defer { database.close() }
            return try database.integer("SELECT position FROM record ORDER BY position LIMIT 1") != nil
        } catch { return false }  // That is the answer.
    }

    private static func read(_ descriptor: Int32, page: Int64, _ pageBytes: Int64) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Int(pageBytes))
        // A sector that cannot be read is what a damaged disk has: zeros stand for it.
        _ = pread(descriptor, &bytes, bytes.count, off_t((page - 1) * pageBytes))
        return bytes
    }

    private static func write(_ bytes: [UInt8], to descriptor: Int32, at offset: Int64) throws {
        guard pwrite(descriptor, bytes, bytes.count, off_t(offset)) == bytes.count else { throw SystemError("write") }
    }
}
