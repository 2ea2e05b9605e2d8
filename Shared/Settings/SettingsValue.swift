// One value under a key, read as exactly one type. No defaults on error: what cannot be read is refused.

/// A value and where it stands. Every accessor throws with file, line, key, value and what is allowed.
package struct SettingsValue {
    package let node: SettingsNode
    /// `bus[0].baud`.
    package let path: String
    private let owner: SettingsMap

    init(node: SettingsNode, path: String, owner: SettingsMap) {
        self.node = node
        self.path = path
        self.owner = owner
    }

    package var file: String { owner.file }
    package var line: Int { node.line }

    /// A refusal of this value, for rules the accessors do not know.
    package func error(_ problem: String, allowed: String? = nil) -> SettingsError {
        var found: String?
        if case .scalar(let text, _) = node.content { found = text }
        return SettingsError(
            file: owner.file, line: node.line, keyPath: path, found: found, problem: problem, allowed: allowed)
    }

    /// The scalar's text with or without quotes. An empty plain value (`key:`) is a forgotten one.
    private func scalar(_ allowed: String) throws(SettingsError) -> (text: String, quoted: Bool) {
        guard case .scalar(let text, let quoted) = node.content else {
            throw error("is \(node.kind)", allowed: allowed)
        }
        guard quoted || !text.isEmpty else {
            throw error("has no value; fill it in or remove the key", allowed: allowed)
        }
        return (text, quoted)
    }

    /// A scalar without quotes: numbers, durations, sizes, switches.
    func plain(_ allowed: String) throws(SettingsError) -> String {
        let (text, quoted) = try scalar(allowed)
        guard !quoted else { throw error("is text in quotes; remove the quotes", allowed: allowed) }
        return text
    }

    /// Text of `count` bytes of UTF-8 without control characters.
    package func text(_ count: ClosedRange<Int> = 1...1024) throws(SettingsError) -> String {
        let allowed = "text of \(count.lowerBound) … \(count.upperBound) bytes without control characters"
        let text = try scalar(allowed).text
        guard count.contains(text.utf8.count) else { throw error("has \(text.utf8.count) bytes", allowed: allowed) }
        let isClean = text.unicodeScalars.allSatisfy { $0.value >= 0x20 && !(0x7F...0x9F).contains($0.value) }
        guard isClean else { throw error("contains a control character", allowed: allowed) }
        return text
    }

    /// Text that no error and no log shows.
    package func secret(_ count: ClosedRange<Int> = 8...1024) throws(SettingsError) -> String {
        let allowed = "text of \(count.lowerBound) … \(count.upperBound) bytes without control characters"
        do throws(SettingsError) {
            return try text(count)
        } catch {
            throw SettingsError(
                file: file, line: line, keyPath: path, problem: "is not a usable secret", allowed: allowed)
        }
    }

    /// A word of `count` bytes all of which satisfy `isAllowed`; `allowed` describes them in errors.
    package func word(
        _ allowed: String, count: ClosedRange<Int>, where isAllowed: (UInt8) -> Bool
    ) throws(SettingsError) -> String {
        let text = try scalar(allowed).text
        guard count.contains(text.utf8.count), text.utf8.allSatisfy(isAllowed) else {
            throw error("is not such a name", allowed: allowed)
        }
        return text
    }

    /// A name of 1 … 40 characters out of `a-z 0-9 -`: what Quantities calls an Identifier.
    package func identifier() throws(SettingsError) -> String {
        try word("1 … 40 characters out of a-z 0-9 -", count: 1...40) { byte in
            (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte) || byte == 0x2D
        }
    }

    /// A path, taken as it stands: no `~`, no variables, so that it means the same in every environment.
    package func path(absolute: Bool = false) throws(SettingsError) -> String {
        let allowed = absolute ? "an absolute path, /…" : "a path without ~ and $"
        let text = try text(1...4095)
        guard text.first != "~", !text.utf8.contains(UInt8(ascii: "$")), !absolute || text.first == "/" else {
            throw error("is not such a path", allowed: allowed)
        }
        return text
    }

    /// `true` or `false`.
    package func bool() throws(SettingsError) -> Bool {
        switch try plain("true, false") {
        case "true": return true
        case "false": return false
        default: throw error("is neither", allowed: "true, false")
        }
    }

    /// One of the cases by raw value.
    package func choice<Choice>(_ type: Choice.Type = Choice.self) throws(SettingsError) -> Choice
    where Choice: RawRepresentable<String> & CaseIterable {
        try choice(type.allCases.map { ($0.rawValue, $0) })
    }

    /// One of the names listed.
    package func choice<Choice>(_ choices: [(name: String, value: Choice)]) throws(SettingsError) -> Choice {
        let allowed = choices.map(\.name).joined(separator: ", ")
        let text = try scalar(allowed).text
        guard let choice = choices.first(where: { $0.name == text }) else {
            throw error("is none of the choices", allowed: allowed)
        }
        return choice.value
    }

    /// `count` hexadecimal digit pairs, either case.
    package func hexBytes(count: ClosedRange<Int>) throws(SettingsError) -> [UInt8] {
        let least = count.lowerBound
        let size = least == count.upperBound ? "\(least)" : "\(least) … \(count.upperBound)"
        let allowed = "\(size) bytes as hexadecimal digit pairs"
        let digits = Array(try scalar(allowed).text.utf8)
        var bytes: [UInt8] = []
        for start in stride(from: 0, to: digits.count - 1, by: 2) {
            guard let high = Self.nibble(digits[start]), let low = Self.nibble(digits[start + 1]) else { break }
            bytes.append(high << 4 | low)
        }
        guard bytes.count * 2 == digits.count, count.contains(bytes.count) else {
            throw error("is not that", allowed: allowed)
        }
        return bytes
    }

    /// Text that has the form of an RFC 3339 instant in UTC (`2016-07-07T06:00:00Z`). The caller parses it and
    /// reports an impossible date with ``error(_:allowed:)``.
    package func instantText() throws(SettingsError) -> String {
        let allowed = "an instant in UTC such as 2016-07-07T06:00:00Z"
        let text = try scalar(allowed).text
        let form = "dddd-dd-ddTdd:dd:ddZ"
        let bytes = Array(text.utf8)
        let fraction = bytes.count > 20 ? bytes[19..<bytes.count - 1] : []
        let isMarked = (2...4).contains(fraction.count) && fraction.first == UInt8(ascii: ".")
        let isFraction = fraction.isEmpty || (isMarked && fraction.dropFirst().allSatisfy { (48...57).contains($0) })
        let whole = Array(bytes.prefix(19)) + (bytes.last.map { [$0] } ?? [])
        let matches = zip(whole, form.utf8).allSatisfy { byte, wanted in
            wanted == UInt8(ascii: "d") ? (48...57).contains(byte) : byte == wanted
        }
        let fits = bytes.count >= 20 && matches
        guard fits, isFraction else { throw error("is not an instant", allowed: allowed) }
        return text
    }

    /// The items of a list.
    package func list(count: ClosedRange<Int> = 0...100_000) throws(SettingsError) -> [SettingsValue] {
        let allowed = "a list of \(count.lowerBound) … \(count.upperBound) items"
        guard case .list(let nodes) = node.content else { throw error("is \(node.kind)", allowed: allowed) }
        guard count.contains(nodes.count) else { throw error("has \(nodes.count) items", allowed: allowed) }
        return nodes.enumerated().map { SettingsValue(node: $1, path: "\(path)[\($0)]", owner: owner) }
    }

    /// The map under this key. Its unknown keys are found by the root's ``SettingsMap/finish()``.
    package func map() throws(SettingsError) -> SettingsMap {
        guard case .map(let entries) = node.content else { throw error("is \(node.kind)", allowed: "a map of keys") }
        return owner.child(entries, line: node.line, path: path)
    }

    package var isMap: Bool {
        if case .map = node.content { return true }
        return false
    }

    package var isList: Bool {
        if case .list = node.content { return true }
        return false
    }

    private static func nibble(_ digit: UInt8) -> UInt8? {
        switch digit {
        case 48...57: digit - 48
        case 65...70: digit - 55
        case 97...102: digit - 87
        default: nil
        }
    }
}
