// The file that holds a private key: read only when nobody else can, written whole or not at all. Knows no key format.

internal import Glibc

/// One key file by its path.
package struct KeyFile: Sendable {
    package let path: String

    package init(path: String) { self.path = path }

    /// The steps of ``create``, each about to be done; what a crash there leaves is said beside it.
    package enum Step: Hashable, Sendable, CaseIterable {
        /// Leaves nothing.
        case createTemporary
        /// Leaves an empty file `.NAME.<random>.new`, mode 0600; nothing reads it, it may be deleted.
        case write
        /// Leaves the same with some or all of the key's bytes, perhaps not on the medium.
        case syncFile
        /// Leaves the whole key under the temporary name. The key was not handed to anyone yet: make another.
        case link
        /// Leaves the whole key under both names, which are one file; the temporary name may be deleted.
        case unlinkTemporary
        /// Leaves the key under its name or, after a power cut, under the temporary one: never half of it.
        case syncDirectory
    }

    /// All bytes of the file.
    ///
    /// - Parameter allowingOthers: also accept a file that group or others may use (a mounted secret, a test).
    /// - Throws: ``KeyError``: `.file`, `.notRegularFile`, `.exposed`, `.tooLarge`.
    func read(bytesMax: Int, allowingOthers: Bool) throws(KeyError) -> [UInt8] {
        // O_NONBLOCK: opening a FIFO must not wait for a writer; regular files ignore it.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw failure("open") }
        defer { close(descriptor) }
        // The open file is examined, not the name: it cannot be exchanged in between.
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw failure("examine") }
        guard status.st_mode & S_IFMT == S_IFREG else { throw .notRegularFile(path: path) }
        guard allowingOthers || status.st_mode & 0o077 == 0 else {
            throw .exposed(path: path, mode: UInt32(status.st_mode & 0o777))
        }
        guard status.st_size <= bytesMax else { throw .tooLarge(path: path) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        defer { wipe(&chunk) }
        while true {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw failure("read") }
            if count == 0 { return bytes }
            bytes += chunk[..<count]
            guard bytes.count <= bytesMax else { throw .tooLarge(path: path) }
        }
    }

    /// Creates the file with `bytes`, mode 0600, durable on return. Never replaces a file that is there.
    ///
    /// - Parameter before: called before each step; tests fail or die there. An error it throws counts as that
    ///   step's failure.
    /// - Throws: ``KeyError``: `.exists`, `.file`; what `before` throws. No temporary file is left behind then. When
    ///   only the last two steps failed the key is in place, but may not survive a power cut.
    package func create(_ bytes: [UInt8], before: (Step) throws -> Void = { _ in }) throws {
        let slash = path.utf8.lastIndex(of: UInt8(ascii: "/"))
        let directory = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        let name = slash.map { String(path[path.index(after: $0)...]) } ?? path
        let suffix = secureRandom(count: 8).map { String($0, radix: 16) }.joined()
        let temporary = "\(directory)/.\(name).\(suffix).new"

        try before(.createTemporary)
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw failure("create") }
        do {
            defer { close(descriptor) }
            // The umask can only take bits away; 0600 is wanted exactly, also under umask 0277.
            guard fchmod(descriptor, 0o600) == 0 else { throw failure("set the mode of") }
            try before(.write)
            try write(bytes, to: descriptor)
            try before(.syncFile)
            guard fsync(descriptor) == 0 else { throw failure("sync") }
            try before(.link)
            // link, not rename: it refuses a name that is taken, in one step with looking.
            guard link(temporary, path) == 0 else {
                throw errno == EEXIST ? KeyError.exists(path: path) : failure("name")
            }
            try before(.unlinkTemporary)
            guard unlink(temporary) == 0 else { throw failure("remove the temporary name of") }
        } catch {
            unlink(temporary)
            throw error
        }
        try before(.syncDirectory)
        try syncDirectory(directory)
    }

    private func write(_ bytes: [UInt8], to descriptor: Int32) throws(KeyError) {
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress! + written, $0.count - written) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw failure("write") }
            written += count
        }
    }

    /// Makes the new name itself durable: fsync of a file does not cover the directory that names it.
    private func syncDirectory(_ directory: String) throws(KeyError) {
        let descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure("open the directory of") }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw failure("sync the directory of") }
    }

    private func failure(_ action: String) -> KeyError {
        .file(action: action, path: path, reason: String(cString: strerror(errno)))
    }
}
