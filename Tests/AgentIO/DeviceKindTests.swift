// What the hint says when the kernel refuses a serial line: names as kernels list them, and as DeviceAllow takes them.

internal import Glibc
internal import Testing

@testable internal import AgentIO

@Suite struct DeviceKindTests {
    private static let drivers = """
        Character devices:
          1 mem
          4 /dev/vc/0
          4 tty
          4 ttyS
          5 /dev/tty
        166 ttyACM
        188 ttyUSB
        204 ttySC
        204 ttyAMA
        242 ttyCH343USB

        Block devices:
        188 virtblk
        7 ttyLP
        """

    @Test(arguments: [
        ("/dev/ttyUSB0", UInt32(188), "ttyUSB"), ("/dev/ttyS12", 4, "ttyS"), ("/dev/tty1", 4, "tty"),
        ("/dev/ttyAMA3", 204, "ttyAMA"), ("/dev/ttySC0", 204, "ttySC"), ("/dev/ttyCH343USB0", 242, "ttyCH343USB"),
        ("/dev/renamed0", 188, "188"), ("/dev/ttyLP1", 7, "7"), ("/dev/ttyUSB0", 189, "189"), ("", 0, "0"),
    ]) func oneNameANumber(path: String, major: UInt32, expected: String) {
        #expect(DeviceKind.name(of: path, major: major, Self.drivers) == expected)
    }

    @Test func thisMachinesDevices() {
        #expect(DeviceKind.allowed(for: "/dev/null") == "char-1")
        #expect(DeviceKind.allowed(for: "/dev/tty")?.hasPrefix("char-") == true)
        #expect(DeviceKind.allowed(for: "/proc/devices") == nil)
        #expect(DeviceKind.allowed(for: "/nothing/there") == nil)
    }

    @Test func aHintSaysWhatToDo() {
        #expect(SerialPort.hint(EACCES, "/dev/null").hasSuffix("dialout?"))
        let refused = SerialPort.hint(EPERM, "/dev/null")
        #expect(refused.hasSuffix("DeviceAllow=char-1 rw, and restart it"))
        #expect(refused.hasPrefix("; under systemd the unit's DeviceAllow does not name"))
        #expect(SerialPort.hint(EPERM, "/nothing/there").hasSuffix("DeviceAllow=/nothing/there rw, and restart it"))
        #expect(SerialPort.hint(EIO, "/dev/null") == "")
    }
}
