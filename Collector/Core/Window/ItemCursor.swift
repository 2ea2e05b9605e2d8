// Walks a CBOR sequence head by head without building values: for the readings, of which a window has a million.

internal import CBOR

/// A position in the bytes of one segment. Accepts only deterministic heads, as the general decoder does.
struct ItemCursor {
    private let bytes: [UInt8]
    private(set) var offset = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var isAtEnd: Bool { offset == bytes.count }

    /// Whether these bytes stand next. Does not move.
    func stands(_ prefix: [UInt8]) -> Bool {
        guard prefix.count <= bytes.count - offset else { return false }
        for index in prefix.indices where bytes[offset + index] != prefix[index] { return false }
        return true
    }

    mutating func skip(_ count: Int) { offset = min(bytes.count, offset + count) }

    func slice(from start: Int) -> [UInt8] { Array(bytes[start..<offset]) }

    /// The argument of the next head, which must be of this major type and in its shortest form.
    mutating func head(_ major: UInt8) throws(ShapeError) -> UInt64 {
        let (found, argument) = try anyHead()
        guard found == major else { throw error("major type \(major)") }
        return argument
    }

    /// An integer 0 … 2^63 − 1.
    mutating func number() throws(ShapeError) -> Int64 {
        guard let value = Int64(exactly: try head(0)) else { throw error("an integer of 63 bits") }
        return value
    }

    mutating func string(_ major: UInt8, max: Int) throws(ShapeError) -> ArraySlice<UInt8> {
        let count = try head(major)
        guard count <= UInt64(max), count <= UInt64(bytes.count - offset) else {
            throw error("at most \(max) bytes, all there")
        }
        let start = offset
        offset += Int(count)
        return bytes[start..<offset]
    }

    /// One whole item of any kind through the general decoder.
    mutating func item() throws(ShapeError) -> CBORValue {
        let start = offset
        try pass(depth: 0)
        return try CBORValue.item(slice(from: start), "transcript")
    }

    private mutating func pass(depth: Int) throws(ShapeError) {
        guard depth < CBORValue.depthMax else { throw error("less nesting") }
        let (major, argument) = try anyHead()
        switch major {
        case 2, 3:
            guard argument <= UInt64(bytes.count - offset) else { throw error("all bytes of a string") }
            offset += Int(argument)
        case 4, 5:
            // Each item takes at least a byte: a count beyond the rest is a lie.
            guard argument <= UInt64(bytes.count - offset) else { throw error("all items") }
            for _ in 0..<(major == 4 ? argument : 2 * argument) { try pass(depth: depth + 1) }
        case 6: try pass(depth: depth + 1)
        default: break
        }
    }

    private mutating func anyHead() throws(ShapeError) -> (major: UInt8, argument: UInt64) {
        guard offset < bytes.count else { throw error("another item") }
        let initial = bytes[offset]
        offset += 1
        let low = initial & 31
        if low < 24 { return (initial >> 5, UInt64(low)) }
        let width = 1 << (Int(low) - 24)
        guard low <= 27, width <= bytes.count - offset else { throw error("a definite head") }
        var argument: UInt64 = 0
        for _ in 0..<width {
            argument = argument << 8 | UInt64(bytes[offset])
            offset += 1
        }
        let smallest: UInt64 = width == 1 ? 24 : 1 << (4 * UInt64(width))
        guard argument >= smallest, initial >> 5 != 7 else { throw error("the shortest head") }
        return (initial >> 5, argument)
    }

    func error(_ expected: String) -> ShapeError { ShapeError("transcript, byte \(offset)", expected: expected) }
}
