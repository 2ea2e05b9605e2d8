// `enroll --replace`: another box, another key, the same gateway. A mark in the spool folder until the running agent has
// begun a stream whose birth says so.

internal import Glibc

package struct ReplacedBox {
    /// The birth's reason.
    static let reason = "the gateway's box was replaced"
    private let path: String

    package init(folder: String) { path = folder + "/replaced" }

    package func mark() throws(SystemError) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw SystemError("create \(path)") }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw SystemError("sync \(path)") }
    }

    package var isMarked: Bool { SmallFile.isThere(path) }

    /// A crash before it makes one more stream that says the same.
    package func clear() { unlink(path) }
}
