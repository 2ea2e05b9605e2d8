// Sound RTU frames among bytes that belong to no answer: who else talks on the line. For statistics, never for values.

/// A frame whose checksum is right and whose length is the one its function has.
package struct HeardFrame: Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
        case request
        case answer
    }

    package let unit: UInt8
    /// Without the bit of an exception.
    package let function: UInt8
    package let kind: Kind
    package let length: Int
    /// Where it begins among the bytes.
    package let start: Int

    /// Bytes looked through at once.
    package static let bytesMax = 1_024

    /// All frames in `bytes`, in order, none overlapping another.
    ///
    /// Random bytes have a sound checksum once in 65 536 places; function, length and byte count must fit as well.
    package static func all(in bytes: [UInt8]) -> [HeardFrame] {
        let bytes = Array(bytes.prefix(bytesMax))
        var frames: [HeardFrame] = []
        var start = 0
        while start + 4 <= bytes.count {
            guard let frame = first(bytes[start...]) else {
                start += 1
                continue
            }
            frames.append(frame)
            start += frame.length
        }
        return frames
    }

    /// A frame at the very start of `bytes`.
    private static func first(_ bytes: ArraySlice<UInt8>) -> HeardFrame? {
        let start = bytes.startIndex
        let code = bytes[start + 1]
        for (kind, length) in lengths(code, third: bytes[start + 2], seventh: bytes.dropFirst(6).first) {
            guard length <= bytes.count, ModbusFraming.isSound(Array(bytes.prefix(length))) else { continue }
            return HeardFrame(
                unit: bytes[start], function: code & 0x7F, kind: kind, length: length, start: start)
        }
        return nil
    }

    /// What a frame of this function may be, with its length (Modbus Application Protocol V1.1b3 §6).
    private static func lengths(_ code: UInt8, third: UInt8, seventh: UInt8?) -> [(Kind, Int)] {
        switch code {
        case 1, 2: [(.request, 8), (.answer, 5 + Int(third))]
        // Two bytes a register.
        case 3, 4:
            third > 0 && third % 2 == 0 && third <= 250 ? [(.answer, 5 + Int(third)), (.request, 8)] : [(.request, 8)]
        // A written value is answered with its request.
        case 5, 6: [(.request, 8)]
        case 15, 16: [(.request, 9 + Int(seventh ?? 0)), (.answer, 8)]
        case 17: [(.answer, 5 + Int(third)), (.request, 4)]
        case 0x81...0x90: (1...11).contains(third) ? [(.answer, 5)] : []
        default: []
        }
    }
}
