// The two ways Modbus is put into bytes, and what is left of an answer after every field of it was checked. Bytes in,
// bytes out: nothing is sent or waited for here.

internal import Evidence

/// TCP with its header (Modbus Messaging on TCP/IP V1.0b §3.1.3), or RTU with its checksum (Modbus over Serial Line
/// V1.02 §2.5.1), on a serial line or in a TCP stream.
package enum ModbusFraming: Hashable, Sendable {
    case tcp
    case rtu

    static let pduMax = 253
    /// TCP: 7 bytes of header and a PDU. RTU: unit, PDU, checksum: 256.
    package static let frameMax = 260

    /// How far the bytes of an answer have come.
    package enum Progress: Hashable, Sendable {
        /// At least so many bytes are still to come.
        case more(Int)
        /// The frame ends after so many bytes.
        case whole(Int)
        /// These bytes do not begin an answer to this request.
        case odd
    }

    /// - Parameter transaction: TCP only.
    package func frame(_ request: ModbusRequest, transaction: UInt16) -> [UInt8] {
        let pdu = request.pdu
        switch self {
        case .tcp:
            return [
                UInt8(transaction >> 8), UInt8(transaction & 0xFF), 0, 0, 0, UInt8(pdu.count + 1), request.unit,
            ] + pdu
        case .rtu:
            let body = [request.unit] + pdu
            return body + Self.checksumBytes(body)
        }
    }

    /// The PDU of a frame that ``frame(_:transaction:)`` made.
    package func pdu(of frame: [UInt8]) -> ArraySlice<UInt8> {
        switch self {
        case .tcp: frame.dropFirst(7)
        case .rtu: frame.dropFirst().dropLast(2)
        }
    }

    package func progress(_ bytes: [UInt8], _ request: ModbusRequest) -> Progress {
        switch self {
        case .tcp:
            guard bytes.count >= 6 else { return .more(6 - bytes.count) }
            let rest = Int(bytes[4]) << 8 | Int(bytes[5])
            // Unit, function and one byte more is the shortest answer there is.
            guard bytes[2] == 0, bytes[3] == 0, (3...Self.pduMax + 1).contains(rest) else { return .odd }
            return bytes.count >= 6 + rest ? .whole(6 + rest) : .more(6 + rest - bytes.count)
        case .rtu:
            guard let unit = bytes.first else { return .more(5) }
            guard unit == request.unit else { return .odd }
            switch Self.pduProgress(bytes.dropFirst(), request) {
            case .odd: return .odd
            case .more(let count): return .more(count + 2)
            case .whole(let count):
                return bytes.count >= count + 3 ? .whole(count + 3) : .more(count + 3 - bytes.count)
            }
        }
    }

    /// What an answer says, every field checked.
    ///
    /// - Parameter bytes: a whole frame, or what came in its place: noise, another device's frame, a piece of one.
    package func judge(_ bytes: [UInt8], _ request: ModbusRequest, transaction: UInt16) -> ModbusAnswer {
        switch self {
        case .tcp:
            // A header that does not name its own length is not to be believed in anything else.
            guard bytes.count >= 9, bytes[2] == 0, bytes[3] == 0,
                Int(bytes[4]) << 8 | Int(bytes[5]) == bytes.count - 6
            else { return .odd(.header) }
            guard UInt16(bytes[0]) << 8 | UInt16(bytes[1]) == transaction else { return .odd(.transaction) }
            guard bytes[6] == request.unit else { return .odd(.unit) }
            return Self.judge(pdu: Array(bytes[7...]), request)
        case .rtu:
            guard bytes.count >= 5 else { return .odd(bytes.isEmpty ? .partial : .checksum) }
            if bytes.starts(with: frame(request, transaction: 0)) { return .odd(.echo) }
            guard Self.isSound(bytes) else { return .odd(.checksum) }
            guard bytes[0] == request.unit else { return .odd(.unit) }
            return Self.judge(pdu: Array(bytes[1..<bytes.count - 2]), request)
        }
    }

    /// The first sound RTU frame at the start of `bytes`, or all of them: for telling whose they are, never for values.
    package static func firstSound(_ bytes: [UInt8]) -> [UInt8] {
        guard bytes.count > 4 else { return bytes }
        return (5...min(bytes.count, 256)).lazy.map { Array(bytes[..<$0]) }.first(where: isSound) ?? bytes
    }

    // MARK: PDU

    /// How long the answer's PDU will be, from what there is of it: RTU frames do not name their length.
    private static func pduProgress(_ bytes: ArraySlice<UInt8>, _ request: ModbusRequest) -> Progress {
        let pdu = Array(bytes)
        guard pdu.count >= 2 else {
            if let code = pdu.first, code & 0x7F != request.function.rawValue { return .odd }
            return .more(2 - pdu.count)
        }
        if pdu[0] == request.function.rawValue | 0x80 { return .whole(2) }
        guard pdu[0] == request.function.rawValue else { return .odd }
        let length: Int
        switch request.function {
        case .holding, .input:
            guard Int(pdu[1]) == Int(request.count) * 2 else { return .odd }
            length = 2 + Int(pdu[1])
        case .serverID: length = 2 + Int(pdu[1])
        case .identification: return DeviceIdentification.progress(pdu)
        }
        guard length <= pduMax else { return .odd }
        return pdu.count >= length ? .whole(length) : .more(length - pdu.count)
    }

    private static func judge(pdu: [UInt8], _ request: ModbusRequest) -> ModbusAnswer {
        guard pdu.count >= 2, pdu.count <= pduMax else { return .odd(.shape) }
        if pdu[0] == request.function.rawValue | 0x80 {
            let code = UInt64(pdu[1])
            guard pdu.count == 2, (1...SampleStatus.exceptionMax).contains(code) else { return .odd(.shape) }
            return ModbusAnswer(status: code)
        }
        guard pdu[0] == request.function.rawValue else { return .odd(.shape) }
        switch request.function {
        case .holding, .input:
            guard Int(pdu[1]) == Int(request.count) * 2, pdu.count == 2 + Int(pdu[1]) else { return .odd(.shape) }
            return .good(Array(pdu[2...]))
        case .serverID:
            guard pdu[1] > 0, pdu.count == 2 + Int(pdu[1]) else { return .odd(.shape) }
            return .good(Array(pdu[2...]))
        case .identification:
            guard DeviceIdentification.progress(pdu) == .whole(pdu.count), pdu[2] == request.level.rawValue else {
                return .odd(.shape)
            }
            return .good(Array(pdu[2...]))
        }
    }

    // MARK: Checksum

    /// CRC-16 of Modbus over Serial Line V1.02 §6.2.2: polynomial A001, start FFFF.
    package static func checksum(_ bytes: some Sequence<UInt8>) -> UInt16 {
        bytes.reduce(0xFFFF) { crc, byte in crc >> 8 ^ checksumTable[Int((crc ^ UInt16(byte)) & 0xFF)] }
    }

    private static let checksumTable: [UInt16] = (0..<256).map { index in
        (0..<8).reduce(UInt16(index)) { crc, _ in crc & 1 == 1 ? crc >> 1 ^ 0xA001 : crc >> 1 }
    }

    /// Low byte first.
    package static func checksumBytes(_ bytes: some Sequence<UInt8>) -> [UInt8] {
        let checksum = checksum(bytes)
        return [UInt8(checksum & 0xFF), UInt8(checksum >> 8)]
    }

    /// Whether the last two bytes are the checksum of those before.
    package static func isSound(_ frame: [UInt8]) -> Bool {
        frame.count >= 4 && frame.count <= 256 && Array(frame.suffix(2)) == checksumBytes(frame.dropLast(2))
    }
}
