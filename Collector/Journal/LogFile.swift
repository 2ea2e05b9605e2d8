// One SQLite file of a log: opened, checked, migrated, and its errors put into ours. Knows no tables.
//
// One connection writes and checkpoints; readers are opened read-only. What durability rests on is set at the start and
// read back: a setting that did not take means a log that lies about being durable, so such a log does not open.

internal import CollectorCore
internal import Evidence
internal import Foundation
internal import GRDB

/// A setting of the writing connection, and what reading it back must give.
struct LogSetting: Sendable {
    let name: String
    let value: String
    let readBack: String

    /// WAL with a sync before each commit returns; erased bytes overwritten; pages checked as they are read.
    static let all: [LogSetting] = [
        LogSetting(name: "journal_mode", value: "WAL", readBack: "wal"),
        LogSetting(name: "synchronous", value: "FULL", readBack: "2"),
        LogSetting(name: "fullfsync", value: "1", readBack: "1"),
        LogSetting(name: "checkpoint_fullfsync", value: "1", readBack: "1"),
        LogSetting(name: "wal_autocheckpoint", value: "1000", readBack: "1000"),
        LogSetting(name: "journal_size_limit", value: "67108864", readBack: "67108864"),
        LogSetting(name: "foreign_keys", value: "1", readBack: "1"),
        LogSetting(name: "secure_delete", value: "1", readBack: "1"),
        LogSetting(name: "trusted_schema", value: "0", readBack: "0"),
        LogSetting(name: "cell_size_check", value: "1", readBack: "1"),
        LogSetting(name: "mmap_size", value: "0", readBack: "0"),
    ]
}

/// The tables of a kind of log, by version: migration i takes `user_version` from i to i + 1.
struct LogSchema: Sendable {
    /// SQLite's application_id: says whose file this is.
    let applicationID: Int64
    let migrations: [String]
}

final class LogFile: Sendable {
    static let readersMax = 4
    static let busyTimeoutSeconds = 5.0
    /// Settings and file format this was tested with (Debian 12).
    static let sqliteVersionMin = [3, 40, 1]

    let path: String
    private let pool: DatabasePool
    private let lock: LockFile

    /// - Parameters:
    ///   - quickCheck: also runs SQLite's quick_check, which reads the whole file.
    ///   - bytesMax: refuses to grow beyond this (`.full`); nil for no bound but the device's.
    init(
        path: String, schema: LogSchema, quickCheck: Bool, bytesMax: Int64?, settings: [LogSetting] = LogSetting.all
    ) throws(LogError) {
        lock = try LockFile(path + ".lock")
        self.path = path
        var configuration = Configuration()
        configuration.maximumReaderCount = Self.readersMax
        configuration.busyMode = .timeout(Self.busyTimeoutSeconds)
        configuration.foreignKeysEnabled = true
        do {
            pool = try DatabasePool(path: path, configuration: configuration)
            try pool.writeWithoutTransaction { db in
                try Self.set(settings, db, path)
                try Self.migrate(db, schema, path)
                if quickCheck { try Self.check(db, path) }
                if let bytesMax { try Self.bound(db, bytesMax) }
            }
            // SQLite syncs the directory of a journal it makes, not of the database.
            try DurableFile.syncDirectory(DurableFile.directory(of: path))
        } catch { throw Self.logError(error, path) }
    }

    /// Runs `body` in a transaction of the writing connection; durable when it returns, rolled back when it throws.
    func write<T>(_ body: (Database) throws -> T) throws(LogError) -> T {
        do { return try pool.write(body) } catch { throw Self.logError(error, path) }
    }

    /// Runs `body` on a reader: one consistent view, for as long as it runs.
    func read<T>(_ body: (Database) throws -> T) throws(LogError) -> T {
        do { return try pool.read(body) } catch { throw Self.logError(error, path) }
    }

    /// Moves the write-ahead log into the file and lets another process have it. Every later call throws `.storage`.
    func close() throws(LogError) {
        defer { lock.unlock() }
        do {
            // A pool closes its writer first, and the readers that are left keep SQLite from doing this.
            try truncateWriteAheadLog()
        } catch {
            // Nothing is lost: the next opening reads the write-ahead log.
        }
        do { try pool.close() } catch { throw Self.logError(error, path) }
    }

    /// Empties the write-ahead log into the file, so that what was overwritten is nowhere any more.
    func truncateWriteAheadLog() throws(LogError) {
        do {
            let busy = try pool.barrierWriteWithoutTransaction { db in
                try Int.fetchOne(db, sql: "PRAGMA wal_checkpoint(TRUNCATE)") ?? 1
            }
            guard busy == 0 else {
                throw LogError.storage("\(path)-wal could not be emptied while it was read: ask again to erase")
            }
        } catch { throw Self.logError(error, path) }
    }

    private static func set(_ settings: [LogSetting], _ db: Database, _ path: String) throws {
        let version = try String.fetchOne(db, sql: "SELECT sqlite_version()") ?? ""
        let numbers = version.split(separator: ".").map { Int($0) ?? 0 }
        guard !numbers.lexicographicallyPrecedes(sqliteVersionMin) else {
            throw LogError.unsuitable(
                "SQLite \(version) is older than 3.40.1: install libsqlite3-0 of Debian 12 or later")
        }
        for setting in settings { try db.execute(sql: "PRAGMA \(setting.name) = \(setting.value)") }
        for setting in settings {
            let found = try DatabaseValue.fetchOne(db, sql: "PRAGMA \(setting.name)")
            let text = found.map { $0.storage.value.map { "\($0)" } ?? "null" } ?? "nothing"
            guard text == setting.readBack else {
                throw LogError.unsuitable(
                    "\(path): SQLite did not take \(setting.name) = \(setting.value), it reads back \(text): "
                        + "the log would not be durable; use Debian's libsqlite3 and a local file system")
            }
        }
    }

    private static func migrate(_ db: Database, _ schema: LogSchema, _ path: String) throws {
        let id = try Int64.fetchOne(db, sql: "PRAGMA application_id") ?? 0
        let version = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
        let tables = try Int.fetchOne(db, sql: "SELECT count(*) FROM sqlite_master") ?? 0
        guard id == schema.applicationID || (id == 0 && version == 0 && tables == 0) else {
            throw LogError.unsuitable("\(path) is another SQLite file (application_id \(id)): name the log's own file")
        }
        guard version <= schema.migrations.count else {
            throw LogError.unsuitable(
                "\(path) has format \(version), this program knows \(schema.migrations.count): run the newer collector")
        }
        for (index, sql) in schema.migrations.enumerated().dropFirst(version) {
            // Tables and version in one transaction: a crash leaves the old format or the new one.
            try db.inTransaction(.immediate) {
                try db.execute(sql: sql)
                try db.execute(sql: "PRAGMA application_id = \(schema.applicationID)")
                try db.execute(sql: "PRAGMA user_version = \(index + 1)")
                return .commit
            }
        }
    }

    private static func check(_ db: Database, _ path: String) throws {
        let found = try String.fetchOne(db, sql: "PRAGMA quick_check(1)") ?? "nothing"
        guard found == "ok" else { throw LogError.damaged(damageText(path, found)) }
    }

    private static func bound(_ db: Database, _ bytesMax: Int64) throws {
        let pageBytes = try Int64.fetchOne(db, sql: "PRAGMA page_size") ?? 4096
        try db.execute(sql: "PRAGMA max_page_count = \(max(1, bytesMax / pageBytes))")
    }

    static func damageText(_ path: String, _ what: String) -> String {
        "\(path) is damaged (\(what)): stop the collector, keep the file and its -wal, restore the newest copy, start, "
            + "and if the log is then behind run `kilomint-collector epoch open`"
    }

    static func logError(_ error: any Error, _ path: String) -> LogError {
        switch error {
        case let error as LogError: error
        case let error as FileError: error.isFull ? .full("\(error)") : .storage("\(error)")
        case DatabaseError.SQLITE_FULL:
            .full("\(path) cannot grow: its device or its configured bound is full; free space, then try again")
        case DatabaseError.SQLITE_CORRUPT, DatabaseError.SQLITE_NOTADB: .damaged(damageText(path, "\(error)"))
        case is LogEntryError, is EnvelopeError: .damaged(damageText(path, "\(error)"))
        default: .storage("\(path): \(error): look at the device and the system's log, then try again")
        }
    }
}
