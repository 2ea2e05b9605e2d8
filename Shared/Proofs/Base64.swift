// Base64 (RFC 4648 §4, with padding), as signed notes, checkpoints and tlog-proofs use it.

extension [UInt8] {
    private static var base64Alphabet: [UInt8] {
        Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    }

    package var base64: String {
        let alphabet = Self.base64Alphabet
        var text: [UInt8] = []
        for start in stride(from: 0, to: count, by: 3) {
            let group = (0..<3).map { start + $0 < count ? UInt32(self[start + $0]) : 0 }
            let word = group[0] << 16 | group[1] << 8 | group[2]
            for index in 0..<4 {
                let isPadding = start + index > count
                text.append(isPadding ? UInt8(ascii: "=") : alphabet[Int(word >> UInt32(18 - 6 * index) & 63)])
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// Nil unless canonical: padding present, unused bits zero, no white space.
    package init?(base64 text: String) {
        let characters = Array<UInt8>(text.utf8)
        guard characters.count.isMultiple(of: 4) else { return nil }
        let padding = characters.suffix(2).count { $0 == UInt8(ascii: "=") }
        var values = [UInt8?](repeating: nil, count: 256)
        for (value, character) in Self.base64Alphabet.enumerated() { values[Int(character)] = UInt8(value) }
        var bytes: [UInt8] = []
        var (word, bits): (UInt32, UInt32) = (0, 0)
        for character in characters.dropLast(padding) {
            guard let value = values[Int(character)] else { return nil }
            word = word << 6 | UInt32(value)
            bits += 6
            guard bits >= 8 else { continue }
            bits -= 8
            bytes.append(UInt8(truncatingIfNeeded: word >> bits))
            word &= (1 << bits) - 1
        }
        guard word == 0, bytes.base64 == text else { return nil }
        self = bytes
    }
}
