// The seam between frames and the world: bytes out, bytes in until a deadline, over a socket or a tty. Which answer is
// believed is decided above it.

internal import AgentCore
internal import CLinux
internal import Glibc

/// Nanoseconds of the clock that never steps: deadlines and gaps on a bus. What enters a record is MachineClock's.
package func steadyNanoseconds() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}

/// Sleeps until ``steadyNanoseconds()`` shows `instant`, never shorter.
package func sleepUntil(_ instant: Int64) {
    var time = timespec(tv_sec: Int(instant / 1_000_000_000), tv_nsec: Int(instant % 1_000_000_000))
    while instant > steadyNanoseconds(), clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, nil) == EINTR {}
}

/// An open way to a bus. One thread owns it.
final class Wire {
    enum Received: Hashable {
        case bytes([UInt8])
        /// Nothing until the deadline.
        case nothing
        /// The other side, or the adapter, is gone.
        case ended
    }

    private static let chunkMax = 512
    /// Bytes thrown away at once: a line that never falls silent is noise, not an answer.
    static let strayMax = 4_096

    private let descriptor: Int32
    /// Nanoseconds of one character; 0 where the line is not ours to time.
    let character: Int64
    /// A tty that was taken for this process alone.
    var isExclusive = false
    /// When the line was last busy, by ``steadyNanoseconds()``.
    private(set) var busyUntil: Int64 = 0

    init(descriptor: Int32, character: Int64) {
        self.descriptor = descriptor
        self.character = character
    }

    deinit {
        // A tty that somebody else keeps open would stay ours for ever.
        if isExclusive { _ = ioctl(descriptor, UInt(TIOCNXCL)) }
        close(descriptor)
    }

    /// What the driver has counted since it began; nil: it counts none (ENOTTY of a pseudo terminal), or this is no line.
    var characters: CharacterErrors? {
        guard isExclusive else { return nil }
        var counts = serial_icounter_struct()
        guard ioctl(descriptor, UInt(TIOCGICOUNT), &counts) == 0 else { return nil }
        var errors = CharacterErrors()
        // Counters of 32 bits that wrap: the sign means nothing.
        errors.received = UInt64(UInt32(bitPattern: counts.rx))
        errors.framing = UInt64(UInt32(bitPattern: counts.frame))
        errors.parity = UInt64(UInt32(bitPattern: counts.parity))
        errors.overruns =
            UInt64(UInt32(bitPattern: counts.overrun)) + UInt64(UInt32(bitPattern: counts.buf_overrun))
        errors.breaks = UInt64(UInt32(bitPattern: counts.brk))
        return errors
    }

    /// Writes all of it, by `deadline`.
    func send(_ bytes: [UInt8], deadline: Int64) -> Bool {
        let began = steadyNanoseconds()
        var sent = 0
        while sent < bytes.count {
            let went = bytes.withUnsafeBytes { buffer in
                write(descriptor, buffer.baseAddress.map { $0 + sent }, buffer.count - sent)
            }
            if went > 0 {
                sent += went
            } else if went < 0, errno == EINTR {
                continue
            } else if went < 0, errno == EAGAIN {
                guard wait(Int16(POLLOUT), until: deadline) else { return false }
            } else {
                return false
            }
        }
        // A tty takes the bytes at once and sends them at its own pace.
        busyUntil = max(steadyNanoseconds(), began + Int64(bytes.count) * character)
        return true
    }

    /// What has come, waiting for the first byte until `deadline`.
    ///
    /// - Parameter expected: bytes that are known to come: on a serial line they are waited for, so that not every
    ///   character wakes the machine.
    func receive(until deadline: Int64, expected: Int = 1) -> Received {
        if expected > 1, character > 0 {
            sleepUntil(min(deadline, steadyNanoseconds() + Int64(min(expected, 256) - 1) * character))
        }
        guard wait(Int16(POLLIN), until: deadline) else { return .nothing }
        var bytes = [UInt8](repeating: 0, count: Self.chunkMax)
        let count = read(descriptor, &bytes, bytes.count)
        if count < 0, errno == EAGAIN || errno == EINTR { return .bytes([]) }
        // 0 and EIO are how a tty says that its adapter was pulled out; of a socket the peer closed.
        guard count > 0 else { return .ended }
        busyUntil = steadyNanoseconds()
        return .bytes(Array(bytes[..<count]))
    }

    /// Throws away what arrives until the line has been silent for `silence` nanoseconds.
    ///
    /// - Returns: the first bytes of it, at most ``HeardFrame/bytesMax``, with the number of all; nil: the line is
    ///   gone, or does not fall silent before `deadline` or ``strayMax`` bytes.
    func drain(silence: Int64, until deadline: Int64) -> (first: [UInt8], count: Int)? {
        var first: [UInt8] = []
        var count = 0
        while true {
            let patience = steadyNanoseconds() + silence
            switch receive(until: min(patience, deadline)) {
            case .nothing: return patience <= deadline ? (first, count) : nil
            case .ended: return nil
            case .bytes(let bytes):
                count += bytes.count
                first += bytes.prefix(max(0, HeardFrame.bytesMax - first.count))
                guard count <= Self.strayMax else { return nil }
            }
        }
    }

    private func wait(_ events: Int16, until deadline: Int64) -> Bool {
        while true {
            let rest = deadline - steadyNanoseconds()
            var entry = pollfd(fd: descriptor, events: events, revents: 0)
            // Rounded up: a wait that ends too early would only be waited again.
            let ready = poll(&entry, 1, Int32(min((max(0, rest) + 999_999) / 1_000_000, 60_000)))
            if ready > 0 { return true }
            if ready < 0, errno == EINTR { continue }
            if ready < 0 || rest <= 0 { return false }
        }
    }
}

/// Why a bus cannot be opened, in words for the person who can change it.
package struct OpenError: Error, Hashable, Sendable, CustomStringConvertible {
    package let description: String
}
