// Finds out on connections of its own whether full segments reach a broker. Needs no rights: the kernel's own figures of a
// socket tell what was acknowledged. What is sent begins a message and never ends it, so that the broker has nothing to
// answer or refuse: it waits, and we hang up. What the outcome means is Core's.

package import AgentCore
internal import CLinux
internal import Glibc

package struct SegmentProbe {
    /// What a broker reads patiently.
    package enum Words: Sendable {
        /// The beginning of a TLS record of 16 384 bytes, which starts a ClientHello (RFC 8446 §5.1).
        case handshake
        /// The beginning of an MQTT 5 CONNECT of 16 384 bytes: for a broker without TLS.
        case connect

        fileprivate var head: [UInt8] {
            switch self {
            case .handshake: [0x16, 3, 1, 0x40, 0, 1, 0, 0x3F, 0xFC, 3, 3]
            case .connect: [0x10, 0x80, 0x80, 1, 0, 4, 0x4D, 0x51, 0x54, 0x54, 5, 2, 0, 60, 0, 0x3F, 0xF0]
            }
        }
    }

    static let smallBytes = 64
    /// Shorter than what ``Words`` announces.
    static let largeMax = 16_000
    static let connectMilliseconds: Int64 = 5_000
    /// For a few bytes to be acknowledged, and for large ones.
    static let smallMilliseconds: Int64 = 5_000
    static let largeMilliseconds: Int64 = 12_000
    /// Before this nothing is called vanished: a link that wakes up is slow at first.
    static let patienceMilliseconds: Int64 = 3_000

    let host: String
    let port: Int
    let words: Words

    package init(host: String, port: Int, words: Words) {
        self.host = host
        self.port = port
        self.words = words
    }

    /// Blocks for some milliseconds where all is well, for a minute at most where it is not.
    package func run() -> (UplinkFacts.Probe, SegmentFacts?) {
        let began = steadyNanoseconds()
        let socket: OwnSocket
        do throws(OpenError) { socket = try connect(nil) } catch { return (.failed(error.description), nil) }
        let connected = UplinkFacts.Probe.connected(milliseconds: (steadyNanoseconds() - began) / 1_000_000)
        let full = trial(socket)
        var smaller: [SegmentTrial] = []
        if full.end == .vanished {
            for size in SegmentTrial.packetSizes where size < full.packetBytes {
                do throws(OpenError) { smaller.append(trial(try connect(Int32(size - socket.headerBytes)))) } catch {
                    smaller.append(SegmentTrial(.unknown(error.description)))
                }
                if smaller.last?.end == .acknowledged { break }
            }
        }
        return (connected, SegmentFacts(full: full, smaller: smaller, interface: socket.interface))
    }

    private func connect(_ segmentMax: Int32?) throws(OpenError) -> OwnSocket {
        OwnSocket(
            descriptor: try SocketWay.connect(
                host: host, port: UInt16(clamping: port), milliseconds: Self.connectMilliseconds,
                segmentMax: segmentMax))
    }

    private func trial(_ socket: OwnSocket) -> SegmentTrial {
        let filler = [UInt8](repeating: 0x6B, count: Self.largeMax)
        socket.send(words.head + filler.prefix(Self.smallBytes - words.head.count))
        guard socket.wait(Self.smallMilliseconds, until: { socket.unacknowledged == 0 }) else {
            return SegmentTrial(
                .unknown(socket.isClosed ? "the broker closes the connection" : "not even 64 bytes were acknowledged"))
        }
        let before = socket.figures
        var trial = SegmentTrial(.unknown("the connection tells no figures"))
        trial.smallBytes = Self.smallBytes
        trial.segmentBytes = Int(before.tcpi_snd_mss)
        trial.packetBytes =
            trial.segmentBytes + socket.headerBytes + (before.tcpi_options & UInt8(TCPI_OPT_TIMESTAMPS) == 0 ? 0 : 12)
        trial.pathMTU = Int(before.tcpi_pmtu)
        guard trial.segmentBytes > 0 else { return trial }
        trial.largeBytes = socket.send(Array(filler.prefix(min(2 * trial.segmentBytes, Self.largeMax))))
        // One full segment that arrived is enough.
        let passed = max(0, trial.largeBytes - trial.segmentBytes)
        let began = steadyNanoseconds()
        let isOver = socket.wait(Self.largeMilliseconds) {
            if socket.unacknowledged <= passed { return true }
            let now = socket.figures
            // Where this machine's own device drops them, the kernel counts its attempts as probes.
            trial.retransmits =
                Int(now.tcpi_total_retrans) - Int(before.tcpi_total_retrans) + Int(now.tcpi_probes)
            return trial.retransmits >= SegmentTrial.retransmitsMin
                && steadyNanoseconds() - began >= Self.patienceMilliseconds * 1_000_000
        }
        trial.milliseconds = (steadyNanoseconds() - began) / 1_000_000
        trial.lostBytes = min(trial.largeBytes, socket.unacknowledged)
        if trial.lostBytes <= passed, trial.largeBytes > 0 {
            trial.end = .acknowledged
        } else if socket.isClosed {
            trial.end = .unknown("the broker closed the connection before full segments had arrived")
        } else {
            trial.end =
                isOver
                ? .vanished
                : .unknown(
                    "full segments were neither acknowledged nor often sent again in \(trial.milliseconds / 1000) s")
        }
        return trial
    }
}

/// A connected socket of the probe's own, closed when it is let go of.
private final class OwnSocket {
    private let descriptor: Int32
    /// The other side hung up, or the kernel gave up.
    private(set) var isClosed = false

    init(descriptor: Int32) { self.descriptor = descriptor }

    deinit { close(descriptor) }

    /// - Returns: bytes that the kernel took. Its buffer of an empty connection takes 16 KiB at once.
    @discardableResult func send(_ bytes: [UInt8]) -> Int {
        let count = Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
        if count < 0 { isClosed = true }
        return max(0, count)
    }

    /// Bytes sent and not acknowledged, or not sent (SIOCOUTQ, tcp(7)).
    var unacknowledged: Int {
        var count: Int32 = 0
        return ioctl(descriptor, UInt(TIOCOUTQ), &count) == 0 ? Int(count) : .max
    }

    /// All 0 where the kernel does not tell.
    var figures: tcp_info {
        var figures = tcp_info()
        var size = socklen_t(MemoryLayout<tcp_info>.size)
        getsockopt(descriptor, Int32(IPPROTO_TCP), TCP_INFO, &figures, &size)
        return figures
    }

    /// Looks every few milliseconds.
    ///
    /// - Returns: false when the time is over, or the connection.
    func wait(_ milliseconds: Int64, until isTrue: () -> Bool) -> Bool {
        let deadline = steadyNanoseconds() + milliseconds * 1_000_000
        while true {
            if isTrue() { return true }
            var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            if isClosed || (poll(&entry, 1, 10) > 0 && !readOn()) {
                isClosed = true
                return isTrue()
            }
            if steadyNanoseconds() >= deadline { return false }
        }
    }

    /// What the broker says is not looked at.
    private func readOn() -> Bool {
        var bytes = [UInt8](repeating: 0, count: 512)
        let count = recv(descriptor, &bytes, bytes.count, 0)
        return count > 0 || (count < 0 && (errno == EAGAIN || errno == EINTR))
    }

    // MARK: Addresses

    /// Bytes of IP and TCP headers without options.
    var headerBytes: Int { own.family == sa_family_t(AF_INET6) ? 60 : 40 }

    /// The interface that has this side's address.
    var interface: String? {
        let mine = own
        var list: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&list) == 0 else { return nil }
        defer { freeifaddrs(list) }
        var entry = list
        while let item = entry?.pointee {
            if let address = item.ifa_addr, Self.bytes(address) == mine.bytes {
                return String(cString: item.ifa_name)
            }
            entry = item.ifa_next
        }
        return nil
    }

    private var own: (family: sa_family_t, bytes: [UInt8]) {
        var storage = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                guard getsockname(descriptor, address, &size) == 0 else { return (0, []) }
                return (address.pointee.sa_family, Self.bytes(address))
            }
        }
    }

    /// The address alone, without port; empty for another family than IP.
    private static func bytes(_ address: UnsafeMutablePointer<sockaddr>) -> [UInt8] {
        let raw = UnsafeRawPointer(address)
        switch Int32(address.pointee.sa_family) {
        case AF_INET: return Array(UnsafeRawBufferPointer(start: raw + 4, count: 4))
        case AF_INET6:
            let bytes = Array(UnsafeRawBufferPointer(start: raw + 8, count: 16))
            // A socket of both families shows an IPv4 address so (RFC 4291 §2.5.5.2).
            return bytes.starts(with: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]) ? Array(bytes[12...]) : bytes
        default: return []
        }
    }
}
