// Whether standard error is read by journald, which takes a level at the start of a line. Not a log.

internal import Glibc

/// journald's stream, as systemd.exec(5) describes `JOURNAL_STREAM`.
package enum JournalStream {
    /// Whether `JOURNAL_STREAM` names the very device and inode of standard error: a service may have sent it elsewhere.
    package static var isStandardError: Bool {
        guard let text = getenv("JOURNAL_STREAM") else { return false }
        return names(String(cString: text), descriptor: 2)
    }

    /// - Parameter stream: `device:inode`, decimal.
    package static func names(_ stream: String, descriptor: Int32) -> Bool {
        let parts = stream.split(separator: ":", omittingEmptySubsequences: false)
        var status = stat()
        guard parts.count == 2, let device = UInt64(parts[0]), let inode = UInt64(parts[1]),
            fstat(descriptor, &status) == 0
        else { return false }
        return UInt64(status.st_dev) == device && UInt64(status.st_ino) == inode
    }
}
