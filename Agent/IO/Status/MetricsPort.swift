// The figures for Prometheus on a loopback port and in a file. Nobody else's: a port that is taken or a folder that is
// not there stops no reading.

internal import Glibc

/// Serves and writes until told to stop; blocks its thread.
package struct MetricsPort {
    /// Real milliseconds between two writings of the file: node_exporter is scraped about as often.
    private static let fileEvery: Int64 = 15_000
    /// A request's head; more is answered with 431.
    private static let headBytesMax = 4_096
    /// Real milliseconds a caller has to ask and to read: others wait meanwhile.
    private static let patience: Int64 = 2_000

    private let settings: AgentSettings.Metrics
    private let board: StatusBoard
    private let log: Log

    package init(_ settings: AgentSettings.Metrics, board: StatusBoard, log: Log) {
        self.settings = settings
        self.board = board
        self.log = log
    }

    package func run(stop: Mailbox<Never>) {
        let listener = settings.listen.flatMap(listen)
        var fileAt = Int64.min
        while stop.isOpen {
            let now = Self.milliseconds()
            if let file = settings.file, now >= fileAt {
                fileAt = now + Self.fileEvery
                write(to: file)
            }
            guard let listener else {
                _ = stop.take(within: 500_000_000)
                continue
            }
            var wait = pollfd(fd: listener, events: Int16(POLLIN), revents: 0)
            guard poll(&wait, 1, 500) > 0 else { continue }
            let caller = accept(listener, nil, nil)
            guard caller >= 0 else { continue }
            _ = fcntl(caller, F_SETFL, O_NONBLOCK)
            answer(caller, until: Self.milliseconds() + Self.patience)
            close(caller)
        }
        if let listener { close(listener) }
    }

    // MARK: Port

    private func listen(_ place: AgentSettings.Metrics.Loopback) -> Int32? {
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        let descriptor = socket(place.isV6 ? AF_INET6 : AF_INET, kind, 0)
        var isListening = false
        if descriptor >= 0 {
            var on: Int32 = 1
            setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
            isListening = place.bind(descriptor) && Glibc.listen(descriptor, 8) == 0
        }
        guard isListening else {
            let error = SystemError("listen on \(place.text)")
            if descriptor >= 0 { close(descriptor) }
            log.line(.error, "no port for metrics; reading goes on", [("error", error.description)])
            return nil
        }
        return descriptor
    }

    /// One request, one answer, closed.
    private func answer(_ caller: Int32, until deadline: Int64) {
        var head: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1_024)
        while !Self.isWhole(head) {
            guard head.count <= Self.headBytesMax else { break }
            guard Self.wait(caller, Int16(POLLIN), until: deadline) else { return }
            let count = recv(caller, &chunk, chunk.count, 0)
            guard count > 0 else { return }
            head += chunk[..<count]
        }
        let bytes = Array(response(to: head).utf8)
        var sent = 0
        while sent < bytes.count, Self.wait(caller, Int16(POLLOUT), until: deadline) {
            let went = bytes.withUnsafeBytes { buffer in
                send(caller, buffer.baseAddress.map { $0 + sent }, buffer.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard went > 0 else { return }
            sent += went
        }
    }

    /// The answer to a request's head. Internal for tests.
    func response(to head: [UInt8]) -> String {
        guard Self.isWhole(head) else { return Self.plain("431 Request Header Fields Too Large", "too long\n") }
        let words = String(decoding: head.prefix { $0 != 0x0D && $0 != 0x0A }, as: UTF8.self).split(separator: " ")
        guard words.count == 3, words[2].hasPrefix("HTTP/1.") else { return Self.plain("400 Bad Request", "no HTTP\n") }
        guard words[0] == "GET" else { return Self.plain("405 Method Not Allowed", "only GET\n", ["Allow: GET"]) }
        guard words[1] == "/metrics" else { return Self.plain("404 Not Found", "only /metrics is here\n") }
        return Self.answer("200 OK", "text/plain; version=0.0.4; charset=utf-8", board.metrics)
    }

    private static func isWhole(_ head: [UInt8]) -> Bool {
        guard head.count >= 4 else { return false }
        return (3..<head.count).contains { head[($0 - 3)...$0].elementsEqual([0x0D, 0x0A, 0x0D, 0x0A]) }
    }

    private static func plain(_ status: String, _ text: String, _ headers: [String] = []) -> String {
        answer(status, "text/plain; charset=utf-8", text, headers)
    }

    private static func answer(_ status: String, _ type: String, _ body: String, _ headers: [String] = []) -> String {
        let lines =
            ["HTTP/1.1 " + status, "Content-Type: " + type, "Content-Length: \(body.utf8.count)", "Connection: close"]
            + headers
        return lines.joined(separator: "\r\n") + "\r\n\r\n" + body
    }

    private static func wait(_ descriptor: Int32, _ events: Int16, until deadline: Int64) -> Bool {
        let rest = deadline - milliseconds()
        var wait = pollfd(fd: descriptor, events: events, revents: 0)
        return rest > 0 && poll(&wait, 1, Int32(min(rest, patience))) > 0
    }

    private static func milliseconds() -> Int64 {
        steadyNanoseconds() / 1_000_000
    }

    // MARK: File

    /// Whole or not at all: node_exporter reads whenever it likes. Not synced: after a power cut it is written anew.
    private func write(to path: String) {
        let temporary = path + ".new"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o644)
        var error = SystemError("write \(temporary)")
        if descriptor >= 0 {
            let bytes = Array(board.metrics.utf8)
            let count = Glibc.write(descriptor, bytes, bytes.count)
            error = SystemError("write \(temporary)")
            close(descriptor)
            if count == bytes.count, rename(temporary, path) == 0 { return }
            if count == bytes.count { error = SystemError("rename \(temporary)") }
            unlink(temporary)
        }
        log.line(.error, "no file for metrics; reading goes on", [("error", error.description)], limit: path)
    }
}
