// Whoever waits for an answer: a caller of the control socket, or the person at a tool's own terminal. Lines go out one
// by one; one who does not read them is given up.

internal import Glibc

/// Who is at the other end of the socket (unix(7), SO_PEERCRED): taken by the kernel when they connected.
package struct ControlPeer: Hashable, Sendable {
    package let user: UInt32
    package let group: UInt32
    package let process: Int32

    package init(user: UInt32, group: UInt32, process: Int32) {
        self.user = user
        self.group = group
        self.process = process
    }

    /// This process itself.
    package static var own: ControlPeer { ControlPeer(user: getuid(), group: getgid(), process: getpid()) }

    /// `name (uid 1000)`, or `uid 1000` of a user without an entry. The system may ask a directory server for it.
    package var text: String {
        var entry = passwd()
        var found: UnsafeMutablePointer<passwd>?
        var room = [CChar](repeating: 0, count: 4_096)
        guard getpwuid_r(user, &entry, &room, room.count, &found) == 0, let name = found?.pointee.pw_name else {
            return "uid \(user)"
        }
        return "\(String(cString: name)) (uid \(user))"
    }

    init?(ofSocket descriptor: Int32) {
        // struct ucred: pid, uid, gid, 32 bits each.
        var credentials: (Int32, UInt32, UInt32) = (0, 0, 0)
        var size = socklen_t(12)
        guard getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0, size == 12 else { return nil }
        self.init(user: credentials.1, group: credentials.2, process: credentials.0)
    }
}

/// The caller went away, or does not read.
package struct ControlGone: Error {}

/// Not Sendable: it belongs to the thread that serves the verb.
package final class ControlCaller {
    package let peer: ControlPeer
    private let write: (String) -> Bool
    private let hasGone: () -> Bool

    /// - Parameters:
    ///   - write: takes whole lines with their ends; false: nobody reads any more.
    ///   - hasGone: whether nobody waits any more.
    package init(peer: ControlPeer, write: @escaping (String) -> Bool, hasGone: @escaping () -> Bool) {
        self.peer = peer
        self.write = write
        self.hasGone = hasGone
    }

    /// Looked at between two steps of what takes long.
    package var isGone: Bool { hasGone() }

    /// Sends text as one or more lines. Devices' texts may be in it: control characters never reach a terminal.
    package func line(_ text: String) throws(ControlGone) {
        guard write(Self.tame(text) + "\n") else { throw ControlGone() }
    }

    /// A line that a program reads: see ``ControlRequest``.
    package func line(_ fields: ControlRequest) throws(ControlGone) { try line(fields.line) }

    private static func tame(_ text: String) -> String {
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            let isControl = scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
            result.append(isControl && scalar != "\n" ? "?" : scalar)
        }
        return String(result)
    }
}
