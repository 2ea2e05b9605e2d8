// Small files of the system and of the agent, read or written in one go. Settings has its own reader.

internal import Glibc

/// Reads whole files within a bound, and writes what must survive a power cut.
package enum SmallFile {
    package static let bytesMax = 65_536

    /// The file's text without white space at its ends.
    package static func text(_ path: String) throws(SystemError) -> String {
        let bytes = try bytes(path, max: bytesMax)
        let white: Set<UInt8> = [0x20, 0x0A, 0x0D, 0x09]
        let body = bytes.drop { white.contains($0) }.reversed().drop { white.contains($0) }.reversed()
        return String(decoding: Array(body), as: UTF8.self)
    }

    /// Whether anything has this name.
    static func isThere(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0 || errno != ENOENT
    }

    /// At most `max` bytes of a file; a longer one is cut.
    package static func bytes(_ path: String, max: Int) throws(SystemError) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw SystemError("open \(path)") }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: max)
        var count = 0
        while count < bytes.count {
            let got = bytes.withUnsafeMutableBytes { buffer in
                read(descriptor, buffer.baseAddress.map { $0 + count }, buffer.count - count)
            }
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else { throw SystemError("read \(path)") }
            if got == 0 { break }
            count += got
        }
        return Array(bytes[..<count])
    }

    /// Writes all of it; durable only once the descriptor is synced.
    ///
    /// - Parameter path: for the error.
    static func write(_ bytes: [UInt8], to descriptor: Int32, _ path: String) throws(SystemError) {
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { buffer in
                Glibc.write(descriptor, buffer.baseAddress.map { $0 + written }, buffer.count - written)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw SystemError("write \(path)") }
            written += count
        }
    }

    /// What ``replace(_:with:before:)`` is about to do; what a crash there leaves is said beside it.
    enum ReplaceStep: Hashable, CaseIterable {
        /// The former file, perhaps with an older `.new` beside it.
        case write
        /// The former file, and a `.new` whose bytes may not be on the medium.
        case sync
        /// The former file and a whole `.new`.
        case rename
        /// The new file; after a power cut perhaps the former one.
        case syncFolder
    }

    /// Replaces a file as a whole, durably: written beside, made durable, renamed, and the folder made durable.
    ///
    /// - Parameter before: in tests: what it throws counts as that step's failure.
    static func replace(
        _ path: String, with bytes: [UInt8], before: (ReplaceStep) throws(SystemError) -> Void = { _ in }
    ) throws(SystemError) {
        let new = path + ".new"
        try before(.write)
        let descriptor = open(new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw SystemError("create \(new)") }
        defer { close(descriptor) }
        try write(bytes, to: descriptor, new)
        try before(.sync)
        guard fsync(descriptor) == 0 else { throw SystemError("sync \(new)") }
        try before(.rename)
        guard rename(new, path) == 0 else { throw SystemError("name \(path)") }
        try before(.syncFolder)
        try sync(folder: parent(path))
    }

    static func parent(_ path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// Makes the names in a folder durable.
    static func sync(folder: String) throws(SystemError) {
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw SystemError("open \(folder)") }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw SystemError("sync \(folder)") }
    }
}
