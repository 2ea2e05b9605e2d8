// A client of Modbus TCP that shows every byte: right for looking at faults, wrong for anything else.

import Glibc
import Kit

/// One connection on loopback. Waits at most two seconds for anything.
final class ModbusClient {
    private let socket: Int32

    /// - Parameter receiveBuffer: bytes that may arrive unread; nil leaves it to the system.
    init(port: Int, receiveBuffer: Int32? = nil) throws {
        socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        if var receiveBuffer {
            setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &receiveBuffer, socklen_t(MemoryLayout<Int32>.size))
        }
        var wait = timeval(tv_sec: 2, tv_usec: 0)
        setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &wait, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        let connecting = socket
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(connecting, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw KitError("no connection to port \(port): errno \(errno)") }
    }

    deinit { close(socket) }

    func send(_ bytes: [UInt8]) { _ = Glibc.send(socket, bytes, bytes.count, Int32(MSG_NOSIGNAL)) }

    /// What arrives next, at most `count` bytes; empty when the peer closed; nil when nothing came within `ms`.
    func receive(_ count: Int = 512, ms: Int32 = 2000) -> [UInt8]? {
        var entry = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
        guard poll(&entry, 1, ms) == 1 else { return nil }
        var buffer = [UInt8](repeating: 0, count: count)
        let received = recv(socket, &buffer, count, 0)
        return received < 0 ? [] : Array(buffer[..<received])
    }

    /// Whether the connection has ended, without reading what arrived before.
    var isHungUp: Bool {
        var entry = pollfd(fd: socket, events: 0, revents: 0)
        return poll(&entry, 1, 0) == 1
    }

    /// Exactly `count` bytes, or what came until the peer closed or two seconds passed.
    func receiveAll(_ count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count, let more = receive(count - bytes.count), !more.isEmpty { bytes += more }
        return bytes
    }

    static func read(_ transaction: UInt8, unit: UInt8 = 1, function: UInt8 = 3, _ address: Int, _ count: Int)
        -> [UInt8]
    {
        [
            0, transaction, 0, 0, 0, 6, unit, function, UInt8(address >> 8), UInt8(address & 0xFF), UInt8(count >> 8),
            UInt8(count & 0xFF),
        ]
    }

    /// The registers from `address`; nil when the answer is anything else.
    func words(unit: UInt8 = 1, function: UInt8 = 3, _ address: Int, _ count: Int) -> [UInt16]? {
        send(Self.read(7, unit: unit, function: function, address, count))
        let answer = receiveAll(9 + count * 2)
        guard answer.prefix(9) == [0, 7, 0, 0, 0, UInt8(3 + count * 2), unit, function, UInt8(count * 2)] else {
            return nil
        }
        return (0..<count).map { UInt16(answer[9 + $0 * 2]) << 8 | UInt16(answer[10 + $0 * 2]) }
    }

    /// A counter: its registers as one number.
    func number(unit: UInt8 = 1, _ address: Int, _ count: Int) -> UInt64? {
        words(unit: unit, address, count)?.reduce(0) { $0 << 16 | UInt64($1) }
    }
}
