// One line of the control socket: a verb and key=value words, values percent-encoded. Bytes in, words out; what the
// verbs mean stands with each of them. docs/agent.md has the protocol.

/// What a caller asks for, or one line of an answer that a program shall read.
package struct ControlRequest: Hashable, Sendable {
    /// Bytes of the line without its end.
    package static let bytesMax = 4_096
    package static let answerBytesMax = 1_048_576
    package static let pairsMax = 32

    package let verb: String
    package private(set) var values: [String: String]

    package init(_ verb: String, _ values: [String: String] = [:]) {
        self.verb = verb
        self.values = values
    }

    /// - Throws: ``ControlRefusal`` for what is no request.
    package init(parsing line: some Collection<UInt8>) throws(ControlRefusal) {
        try self.init(parsing: line, bytesMax: Self.bytesMax)
    }

    /// A line of an answer, which may carry a record.
    package init(longLine line: String) throws(ControlRefusal) {
        try self.init(parsing: Array(line.utf8), bytesMax: Self.answerBytesMax)
    }

    private init(parsing line: some Collection<UInt8>, bytesMax: Int) throws(ControlRefusal) {
        guard line.count <= bytesMax else { throw ControlRefusal("the line is longer than \(bytesMax) bytes") }
        let words = line.split(separator: 0x20, omittingEmptySubsequences: true)
        guard let first = words.first, let verb = Self.name(first) else {
            throw ControlRefusal("a request is: verb key=value …, with lower-case names")
        }
        guard words.count - 1 <= Self.pairsMax else { throw ControlRefusal("more than \(Self.pairsMax) values") }
        self.verb = verb
        values = [:]
        for word in words.dropFirst() {
            guard let end = word.firstIndex(of: 0x3D), let key = Self.name(word[..<end]),
                let value = Self.decoded(word[word.index(after: end)...])
            else { throw ControlRefusal("\(verb): every word after the verb is key=value, the value percent-encoded") }
            guard values.updateValue(value, forKey: key) == nil else { throw ControlRefusal("\(key) stands twice") }
        }
    }

    /// The line without its end.
    package var line: String {
        ([verb] + values.sorted { $0.key < $1.key }.map { "\($0.key)=\(Self.encoded($0.value))" })
            .joined(separator: " ")
    }

    // MARK: Values

    package func optional(_ key: String) -> String? { values[key] }

    package func required(_ key: String) throws(ControlRefusal) -> String {
        guard let value = values[key] else { throw ControlRefusal("\(verb): \(key)= is missing") }
        return value
    }

    package func number(_ key: String, in range: ClosedRange<Int64>) throws(ControlRefusal) -> Int64? {
        guard let text = values[key] else { return nil }
        guard let number = Int64(text), range.contains(number) else {
            throw ControlRefusal(
                "\(verb): \(key) is \(text); allowed: \(range.lowerBound) … \(range.upperBound)")
        }
        return number
    }

    // MARK: Bytes

    private static func name(_ bytes: some Collection<UInt8>) -> String? {
        let isName = bytes.allSatisfy {
            (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || [0x2D, 0x5F].contains($0)
        }
        return isName && (1...32).contains(bytes.count) ? String(decoding: Array(bytes), as: UTF8.self) : nil
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        default: Array("-._~:/,+*[]()".utf8).contains(byte)
        }
    }

    package static func encoded(_ text: String) -> String {
        text.utf8.map { byte in
            isPlain(byte)
                ? String(UnicodeScalar(byte)) : "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
        }.joined()
    }

    /// Nil when a percent sign is not followed by two digits, or the bytes are no UTF-8.
    private static func decoded(_ bytes: some Collection<UInt8>) -> String? {
        var result: [UInt8] = []
        var rest = bytes[...]
        while let byte = rest.popFirst() {
            guard byte == 0x25 else {
                result.append(byte)
                continue
            }
            guard let high = rest.popFirst().flatMap(digit), let low = rest.popFirst().flatMap(digit) else {
                return nil
            }
            result.append(high << 4 | low)
        }
        return String(validating: result, as: UTF8.self)
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x41 + 10
        case 0x61...0x66: byte - 0x61 + 10
        default: nil
        }
    }
}

/// Why a request is not carried out, in words for the person who made it.
package struct ControlRefusal: Error, Hashable, Sendable, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
}
