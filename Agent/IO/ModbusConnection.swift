// One Modbus TCP connection on libmodbus. Not the schedule, not the bus: it asks one question and says what came back.
//
// libmodbus 3.1.6 does not compare the unit of a TCP answer with that of the request, so an answer meant for somebody
// else would count; and its raw requests all carry transaction 0. So the twelve bytes of a request are made here, every
// field of the answer is checked here, and libmodbus connects, waits and reads.

internal import CModbus
internal import Evidence
internal import Glibc

/// A request for registers. Only the two reading functions can be spelled: the agent cannot write to a device.
package struct RegisterRequest: Hashable, Sendable {
    package enum Function: UInt8, Hashable, Sendable {
        case holding = 3
        case input = 4
    }

    package let unit: UInt8
    package let function: Function
    /// Wire address, base 0.
    package let address: UInt16
    /// 1 … 125.
    package let count: UInt16

    package init(unit: UInt8, function: Function, address: UInt16, count: UInt16) {
        precondition(1...125 ~= count, "a request reads 1 to 125 registers")
        self.unit = unit
        self.function = function
        self.address = address
        self.count = count
    }
}

/// What came back: good with words, or why there are none (``SampleStatus``).
package struct RegisterAnswer: Hashable, Sendable {
    package let status: UInt64
    /// Big-endian, two bytes a register.
    package let words: [UInt8]

    static func failed(_ status: UInt64) -> RegisterAnswer { RegisterAnswer(status: status, words: []) }
}

/// A connection of one bus thread. After any timeout, short or odd answer it is closed: a late answer can never be
/// taken for the next one. The next request connects again.
package final class ModbusConnection {
    /// Sockets of one process: libmodbus waits with select(), which knows descriptors below 1024 only.
    package static let connectionsMax = 900

    private let host: String
    private let port: UInt16
    /// From the request to the last byte of its answer.
    private let timeoutMilliseconds: Int64
    private var context: OpaquePointer?
    private var transaction: UInt16 = 0
    package private(set) var connects: UInt64 = 0

    package init(host: String, port: UInt16, timeoutMilliseconds: Int64) {
        self.host = host
        self.port = port
        self.timeoutMilliseconds = timeoutMilliseconds
    }

    deinit { close() }

    package func close() {
        guard let context else { return }
        modbus_close(context)
        modbus_free(context)
        self.context = nil
    }

    /// The one function that sends anything to a device.
    package func ask(_ request: RegisterRequest) -> RegisterAnswer {
        if let context, !isQuiet(modbus_get_socket(context)) { close() }
        guard let context = context ?? connect() else { return .failed(SampleStatus.connectFailed) }
        transaction &+= 1
        let bytes: [UInt8] = [
            UInt8(transaction >> 8), UInt8(transaction & 0xFF), 0, 0, 0, 6, request.unit, request.function.rawValue,
            UInt8(request.address >> 8), UInt8(request.address & 0xFF), UInt8(request.count >> 8),
            UInt8(request.count & 0xFF),
        ]
        guard send(modbus_get_socket(context), bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count else {
            close()
            return .failed(SampleStatus.disconnected)
        }
        var answer = [UInt8](repeating: 0, count: Int(MODBUS_TCP_MAX_ADU_LENGTH))
        let count = modbus_receive_confirmation(context, &answer)
        guard count >= 0 else {
            let status = Self.status(errno)
            close()
            return .failed(status)
        }
        let checked = check(answer[..<Int(count)], of: request)
        // Exceptions are sound answers; anything else that is not good leaves the stream in an unknown place.
        if checked.status > SampleStatus.exceptionMax { close() }
        return checked
    }

    /// MBAP header (transaction, protocol 0, length, unit), function, then byte count and words, or an exception code.
    private func check(_ answer: ArraySlice<UInt8>, of request: RegisterRequest) -> RegisterAnswer {
        let bytes = Array(answer)
        guard bytes.count >= 9, UInt16(bytes[0]) << 8 | UInt16(bytes[1]) == transaction, bytes[2] == 0, bytes[3] == 0,
            Int(bytes[4]) << 8 | Int(bytes[5]) == bytes.count - 6, bytes[6] == request.unit
        else { return .failed(SampleStatus.wrongAnswer) }
        if bytes[7] == request.function.rawValue | 0x80 {
            let code = UInt64(bytes[8])
            let isKnown = bytes.count == 9 && (1...SampleStatus.exceptionMax).contains(code)
            return .failed(isKnown ? code : SampleStatus.wrongAnswer)
        }
        guard bytes[7] == request.function.rawValue, Int(bytes[8]) == Int(request.count) * 2,
            bytes.count == 9 + Int(request.count) * 2
        else { return .failed(SampleStatus.wrongAnswer) }
        return RegisterAnswer(status: SampleStatus.good, words: Array(bytes[9...]))
    }

    private func connect() -> OpaquePointer? {
        guard let context = modbus_new_tcp_pi(host, String(port)) else { return nil }
        let seconds = UInt32(timeoutMilliseconds / 1000)
        let microseconds = UInt32(timeoutMilliseconds % 1000 * 1000)
        // No byte timeout: the response timeout then bounds the whole answer, however slowly it drips in.
        guard modbus_set_response_timeout(context, seconds, microseconds) == 0,
            modbus_set_byte_timeout(context, 0, 0) == 0,
            modbus_set_error_recovery(context, MODBUS_ERROR_RECOVERY_NONE) == 0,
            modbus_connect(context) == 0
        else {
            modbus_free(context)
            return nil
        }
        connects += 1
        self.context = context
        return context
    }

    /// Nothing unread and not closed by the other side: what came since the last answer belongs to no request.
    private func isQuiet(_ socket: Int32) -> Bool {
        var byte: UInt8 = 0
        let got = recv(socket, &byte, 1, Int32(MSG_PEEK | MSG_DONTWAIT))
        return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)
    }

    private static func status(_ code: Int32) -> UInt64 {
        switch code {
        case ETIMEDOUT: SampleStatus.timeout
        case ECONNRESET, EPIPE, ENOTCONN, EBADF, ECONNABORTED, ESHUTDOWN: SampleStatus.disconnected
        // MODBUS_ENOBASE + 12 bad CRC, + 13 bad data, + 16 too much data, + 17 bad slave (modbus.h).
        case modbusErrorBase + 12: SampleStatus.checksum
        case modbusErrorBase + 13...modbusErrorBase + 17: SampleStatus.wrongAnswer
        default: SampleStatus.busError
        }
    }

    /// MODBUS_ENOBASE.
    private static let modbusErrorBase: Int32 = 112_345_678
}
