// Decoding of untrusted bytes: bounded depth, no allocation larger than the input, deterministic form enforced.

/// Why bytes are not one deterministic CBOR item of ours. `offset` is where reading stopped.
package enum CBORError: Error, Hashable, Sendable {
    case truncated(offset: Int)
    case trailingBytes(offset: Int)
    /// Not in its shortest or ordered form: indefinite length, long head, keys unsorted or twice.
    case notDeterministic(offset: Int)
    /// Floats, simple values and other items outside our formats.
    case unsupported(offset: Int)
    case notUTF8(offset: Int)
    case tooDeep(offset: Int)
}

extension CBORValue {
    /// Nesting that our formats never reach.
    package static let depthMax = 16

    /// Decodes exactly one item that takes up all of `bytes` and is in deterministic form.
    package init(decoding bytes: [UInt8]) throws(CBORError) {
        var decoder = CBORDecoder(bytes)
        self = try decoder.next()
        guard decoder.isAtEnd else { throw .trailingBytes(offset: decoder.offset) }
    }
}

extension CBORValue {
    /// Decodes one item in any well-formed spelling: long heads, unsorted keys, indefinite lengths. Floats and simple
    /// values become null. Only for placing an authentic record that is not deterministic: it is kept with a finding,
    /// and nothing but its place is taken from it.
    package init(lenientlyDecoding bytes: [UInt8]) throws(CBORError) {
        var decoder = CBORDecoder(bytes, lenient: true)
        self = try decoder.next()
        guard decoder.isAtEnd else { throw .trailingBytes(offset: decoder.offset) }
    }
}

/// Reads one item after the other from bytes: a CBOR sequence (RFC 8742).
package struct CBORDecoder {
    private let bytes: [UInt8]
    private let lenient: Bool
    package private(set) var offset = 0

    package init(_ bytes: [UInt8]) { self.init(bytes, lenient: false) }

    fileprivate init(_ bytes: [UInt8], lenient: Bool) {
        self.bytes = bytes
        self.lenient = lenient
    }

    package var isAtEnd: Bool { offset == bytes.count }

    /// The next item. At the end: `.truncated`.
    package mutating func next() throws(CBORError) -> CBORValue { try item(depth: 0) }

    private mutating func item(depth: Int) throws(CBORError) -> CBORValue {
        let start = offset
        guard depth < CBORValue.depthMax else { throw .tooDeep(offset: start) }
        let (major, argument, isOpenEnded) = try head()
        if isOpenEnded { return try openEndedItem(major, start, depth: depth) }
        switch major {
        case 0: return .unsigned(argument)
        case 1: return .negative(argument)
        case 2: return .bytes(Array(try take(argument)))
        case 3: return .text(try text(try take(argument), start))
        case 4: return .array(try items(argument, depth: depth))
        case 5: return .map(try pairs(argument, depth: depth))
        case 6: return .tagged(argument, try item(depth: depth + 1))
        default: return try simple(argument, start)
        }
    }

    private func text(_ slice: ArraySlice<UInt8>, _ start: Int) throws(CBORError) -> String {
        guard let text = String(validating: slice, as: UTF8.self) else { throw .notUTF8(offset: start) }
        return text
    }

    /// Lenient only: items until the break code. Chunks of a string are joined.
    private mutating func openEndedItem(_ major: UInt8, _ start: Int, depth: Int) throws(CBORError) -> CBORValue {
        var items: [CBORValue] = []
        while true {
            guard offset < bytes.count else { throw .truncated(offset: offset) }
            if bytes[offset] == 0xFF { break }
            items.append(try item(depth: depth + 1))
        }
        offset += 1
        switch major {
        case 2, 3:
            var joined: [UInt8] = []
            for item in items {
                switch item {
                case .bytes(let chunk): joined += chunk
                case .text(let chunk): joined += Array(chunk.utf8)
                default: throw .unsupported(offset: start)
                }
            }
            return major == 2 ? .bytes(joined) : .text(try text(joined[...], start))
        case 4: return .array(items)
        case 5:
            guard items.count.isMultiple(of: 2) else { throw .unsupported(offset: start) }
            return .map(stride(from: 0, to: items.count, by: 2).map { CBORValue.Pair(items[$0], items[$0 + 1]) })
        default: throw .unsupported(offset: start)
        }
    }

    private func simple(_ argument: UInt64, _ start: Int) throws(CBORError) -> CBORValue {
        if lenient, argument < 20 || argument > 22 || bytes[start] >= 0xF8 { return .null }
        guard bytes[start] < 0xF8 else { throw .unsupported(offset: start) }
        switch argument {
        case 20: return .bool(false)
        case 21: return .bool(true)
        case 22: return .null
        default: throw .unsupported(offset: start)
        }
    }

    private mutating func items(_ count: UInt64, depth: Int) throws(CBORError) -> [CBORValue] {
        // Each item takes at least a byte: a count beyond the rest is a lie, found before anything is reserved.
        guard count <= UInt64(bytes.count - offset) else { throw .truncated(offset: offset) }
        var items: [CBORValue] = []
        items.reserveCapacity(Int(count))
        for _ in 0..<count { items.append(try item(depth: depth + 1)) }
        return items
    }

    private mutating func pairs(_ count: UInt64, depth: Int) throws(CBORError) -> [CBORValue.Pair] {
        guard count <= UInt64(bytes.count - offset) / 2 else { throw .truncated(offset: offset) }
        var pairs: [CBORValue.Pair] = []
        pairs.reserveCapacity(Int(count))
        var previous: ArraySlice<UInt8> = []
        for index in 0..<count {
            let start = offset
            let key = try item(depth: depth + 1)
            let encoding = bytes[start..<offset]
            guard lenient || index == 0 || previous.lexicographicallyPrecedes(encoding) else {
                throw .notDeterministic(offset: start)
            }
            previous = encoding
            pairs.append(CBORValue.Pair(key, try item(depth: depth + 1)))
        }
        return pairs
    }

    private mutating func head() throws(CBORError) -> (major: UInt8, argument: UInt64, isOpenEnded: Bool) {
        let start = offset
        guard start < bytes.count else { throw .truncated(offset: start) }
        offset += 1
        let low = bytes[start] & 31
        if low < 24 { return (bytes[start] >> 5, UInt64(low), false) }
        if lenient, low == 31 { return (bytes[start] >> 5, 0, true) }
        guard low <= 27 else { throw low == 31 ? .notDeterministic(offset: start) : .unsupported(offset: start) }
        let width = 1 << Int(low - 24)
        let argument = try take(UInt64(width)).reduce(0) { $0 << 8 | UInt64($1) }
        let smallest: UInt64 = [24, 0x100, 0x1_0000, 0x1_0000_0000][Int(low - 24)]
        // Major 7 carries floats and simple values there: reported as unsupported by the caller.
        guard lenient || argument >= smallest || bytes[start] >> 5 == 7 else { throw .notDeterministic(offset: start) }
        return (bytes[start] >> 5, argument, false)
    }

    private mutating func take(_ count: UInt64) throws(CBORError) -> ArraySlice<UInt8> {
        guard count <= UInt64(bytes.count - offset) else { throw .truncated(offset: offset) }
        let slice = bytes[offset..<offset + Int(count)]
        offset += Int(count)
        return slice
    }
}
