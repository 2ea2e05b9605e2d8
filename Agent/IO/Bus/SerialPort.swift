// Opening a serial line for this process alone: raw bytes, its own speed, RS-485 where the driver has it.

internal import CLinux
internal import Glibc

enum SerialPort {
    /// What `rs485` came to, where the configuration asks for it.
    struct Opened {
        let wire: Wire
        /// Something a person should know although the line is open.
        let remark: String?
    }

    static func open(_ line: SerialLine) throws(OpenError) -> Opened {
        let device = line.device
        let descriptor = Glibc.open(device, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)
        guard descriptor >= 0 else {
            let code = errno
            throw OpenError(
                description: "cannot open \(device): \(String(cString: strerror(code)))\(hint(code, device))")
        }
        // Closes the descriptor on every way out but the last.
        let wire = Wire(descriptor: descriptor, character: line.characterNanoseconds)
        guard isatty(descriptor) == 1 else { throw OpenError(description: "\(device) is no serial line") }
        // Our own kind first: the lock names its holder, TIOCEXCL only answers EBUSY to whoever comes later.
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            throw OpenError(
                description:
                    "\(device) is in use by another process, or by another bus under another name (see: fuser \(device))"
            )
        }
        guard ioctl(descriptor, UInt(TIOCEXCL), 0) == 0 else {
            throw OpenError(description: "\(device) cannot be taken for one process: \(reason())")
        }
        wire.isExclusive = true
        let mode = try setMode(descriptor, line)
        let remark = line.rs485.flatMap { setRS485(descriptor, $0, device) } ?? mode
        askForLittleDelay(descriptor)
        tcflush(descriptor, TCIOFLUSH)
        return Opened(wire: wire, remark: remark)
    }

    /// EACCES is the node's own mode, EPERM the service's list of devices (systemd.resource-control(5)).
    static func hint(_ code: Int32, _ device: String) -> String {
        switch code {
        case EACCES: "; is the user in the group dialout?"
        case EPERM:
            "; under systemd the unit's DeviceAllow does not name this kind: sudo systemctl edit kilomint-agent, [Service], "
                + "DeviceAllow=\(DeviceKind.allowed(for: device) ?? device) rw, and restart it"
        default: ""
        }
    }

    /// - Returns: what to tell when the driver did not take all of it.
    private static func setMode(_ descriptor: Int32, _ line: SerialLine) throws(OpenError) -> String? {
        var mode = termios()
        guard tcgetattr(descriptor, &mode) == 0 else {
            throw OpenError(description: "\(line.device) does not tell its mode: \(reason())")
        }
        cfmakeraw(&mode)
        mode.c_cflag &= ~tcflag_t(CSIZE | PARENB | PARODD | CSTOPB) & ~tcflag_t(CRTSCTS)
        mode.c_cflag |= tcflag_t(CS8 | CREAD | CLOCAL)
        if line.parity != .none { mode.c_cflag |= tcflag_t(PARENB) }
        if line.parity == .odd { mode.c_cflag |= tcflag_t(PARODD) }
        if line.stopBits == 2 { mode.c_cflag |= tcflag_t(CSTOPB) }
        // A character with a parity error becomes NUL: the checksum finds it, and the length stays true.
        mode.c_iflag &= ~tcflag_t(IXON | IXOFF | IXANY | IGNPAR | PARMRK)
        if line.parity != .none { mode.c_iflag |= tcflag_t(INPCK) }
        guard let speed = speed(line.baud), cfsetispeed(&mode, speed) == 0, cfsetospeed(&mode, speed) == 0 else {
            throw OpenError(description: "\(line.baud) baud is no usual speed")
        }
        // What a driver does not know it leaves out, and tcsetattr then answers now one thing, now another: what came
        // of it is read back.
        let isSet = tcsetattr(descriptor, TCSANOW, &mode) == 0
        let problem = isSet ? "" : ": " + reason()
        var now = termios()
        guard tcgetattr(descriptor, &now) == 0, cfgetospeed(&now) == speed,
            now.c_cflag & tcflag_t(CSIZE) == tcflag_t(CS8)
        else { throw OpenError(description: "\(line.device) does not take \(line.baud) baud\(problem)") }
        let framing = tcflag_t(PARENB | PARODD | CSTOPB)
        return now.c_cflag & framing == mode.c_cflag & framing
            ? nil : "the driver of \(line.device) does not do the parity or stop bits asked for"
    }

    private static func speed(_ baud: Int) -> speed_t? {
        let speeds: [Int: Int32] = [
            1_200: B1200, 2_400: B2400, 4_800: B4800, 9_600: B9600, 19_200: B19200, 38_400: B38400, 57_600: B57600,
            115_200: B115200, 230_400: B230400,
        ]
        return speeds[baud].map { speed_t($0) }
    }

    /// - Returns: what to tell when the driver has no such mode; most adapters switch by themselves and go on.
    private static func setRS485(_ descriptor: Int32, _ wanted: SerialLine.RS485, _ device: String) -> String? {
        var mode = serial_rs485()
        mode.flags = 1 << 0  // SER_RS485_ENABLED
        if wanted.rtsOnSend { mode.flags |= 1 << 1 }  // SER_RS485_RTS_ON_SEND
        if wanted.rtsAfterSend { mode.flags |= 1 << 2 }  // SER_RS485_RTS_AFTER_SEND
        if wanted.receivesWhileSending { mode.flags |= 1 << 4 }  // SER_RS485_RX_DURING_TX
        if wanted.isTerminated { mode.flags |= 1 << 5 }  // SER_RS485_TERMINATE_BUS
        mode.delay_rts_before_send = wanted.delayBefore
        mode.delay_rts_after_send = wanted.delayAfter
        guard ioctl(descriptor, UInt(TIOCSRS485), &mode) != 0 else { return nil }
        return "the driver of \(device) has no RS-485 mode (\(reason())); remove `rs485` if the adapter switches itself"
    }

    /// Best effort: some USB adapters otherwise hold an answer back for 16 ms.
    private static func askForLittleDelay(_ descriptor: Int32) {
        var mode = serial_struct()
        guard ioctl(descriptor, UInt(TIOCGSERIAL), &mode) == 0 else { return }
        mode.flags |= 1 << 13  // ASYNC_LOW_LATENCY
        _ = ioctl(descriptor, UInt(TIOCSSERIAL), &mode)
    }

    private static func reason() -> String { String(cString: strerror(errno)) }
}
