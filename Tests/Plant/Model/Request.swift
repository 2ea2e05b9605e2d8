// Modbus TCP frames as values: a request taken apart, an answer put together. Sockets are the command's.

/// One request of Modbus TCP (MODBUS Messaging on TCP/IP Implementation Guide 1.0b, section 3.1.3).
package struct Request: Hashable, Sendable {
    package let transaction: UInt16
    package let unit: UInt8
    package let function: UInt8
    /// What follows the function code.
    package let data: [UInt8]

    /// Longest frame: 7 bytes of header and a PDU of 253.
    package static let frameMax = 260
    /// Most registers in one answer (MODBUS Application Protocol 1.1b3, section 6.3).
    package static let registersMax = 125

    /// The length of the frame that `bytes` begins: nil while fewer than 6 bytes are there, 0 when it is no Modbus.
    package static func frameLength(_ bytes: ArraySlice<UInt8>) -> Int? {
        guard bytes.count >= 6 else { return nil }
        let start = bytes.startIndex
        let length = Int(bytes[start + 4]) << 8 | Int(bytes[start + 5])
        guard bytes[start + 2] == 0, bytes[start + 3] == 0, length >= 2, length + 6 <= frameMax else { return 0 }
        return length + 6
    }

    /// Nil unless `frame` is exactly one frame.
    package init?(_ frame: ArraySlice<UInt8>) {
        guard let length = Self.frameLength(frame), length == frame.count else { return nil }
        let start = frame.startIndex
        transaction = UInt16(frame[start]) << 8 | UInt16(frame[start + 1])
        unit = frame[start + 6]
        function = frame[start + 7]
        data = Array(frame[(start + 8)...])
    }

    /// Address and count of a register read (functions 3 and 4); nil for other functions and other lengths.
    package var registers: (address: Int, count: Int)? {
        guard function == 3 || function == 4, data.count == 4 else { return nil }
        return (Int(data[0]) << 8 | Int(data[1]), Int(data[2]) << 8 | Int(data[3]))
    }

    /// `unit,function,address,count` for a log of what was asked; `-` where the request has none.
    package var line: String {
        let asked = data.count >= 4 && (1...16).contains(function) && function != 7 ? data : nil
        let address = asked.map { String(Int($0[0]) << 8 | Int($0[1])) } ?? "-"
        // Functions 5 and 6 carry a value where the others carry a count.
        let count = asked.map { function == 5 || function == 6 ? "1" : String(Int($0[2]) << 8 | Int($0[3])) } ?? "-"
        return "\(unit),\(function),\(address),\(count)"
    }

    /// The frame that answers this request with `pdu`, from unit `from` (the addressed one when nil).
    package func frame(answering pdu: [UInt8], from other: UInt8? = nil) -> [UInt8] {
        let length = UInt16(truncatingIfNeeded: pdu.count + 1)
        return [
            UInt8(transaction >> 8), UInt8(truncatingIfNeeded: transaction), 0, 0,
            UInt8(length >> 8), UInt8(truncatingIfNeeded: length), other ?? unit,
        ] + pdu
    }

    /// What `device` answers.
    package func answer(of device: some RegisterDevice, at state: PlantState, countersZeroed: Bool) -> Answer {
        switch function {
        case 3, 4:
            guard let (address, count) = registers, (1...Self.registersMax).contains(count) else {
                return .exception(3)
            }
            let words = device.words(from: address, count: count, at: state, countersZeroed: countersZeroed)
            return words.map { .registers(Array($0)) } ?? .exception(2)
        case 0x2B:
            return identification(of: device)
        default:
            return .exception(1)
        }
    }

    /// Function 43/14, read device identification (section 6.21): the three basic objects, by stream or singly.
    private func identification(of device: some RegisterDevice) -> Answer {
        guard data.count == 3, data[0] == 0x0E else { return .exception(data.first == 0x0E ? 3 : 1) }
        let objects = Array(device.identification.prefix(3))
        let sent: Range<Int>
        switch data[1] {
        case 1, 2, 3: sent = 0..<objects.count  // no more than the basic objects exist
        case 4 where Int(data[2]) < objects.count: sent = Int(data[2])..<Int(data[2]) + 1
        case 4: return .exception(2)
        default: return .exception(3)
        }
        var pdu: [UInt8] = [function, 0x0E, data[1], 0x81, 0, 0, UInt8(sent.count)]
        for index in sent {
            let text = Array(objects[index].utf8.prefix(64))
            pdu += [UInt8(index), UInt8(text.count)] + text
        }
        return .raw(pdu)
    }
}

/// A device's answer before any fault touches it.
package enum Answer: Hashable, Sendable {
    case registers([UInt16])
    case exception(UInt8)
    /// A PDU that is neither.
    case raw([UInt8])

    /// The answer as bytes after the unit id.
    package func pdu(function: UInt8) -> [UInt8] {
        switch self {
        case .registers(let words):
            [function, UInt8(truncatingIfNeeded: words.count * 2)]
                + words.flatMap { [UInt8($0 >> 8), UInt8(truncatingIfNeeded: $0)] }
        case .exception(let code): [function | 0x80, code]
        case .raw(let pdu): pdu
        }
    }
}
