// The state of remote configuration in memory and on the disk. A state that could not be stored is stored later; what must be
// on the disk before something happens says so.

internal import AgentCore
internal import Evidence

/// Belongs to one thread: the start's, then the reloader's.
struct RemoteKeeping {
    private(set) var state: RemoteConfiguration
    /// The disk has what the memory has, as far as is known.
    private(set) var isStored = true
    private let file: RemoteFile
    private let log: Log

    /// A file that cannot be read does not keep the agent from starting: the site's file counts, and the log says so.
    init(_ file: RemoteFile, log: Log) {
        self.file = file
        self.log = log
        do { state = try file.read() ?? RemoteConfiguration() } catch {
            state = RemoteConfiguration()
            file.setAside()
            log.line(
                .error, "the state of remote configuration is not readable; the site's file is used",
                [("file", file.path + ".broken"), ("problem", "\(error)")])
        }
    }

    /// Changes the state, whether or not it can be stored now.
    mutating func change(_ body: (inout RemoteConfiguration) -> Void) {
        let before = state
        body(&state)
        guard state != before else { return }
        isStored = false
        store()
    }

    /// Changes the state only if it is on the disk afterwards. If only the answer was lost, the disk is ahead of us: a crash
    /// then starts with it, which is a start on trial.
    ///
    /// - Returns: whether it was changed.
    mutating func changeDurably(_ body: (inout RemoteConfiguration) -> Void) -> Bool {
        let before = (state, isStored)
        body(&state)
        isStored = false
        store()
        if !isStored { (state, isStored) = (before.0, false) }
        return isStored
    }

    /// Tries again what could not be stored.
    mutating func store() {
        guard !isStored else { return }
        do throws(SystemError) {
            try file.write(state)
            isStored = true
        } catch {
            log.line(
                .error, "the state of remote configuration cannot be stored", [("problem", error.description)],
                limit: "")
        }
    }
}
