// One enrolment or renewal of a gateway at a time: a renewal that was asked for before another operator's enrolment must not
// put its own answer over it. The kernel lets go of it with the process.

internal import Glibc

/// Held while it lives.
package final class EnrolmentTurn {
    private let descriptor: Int32

    /// Waits for whoever has it.
    ///
    /// - Parameters:
    ///   - folder: the spool's: whoever may write there may open it.
    ///   - waiting: called once where somebody has it.
    /// - Throws: ``SystemError``.
    package init(folder: String, waiting: () -> Void) throws(SystemError) {
        descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw SystemError("open \(folder)") }
        guard flock(descriptor, LOCK_EX | LOCK_NB) != 0 else { return }
        waiting()
        while flock(descriptor, LOCK_EX) != 0 {
            guard errno == EINTR else { throw SystemError("lock \(folder)") }
        }
    }

    deinit { close(descriptor) }
}
