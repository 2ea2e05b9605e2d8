// The command line as a table: options are declared, help is written from the declaration. Meanings are Commands'.

/// One `--name VALUE`, or a flag where `value` is nil.
struct Option {
    let name: String
    let value: String?
    let help: String
    var repeats = false
}

/// One subcommand with its options.
struct Subcommand {
    let name: String
    let summary: String
    let options: [Option]
    var example = ""

    var help: String {
        var text = "kilomint-plant \(name): \(summary)\n\nOptions:\n"
        for option in options {
            let left = "  --" + option.name + (option.value.map { " " + $0 } ?? "") + (option.repeats ? " …" : "")
            text += left + String(repeating: " ", count: max(2, 24 - left.count)) + option.help + "\n"
        }
        return example.isEmpty ? text : text + "\nExample:\n  " + example + "\n"
    }
}

/// A command line that cannot be carried out as written: exit code 64.
struct UsageError: Error {
    let message: String
}

/// The options given, checked against a subcommand's table.
struct Arguments {
    private let given: [(name: String, value: String)]

    /// Accepts `--name VALUE` and `--name=VALUE`.
    init(_ words: some Sequence<String>, for subcommand: Subcommand) throws(UsageError) {
        var given: [(name: String, value: String)] = []
        var words = Array(words)[...]
        while let word = words.popFirst() {
            let sides = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard word.hasPrefix("--"), let option = subcommand.options.first(where: { "--" + $0.name == sides[0] })
            else {
                let names = subcommand.options.map { "--" + $0.name }.joined(separator: " ")
                throw UsageError(message: "unknown option \(word); \(subcommand.name) knows \(names)")
            }
            guard option.repeats || !given.contains(where: { $0.name == option.name }) else {
                throw UsageError(message: "--\(option.name) is given twice; give it once")
            }
            if option.value == nil {
                guard sides.count == 1 else { throw UsageError(message: "--\(option.name) takes no value") }
                given.append((option.name, ""))
            } else {
                guard let value = sides.count == 2 ? sides[1] : words.popFirst() else {
                    throw UsageError(message: "--\(option.name) needs a value: --\(option.name) \(option.value ?? "")")
                }
                given.append((option.name, value))
            }
        }
        self.given = given
    }

    func has(_ name: String) -> Bool { given.contains { $0.name == name } }

    func all(_ name: String) -> [String] { given.filter { $0.name == name }.map(\.value) }

    func text(_ name: String) -> String? { given.first { $0.name == name }?.value }

    func required(_ name: String) throws(UsageError) -> String {
        guard let text = text(name) else { throw UsageError(message: "--\(name) is missing") }
        return text
    }

    func number(_ name: String, _ range: ClosedRange<Int64>, default value: Int64? = nil) throws(UsageError) -> Int64 {
        if let value, text(name) == nil { return value }
        let text = try required(name)
        guard let number = Int64(text), range.contains(number) else {
            throw UsageError(message: "--\(name) \(text): must be \(range.lowerBound) … \(range.upperBound)")
        }
        return number
    }
}
