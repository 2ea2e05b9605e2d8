// A listening TCP socket. Connections, once accepted, are the server's.

internal import CModbus
internal import Glibc

struct Listener {
    let socket: Int32
    let port: Int
    let isInverter: Bool
    /// Position among the meters' listeners.
    let index: Int

    private static let backlog: Int32 = 128
    /// Some 250 of the longest answers.
    private static let unreadBytesMax: Int32 = 65_536

    /// - Parameter port: 0 lets the system choose; `port` then names its choice.
    init(address: String, port: Int, isInverter: Bool, index: Int) throws(Failure) {
        guard let context = modbus_new_tcp(address, Int32(port)) else {
            throw Failure(code: .usage, message: "--address \(address): must be an IPv4 address such as 127.0.0.1")
        }
        defer { modbus_free(context) }
        socket = modbus_tcp_listen(context, Self.backlog)
        guard socket >= 0 else {
            let advice =
                errno == EADDRINUSE ? "the port is taken; stop who holds it or choose another" : System.reason()
            throw Failure(code: .unavailable, message: "cannot listen on \(address) port \(port): \(advice)")
        }
        // A client that is gone before it is accepted must not make us wait for the next.
        _ = fcntl(socket, F_SETFL, fcntl(socket, F_GETFL) | O_NONBLOCK)
        var name = sockaddr_in()
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let listening = socket
        withUnsafeMutablePointer(to: &name) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { _ = getsockname(listening, $0, &size) }
        }
        self.port = Int(UInt16(bigEndian: name.sin_port))
        self.isInverter = isInverter
        self.index = index
    }

    enum Accepted {
        case socket(Int32)
        case none
        /// No descriptor is left; try again later.
        case exhausted
    }

    func accept() -> Accepted {
        let accepted = Glibc.accept(socket, nil, nil)
        guard accepted >= 0 else {
            return errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS ? .exhausted : .none
        }
        _ = fcntl(accepted, F_SETFL, fcntl(accepted, F_GETFL) | O_NONBLOCK)
        _ = fcntl(accepted, F_SETFD, FD_CLOEXEC)
        var on: Int32 = 1
        // What a client leaves unread is bounded; the system's own bound would let it grow to megabytes.
        var unread = Self.unreadBytesMax
        setsockopt(accepted, SOL_SOCKET, SO_SNDBUF, &unread, socklen_t(MemoryLayout<Int32>.size))
        // Answers are small and awaited: none may wait for another to share its packet.
        setsockopt(accepted, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
        return .socket(accepted)
    }
}
