// SQLite as the spool needs it: one connection of one thread, cached statements, errors with their cause. No SQL here.

internal import CSQLite

/// What SQLite refused.
package struct DatabaseError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Primary result code.
    package let code: Int32
    package let message: String
    /// The disk did not give what was written there.
    package var isReadFailure = false

    package var description: String { "SQLite: \(message) (\(code))" }
    /// The disk, or the bound set for the file, has no room.
    package var isFull: Bool { code == SQLITE_FULL }
    /// Pages cannot be read or do not hold what they must, or the file is no database.
    package var isDamaged: Bool { code == SQLITE_CORRUPT || code == SQLITE_NOTADB || isReadFailure }
    package var isBusy: Bool { code == SQLITE_BUSY || code == SQLITE_LOCKED }
}

/// A connection. Not Sendable: it belongs to the thread that runs the spool.
final class Database {
    private var handle: OpaquePointer?
    private var statements: [String: Statement] = [:]
    /// Extended codes that are macros Swift does not see: SQLITE_IOERR_READ, SQLITE_IOERR_SHORT_READ, and SQLITE_IOERR_CORRUPTFS,
    /// which is what a read is that the disk answers with EIO. Within a statement SQLite makes that one SQLITE_CORRUPT, while it
    /// opens a file it does not.
    static let readFailures: Set<Int32> = [SQLITE_IOERR | 1 << 8, SQLITE_IOERR | 2 << 8, SQLITE_IOERR | 33 << 8]

    /// - Throws: ``DatabaseError``.
    init(path: String, readOnly: Bool = false) throws(DatabaseError) {
        let flags = readOnly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
        let code = sqlite3_open_v2(path, &handle, flags | SQLITE_OPEN_NOMUTEX, nil)
        guard code == SQLITE_OK else {
            let error = failure(code)
            sqlite3_close_v2(handle)
            handle = nil
            throw error
        }
        sqlite3_extended_result_codes(handle, 1)
    }

    deinit { close() }

    /// Lets each commit begin where a block of the disk does; call it before the log is opened.
    ///
    /// SQLite pads the log to a block after each commit where it must not trust that a write leaves its block's other bytes alone.
    /// A commit that began in the middle of a block would write what the one before it synced there once more: flash is counted,
    /// and a power cut could take it. `?psow=0` asks for the same and makes it write whole blocks of pages too.
    func padLog() {
        var file: UnsafeMutablePointer<sqlite3_file>?
        sqlite3_file_control(handle, "main", SQLITE_FCNTL_FILE_POINTER, &file)
        guard let file, let methods = file.pointee.pMethods else { return }
        // Never freed: a connection whose last statement is not finalized yet closes later. A process opens two or three.
        let own = UnsafeMutablePointer<sqlite3_io_methods>.allocate(capacity: 1)
        own.initialize(to: methods.pointee)
        // What a newer version adds is not copied, so it must not be looked for.
        own.pointee.iVersion = min(own.pointee.iVersion, 3)
        own.pointee.xDeviceCharacteristics = { _ in 0 }
        file.pointee.pMethods = UnsafePointer(own)
    }

    /// Keeps back the end of each padded commit until the next one; call it when the log is open.
    func holdLogTail() {
        var file: UnsafeMutablePointer<sqlite3_file>?
        sqlite3_file_control(handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &file)
        if let file { LogTail.hold(file) }
    }

    /// Closes the file; the last connection checkpoints.
    func close() {
        statements = [:]
        sqlite3_close_v2(handle)
        handle = nil
    }

    /// Runs statements that return nothing of interest.
    func run(_ sql: String) throws(DatabaseError) {
        let code = sqlite3_exec(handle, sql, nil, nil, nil)
        guard code == SQLITE_OK else { throw failure(code) }
    }

    /// A prepared statement, reset and without bindings; kept for the next time.
    func statement(_ sql: String) throws(DatabaseError) -> Statement {
        if let known = statements[sql] {
            known.reset()
            return known
        }
        var prepared: OpaquePointer?
        let code = sqlite3_prepare_v3(handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &prepared, nil)
        guard code == SQLITE_OK, let prepared else { throw failure(code) }
        let statement = Statement(prepared, of: self)
        statements[sql] = statement
        return statement
    }

    /// Runs one statement with values to its end.
    func run(_ sql: String, _ values: [SQLValue]) throws(DatabaseError) {
        let statement = try statement(sql)
        defer { statement.reset() }
        try statement.bind(values)
        while try statement.step() {}
    }

    /// The first column of the first row as an integer; nil without a row.
    func integer(_ sql: String, _ values: [SQLValue] = []) throws(DatabaseError) -> Int64? {
        let statement = try statement(sql)
        defer { statement.reset() }
        try statement.bind(values)
        return try statement.step() ? statement.integer(0) : nil
    }

    func text(_ sql: String) throws(DatabaseError) -> String? {
        let statement = try statement(sql)
        defer { statement.reset() }
        return try statement.step() ? statement.text(0) : nil
    }

    /// All or nothing. When the commit fails the transaction is rolled back as far as SQLite has not done it.
    func transaction<E: Error>(_ body: () throws(E) -> Void) throws {
        try run("BEGIN IMMEDIATE")
        do {
            try body()
            try run("COMMIT")
        } catch {
            // After SQLITE_FULL or an I/O error SQLite has often rolled back by itself; then this refuses, rightly.
            if sqlite3_get_autocommit(handle) == 0 { sqlite3_exec(handle, "ROLLBACK", nil, nil, nil) }
            throw error
        }
    }

    func failure(_ code: Int32) -> DatabaseError {
        let text = handle.map { String(cString: sqlite3_errmsg($0)) } ?? String(cString: sqlite3_errstr(code))
        return DatabaseError(code: code & 0xFF, message: text, isReadFailure: Self.readFailures.contains(code))
    }
}

enum SQLValue {
    case integer(Int64)
    case blob([UInt8])
    case text(String)
    case null

    static func optional(_ bytes: [UInt8]?) -> SQLValue { bytes.map { .blob($0) } ?? .null }
}

/// A prepared statement of one connection.
final class Statement {
    /// SQLITE_TRANSIENT: SQLite copies what is bound.
    private static let transient = unsafeBitCast(-1, to: sqlite3_destructor_type.self)

    private let handle: OpaquePointer
    private unowned let database: Database

    init(_ handle: OpaquePointer, of database: Database) {
        self.handle = handle
        self.database = database
    }

    deinit { sqlite3_finalize(handle) }

    func reset() {
        sqlite3_reset(handle)
        sqlite3_clear_bindings(handle)
    }

    func bind(_ values: [SQLValue]) throws(DatabaseError) {
        for (index, value) in values.enumerated() {
            let place = Int32(index + 1)
            let code =
                switch value {
                case .integer(let number): sqlite3_bind_int64(handle, place, number)
                // A null pointer would bind NULL, also with length 0.
                case .blob(let bytes):
                    bytes.isEmpty
                        ? sqlite3_bind_zeroblob(handle, place, 0)
                        : sqlite3_bind_blob64(handle, place, bytes, UInt64(bytes.count), Self.transient)
                case .text(let text): sqlite3_bind_text(handle, place, text, -1, Self.transient)
                case .null: sqlite3_bind_null(handle, place)
                }
            guard code == SQLITE_OK else { throw database.failure(code) }
        }
    }

    /// True while there is a row.
    func step() throws(DatabaseError) -> Bool {
        switch sqlite3_step(handle) {
        case SQLITE_ROW: return true
        case SQLITE_DONE: return false
        case let code: throw database.failure(code)
        }
    }

    func integer(_ column: Int32) -> Int64 { sqlite3_column_int64(handle, column) }
    func isNull(_ column: Int32) -> Bool { sqlite3_column_type(handle, column) == SQLITE_NULL }

    func text(_ column: Int32) -> String {
        sqlite3_column_text(handle, column).map { String(cString: $0) } ?? ""
    }

    /// Nil for NULL.
    func blob(_ column: Int32) -> [UInt8]? {
        guard !isNull(column) else { return nil }
        let count = Int(sqlite3_column_bytes(handle, column))
        guard count > 0, let start = sqlite3_column_blob(handle, column) else { return [] }
        return Array(UnsafeRawBufferPointer(start: start, count: count))
    }
}
