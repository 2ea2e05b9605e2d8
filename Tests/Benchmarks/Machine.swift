// What the kernel tells: processor time, memory, bytes written, load. Reads /proc; Linux only.

internal import Glibc
internal import Kit

/// Elapsed and processor time of a piece of work of this process, in seconds.
struct Taken {
    let seconds: Double
    /// User and system time of all threads.
    let processor: Double
}

enum Machine {
    /// Measures `work`.
    static func time(_ work: () throws -> Void) rethrows -> Taken {
        let (begin, used) = (ContinuousClock.now, processorSeconds())
        try work()
        return Taken(seconds: (ContinuousClock.now - begin) / .seconds(1), processor: processorSeconds() - used)
    }

    static func processorSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// Milliseconds since boot: what a real agent calls uptime.
    static func uptime() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return UInt64(time.tv_sec) * 1_000 + UInt64(time.tv_nsec) / 1_000_000
    }

    static func realMilliseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000
    }

    static var load: String {
        do { return String(try text("/proc/loadavg").split(separator: " ").first ?? "?") } catch { return "?" }
    }

    /// Processor, memory and kernel in one line.
    static var description: String {
        func field(_ path: String, _ name: String) -> String {
            do {
                let line = try text(path).split(separator: "\n").first { $0.hasPrefix(name) }
                return line?.split(separator: ":", maxSplits: 1).last?.drop(while: \.isWhitespace).description ?? "?"
            } catch { return "?" }
        }
        let kernel = field("/proc/version", "Linux").split(separator: " ").prefix(3).joined(separator: " ")
        return "\(sysconf(Int32(_SC_NPROCESSORS_ONLN))) processors \(field("/proc/cpuinfo", "model name")), "
            + "\(field("/proc/meminfo", "MemTotal")) memory, \(kernel), load \(load)"
    }

    /// /proc files have no size: read to the end.
    static func text(_ path: String) throws -> String {
        guard let file = fopen(path, "r") else { throw KitError("cannot read \(path)") }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 65_536)
        while case let count = fread(&part, 1, part.count, file), count > 0 { bytes += part[..<count] }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// A process seen through /proc.
struct ProcessFigures {
    /// Seconds.
    let user: Double
    let system: Double
    /// VmHWM, bytes: the largest resident set so far.
    let peak: Double
    /// VmRSS, bytes.
    let resident: Double
    /// RssAnon, bytes: what no file is behind.
    let anonymous: Double
    let threads: Int
    /// Bytes sent to storage.
    let written: Double

    /// - Parameter pid: a number, or `self`.
    init(_ pid: String) throws {
        // Fields after the name in parentheses, which may hold spaces: proc(5), fields 14 and 15.
        let stat = try Machine.text("/proc/\(pid)/stat")
        let fields = stat[(stat.lastIndex(of: ")") ?? stat.startIndex)...].split(separator: " ")
        let ticks = Double(sysconf(Int32(_SC_CLK_TCK)))
        user = (Double(fields[12]) ?? 0) / ticks
        system = (Double(fields[13]) ?? 0) / ticks
        func number(_ path: String, _ name: String) throws -> Double {
            let line = try Machine.text(path).split(separator: "\n").first { $0.hasPrefix(name + ":") }
            return line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Double($0) } ?? 0
        }
        peak = try number("/proc/\(pid)/status", "VmHWM") * 1_024
        resident = try number("/proc/\(pid)/status", "VmRSS") * 1_024
        anonymous = try number("/proc/\(pid)/status", "RssAnon") * 1_024
        threads = Int(try number("/proc/\(pid)/status", "Threads"))
        written = try number("/proc/\(pid)/io", "write_bytes")
    }

    /// Starts this process's VmHWM anew (proc(5), clear_refs).
    static func resetPeak() throws {
        guard let file = fopen("/proc/self/clear_refs", "w") else { throw KitError("cannot reset the peak of memory") }
        defer { fclose(file) }
        fputs("5", file)
    }
}
