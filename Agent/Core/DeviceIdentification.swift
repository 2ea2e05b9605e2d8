// What a device says about itself when asked with functions 43/14 and 17. The answer comes from outside: every length
// in it is checked against what there is.

/// The objects of one Read Device Identification answer (Modbus Application Protocol V1.1b3 §6.21).
package struct DeviceIdentification: Hashable, Sendable {
    package struct Object: Hashable, Sendable {
        package let id: UInt8
        package let bytes: [UInt8]

        /// ASCII for people: what is not printable stands as a dot.
        package var text: String { DeviceIdentification.printable(bytes) }
    }

    /// Requests of one identification: a device that always promises more is not asked for ever.
    package static let requestsMax = 8

    package let conformity: UInt8
    package let objects: [Object]
    /// The object to ask for next; nil: that was all.
    package let next: UInt8?

    /// - Parameter bytes: ``ModbusAnswer/bytes`` of a good identification.
    /// - Returns: nil when the answer contradicts itself: an object twice, or a next one that was given.
    package init?(_ bytes: [UInt8]) {
        guard bytes.count >= 5, Self.progress([43, 14] + bytes) == .whole(bytes.count + 2) else { return nil }
        conformity = bytes[1]
        var objects: [Object] = []
        var place = 5
        for _ in 0..<Int(bytes[4]) {
            let end = place + 2 + Int(bytes[place + 1])
            let object = Object(id: bytes[place], bytes: Array(bytes[place + 2..<end]))
            if let last = objects.last, last.id >= object.id { return nil }
            objects.append(object)
            place = end
        }
        switch bytes[2] {
        case 0: next = nil
        case 0xFF:
            guard let last = objects.last, bytes[3] > last.id else { return nil }
            next = bytes[3]
        default: return nil
        }
        self.objects = objects
    }

    /// How long the PDU is: function, type, level, conformity, more, next, number, then objects of id, length, bytes.
    static func progress(_ pdu: [UInt8]) -> ModbusFraming.Progress {
        if pdu.count > 1, pdu[1] != ModbusRequest.identificationType { return .odd }
        guard pdu.count >= 7 else { return .more(7 - pdu.count) }
        var end = 7
        for left in (0..<Int(pdu[6])).reversed() {
            guard pdu.count >= end + 2 else {
                let least = end + 2 * (left + 1)
                return least > ModbusFraming.pduMax ? .odd : .more(least - pdu.count)
            }
            end += 2 + Int(pdu[end + 1])
            guard end <= ModbusFraming.pduMax else { return .odd }
        }
        return pdu.count >= end ? .whole(end) : .more(end - pdu.count)
    }

    /// What the Modbus specification calls an object.
    package static func name(_ id: UInt8) -> String {
        let names = ["vendor", "product", "revision", "url", "product name", "model", "application"]
        return Int(id) < names.count ? names[Int(id)] : "object \(id)"
    }

    package static func printable(_ bytes: [UInt8]) -> String {
        String(decoding: bytes.map { (0x20...0x7E).contains($0) ? $0 : 0x2E }, as: UTF8.self)
    }
}
