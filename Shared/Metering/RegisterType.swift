// How register words become a bit pattern. What the pattern is worth is the quantity's scale, not this file's.

/// The type of a value in registers of 16 bits. Raw values stand in the CBOR form.
package enum RegisterType: UInt8, Hashable, Sendable, CaseIterable {
    case u16 = 1
    case s16 = 2
    case u32 = 3
    case s32 = 4
    case u64 = 5
    case s64 = 6
    /// IEEE 754 binary32 and binary64.
    case f32 = 7
    case f64 = 8
    /// SunSpec accumulators: unsigned, and 0 means "not accumulated".
    case acc16 = 9
    case acc32 = 10
    case acc64 = 11
    /// ASCII, two characters a register, padded with NUL or blanks. Identity only.
    case text = 12
    /// ASCII, one character a register, in its low byte. Identity only.
    case chars = 13

    /// As profiles spell it.
    package var name: String {
        switch self {
        case .u16: "u16"
        case .s16: "s16"
        case .u32: "u32"
        case .s32: "s32"
        case .u64: "u64"
        case .s64: "s64"
        case .f32: "f32"
        case .f64: "f64"
        case .acc16: "acc16"
        case .acc32: "acc32"
        case .acc64: "acc64"
        case .text: "text"
        case .chars: "chars"
        }
    }

    /// Registers it takes; 0 for texts, whose length the profile names.
    package var registers: Int {
        switch self {
        case .u16, .s16, .acc16: 1
        case .u32, .s32, .f32, .acc32: 2
        case .u64, .s64, .f64, .acc64: 4
        case .text, .chars: 0
        }
    }

    package var isText: Bool { self == .text || self == .chars }
    package var isFloat: Bool { self == .f32 || self == .f64 }
    package var isSigned: Bool { self == .s16 || self == .s32 || self == .s64 }
    package var isAccumulator: Bool { self == .acc16 || self == .acc32 || self == .acc64 }

    /// The largest bit pattern.
    package var patternMax: UInt64 { registers >= 4 ? .max : (1 << (16 * UInt64(registers))) - 1 }
}

/// The order of a value's words and of the bytes in each word.
package struct RegisterOrder: Hashable, Sendable {
    /// The register with the lower address holds the less significant word (CDAB).
    package let lowWordFirst: Bool
    /// The byte sent first is the less significant one of its word (BADC).
    package let lowByteFirst: Bool

    package init(lowWordFirst: Bool = false, lowByteFirst: Bool = false) {
        self.lowWordFirst = lowWordFirst
        self.lowByteFirst = lowByteFirst
    }

    /// The bit pattern of the words at `bytes`, most significant first: at most 4 words, as sent.
    func pattern(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        var pattern: UInt64 = 0
        let words = bytes.count / 2
        for position in 0..<words {
            let word = lowWordFirst ? words - 1 - position : position
            let first = bytes[bytes.startIndex + 2 * word]
            let second = bytes[bytes.startIndex + 2 * word + 1]
            let (high, low) = lowByteFirst ? (second, first) : (first, second)
            pattern = pattern << 16 | UInt64(high) << 8 | UInt64(low)
        }
        return pattern
    }

    /// Inverse of `pattern`: the bytes of `words` registers as sent. For servers and tests.
    package func bytes(_ pattern: UInt64, words: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        for position in 0..<words {
            let significance = lowWordFirst ? position : words - 1 - position
            let word = UInt16(truncatingIfNeeded: pattern >> (16 * UInt64(significance)))
            let (high, low) = (UInt8(word >> 8), UInt8(word & 255))
            bytes += lowByteFirst ? [low, high] : [high, low]
        }
        return bytes
    }

    /// Text as sent, byte pairs swapped where the device swaps them, without trailing NUL and blanks.
    /// Nil when a character is not printable ASCII.
    func text(_ bytes: ArraySlice<UInt8>) -> String? {
        var characters = Array(bytes)
        if lowByteFirst {
            for index in stride(from: 0, to: characters.count - 1, by: 2) { characters.swapAt(index, index + 1) }
        }
        return Self.printable(characters[...])
    }

    /// One character a register: the low byte of each, the high one where the device has its low byte first.
    func characters(_ bytes: ArraySlice<UInt8>) -> String? {
        let offset = lowByteFirst ? 0 : 1
        return Self.printable(
            stride(from: 0, to: bytes.count - 1, by: 2).map { bytes[bytes.startIndex + $0 + offset] }[...])
    }

    private static func printable(_ characters: ArraySlice<UInt8>) -> String? {
        var characters = characters.prefix { $0 != 0 }
        while characters.last == 0x20 { characters.removeLast() }
        guard characters.allSatisfy({ (0x20...0x7E).contains($0) }) else { return nil }
        return String(decoding: characters, as: UTF8.self)
    }
}
