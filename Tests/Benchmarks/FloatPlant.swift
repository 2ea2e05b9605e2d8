// Meters for comparisons: endpoints in one process, on each some units with floats in holding registers. So cheap that it does
// not disturb who is measured beside it. Not a plant: values only drift, nothing is checked.

internal import Glibc
internal import Kit

enum FloatPlant {
    /// Floats from register 0 on, in two registers each, high word first.
    static let values = 20
    private static let frameMax = 260

    /// A running plant. Its process ends with it.
    struct Running {
        let child: ChildProcess
        let ports: [Int]
        private let place: TemporaryDirectory

        /// - Parameter delay: milliseconds between a request and its answer, 0: at once.
        init(endpoints: Int, delay: Int = 0) throws {
            place = try TemporaryDirectory()
            child = try ChildProcess(
                "/proc/self/exe", ["--float-plant", "\(endpoints)", "\(delay)"], outputPath: place.file("plant"))
            var words: [Substring] = []
            while words.count <= endpoints {
                guard child.poll() == nil else { throw KitError("the plant does not start: \(try child.output)") }
                usleep(20_000)
                words = try child.output.split(whereSeparator: \.isWhitespace)
            }
            ports = words.dropFirst().compactMap { Int($0) }
        }
    }

    /// Arguments: endpoints, delay. Prints `listening` and the ports; answers until killed.
    static func run(_ words: [String]) throws {
        guard words.count == 2, let endpoints = Int(words[0]), let delay = UInt32(words[1]) else {
            throw KitError("--float-plant ENDPOINTS DELAY")
        }
        var entries: [pollfd] = []
        var ports: [String] = []
        for _ in 0..<endpoints {
            let (descriptor, port) = try listen()
            entries.append(pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0))
            ports.append("\(port)")
        }
        print("listening", ports.joined(separator: " "))
        fflush(nil)
        while poll(&entries, nfds_t(entries.count), -1) >= 0 {
            for index in entries.indices where entries[index].revents != 0 {
                if index < endpoints {
                    let descriptor = accept(entries[index].fd, nil, nil)
                    var one: Int32 = 1
                    setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
                    entries.append(pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0))
                } else if !answer(entries[index].fd, delay) {
                    close(entries[index].fd)
                    entries[index].fd = -1
                }
            }
            entries.removeAll { $0.fd < 0 }
        }
    }

    private static func listen() throws -> (descriptor: Int32, port: Int) {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && Glibc.listen(descriptor, 64) == 0
                    && getsockname(descriptor, $0, &length) == 0
            }
        }
        guard isBound else { throw KitError("no port: errno \(errno)") }
        return (descriptor, Int(UInt16(bigEndian: address.sin_port)))
    }

    /// One request. False when the other side is gone.
    private static func answer(_ descriptor: Int32, _ delay: UInt32) -> Bool {
        var frame = [UInt8](repeating: 0, count: frameMax)
        guard recv(descriptor, &frame, frame.count, 0) >= 12 else { return false }
        if delay > 0 { usleep(delay * 1_000) }
        let (function, address) = (frame[7], Int(frame[8]) << 8 | Int(frame[9]))
        let count = Int(frame[10]) << 8 | Int(frame[11])
        var pdu = [function, UInt8(truncatingIfNeeded: count * 2)]
        if function == 3, count > 0, address + count <= 2 * values {
            var now = timespec()
            clock_gettime(CLOCK_MONOTONIC, &now)
            for register in address..<address + count {
                // Digits as a meter's: 230.1, 49.98; they move a little each second.
                let value = Float(Int(frame[6]) * 1_000 + register / 2 * 37 + now.tv_sec % 100) * 0.1
                let half = register % 2 == 0 ? value.bitPattern >> 16 : value.bitPattern & 0xFFFF
                pdu += [UInt8(half >> 8), UInt8(half & 0xFF)]
            }
        } else {
            pdu = [function | 0x80, function == 3 ? 2 : 1]
        }
        let header = [frame[0], frame[1], 0, 0, 0, UInt8(pdu.count + 1), frame[6]]
        return send(descriptor, header + pdu, header.count + pdu.count, Int32(MSG_NOSIGNAL)) > 0
    }
}
