// Small files that are whole or not there, and the lock that keeps a second writer out. Knows no format.

internal import Glibc
internal import Keys
internal import Synchronization

/// A system call on a file failed.
struct FileError: Error, CustomStringConvertible {
    let action: String
    let path: String
    let code: Int32

    init(_ action: String, _ path: String) {
        (self.action, self.path, code) = (action, path, errno)
    }

    var isFull: Bool { code == ENOSPC || code == EDQUOT }

    var description: String { "cannot \(action) \(path): \(String(cString: strerror(code)))" }
}

enum DurableFile {
    /// How a finished temporary file gets its name.
    enum Naming {
        /// Replaces what has the name.
        case replacing
        /// Leaves what has the name; `write` answers false then.
        case keeping
    }

    /// Writes `bytes` under `path`, whole and durable on return: temporary file, fsync, name, fsync of the directory.
    ///
    /// - Returns: false when the name was taken and is kept.
    @discardableResult
    static func write(_ bytes: [UInt8], to path: String, _ naming: Naming = .replacing) throws(FileError) -> Bool {
        let directory = directory(of: path)
        let temporary = "\(directory)/.\(secureRandom(count: 8).map { String($0, radix: 16) }.joined()).new"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else { throw FileError("create", temporary) }
        // A crash from here to the naming leaves a `.….new` file that nothing reads.
        do throws(FileError) {
            defer { close(descriptor) }
            try write(bytes, to: descriptor, temporary)
            guard fsync(descriptor) == 0 else { throw FileError("sync", temporary) }
        } catch {
            unlink(temporary)
            throw error
        }
        switch naming {
        case .replacing:
            guard rename(temporary, path) == 0 else { throw removing(temporary, FileError("name", path)) }
        case .keeping:
            let isLinked = link(temporary, path) == 0
            guard isLinked || errno == EEXIST else { throw removing(temporary, FileError("name", path)) }
            unlink(temporary)
            // Whoever named it may have crashed before its sync: its name is made durable by us too.
            try syncDirectory(directory)
            return isLinked
        }
        // A crash here leaves the old or the new file, whole; only the name may still be the old one.
        try syncDirectory(directory)
        return true
    }

    private static func removing(_ temporary: String, _ error: FileError) -> FileError {
        unlink(temporary)
        return error
    }

    private static func write(_ bytes: [UInt8], to descriptor: Int32, _ path: String) throws(FileError) {
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress! + written, $0.count - written) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw FileError("write", path) }
            written += count
        }
    }

    /// All bytes, nil when there is no such file.
    ///
    /// - Throws: ``FileError``; with EFBIG above `bytesMax`.
    static func read(_ path: String, bytesMax: Int) throws(FileError) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw FileError("open", path)
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw FileError("examine", path) }
        guard let size = Int(exactly: status.st_size), size <= bytesMax else {
            errno = EFBIG
            throw FileError("read", path)
        }
        var bytes = [UInt8](repeating: 0, count: size)
        var filled = 0
        while filled < size {
            let count = bytes.withUnsafeMutableBytes {
                Glibc.read(descriptor, $0.baseAddress! + filled, $0.count - filled)
            }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw FileError("read", path) }
            if count == 0 { break }
            filled += count
        }
        return Array(bytes[..<filled])
    }

    /// Makes the directory and its name durable. Parents must be there.
    static func makeDirectory(_ path: String) throws(FileError) {
        if mkdir(path, 0o750) == 0 { return try syncDirectory(directory(of: path)) }
        guard errno == EEXIST else { throw FileError("make", path) }
    }

    static func syncDirectory(_ path: String) throws(FileError) {
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileError("open", path) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw FileError("sync", path) }
    }

    /// Names in a directory, in order, without `.` and `..`.
    static func names(in path: String) throws(FileError) -> [String] {
        guard let directory = opendir(path) else { throw FileError("list", path) }
        defer { closedir(directory) }
        var names: [String] = []
        errno = 0
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        guard errno == 0 else { throw FileError("list", path) }
        return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    static func directory(of path: String) -> String {
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}

/// Held while a log is open for writing. The kernel lets go of it when the process ends, however it ends.
final class LockFile: Sendable {
    /// Nil after `unlock`.
    private let descriptor: Mutex<Int32?>

    /// - Throws: `.inUse` when another holder is alive, `.storage` when the file cannot be made.
    init(_ path: String) throws(LogError) {
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o640)
        self.descriptor = Mutex(descriptor)
        guard descriptor >= 0 else { throw .storage("\(FileError("open", path))") }
        // flock, not fcntl: it holds against a second opening in this process too, and no close of another descriptor
        // lets go of it.
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            unlock()
            throw .inUse(
                "\(path) is locked: another collector has this log open; stop it first (`fuser \(path)` names it)")
        }
    }

    deinit { unlock() }

    func unlock() {
        descriptor.withLock { descriptor in
            if let open = descriptor, open >= 0 {
                // By name, not by closing alone: a child that is just being started holds the descriptor until its exec.
                flock(open, LOCK_UN)
                close(open)
            }
            descriptor = nil
        }
    }
}
