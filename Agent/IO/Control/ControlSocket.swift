// Both ends of the Unix socket on which tools ask the running agent: where it is, who may open it, and how a tool asks.

internal import Glibc

package enum ControlSocket {
    /// Connections that the kernel holds until they are taken: whoever comes then waits in connect().
    private static let backlog: Int32 = 512
    /// Bytes of one line of an answer.
    private static let lineBytesMax = 1_048_576

    /// Why a tool got no answer.
    package enum Failure: Error, CustomStringConvertible {
        /// Nobody listens there.
        case absent(SystemError)
        case system(SystemError)
        /// The agent answered `error …`.
        case refused(String)
        case brokenOff

        package var description: String {
            switch self {
            case .absent(let error), .system(let error): error.description
            case .refused(let words): words
            case .brokenOff: "the agent broke off: did it end?"
            }
        }
    }

    package struct Listening {
        package let descriptor: Int32
        /// Why the configured group may not call, and what to do; nil when all is as configured.
        package let remark: String?
    }

    /// Listens at `path`. A group that it cannot be given to is a remark, and then the owner alone may call: who may look
    /// is no reason to stop reading.
    ///
    /// - Throws: ``SystemError``, also for a path longer than 107 bytes.
    package static func listen(
        _ path: String, access: ControlAccess = ControlAccess()
    ) throws(SystemError) -> Listening {
        let descriptor = try open(nonBlocking: true)
        // A socket left by a killed agent; the spool's lock has shown that nobody else runs here.
        unlink(path)
        // For the owner alone until group and mode are set: nobody can slip in between.
        let before = umask(0o177)
        let isBound = try withAddress(path) { bind(descriptor, $0, $1) } == 0
        umask(before)
        do throws(SystemError) {
            guard isBound else { throw SystemError("listen on \(path)") }
            let remark = access.group.flatMap { give(path, to: $0) }
            guard chmod(path, remark == nil ? access.mode : 0o600) == 0, Glibc.listen(descriptor, backlog) == 0 else {
                throw SystemError("listen on \(path)")
            }
            return Listening(descriptor: descriptor, remark: remark)
        } catch {
            close(descriptor)
            throw error
        }
    }

    /// - Returns: why not, and what to do.
    private static func give(_ path: String, to group: ControlAccess.Group) -> String? {
        let number: gid_t
        do throws(SystemError) { number = try group.number } catch {
            return
                "\(error.description): make it (groupadd --system \(group.name)), add the agent's user, restart the agent"
        }
        guard chown(path, uid_t.max, number) != 0 else { return nil }
        let code = errno
        let error = SystemError("give \(path) to the group \(group.name)", code: code)
        // One code for two reasons: not in the group, or no unit lets it.
        let remedy =
            "add the agent's user to it (usermod -aG \(group.name) kilomint-agent) and restart the agent; under systemd its "
            + "unit needs SystemCallFilter=@chown, as the shipped one has"
        return code == EPERM ? "\(error.description): \(remedy)" : error.description
    }

    /// Asks a running agent and hands on each line of its answer but the last.
    ///
    /// - Parameters:
    ///   - line: false ends it: nobody wants more.
    ///   - isOver: looked at when a signal came; true ends it.
    package static func ask(
        _ path: String, _ request: ControlRequest, isOver: () -> Bool = { false }, _ line: (String) -> Bool
    ) throws(Failure) {
        let descriptor: Int32
        do throws(SystemError) { descriptor = try reach(path) } catch {
            throw [ENOENT, ECONNREFUSED].contains(error.code) ? .absent(error) : .system(error)
        }
        defer { close(descriptor) }
        let bytes = Array((request.line + "\n").utf8)
        guard send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count else {
            throw .system(SystemError("ask the agent at \(path)"))
        }
        var held: String?
        var open: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = recv(descriptor, &chunk, chunk.count, 0)
            if count < 0, errno == EINTR {
                if isOver() { return }
                continue
            }
            guard count > 0, open.count < lineBytesMax else { break }
            open += chunk[..<count]
            while let end = open.firstIndex(of: 0x0A) {
                if let held, !line(held) { return }
                held = String(decoding: open[..<end], as: UTF8.self)
                open.removeFirst(end + 1)
            }
        }
        guard let last = held, open.isEmpty else { throw .brokenOff }
        if last == "ok" { return }
        guard last.hasPrefix("error ") else { throw .brokenOff }
        throw .refused(String(last.dropFirst(6)))
    }

    private static func open(nonBlocking: Bool) throws(SystemError) -> Int32 {
        var kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
        if nonBlocking { kind |= Int32(SOCK_NONBLOCK.rawValue) }
        let descriptor = socket(AF_UNIX, kind, 0)
        guard descriptor >= 0 else { throw SystemError("make a socket") }
        return descriptor
    }

    private static func reach(_ path: String) throws(SystemError) -> Int32 {
        let descriptor = try open(nonBlocking: false)
        do throws(SystemError) {
            guard try withAddress(path, { connect(descriptor, $0, $1) }) == 0 else {
                let code = errno
                let hint =
                    code == EACCES
                    ? "may this user? see `control_mode` and `control_group`"
                    : "is it running, and is this its configuration?"
                throw SystemError("reach the agent at \(path) (\(hint))", code: code)
            }
        } catch {
            close(descriptor)
            throw error
        }
        return descriptor
    }

    private static func withAddress(
        _ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) throws(SystemError) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        let room = MemoryLayout.size(ofValue: address.sun_path)
        guard bytes.count < room, !bytes.contains(0) else {
            throw SystemError(
                "use \(path) as a socket (set `control` to a path of at most \(room - 1) bytes)", code: ENAMETOOLONG)
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }
}
