// Gathers what the doctor must know of the machine from /proc, /sys and the file system. Judges nothing, changes nothing
// but one small file beside the spool. What it may not see it leaves out.

package import AgentCore
internal import CLinux
internal import Glibc
internal import Quantities

package struct MachineFactsReader {
    /// Processes and descriptors of one that are looked at.
    static let processesMax = 32_768
    static let descriptorsMax = 4_096
    private static let rivals: Set<String> = ["ModemManager", "brltty", "gpsd"]

    /// Stands before every path: a test's own tree. Empty: the machine's.
    let root: String

    package init(root: String = "") { self.root = root }

    // MARK: Serial lines

    /// - Parameter devices: as configured.
    package func ttys(_ devices: [String]) -> [TTYFacts] {
        let held = devices.isEmpty ? [:] : holders(of: Set(devices.map(resolved)))
        let hides = !devices.isEmpty && hidesDescriptors
        let consoles = text("/sys/class/tty/console/active").split(separator: " ").map(String.init)
        return devices.map { device in
            let place = resolved(device)
            let name = String(place.split(separator: "/").last ?? "")
            var facts = TTYFacts(device: device, resolved: place)
            facts.isThere = access(root + place, F_OK) == 0
            facts.isPermitted = access(root + place, R_OK | W_OK) == 0
            (facts.group, facts.user) = (group(of: place), user)
            facts.holders = held[place, default: []]
            facts.hidesHolders = hides
            let locked = lockFile(name)
            if let locked, !facts.holders.contains(where: { $0.pid == locked.pid }) { facts.holders.append(locked) }
            facts.isConsole = consoles.contains(name)
            facts.latencyMilliseconds =
                number("/sys/bus/usb-serial/devices/\(name)/latency_timer")
                ?? number("/sys/class/tty/\(name)/device/latency_timer")
            return facts
        }
    }

    /// Where links lead; the path itself where they lead nowhere.
    private func resolved(_ path: String) -> String {
        guard let real = realpath(root + path, nil) else { return path }
        defer { free(real) }
        let found = String(cString: real)
        guard let base = realpath(root.isEmpty ? "/" : root, nil) else { return found }
        defer { free(base) }
        let prefix = String(cString: base)
        return prefix != "/" && found.hasPrefix(prefix) ? String(found.dropFirst(prefix.count)) : found
    }

    /// Processes that have one of `devices` open, by device. Of other users' processes only root sees the descriptors.
    private func holders(of devices: Set<String>) -> [String: [LineHolder]] {
        var found: [String: [LineHolder]] = [:]
        for pid in processes {
            for entry in names("/proc/\(pid)/fd", max: Self.descriptorsMax) {
                guard let target = link("/proc/\(pid)/fd/\(entry)"), devices.contains(target),
                    found[target]?.contains(where: { $0.pid == pid }) != true
                else { continue }
                found[target, default: []].append(LineHolder(pid: pid, command: command(pid)))
            }
        }
        return found
    }

    /// A process that ended meanwhile hides nothing.
    private var hidesDescriptors: Bool {
        processes.contains { access(root + "/proc/\($0)/fd", R_OK | X_OK) != 0 && errno == EACCES }
    }

    package var rivals: [LineHolder] {
        processes.map { LineHolder(pid: $0, command: command($0)) }.filter { Self.rivals.contains($0.command) }
    }

    private var processes: [Int] { names("/proc", max: Self.processesMax).compactMap { Int($0) }.sorted() }
    private func command(_ pid: Int) -> String { text("/proc/\(pid)/comm") }

    /// The lock file that old serial programs leave (FHS 3.0 §5.9): a process id as text. One of a dead process is none.
    private func lockFile(_ tty: String) -> LineHolder? {
        for folder in ["/run/lock", "/var/lock"] {
            guard let pid = number("\(folder)/LCK..\(tty)") else { continue }
            let command = command(pid)
            if !command.isEmpty { return LineHolder(pid: pid, command: command, isByLockFile: true) }
        }
        return nil
    }

    private func group(of path: String) -> String {
        var status = stat()
        guard stat(root + path, &status) == 0 else { return "dialout" }
        guard let entry = getgrgid(status.st_gid) else { return String(status.st_gid) }
        return String(cString: entry.pointee.gr_name)
    }

    private var user: String {
        guard let entry = getpwuid(geteuid()) else { return String(geteuid()) }
        return String(cString: entry.pointee.pw_name)
    }

    // MARK: Disk

    /// - Parameters:
    ///   - path: the spool's folder; its parent where it is not there yet.
    ///   - bytesMax: what the spool may take.
    ///   - writes: try a small durable write in the folder.
    package func disk(_ path: String, bytesMax: Int64, writes: Bool) -> DiskFacts? {
        let folder = access(root + path, F_OK) == 0 ? path : parent(path)
        var room = statvfs()
        guard statvfs(root + folder, &room) == 0 else { return nil }
        let mount = mount(of: resolved(folder))
        let used = size(path + "/spool.db") + size(path + "/spool.db-wal") + size(path + "/reserve")
        var facts = DiskFacts(
            path: path, fileSystem: mount.kind,
            freeBytes: Int64(clamping: UInt64(room.f_bavail) * UInt64(room.f_frsize)),
            wantedBytes: max(0, bytesMax - used))
        facts.isReadOnly = mount.isReadOnly
        if writes, !mount.isReadOnly { facts.syncMilliseconds = durableWrite(folder) }
        return facts
    }

    /// The file system of a path: the longest mount point it lies below, the last of equal ones.
    private func mount(of path: String) -> (kind: String, isReadOnly: Bool) {
        var best: (point: String, kind: String, isReadOnly: Bool) = ("", "unknown", false)
        for line in text("/proc/self/mounts", max: 1_048_576).split(separator: "\n") {
            let words = line.split(separator: " ", maxSplits: 4)
            guard words.count > 3 else { continue }
            let point = String(words[1])
            guard point == "/" || path == point || path.hasPrefix(point + "/"), point.count >= best.point.count else {
                continue
            }
            best = (point, String(words[2]), words[3].split(separator: ",").contains("ro"))
        }
        return (best.kind, best.isReadOnly)
    }

    /// Milliseconds of a write that returned from the device; nil: it was refused, which other facts explain.
    private func durableWrite(_ folder: String) -> Int64? {
        let path = root + folder + "/.doctor"
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return nil }
        defer {
            close(descriptor)
            unlink(path)
        }
        let bytes = [UInt8](repeating: 0x55, count: 4_096)
        let began = steadyNanoseconds()
        guard write(descriptor, bytes, bytes.count) == bytes.count, fsync(descriptor) == 0 else { return nil }
        return (steadyNanoseconds() - began) / 1_000_000
    }

    private func size(_ path: String) -> Int64 {
        var status = stat()
        return stat(root + path, &status) == 0 ? Int64(status.st_size) : 0
    }

    private func parent(_ path: String) -> String {
        let parts = path.split(separator: "/").dropLast()
        return path.hasPrefix("/") ? "/" + parts.joined(separator: "/") : parts.joined(separator: "/")
    }

    // MARK: Clock

    /// What the kernel says of its clock (adjtimex(2)): asked, never set.
    static var clockQuality: (quality: ClockFacts.Quality, errorMilliseconds: Int64) {
        var state = timex()
        let result = adjtimex(&state)
        // Refused by a filter: nothing of `state` was filled in.
        guard result >= 0 else { return (.unknown(String(cString: strerror(errno))), 0) }
        let isSynchronised = result != TIME_ERROR && state.status & STA_UNSYNC == 0
        return (isSynchronised ? .synchronised : .unsynchronised, Int64(max(0, state.maxerror) / 1000))
    }

    /// The kernel's clock now.
    package static var clock: ClockFacts {
        let (quality, error) = clockQuality
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return ClockFacts(
            quality: quality, errorMilliseconds: error,
            now: UTCInstant(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000))
    }

    // MARK: Sockets

    /// Connections of this machine to a port, whoever has them: established ones, by /proc/net/tcp (proc(5)).
    package func sockets(port: Int) -> [SocketFacts] {
        ["/proc/net/tcp", "/proc/net/tcp6"].flatMap { path in
            text(path, max: 1_048_576).split(separator: "\n").dropFirst().compactMap { line in
                let words = line.split(separator: " ", omittingEmptySubsequences: true)
                guard words.count > 6, words[3] == "01",
                    let remote = words[2].split(separator: ":").last.flatMap({ Int($0, radix: 16) }), remote == port,
                    let unsent = words[4].split(separator: ":").first.flatMap({ Int64($0, radix: 16) }),
                    let retransmits = Int(words[6], radix: 16)
                else { return nil }
                return SocketFacts(unsentBytes: unsent, retransmits: retransmits)
            }
        }
    }

    // MARK: Small things

    private func text(_ path: String, max: Int = SmallFile.bytesMax) -> String {
        let bytes: [UInt8]
        // What is not there, or may not be read, is nothing to report of.
        do { bytes = try SmallFile.bytes(root + path, max: max) } catch { return "" }
        let text = String(decoding: bytes, as: UTF8.self)
        return String(text.drop { $0.isWhitespace }.reversed().drop { $0.isWhitespace }.reversed())
    }

    private func number(_ path: String) -> Int? { Int(text(path)) }

    private func link(_ path: String) -> String? {
        var buffer = [CChar](repeating: 0, count: 4_096)
        let count = readlink(root + path, &buffer, buffer.count)
        guard count > 0 else { return nil }
        return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private func names(_ path: String, max: Int) -> [String] {
        guard let folder = opendir(root + path) else { return [] }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder), names.count < max {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if !name.hasPrefix(".") { names.append(name) }
        }
        return names
    }
}
