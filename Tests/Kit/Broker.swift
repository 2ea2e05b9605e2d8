// A real Mosquitto for a test: its own directory, a free loopback port, killed, frozen and started again at will.

internal import Glibc

/// Runs `mosquitto` until released. One test owns it. Blocks its thread while it waits: for tests that are not async.
package final class Broker {
    package private(set) var port = 0
    private let directory: TemporaryDirectory
    private var child: ChildProcess?
    private let lines: [String]

    /// Starts the broker and returns once its port answers.
    ///
    /// - Parameters:
    ///   - users: names and passwords; none = anonymous clients are welcome.
    ///   - acl: lines of Mosquitto's ACL file; none = everybody may everything.
    ///   - lines: more lines of mosquitto.conf; `DIR` in them is the broker's directory.
    package init(
        users: [(name: String, password: String)] = [], acl: [String] = [], lines: [String] = [],
        in directory: TemporaryDirectory? = nil
    ) throws {
        self.directory = try directory ?? TemporaryDirectory()
        let place = self.directory.path
        var text = [
            "allow_anonymous \(users.isEmpty)", "persistence true", "persistence_location \(place)/",
            "autosave_interval 1", "autosave_on_changes false", "log_type all",
        ]
        // The broker gives up root unless told otherwise, and then cannot read this directory.
        if let name = getpwuid(getuid())?.pointee.pw_name { text.append("user \(String(cString: name))") }
        if !users.isEmpty {
            try write(users.map { "\($0.name):\($0.password)" }, to: place + "/passwords")
            let status = try Self.finish(
                ChildProcess(
                    "mosquitto_passwd", ["-U", place + "/passwords"], environment: Broker.path,
                    outputPath: place + "/passwd.log"))
            guard status == .exited(0) else { throw KitError("mosquitto_passwd failed: see the mosquitto package") }
            text.append("password_file \(place)/passwords")
        }
        if !acl.isEmpty {
            try write(acl, to: place + "/acl")
            text.append("acl_file \(place)/acl")
        }
        self.lines =
            text
            + lines.map { line in
                line.split(separator: "DIR", omittingEmptySubsequences: false).joined(separator: place)
            }
        try startOnFreePort()
    }

    deinit { kill() }

    /// Starts it again after ``kill()``, on the same port and with what its persistence file holds.
    package func start() throws {
        let child = try ChildProcess(
            "mosquitto", ["-c", directory.file("mosquitto.conf")], environment: Broker.path,
            outputPath: directory.file("mosquitto.log"))
        for _ in 0..<500 {
            if answers(UInt16(port)), child.poll() == nil {
                self.child = child
                return
            }
            guard child.poll() == nil else { break }
            usleep(20_000)
        }
        throw KitError("mosquitto does not start; its log:\n\(try child.output.suffix(2_000))")
    }

    /// SIGKILL, as a power cut would; returns when the process is gone.
    package func kill() {
        guard let child else { return }
        child.kill(SIGKILL)
        while child.poll() == nil { usleep(1_000) }
        self.child = nil
    }

    /// A broker, or a link, that is there and does not answer.
    package func freeze() { child?.kill(SIGSTOP) }
    package func thaw() { child?.kill(SIGCONT) }

    /// What Mosquitto has logged so far, over all its starts.
    package var log: String {
        get throws { try Workplace.text(of: directory.file("mosquitto.log")) }
    }

    /// Debian puts the broker where an ordinary user's PATH does not look.
    private static var path: [String: String] {
        ["PATH": (getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin") + ":/usr/sbin:/usr/local/sbin"]
    }

    private func startOnFreePort() throws {
        var attempt = 1
        while true {
            port = Int(try freePort())
            try write(["listener \(port) 127.0.0.1"] + lines, to: directory.file("mosquitto.conf"))
            do { return try start() } catch {
                // Somebody took the port meanwhile; three in a row is another fault.
                if attempt == 3 { throw error }
                attempt += 1
            }
        }
    }

    private static func finish(_ child: ChildProcess) throws -> ExitStatus {
        while true {
            if let status = child.poll() { return status }
            usleep(5_000)
        }
    }
}

private func write(_ lines: [String], to path: String) throws {
    let bytes = Array((lines.joined(separator: "\n") + "\n").utf8)
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    guard descriptor >= 0 else { throw KitError("cannot create \(path)") }
    defer { close(descriptor) }
    guard Glibc.write(descriptor, bytes, bytes.count) == bytes.count else { throw KitError("cannot write \(path)") }
}

private func answers(_ port: UInt16) -> Bool {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
    return withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
        }
    }
}
