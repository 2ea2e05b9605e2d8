// What reaches a supervisor's socket, in the file system and in the abstract namespace, and what is ignored.

internal import Glibc
internal import Kit
internal import Supervision
internal import Testing

/// A datagram socket that a supervisor would listen on.
private final class Ear {
    let descriptor: Int32

    init(_ path: String) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var name = Array(path.utf8)
        if name[0] == UInt8(ascii: "@") { name[0] = 0 }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + name.count)
        let isBound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, length) == 0 }
        }
        guard isBound else { throw KitError("cannot bind \(path): \(String(cString: strerror(errno)))") }
    }

    deinit { close(descriptor) }

    /// The next message; nil when there is none.
    func next() -> String? {
        var bytes = [UInt8](repeating: 0, count: 4_096)
        let count = recv(descriptor, &bytes, bytes.count, Int32(MSG_DONTWAIT))
        return count < 0 ? nil : String(decoding: bytes[..<count], as: UTF8.self)
    }
}

private func supervisor(_ environment: [String: String], process: Int32 = 7) -> Supervisor {
    Supervisor(variable: { environment[$0] }, process: process)
}

struct SupervisorTests {
    @Test(arguments: [false, true]) func everyStateArrives(isAbstract: Bool) throws {
        let place = try TemporaryDirectory()
        let path = isAbstract ? "@kilomint-test-\(getpid())" : place.file("notify")
        let ear = try Ear(path)
        let told = supervisor(["NOTIFY_SOCKET": path])
        #expect(told.ready("2 meters") && ear.next() == "READY=1\nSTATUS=2 meters\n")
        #expect(told.ready() && ear.next() == "READY=1\n")
        #expect(told.status("a\nREADY=1") && ear.next() == "STATUS=a READY=1\n")
        #expect(told.alive() && ear.next() == "WATCHDOG=1\n")
        #expect(told.stopping() && ear.next() == "STOPPING=1\n")
        #expect(told.reloading())
        let lines = try #require(ear.next()).split(separator: "\n")
        #expect(lines.first == "RELOADING=1")
        let stamp = try #require(lines.last?.split(separator: "="))
        #expect(stamp.first == "MONOTONIC_USEC" && Int64(stamp[1]) ?? 0 > 0)
        #expect(told.status(String(repeating: "x", count: 9_000)) && ear.next()?.count == 512 + 8)
    }

    @Test(arguments: [nil, "", "@", "/", "relative/path", "vsock:2:1234", "/nowhere/at/all"])
    func nobodyListens(path: String?) {
        let told = supervisor(path.map { ["NOTIFY_SOCKET": $0] } ?? [:])
        #expect(!told.ready() && !told.alive() && !told.stopping() && !told.reloading() && !told.status("a"))
    }

    @Test func aPathTooLongIsNoSocket() {
        #expect(!supervisor(["NOTIFY_SOCKET": "/" + String(repeating: "a", count: 200)]).ready())
    }

    static let watchdogs: [(environment: [String: String], milliseconds: Int64?)] = [
        (["NOTIFY_SOCKET": "@a", "WATCHDOG_USEC": "30000000"], 30_000),
        (["NOTIFY_SOCKET": "@a", "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"], 30_000),
        (["NOTIFY_SOCKET": "@a", "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "8"], nil),
        (["NOTIFY_SOCKET": "@a", "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "x"], nil),
        (["NOTIFY_SOCKET": "@a", "WATCHDOG_USEC": "999"], nil), (["NOTIFY_SOCKET": "@a", "WATCHDOG_USEC": "-1"], nil),
        (["NOTIFY_SOCKET": "@a", "WATCHDOG_USEC": "99999999999999999999"], nil), (["NOTIFY_SOCKET": "@a"], nil),
        (["WATCHDOG_USEC": "30000000"], nil),
    ]

    @Test(arguments: watchdogs)
    func watchdogIsOursOrNot(environment: [String: String], expected: Int64?) {
        let told = supervisor(environment)
        #expect(told.watchdog == expected)
        #expect(told.signEvery == expected.map { $0 / 3 })
    }
}

struct JournalStreamTests {
    @Test func onlyTheVeryFileIsMeant() throws {
        let place = try TemporaryDirectory()
        let descriptor = open(place.file("log"), O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        defer { close(descriptor) }
        var status = stat()
        try #require(fstat(descriptor, &status) == 0)
        let (device, inode) = (UInt64(status.st_dev), UInt64(status.st_ino))
        #expect(JournalStream.names("\(device):\(inode)", descriptor: descriptor))
        for wrong in ["\(device):\(inode + 1)", "\(device + 1):\(inode)", "\(inode)", "", ":", "a:b", "1:2:3", "-1:1"] {
            #expect(!JournalStream.names(wrong, descriptor: descriptor), "\(wrong)")
        }
        #expect(!JournalStream.names("\(device):\(inode)", descriptor: -1))
    }
}
