// The machine as a tree of files: who holds the line, which file system, what waits on a socket.

internal import AgentCore
@testable internal import AgentIO
internal import Foundation
internal import Kit
internal import Quantities
internal import Testing

/// A machine below a temporary folder.
private final class Machine {
    let place: TemporaryDirectory
    let reader: MachineFactsReader

    init() throws {
        place = try TemporaryDirectory()
        reader = MachineFactsReader(root: place.path)
        try file("/dev/ttyUSB0", "")
        try link("/dev/serial/by-id/adapter", to: "../../ttyUSB0")
        try file("/sys/class/tty/console/active", "tty0 ttyS0\n")
        try file("/proc/self/mounts", "/dev/root / ext4 rw,noatime 0 0\ntmpfs /run tmpfs rw,nosuid 0 0\n")
    }

    func file(_ path: String, _ text: String) throws {
        let url = URL(fileURLWithPath: place.path + path)
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: url)
    }

    func link(_ path: String, to target: String) throws {
        let url = URL(fileURLWithPath: place.path + path)
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try FileManager.default.createSymbolicLink(atPath: url.path, withDestinationPath: target)
    }

    func process(_ pid: Int, _ command: String, opens: String...) throws {
        try file("/proc/\(pid)/comm", command + "\n")
        for (number, target) in opens.enumerated() { try link("/proc/\(pid)/fd/\(number)", to: target) }
    }
}

struct MachineFactsTests {
    private let adapter = "/dev/serial/by-id/adapter"

    @Test func holdersAreFoundBehindLinks() throws {
        let machine = try Machine()
        try machine.process(1, "systemd", opens: "/dev/null")
        #expect(machine.reader.ttys([adapter]).first?.holders == [])
        try machine.process(812, "ModemManager", opens: "/dev/null", "/dev/ttyUSB0", "/dev/ttyUSB0")
        try machine.process(90, "brltty")
        let tty = try #require(machine.reader.ttys([adapter]).first)
        #expect(tty.resolved == "/dev/ttyUSB0" && tty.isThere && tty.isPermitted && !tty.isConsole)
        #expect(tty.holders == [LineHolder(pid: 812, command: "ModemManager")])
        #expect(machine.reader.rivals.map(\.pid) == [90, 812])
        #expect(machine.reader.ttys(["/dev/ttyUSB9"]).first?.isThere == false)
    }

    @Test func lockFilesCountWhileTheirProcessLives() throws {
        let machine = try Machine()
        try machine.file("/run/lock/LCK..ttyUSB0", "       77\n")
        #expect(machine.reader.ttys([adapter]).first?.holders == [])
        try machine.process(77, "minicom")
        #expect(
            machine.reader.ttys([adapter]).first?.holders
                == [LineHolder(pid: 77, command: "minicom", isByLockFile: true)])
    }

    @Test func consoleAndLatencyTimer() throws {
        let machine = try Machine()
        try machine.file("/dev/ttyS0", "")
        #expect(machine.reader.ttys(["/dev/ttyS0"]).first?.isConsole == true)
        #expect(machine.reader.ttys([adapter]).first?.latencyMilliseconds == nil)
        try machine.file("/sys/bus/usb-serial/devices/ttyUSB0/latency_timer", "16\n")
        #expect(machine.reader.ttys([adapter]).first?.latencyMilliseconds == 16)
    }

    @Test func fileSystemBelowTheSpool() throws {
        let machine = try Machine()
        try machine.file("/var/lib/k/spool.db", String(repeating: "x", count: 1_000))
        let disk = try #require(machine.reader.disk("/var/lib/k", bytesMax: 5_000, writes: true))
        #expect(disk.fileSystem == "ext4" && !disk.isReadOnly && disk.wantedBytes == 4_000 && disk.freeBytes > 0)
        #expect(disk.syncMilliseconds != nil)
        // Nothing is left behind, and a folder that is not there yet is its parent's.
        #expect(try FileManager.default.contentsOfDirectory(atPath: machine.place.path + "/var/lib/k") == ["spool.db"])
        #expect(machine.reader.disk("/var/lib/later", bytesMax: 1, writes: false)?.fileSystem == "ext4")
        try machine.file("/proc/self/mounts", "/dev/root / ext4 ro 0 0\noverlay /var/lib overlay rw 0 0\n")
        #expect(machine.reader.disk("/var/lib/k", bytesMax: 1, writes: false)?.fileSystem == "overlay")
        try machine.file("/proc/self/mounts", "/dev/root / ext4 ro,noatime 0 0\ntmpfs /var/libx tmpfs rw 0 0\n")
        #expect(machine.reader.disk("/var/lib/k", bytesMax: 1, writes: true)?.isReadOnly == true)
    }

    @Test func socketsToThePort() throws {
        let machine = try Machine()
        let head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
        let rows = [
            "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  0 0 1 1 0 100 0 0 10 0",
            "   1: 0100007F:C350 0200007F:22B3 01 00000578:00000000 01:00000100 00000005  0 0 2 1 0 100 0 0 10 0",
            "   2: 0100007F:C351 0200007F:01F6 01 00000578:00000000 01:00000100 00000005  0 0 3 1 0 100 0 0 10 0",
            "   3: short",
        ]
        try machine.file("/proc/net/tcp", head + rows.joined(separator: "\n") + "\n")
        #expect(machine.reader.sockets(port: 8_883) == [SocketFacts(unsentBytes: 1_400, retransmits: 5)])
    }

    @Test func theMachineItselfCanBeRead() {
        #expect(MachineFactsReader.clock.now.milliseconds > 1_600_000_000_000)
        #expect(MachineFactsReader().disk("/tmp", bytesMax: 1, writes: false)?.fileSystem != "unknown")
    }
}
