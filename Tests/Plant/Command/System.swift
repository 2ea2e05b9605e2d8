// The machine as the plant needs it: clocks, files, the stop signal, exit codes. No Modbus here.

internal import Glibc
internal import Quantities

/// Exit codes as in sysexits.h.
enum ExitCode: Int32 {
    case ok = 0, usage = 64, badData = 65, noInput = 66, unavailable = 69, writeFailed = 74
}

/// An end with a message and a code.
struct Failure: Error {
    let code: ExitCode
    let message: String
}

enum System {
    /// Largest file that is read: 64 MiB.
    static let fileBytesMax = 64 << 20

    static func utc() -> UTCInstant { UTCInstant(milliseconds: milliseconds(CLOCK_REALTIME)) }

    static func monotonicMs() -> Int64 { milliseconds(CLOCK_MONOTONIC) }

    private static func milliseconds(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }

    static func reason() -> String { String(cString: strerror(errno)) }

    /// Writes all of `bytes`; false when the descriptor takes no more. For files and terminals, not for sockets.
    @discardableResult
    static func write(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }

    static func read(_ path: String) throws(Failure) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Failure(code: .noInput, message: "\(path): \(reason())") }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw Failure(code: .noInput, message: "\(path): \(reason())") }
            if count == 0 { return bytes }
            bytes += chunk[..<count]
            guard bytes.count <= fileBytesMax else {
                throw Failure(code: .badData, message: "\(path): larger than \(fileBytesMax) bytes; split the file")
            }
        }
    }

    /// A descriptor that becomes readable when SIGTERM or SIGINT arrives. Call once, before any other thread.
    ///
    /// The signals are blocked everywhere and awaited by one thread, so that no handler runs in the midst of a request.
    static func stopDescriptor() throws(Failure) -> Int32 {
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGTERM)
        sigaddset(&signals, SIGINT)
        pthread_sigmask(SIG_BLOCK, &signals, nil)
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw Failure(code: .unavailable, message: "pipe: \(reason())") }
        var thread = pthread_t()
        let writeEnd = UnsafeMutableRawPointer(bitPattern: Int(ends[1]))
        let created = pthread_create(
            &thread, nil,
            { argument in
                var signals = sigset_t()
                sigemptyset(&signals)
                sigaddset(&signals, SIGTERM)
                sigaddset(&signals, SIGINT)
                var signal: Int32 = 0
                sigwait(&signals, &signal)
                System.write([1], to: Int32(Int(bitPattern: argument)))
                return nil
            }, writeEnd)
        guard created == 0 else { throw Failure(code: .unavailable, message: "the signal thread cannot start") }
        return ends[0]
    }

    /// Raises the soft limit of open files as far as the system permits, up to `wanted`.
    static func allowOpenFiles(_ wanted: rlim_t) {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0, limit.rlim_cur < wanted else {
            return
        }
        limit.rlim_cur = min(wanted, limit.rlim_max)
        // A refusal only means fewer connections; they are bounded anyway.
        _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }
}
