// Where a bus is: an address on the network or a serial line, and how Modbus is framed there. Opened by Wire.

package import AgentCore

/// The three ways to meters.
package enum BusEndpoint: Hashable, Sendable {
    case tcp(host: String, port: UInt16)
    case rtu(SerialLine)
    /// RTU frames through a serial server's TCP port.
    case rtuOverTCP(host: String, port: UInt16, hasEcho: Bool)

    package var framing: ModbusFraming {
        switch self {
        case .tcp: .tcp
        case .rtu, .rtuOverTCP: .rtu
        }
    }

    package var isNetwork: Bool { if case .rtu = self { false } else { true } }

    package var hasEcho: Bool {
        switch self {
        case .tcp: false
        case .rtu(let line): line.hasEcho
        case .rtuOverTCP(_, _, let hasEcho): hasEcho
        }
    }

    /// The same, with what is sent coming back where a device is known to do so: the bus hears it whoever is asked.
    func echoing(_ isEchoing: Bool) -> BusEndpoint {
        switch self {
        case .rtu(var line) where isEchoing:
            line.hasEcho = true
            return .rtu(line)
        case .rtuOverTCP(let host, let port, _) where isEchoing:
            return .rtuOverTCP(host: host, port: port, hasEcho: true)
        case .tcp, .rtu, .rtuOverTCP: return self
        }
    }

    /// As births and status name it.
    package var text: String {
        switch self {
        case .tcp(let host, let port): "tcp://\(host):\(port)"
        case .rtu(let line): "rtu:\(line.device)"
        case .rtuOverTCP(let host, let port, _): "rtu+tcp://\(host):\(port)"
        }
    }
}

/// A serial line: always 8 data bits, as Modbus RTU demands.
package struct SerialLine: Hashable, Sendable {
    package enum Parity: Hashable, Sendable {
        case none, even, odd
    }

    /// How the driver switches an RS-485 transceiver (Linux, Documentation/driver-api/serial/serial-rs485.rst).
    package struct RS485: Hashable, Sendable {
        package var rtsOnSend = true
        package var rtsAfterSend = false
        /// Real milliseconds between RTS and the first bit, and between the last bit and RTS.
        package var delayBefore: UInt32 = 0
        package var delayAfter: UInt32 = 0
        package var receivesWhileSending = false
        package var isTerminated = false

        package init() {}
    }

    package static let bauds = [1_200, 2_400, 4_800, 9_600, 19_200, 38_400, 57_600, 115_200, 230_400]

    /// An absolute path.
    package var device: String
    package var baud: Int
    package var parity: Parity
    /// 1 or 2.
    package var stopBits: Int
    /// Nil: the driver is left as it is.
    package var rs485: RS485?
    /// What is sent comes back before the answer.
    package var hasEcho: Bool

    package init(
        device: String, baud: Int = 19_200, parity: Parity = .even, stopBits: Int = 1, rs485: RS485? = nil,
        hasEcho: Bool = false
    ) {
        self.device = device
        self.baud = baud
        self.parity = parity
        self.stopBits = stopBits
        self.rs485 = rs485
        self.hasEcho = hasEcho
    }

    /// Nanoseconds of one character: start bit, eight data bits, parity, stop bits.
    package var characterNanoseconds: Int64 {
        Int64(9 + stopBits + (parity == .none ? 0 : 1)) * 1_000_000_000 / Int64(max(1, baud))
    }

    /// The silence between two frames, t3.5 (Modbus over Serial Line V1.02 §2.5.1.1): 3.5 characters of 11 bits, and
    /// 1.75 ms above 19 200 baud.
    package var gapNanoseconds: Int64 {
        guard baud <= 19_200 else { return 1_750_000 }
        // 38.5 bit times, rounded up.
        return (38_500_000_000 + Int64(baud) - 1) / Int64(max(1, baud))
    }
}
