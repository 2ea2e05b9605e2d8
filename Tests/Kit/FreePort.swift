// TCP ports of loopback: one nobody listens on, and one that a test listens on itself.

internal import Glibc

/// A port on loopback that was free a moment ago. Another process may take it before the test does: whoever starts a
/// server on it retries with another one.
package func freePort() throws -> UInt16 {
    let (socket, port) = try boundSocket()
    close(socket)
    return port
}

/// A socket that takes connections on a port of loopback. Whoever asks closes it; `shutdown` before wakes `accept`.
package func loopbackListener() throws -> (socket: Int32, port: UInt16) {
    let (socket, port) = try boundSocket()
    guard listen(socket, 16) == 0 else {
        close(socket)
        throw KitError("no listener on loopback: errno \(errno)")
    }
    return (socket, port)
}

private func boundSocket() throws -> (socket: Int32, port: UInt16) {
    let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    guard socket >= 0 else { throw KitError("no socket: errno \(errno)") }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let result = withUnsafeMutablePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
            bind(socket, generic, length) == 0 ? getsockname(socket, generic, &length) : -1
        }
    }
    guard result == 0 else {
        close(socket)
        throw KitError("no free port on loopback: errno \(errno)")
    }
    return (socket, UInt16(bigEndian: address.sin_port))
}
