// A Unix socket beside the spool on which the agent says how it is. Reading only: nothing can be changed through it.

internal import Glibc

/// One line in (`json` or `text`), the answer out, closed.
package enum ControlSocket {
    private static let requestBytesMax = 64
    package static let answerBytesMax = 4_194_304

    /// Listens at `path`, for the owner only; the caller's thread serves with ``serve(_:board:stop:)``.
    ///
    /// - Throws: ``SystemError``, also for a path longer than 107 bytes.
    package static func listen(_ path: String) throws(SystemError) -> Int32 {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw SystemError("make a socket") }
        // A socket left by a killed agent; the spool's lock has shown that nobody else runs here.
        unlink(path)
        let before = umask(0o177)
        let isBound = try withAddress(path) { bind(descriptor, $0, $1) } == 0
        umask(before)
        guard isBound, Glibc.listen(descriptor, 8) == 0 else {
            let error = SystemError("listen on \(path)")
            close(descriptor)
            throw error
        }
        return descriptor
    }

    /// Answers one caller after the other until `stop` is closed.
    package static func serve(_ descriptor: Int32, board: StatusBoard, stop: Mailbox<Never>) {
        while stop.isOpen {
            var wait = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&wait, 1, 500) > 0 else { continue }
            let caller = accept(descriptor, nil, nil)
            guard caller >= 0 else { continue }
            answer(caller, board)
            close(caller)
        }
        close(descriptor)
    }

    private static func answer(_ caller: Int32, _ board: StatusBoard) {
        // A caller that neither asks nor reads keeps others waiting for a second at most.
        var patience = timeval(tv_sec: 1, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        setsockopt(caller, SOL_SOCKET, SO_RCVTIMEO, &patience, size)
        setsockopt(caller, SOL_SOCKET, SO_SNDTIMEO, &patience, size)
        var request = [UInt8](repeating: 0, count: requestBytesMax)
        let count = recv(caller, &request, request.count, 0)
        guard count > 0 else { return }
        let word = String(decoding: request[..<count].prefix { $0 != 0x0A }, as: UTF8.self)
        let text =
            switch word {
            case "json": board.json
            case "text": board.text
            default: "unknown request; known: json, text\n"
            }
        let bytes = Array(text.utf8)
        var sent = 0
        while sent < bytes.count {
            let went = bytes.withUnsafeBytes { buffer in
                send(caller, buffer.baseAddress.map { $0 + sent }, buffer.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard went > 0 else { return }
            sent += went
        }
    }

    /// Asks a running agent.
    ///
    /// - Throws: ``SystemError`` when none answers at `path`.
    package static func ask(_ path: String, _ request: String) throws(SystemError) -> String {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw SystemError("make a socket") }
        defer { close(descriptor) }
        guard try withAddress(path, { connect(descriptor, $0, $1) }) == 0 else {
            throw SystemError("reach the agent at \(path) (is it running, and is this its configuration?)")
        }
        let line = Array((request + "\n").utf8)
        guard send(descriptor, line, line.count, Int32(MSG_NOSIGNAL)) == line.count else {
            throw SystemError("ask the agent at \(path)")
        }
        var answer: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while answer.count < answerBytesMax {
            let count = recv(descriptor, &chunk, chunk.count, 0)
            guard count > 0 else { break }
            answer += chunk[..<count]
        }
        return String(decoding: answer, as: UTF8.self)
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
