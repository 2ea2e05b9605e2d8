// A TCP connection within a deadline, and waiting for one. What is spoken there is not its matter.

internal import Glibc

/// Nanoseconds of the clock that never steps.
func monotonic() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}

/// False when nothing happened by then.
func wait(_ descriptor: Int32, for events: Int32, until deadline: Int64) -> Bool {
    while true {
        let rest = (deadline - monotonic()) / 1_000_000
        guard rest > 0 else { return false }
        var entry = pollfd(fd: descriptor, events: Int16(events), revents: 0)
        let ready = poll(&entry, 1, Int32(min(rest, 60_000)))
        if ready > 0 { return true }
        if ready < 0, errno != EINTR { return false }
    }
}

/// Addresses of one name that are tried.
private let addressesMax = 4

/// A connected socket that does not block. The name is looked up by the system in its own time.
func dial(_ origin: HTTPSOrigin, until deadline: Int64, seconds: Int) throws(HTTPSError) -> Int32 {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    hints.ai_flags = AI_NUMERICSERV
    var found: UnsafeMutablePointer<addrinfo>?
    let code = getaddrinfo(origin.host, String(origin.port), &hints, &found)
    guard code == 0 else { throw .nameNotFound(host: origin.host, reason: String(cString: gai_strerror(code))) }
    defer { freeaddrinfo(found) }
    var problem = ENOENT
    var entry = found
    for _ in 0..<addressesMax {
        guard let address = entry?.pointee else { break }
        entry = address.ai_next
        let descriptor = connected(address, deadline, &problem)
        if let descriptor { return descriptor }
        guard monotonic() < deadline else { throw .timeout(place: origin.description, seconds: seconds) }
    }
    throw .unreachable(place: origin.description, reason: String(cString: strerror(problem)))
}

private func connected(_ address: addrinfo, _ deadline: Int64, _ problem: inout Int32) -> Int32? {
    let kind = address.ai_socktype | Int32(SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
    let descriptor = socket(address.ai_family, kind, address.ai_protocol)
    guard descriptor >= 0 else {
        problem = errno
        return nil
    }
    if connect(descriptor, address.ai_addr, address.ai_addrlen) == 0 { return descriptor }
    problem = errno
    if problem == EINPROGRESS {
        var size = socklen_t(MemoryLayout<Int32>.size)
        if wait(descriptor, for: POLLOUT, until: deadline) {
            getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &problem, &size)
            if problem == 0 { return descriptor }
        } else {
            problem = ETIMEDOUT
        }
    }
    close(descriptor)
    return nil
}
