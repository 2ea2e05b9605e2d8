// The state of remote configuration as a file in the spool folder, replaced as a whole. What the state means is
// RemoteConfiguration's.

internal import AgentCore
internal import Evidence
internal import Glibc

struct RemoteFile {
    typealias Step = SmallFile.ReplaceStep

    let path: String
    private let before: @Sendable (Step) throws(SystemError) -> Void

    /// - Parameter before: in tests: what it throws counts as that step's failure.
    init(folder: String, before: @escaping @Sendable (Step) throws(SystemError) -> Void = { _ in }) {
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
        try SmallFile.replace(path, with: state.encoded, before: before)
    }
}
