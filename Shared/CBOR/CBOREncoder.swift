// Deterministic encoding: shortest heads, definite lengths, map keys in bytewise order (RFC 8949 §4.2.1).

extension CBORValue {
    /// The one deterministic encoding of this value.
    ///
    /// - Precondition: no map has the same key twice; that is our own mistake, never input.
    package func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        append(to: &bytes)
        return bytes
    }

    /// Appends the deterministic encoding to `bytes`.
    package func append(to bytes: inout [UInt8]) {
        switch self {
        case .unsigned(let value): Self.appendHead(0, value, to: &bytes)
        case .negative(let value): Self.appendHead(1, value, to: &bytes)
        case .bytes(let value):
            Self.appendHead(2, UInt64(value.count), to: &bytes)
            bytes.append(contentsOf: value)
        case .text(let value):
            Self.appendHead(3, UInt64(value.utf8.count), to: &bytes)
            bytes.append(contentsOf: value.utf8)
        case .array(let items):
            Self.appendHead(4, UInt64(items.count), to: &bytes)
            for item in items { item.append(to: &bytes) }
        case .map(let pairs): Self.appendMap(pairs, to: &bytes)
        case .tagged(let tag, let value):
            Self.appendHead(6, tag, to: &bytes)
            value.append(to: &bytes)
        case .bool(let value): bytes.append(value ? 0xF5 : 0xF4)
        case .null: bytes.append(0xF6)
        }
    }

    private static func appendMap(_ pairs: [Pair], to bytes: inout [UInt8]) {
        let sorted = pairs.map { (key: $0.key.encoded(), value: $0.value) }
            .sorted { $0.key.lexicographicallyPrecedes($1.key) }
        appendHead(5, UInt64(sorted.count), to: &bytes)
        for (index, pair) in sorted.enumerated() {
            precondition(index == 0 || sorted[index - 1].key != pair.key, "a CBOR map was built with a key twice")
            bytes.append(contentsOf: pair.key)
            pair.value.append(to: &bytes)
        }
    }

    /// Appends major type and argument in the shortest form. For streaming encoders of large arrays.
    package static func appendHead(_ major: UInt8, _ argument: UInt64, to bytes: inout [UInt8]) {
        let type = major << 5
        switch argument {
        case 0..<24: bytes.append(type | UInt8(argument))
        case 24...0xFF: bytes.append(contentsOf: [type | 24, UInt8(argument)])
        case 0x100...0xFFFF: appendArgument(type | 25, argument, 2, to: &bytes)
        case 0x1_0000...0xFFFF_FFFF: appendArgument(type | 26, argument, 4, to: &bytes)
        default: appendArgument(type | 27, argument, 8, to: &bytes)
        }
    }

    private static func appendArgument(_ head: UInt8, _ argument: UInt64, _ width: Int, to bytes: inout [UInt8]) {
        bytes.append(head)
        for index in (0..<width).reversed() { bytes.append(UInt8(truncatingIfNeeded: argument >> (8 * UInt64(index)))) }
    }
}
