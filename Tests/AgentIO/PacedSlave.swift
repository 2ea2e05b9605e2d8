// A serial line in memory: one end is a tty for the agent, at the other sits a slave whose bytes take the time that they
// take on a wire. It writes down what it was asked and how long the line was silent before.

internal import AgentIO
internal import Glibc
internal import Kit
internal import Synchronization

/// What the far end of a line does after a request.
enum LineAction: Sendable {
    case wait(milliseconds: Int64)
    /// Character by character, at the line's speed.
    case send([UInt8])
    /// The adapter is pulled out.
    case hangUp
}

final class PacedSlave: Sendable {
    struct Asked: Hashable, Sendable {
        let frame: [UInt8]
        /// Nanoseconds since the last character of either side.
        let silence: Int64
    }

    /// Shared with the slave's thread.
    private final class Book: Sendable {
        let asked = Mutex<[Asked]>([])
        let strays = Mutex<[[UInt8]]>([])
        let isOver = Mutex(false)
    }

    let line: SerialLine
    private let book = Book()

    /// - Parameter answer: what to do after the number-th request, from 0.
    init(
        baud: Int = 19_200, hasEcho: Bool = false, expectsEcho: Bool? = nil,
        answer: @escaping @Sendable (Int, [UInt8]) -> [LineAction]
    ) throws {
        let far = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK)
        var (number, lock) = (Int32(0), Int32(0))
        // TIOCSPTLCK and TIOCGPTN, which Swift does not map (asm-generic/ioctls.h).
        guard far >= 0, ioctl(far, 0x4004_5431, &lock) == 0, ioctl(far, 0x8004_5430, &number) == 0 else {
            throw KitError("no pseudo terminal: errno \(errno)")
        }
        line = SerialLine(device: "/dev/pts/\(number)", baud: baud, hasEcho: expectsEcho ?? hasEcho)
        // Raw from the start: what stands in the line before the agent opens it must not be echoed by the kernel.
        var mode = termios()
        tcgetattr(far, &mode)
        cfmakeraw(&mode)
        tcsetattr(far, TCSANOW, &mode)
        let (character, book) = (line.characterNanoseconds, book)
        _ = try WorkerThread("paced") {
            var slave = Slave(far: far, character: character, hasEcho: hasEcho)
            while !book.isOver.withLock({ $0 }) {
                let strays = book.strays.withLock { strays in
                    defer { strays = [] }
                    return strays
                }
                for bytes in strays { slave.send(bytes) }
                guard let asked = slave.hear() else { continue }
                let number = book.asked.withLock { all in
                    all.append(asked)
                    return all.count - 1
                }
                guard slave.act(answer(number, asked.frame)) else { break }
            }
            Glibc.close(far)
        }
    }

    deinit { stop() }

    /// Ends the slave; the agent's end hangs up.
    func stop() { book.isOver.withLock { $0 = true } }

    var asked: [Asked] { book.asked.withLock { $0 } }

    /// Sends bytes that nobody asked for: a second master, noise.
    func interject(_ bytes: [UInt8]) { book.strays.withLock { $0.append(bytes) } }
}

/// The far end, on its own thread.
private struct Slave {
    let far: Int32
    let character: Int64
    let hasEcho: Bool
    /// When the last character of either side was over.
    var busyUntil: Int64 = 0

    /// A whole request: read requests have eight bytes, 17 has four, 43/14 has seven. Nil: nothing for 20 ms.
    mutating func hear() -> PacedSlave.Asked? {
        var frame: [UInt8] = []
        var began: Int64 = 0
        while true {
            var entry = pollfd(fd: far, events: Int16(POLLIN), revents: 0)
            guard poll(&entry, 1, 20) > 0 else { return nil }
            var bytes = [UInt8](repeating: 0, count: 256)
            let count = read(far, &bytes, bytes.count)
            // EIO: nobody has the tty open now.
            guard count > 0 else {
                usleep(1_000)
                return nil
            }
            if frame.isEmpty { began = steadyNanoseconds() }
            frame += bytes[..<count]
            let length = frame.count < 2 ? 8 : frame[1] == 17 ? 4 : frame[1] == 43 ? 7 : 8
            if frame.count >= length { break }
        }
        let silence = began - busyUntil
        WireRecord.add(unit: frame[0], pdu: frame.dropFirst())
        // The tty takes a frame at once; on a wire its last character is over later.
        busyUntil = began + Int64(frame.count) * character
        if hasEcho {
            busyUntil = began
            send(frame)
        }
        sleepUntil(busyUntil)
        return PacedSlave.Asked(frame: frame, silence: silence)
    }

    mutating func act(_ actions: [LineAction]) -> Bool {
        for action in actions {
            switch action {
            case .wait(let milliseconds): sleepUntil(steadyNanoseconds() + milliseconds * 1_000_000)
            case .send(let bytes): send(bytes)
            case .hangUp: return false
            }
        }
        return true
    }

    mutating func send(_ bytes: [UInt8]) {
        var instant = max(steadyNanoseconds(), busyUntil)
        for byte in bytes {
            instant += character
            sleepUntil(instant)
            var byte = byte
            // Before the write: whoever takes the processor after it would make the silence look shorter than it was.
            busyUntil = steadyNanoseconds()
            _ = write(far, &byte, 1)
        }
    }
}
