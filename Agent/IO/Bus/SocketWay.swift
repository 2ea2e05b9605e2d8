// Connecting to a TCP endpoint within a bound. What is spoken there is not its matter.

internal import Glibc

enum SocketWay {
    /// Addresses of one name that are tried.
    private static let addressesMax = 4

    /// - Parameter milliseconds: for all addresses together; the name is looked up by the system in its own time.
    static func open(host: String, port: UInt16, milliseconds: Int64) throws(OpenError) -> Wire {
        Wire(descriptor: try connect(host: host, port: port, milliseconds: milliseconds), character: 0)
    }

    /// - Parameter segmentMax: no segment is longer, bytes (TCP_MAXSEG, tcp(7)).
    /// - Returns: a socket that does not block, the caller's to close.
    static func connect(
        host: String, port: UInt16, milliseconds: Int64, segmentMax: Int32? = nil
    ) throws(OpenError) -> Int32 {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_NUMERICSERV
        var found: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, String(port), &hints, &found)
        guard code == 0 else {
            throw OpenError(description: "the name \(host) is not found: \(String(cString: gai_strerror(code)))")
        }
        defer { freeaddrinfo(found) }
        let deadline = steadyNanoseconds() + milliseconds * 1_000_000
        var reason = "no address"
        var entry = found
        for _ in 0..<addressesMax {
            guard let address = entry?.pointee else { break }
            entry = address.ai_next
            let (descriptor, problem) = connected(address, deadline, segmentMax)
            if let descriptor { return descriptor }
            reason = problem
        }
        throw OpenError(description: "\(host):\(port) does not take a connection: \(reason)")
    }

    private static func connected(
        _ address: addrinfo, _ deadline: Int64, _ segmentMax: Int32?
    ) -> (Int32?, String) {
        let kind = address.ai_socktype | Int32(SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        let descriptor = socket(address.ai_family, kind, address.ai_protocol)
        guard descriptor >= 0 else { return (nil, String(cString: strerror(errno))) }
        let size = socklen_t(MemoryLayout<Int32>.size)
        if var segmentMax { setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_MAXSEG, &segmentMax, size) }
        var problem = errno
        if Glibc.connect(descriptor, address.ai_addr, address.ai_addrlen) == 0 {
            problem = 0
        } else if errno == EINPROGRESS {
            problem = outcome(descriptor, deadline)
        } else {
            problem = errno
        }
        guard problem == 0 else {
            close(descriptor)
            return (nil, String(cString: strerror(problem)))
        }
        var yes: Int32 = 1
        // A request is one small packet that must not wait for another; a dead peer is found by the deadline of the
        // answer, and by the kernel where nothing is asked for hours.
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, size)
        setsockopt(descriptor, SOL_SOCKET, SO_KEEPALIVE, &yes, size)
        return (descriptor, "")
    }

    private static func outcome(_ descriptor: Int32, _ deadline: Int64) -> Int32 {
        while true {
            let rest = (deadline - steadyNanoseconds()) / 1_000_000
            guard rest > 0 else { return ETIMEDOUT }
            var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            let ready = poll(&entry, 1, Int32(min(rest, 60_000)))
            if ready < 0, errno != EINTR { return errno }
            guard ready > 0 else { continue }
            var problem: Int32 = 0
            var size = socklen_t(MemoryLayout<Int32>.size)
            getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &problem, &size)
            return problem
        }
    }
}
