// The enrolled folder is replaced as a whole: written beside, made durable, exchanged in one step of the file system. A
// power cut at any instruction leaves the folder that was there, or the new one.

internal import CLinux
internal import Glibc

extension EnrolledFolder {
    /// Each about to be done; what a crash there leaves is said beside it.
    package enum Step: Hashable, Sendable, CaseIterable {
        /// Leaves the former folder, perhaps with an older `.new` beside it that is removed next time.
        case clear
        /// Leaves the former folder and an empty `.new`.
        case writeFiles
        /// Leaves the former folder and a `.new` whose bytes may not be on the medium.
        case sync
        /// Leaves the former folder and a whole `.new`. The server answers the same request again.
        case exchange
        /// Leaves the new folder, after a power cut perhaps the former one, and the other as `.new`.
        case syncParent
        /// Leaves the new folder and the former one as `.new`.
        case removeFormer
    }

    /// - Parameter files: their names without folders, and bytes; secrets are not among them.
    /// - Throws: ``SystemError``, and what `before` throws, which counts as that step's failure.
    package func replace(
        with files: [(name: String, bytes: [UInt8])], before: (Step) throws -> Void = { _ in }
    ) throws {
        let new = path + ".new"
        try before(.clear)
        try Self.remove(new)
        guard mkdir(new, 0o700) == 0 else { throw SystemError("create folder \(new)") }
        try before(.writeFiles)
        for file in files { try Self.write(file.bytes, to: new + "/" + file.name) }
        Self.giveToOwner(of: SmallFile.parent(path), new, files.map(\.name))
        try before(.sync)
        try SmallFile.sync(folder: new)
        try before(.exchange)
        if SmallFile.isThere(path) {
            guard kilomint_exchange(new, path) == 0 else {
                throw SystemError("exchange \(new) and \(path) (put `enrolment.folder` on ext4, xfs, f2fs or btrfs)")
            }
        } else {
            guard rename(new, path) == 0 else { throw SystemError("name \(path)") }
        }
        try before(.syncParent)
        try SmallFile.sync(folder: SmallFile.parent(path))
        try before(.removeFormer)
        try Self.remove(new)
    }

    private static func write(_ bytes: [UInt8], to path: String) throws(SystemError) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw SystemError("create \(path)") }
        defer { close(descriptor) }
        try SmallFile.write(bytes, to: descriptor, path)
        guard fsync(descriptor) == 0 else { throw SystemError("sync \(path)") }
    }

    /// Called by root, the files are for the user that owns the spool: the service's.
    private static func giveToOwner(of parent: String, _ folder: String, _ names: [String]) {
        var status = stat()
        guard geteuid() == 0, stat(parent, &status) == 0 else { return }
        // Refused only where the file system knows no owners, and then everybody may read.
        for path in [folder] + names.map({ folder + "/" + $0 }) { _ = chown(path, status.st_uid, status.st_gid) }
    }

    /// A folder of files, or nothing.
    private static func remove(_ folder: String) throws(SystemError) {
        guard let directory = opendir(folder) else {
            if errno == ENOENT { return }
            throw SystemError("look into \(folder)")
        }
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { unlink(folder + "/" + name) }
        }
        closedir(directory)
        guard rmdir(folder) == 0 else { throw SystemError("remove \(folder)") }
    }
}
