// What a unit's DeviceAllow calls a character device: `char-` and its driver's name in /proc/devices. For the hint when the
// kernel refuses a device that the unit does not name; SerialPort opens.

internal import Glibc

enum DeviceKind {
    /// `char-ttyUSB` for /dev/serial/by-id/…; nil for what is no character device.
    static func allowed(for device: String) -> String? {
        var status = stat()
        guard stat(device, &status) == 0, status.st_mode & S_IFMT == S_IFCHR else { return nil }
        // Where nobody can tell the drivers' names the number does, which systemd takes too.
        var drivers = ""
        do throws(SystemError) { drivers = try SmallFile.text("/proc/devices") } catch { drivers = "" }
        return "char-" + name(of: resolved(device), major: major(of: status.st_rdev), drivers)
    }

    /// - Parameter drivers: the text of /proc/devices (proc(5)): number and name a line, character devices first.
    static func name(of path: String, major: UInt32, _ drivers: String) -> String {
        let node = path.split(separator: "/").last ?? ""
        var found = ""
        for line in drivers.split(separator: "\n") {
            if line.hasPrefix("Block") { break }
            let words = line.split(separator: " ", omittingEmptySubsequences: true)
            // Consoles (tty) and the machine's own lines (ttyS) have one number: the longer name is the line's.
            guard words.count == 2, UInt32(words[0]) == major, node.hasPrefix(words[1]), words[1].count > found.count
            else { continue }
            found = String(words[1])
        }
        return found.isEmpty ? String(major) : found
    }

    /// As makedev(3) puts it: a macro that Swift does not see.
    private static func major(of number: dev_t) -> UInt32 {
        UInt32(truncatingIfNeeded: number >> 8 & 0xFFF | number >> 32 & 0xFFFF_F000)
    }

    private static func resolved(_ path: String) -> String {
        guard let found = realpath(path, nil) else { return path }
        defer { free(found) }
        return String(cString: found)
    }
}
