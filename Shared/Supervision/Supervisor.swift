// What is told to the supervisor that started this process (systemd): ready, alive, reloading, stopping. Not a log.

internal import Glibc

/// The supervisor's notification socket, as sd_notify(3) describes the protocol. Without `NOTIFY_SOCKET` in the
/// environment, or with one that cannot be used, nothing is told and nothing fails: a service runs by hand too.
package struct Supervisor: Hashable, Sendable {
    /// Path of a socket in the file system, or `@` and a name in the abstract namespace; nil: nobody listens.
    package let socketPath: String?
    /// Real milliseconds within which the supervisor wants a sign of life; nil: it does not wait for one.
    package let watchdog: Int64?

    /// Longest text of a status line in bytes; the rest is cut.
    private static let statusBytesMax = 512

    /// - Parameters:
    ///   - variable: looks a variable of the environment up.
    ///   - process: this process: a watchdog that was meant for a parent is not ours.
    package init(variable: (String) -> String?, process: Int32) {
        let path = variable("NOTIFY_SOCKET") ?? ""
        // VSOCK addresses (of virtual machines) are not spoken here.
        socketPath = (path.hasPrefix("/") || path.hasPrefix("@")) && path.utf8.count > 1 ? path : nil
        let isOurs = variable("WATCHDOG_PID").map { $0 == String(process) } ?? true
        let microseconds = variable("WATCHDOG_USEC").flatMap { Int64($0) } ?? 0
        watchdog = isOurs && socketPath != nil && microseconds >= 1_000 ? microseconds / 1_000 : nil
    }

    /// Nobody is told anything.
    package static let none = Supervisor(variable: { _ in nil }, process: 0)

    /// As this process was started.
    package static func ofThisProcess() -> Supervisor {
        Supervisor(variable: { getenv($0).map { String(cString: $0) } }, process: getpid())
    }

    /// Real milliseconds between two signs of life: three fit, so that one may be late.
    package var signEvery: Int64? { watchdog.map { max(1, $0 / 3) } }

    /// The service does its work from here on; after ``reloading()`` too.
    @discardableResult
    package func ready(_ status: String = "") -> Bool { tell(["READY=1"] + Self.lines(status)) }

    /// One line for `systemctl status`.
    @discardableResult
    package func status(_ status: String) -> Bool { tell(Self.lines(status)) }

    /// The sign of life: only for the thread without which the service is dead.
    @discardableResult
    package func alive() -> Bool { tell(["WATCHDOG=1"]) }

    /// The configuration is being read again; ``ready(_:)`` ends it, whatever came of it.
    @discardableResult
    package func reloading() -> Bool {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        let microseconds = Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1_000
        return tell(["RELOADING=1", "MONOTONIC_USEC=\(microseconds)"])
    }

    @discardableResult
    package func stopping(_ status: String = "") -> Bool { tell(["STOPPING=1"] + Self.lines(status)) }

    private static func lines(_ status: String) -> [String] {
        guard !status.isEmpty else { return [] }
        // A line break would begin another assignment.
        let bytes = status.utf8.prefix(statusBytesMax).map { $0 < 0x20 ? 0x20 : $0 }
        return ["STATUS=" + String(decoding: bytes, as: UTF8.self)]
    }

    /// One datagram. Never waits: a supervisor that does not read gets the next one.
    ///
    /// - Returns: whether it was handed over.
    private func tell(_ assignments: [String]) -> Bool {
        guard let socketPath, !assignments.isEmpty else { return false }
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var name = Array(socketPath.utf8)
        if name[0] == UInt8(ascii: "@") { name[0] = 0 }
        // A path ends with a zero byte; an abstract name is as long as the length says.
        guard name.count < MemoryLayout.size(ofValue: address.sun_path) else { return false }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + name.count)
        let text = Array((assignments.joined(separator: "\n") + "\n").utf8)
        let flags = Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                sendto(descriptor, text, text.count, flags, $0, length) == text.count
            }
        }
    }
}
