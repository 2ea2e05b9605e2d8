// The command line as a table: which options a command takes. Small on purpose; the agent links no argument parser.

/// What was typed after the command's name, checked against what the command takes.
struct Arguments {
    struct Wrong: Error, CustomStringConvertible {
        let description: String
    }

    private var values: [String: String] = [:]
    private var flags: Set<String> = []
    /// Words without `--`: files and folders.
    private(set) var places: [String] = []

    /// - Parameters:
    ///   - options: names that take a value, without `--`.
    ///   - flags: names that take none.
    ///   - places: how many words without `--` the command takes.
    init(
        _ words: [String], options: [String], flags known: [String] = [], places expected: ClosedRange<Int> = 0...0
    ) throws(Wrong) {
        var rest = words[...]
        while let word = rest.popFirst() {
            guard word.hasPrefix("--") else {
                places.append(word)
                guard places.count <= expected.upperBound else {
                    throw Wrong(description: "\(word) is not expected here")
                }
                continue
            }
            let parts = word.dropFirst(2).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(parts.first ?? "")
            if known.contains(name), parts.count == 1 {
                flags.insert(name)
                continue
            }
            guard options.contains(name) else {
                let all = (options.map { "--\($0) VALUE" } + known.map { "--\($0)" }).joined(separator: ", ")
                throw Wrong(description: "\(word) is not known here; known: \(all)")
            }
            guard let value = parts.count == 2 ? String(parts[1]) : rest.popFirst() else {
                throw Wrong(description: "--\(name) needs a value")
            }
            guard values.updateValue(value, forKey: name) == nil else {
                throw Wrong(description: "--\(name) stands twice")
            }
        }
        guard places.count >= expected.lowerBound else { throw Wrong(description: "a file or folder is missing") }
    }

    func has(_ flag: String) -> Bool { flags.contains(flag) }
    func optional(_ name: String) -> String? { values[name] }

    func required(_ name: String) throws(Wrong) -> String {
        guard let value = values[name] else { throw Wrong(description: "--\(name) is missing") }
        return value
    }
}
