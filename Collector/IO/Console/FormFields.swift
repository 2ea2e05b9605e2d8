// The fields of a form as a browser posts them (application/x-www-form-urlencoded), bounded. What they mean is the form's.

internal import CollectorCore
internal import Quantities

struct FormFields: Sendable {
    /// Bytes of a body.
    static let bytesMax = 1 << 16
    /// Fields of a form.
    static let fieldsMax = 1024
    /// Bytes of a value.
    static let valueBytesMax = 1024
    /// Rows of one kind, as `meter.31.id` is of the last.
    static let rowsMax = 32

    private var values: [String: String] = [:]

    init() {}

    init(_ body: [UInt8]) throws(Problem) {
        guard body.count <= Self.bytesMax else { throw .tooLarge(Self.bytesMax) }
        let pairs = body.split(separator: UInt8(ascii: "&"))
        guard pairs.count <= Self.fieldsMax else {
            throw .badRequest("not a form of ours", detail: "send at most \(Self.fieldsMax) fields")
        }
        for pair in pairs {
            let parts = pair.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, let name = Self.decoded(parts[0]), let value = Self.decoded(parts[1]),
                value.utf8.count <= Self.valueBytesMax, values.updateValue(value, forKey: name) == nil
            else {
                throw .badRequest(
                    "not a form of ours",
                    detail: "send each field once, in UTF-8, with at most \(Self.valueBytesMax) bytes")
            }
        }
    }

    /// `+` is a space, `%41` a byte.
    private static func decoded(_ text: some Sequence<UInt8>) -> String? {
        var bytes: [UInt8] = []
        var source = text.makeIterator()
        while let byte = source.next() {
            switch byte {
            case UInt8(ascii: "+"): bytes.append(UInt8(ascii: " "))
            case UInt8(ascii: "%"):
                guard let high = source.next(), let low = source.next(),
                    let one = [UInt8](hex: String(decoding: [high, low], as: UTF8.self)), one.count == 1
                else { return nil }
                bytes += one
            default: bytes.append(byte)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }

    /// Without blanks around it; empty when it was not sent.
    subscript(_ name: String) -> String {
        let text = values[name] ?? ""
        return String(text.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }

    func has(_ name: String) -> Bool { values[name] != nil }

    mutating func set(_ name: String, _ value: String) { values[name] = value }

    /// Rows of a kind that were sent, at least one.
    func rows(_ kind: String) -> Int {
        let numbers = values.keys.compactMap { name -> Int? in
            let parts = name.split(separator: ".")
            guard parts.count == 3, parts[0] == kind, let row = Int(parts[1]) else { return nil }
            return (0..<Self.rowsMax).contains(row) ? row : nil
        }
        return (numbers.max() ?? 0) + 1
    }
}
