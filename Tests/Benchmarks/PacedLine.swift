// A serial line in memory: a tty for the agent, and at the other end slaves whose characters take the time that they take on a
// wire. It measures the silence before each request.

internal import Foundation
internal import Glibc
internal import Kit
internal import Synchronization

final class PacedLine: Sendable {
    static let delayNanoseconds: Int64 = 5_000_000
    /// Start, eight data bits, parity or second stop bit, stop (Modbus over Serial Line V1.02 §2.5.1).
    private static let bits: Int64 = 11

    let device: String
    let characterNanoseconds: Int64
    /// t3.5, above 19 200 baud 1.75 ms.
    let gapNanoseconds: Int64
    private let figures = Mutex((asked: 0, shortest: Int64.max))
    private let far: Int32

    init(baud: Int) throws {
        far = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
        var (number, lock) = (Int32(0), Int32(0))
        // TIOCSPTLCK and TIOCGPTN, which Swift does not map (asm-generic/ioctls.h).
        guard far >= 0, ioctl(far, 0x4004_5431, &lock) == 0, ioctl(far, 0x8004_5430, &number) == 0 else {
            throw KitError("no pseudo terminal: errno \(errno)")
        }
        device = "/dev/pts/\(number)"
        // Held open, so that the far end has no hang-up between two opens; raw, so that the kernel echoes nothing.
        _ = open(device, O_RDWR | O_NOCTTY | O_CLOEXEC)
        var mode = termios()
        tcgetattr(far, &mode)
        cfmakeraw(&mode)
        tcsetattr(far, TCSANOW, &mode)
        characterNanoseconds = Self.bits * 1_000_000_000 / Int64(baud)
        gapNanoseconds = baud > 19_200 ? 1_750_000 : characterNanoseconds * 7 / 2
        Thread.detachNewThread { [self] in serve() }
    }

    var asked: Int { figures.withLock { $0.asked } }
    /// Of all requests but the first.
    var shortestGap: Int64 { figures.withLock { $0.shortest } }

    private func serve() {
        var request: [UInt8] = []
        var (began, busyUntil) = (Int64(0), Int64(0))
        var bytes = [UInt8](repeating: 0, count: 256)
        while true {
            let count = read(far, &bytes, bytes.count)
            guard count > 0 else { return }
            if request.isEmpty { began = now() }
            request += bytes[..<count]
            guard request.count >= 8 else { continue }
            figures.withLock { figures in
                if busyUntil > 0 { figures.shortest = min(figures.shortest, began - busyUntil) }
                figures.asked += 1
            }
            // The tty takes a frame at once; on a wire its last character is over later.
            var instant = began + Int64(request.count) * characterNanoseconds + Self.delayNanoseconds
            for byte in answer(request) {
                instant += characterNanoseconds
                sleep(until: instant)
                var byte = byte
                // Before the write: whoever takes the processor after it would make the silence look shorter than it was.
                busyUntil = now()
                _ = write(far, &byte, 1)
            }
            request = []
        }
    }

    private func answer(_ request: [UInt8]) -> [UInt8] {
        let count = Int(request[4]) << 8 | Int(request[5])
        guard request[1] == 3, count <= 125 else { return framed([request[0], request[1] | 0x80, 1]) }
        let words = (0..<count).flatMap { [UInt8(0x43), UInt8($0)] }
        return framed([request[0], 3, UInt8(count * 2)] + words)
    }

    /// With the checksum (§6.2.2).
    private func framed(_ body: [UInt8]) -> [UInt8] {
        var sum: UInt16 = 0xFFFF
        for byte in body {
            sum ^= UInt16(byte)
            for _ in 0..<8 { sum = sum & 1 == 1 ? sum >> 1 ^ 0xA001 : sum >> 1 }
        }
        return body + [UInt8(sum & 0xFF), UInt8(sum >> 8)]
    }

    private func now() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    private func sleep(until instant: Int64) {
        var time = timespec(tv_sec: Int(instant / 1_000_000_000), tv_nsec: Int(instant % 1_000_000_000))
        while clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, nil) == EINTR {}
    }
}
