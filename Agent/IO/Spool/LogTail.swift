// The piece of a frame behind a commit's last block, kept back until something is written behind it. What the log holds, and when
// it is synced, is SQLite's.
//
// SQLite pads a commit with frames, syncs up to the end of a block and then writes the rest of the last frame, which belongs to no
// commit and is not synced. The system writes that block when it comes to it, and the next commit writes it again: flash is
// counted. Kept back, it is written together with what follows it.

internal import CSQLite

/// One file's methods with the held piece. SQLite sees the methods, which stand first.
struct LogTail {
    /// Smallest piece of a file that an operating system writes; also more than a frame.
    static let blockBytes = 4_096

    private var methods: sqlite3_io_methods
    private let original: UnsafePointer<sqlite3_io_methods>
    /// Nothing was written since the last sync: what comes at a block's beginning now is the rest of a padded commit, in one piece or
    /// two, or the beginning of another one, which loses nothing by waiting until it fills a block.
    private var isSynced = false
    private var held: (offset: Int64, bytes: [UInt8])?

    private init(_ original: UnsafePointer<sqlite3_io_methods>) {
        self.original = original
        methods = original.pointee
        // Locks, shared memory and mapped pages are the database file's.
        methods.iVersion = 1
        methods.xWrite = { file, bytes, count, offset in
            LogTail.of(file) { $0.write(file, bytes, count, offset) }
        }
        methods.xRead = { file, bytes, count, offset in
            LogTail.of(file) { log in
                let code = log.isHeld(in: offset..<(offset + Int64(count))) ? log.flush(file) : SQLITE_OK
                return code == SQLITE_OK ? log.original.pointee.xRead(file, bytes, count, offset) : code
            }
        }
        methods.xSync = { file, flags in
            LogTail.of(file) { log in
                var code = log.flush(file)
                if code == SQLITE_OK { code = log.original.pointee.xSync(file, flags) }
                log.isSynced = code == SQLITE_OK
                return code
            }
        }
        methods.xTruncate = { file, size in
            LogTail.of(file) { log in
                if let held = log.held, held.offset >= size { log.held = nil }
                let code = log.flush(file)
                log.isSynced = false
                return code == SQLITE_OK ? log.original.pointee.xTruncate(file, size) : code
            }
        }
        methods.xFileSize = { file, size in
            LogTail.of(file) { log in
                let code = log.original.pointee.xFileSize(file, size)
                if let held = log.held, let size {
                    size.pointee = max(size.pointee, held.offset + Int64(held.bytes.count))
                }
                return code
            }
        }
        methods.xClose = { file in LogTail.close(file) }
    }

    /// Keeps back from here on what `file` need not have yet. Its own methods come back when it is closed.
    static func hold(_ file: UnsafeMutablePointer<sqlite3_file>) {
        guard let original = file.pointee.pMethods else { return }
        let log = UnsafeMutablePointer<LogTail>.allocate(capacity: 1)
        log.initialize(to: LogTail(original))
        file.pointee.pMethods = UnsafeRawPointer(log).assumingMemoryBound(to: sqlite3_io_methods.self)
    }

    private static func of(
        _ file: UnsafeMutablePointer<sqlite3_file>?, _ body: (inout LogTail) -> Int32
    ) -> Int32 {
        guard let methods = file?.pointee.pMethods else { return SQLITE_MISUSE }
        let log = UnsafeMutableRawPointer(mutating: methods).assumingMemoryBound(to: LogTail.self)
        return body(&log.pointee)
    }

    /// A crash before the held piece is written leaves what a power cut here always could: every commit, and behind the last one
    /// a frame without its end, which SQLite passes over.
    private mutating func write(
        _ file: UnsafeMutablePointer<sqlite3_file>?, _ bytes: UnsafeRawPointer?, _ count: Int32, _ offset: Int64
    ) -> Int32 {
        let (size, isAtBlock) = (Int(count), offset > 0 && offset % Int64(Self.blockBytes) == 0)
        let piece = UnsafeRawBufferPointer(start: bytes, count: size)
        if let last = held, offset == last.offset + Int64(last.bytes.count), last.bytes.count + size < Self.blockBytes {
            held?.bytes += Array(piece)
            return SQLITE_OK
        }
        // What could not be written is tried again before anything else: nothing ever stands behind a gap.
        let code = flush(file)
        guard code == SQLITE_OK else { return code }
        if isSynced, isAtBlock, size < Self.blockBytes {
            held = (offset, Array(piece))
            return SQLITE_OK
        }
        isSynced = false
        return original.pointee.xWrite(file, bytes, count, offset)
    }

    private mutating func flush(_ file: UnsafeMutablePointer<sqlite3_file>?) -> Int32 {
        guard let (offset, bytes) = held else { return SQLITE_OK }
        isSynced = false
        let code = original.pointee.xWrite(file, bytes, Int32(bytes.count), offset)
        if code == SQLITE_OK { held = nil }
        return code
    }

    private func isHeld(in range: Range<Int64>) -> Bool {
        guard let held else { return false }
        return range.overlaps(held.offset..<(held.offset + Int64(held.bytes.count)))
    }

    private static func close(_ file: UnsafeMutablePointer<sqlite3_file>?) -> Int32 {
        guard let file, let methods = file.pointee.pMethods else { return SQLITE_MISUSE }
        let log = UnsafeMutableRawPointer(mutating: methods).assumingMemoryBound(to: LogTail.self)
        // Of a log that stays: complete, though nobody needs it. One that goes was truncated or is unlinked.
        _ = log.pointee.flush(file)
        let original = log.pointee.original
        file.pointee.pMethods = original
        log.deinitialize(count: 1)
        log.deallocate()
        return original.pointee.xClose(file)
    }
}
