// The state of remote configuration as a file in the spool folder, replaced as a whole: written beside, made durable, renamed,
// and the folder made durable. What the state means is RemoteConfiguration's.

internal import AgentCore
internal import Evidence
internal import Glibc

struct RemoteFile {
    /// Each about to be done; what a crash there leaves is said beside it.
    enum Step: Hashable, CaseIterable {
        /// The former state, perhaps with an older `.new` beside it.
        case write
        /// The former state, and a `.new` whose bytes may not be on the medium.
        case sync
        /// The former state and a whole `.new`.
        case rename
        /// The new state; after a power cut perhaps the former one.
        case syncFolder
    }

    let path: String
    private let folder: String
    private let before: @Sendable (Step) throws(SystemError) -> Void

    /// - Parameter before: in tests: what it throws counts as that step's failure.
    init(folder: String, before: @escaping @Sendable (Step) throws(SystemError) -> Void = { _ in }) {
        self.folder = folder
        path = folder + "/remote"
        self.before = before
    }

    /// Nil: there is none yet.
    ///
    /// - Throws: ``SystemError`` or ``RecordError`` for one that cannot be read or understood.
    func read() throws -> RemoteConfiguration? {
        guard SmallFile.isThere(path) else { return nil }
        return try RemoteConfiguration(
            decoding: try SmallFile.bytes(path, max: RemoteConfiguration.bytesMax))
    }

    /// Out of the way, for a person to look at; what was there before by that name goes.
    func setAside() { rename(path, path + ".broken") }

    func write(_ state: RemoteConfiguration) throws(SystemError) {
        let (new, bytes) = (path + ".new", state.encoded)
        try before(.write)
        let descriptor = open(new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw SystemError("create \(new)") }
        defer { close(descriptor) }
        try SmallFile.write(bytes, to: descriptor, new)
        try before(.sync)
        guard fsync(descriptor) == 0 else { throw SystemError("sync \(new)") }
        try before(.rename)
        guard rename(new, path) == 0 else { throw SystemError("name \(path)") }
        try before(.syncFolder)
        try SmallFile.sync(folder: folder)
    }
}
