// A Swift file as the rules of the house see it: words with their lines, strings and comments set apart.
// It is no parser: it knows just enough of the language to tell code from text and to find where a body ends.

/// A word of code: an identifier, a number, or one character of punctuation.
struct Token: Hashable {
    let text: String
    /// From 1.
    let line: Int
    /// Whether it follows the token before it without white space: `try!` is one thing, `try !x` another.
    let isGlued: Bool
}

struct SwiftSource {
    /// Relative to the root of the repository.
    let path: String
    let lines: [Substring]
    let tokens: [Token]
    /// Lines that hold a comment and nothing before it.
    let commentLines: Set<Int>

    init(path: String, text: String) {
        self.path = path
        lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        var lexer = Lexer(text)
        lexer.run()
        tokens = lexer.tokens
        commentLines = lexer.commentLines
    }

    /// The lines on which `words` stand next to each other in code.
    func lines(with words: [String]) -> [Int] {
        guard tokens.count >= words.count else { return [] }
        return (0...tokens.count - words.count).compactMap { start in
            for (offset, word) in words.enumerated() {
                let token = tokens[start + offset]
                if token.text != word || (!token.isGlued && offset > 0 && ["?", "!"].contains(word)) { return nil }
            }
            return tokens[start].line
        }
    }

    /// The module names of all import declarations. `case import` and `` `import` `` are none.
    var imports: [Token] {
        let kinds: Set = ["struct", "class", "enum", "protocol", "func", "var", "let", "typealias"]
        let before: Set = [
            "package", "internal", "public", "private", "fileprivate", "testable", "preconcurrency", ")",
        ]
        return tokens.indices.compactMap { index in
            guard tokens[index].text == "import", index + 1 < tokens.count else { return nil }
            if index > 0, tokens[index - 1].line == tokens[index].line, !before.contains(tokens[index - 1].text) {
                return nil
            }
            let next = kinds.contains(tokens[index + 1].text) ? index + 2 : index + 1
            guard next < tokens.count, tokens[next].line == tokens[index].line,
                tokens[next].text.allSatisfy({ $0.isLetter || $0.isNumber || $0 == "_" })
            else { return nil }
            return tokens[next]
        }
    }

    /// Types declared outside of any other declaration.
    var topLevelTypes: [String] {
        let keywords: Set = ["struct", "class", "enum", "actor", "protocol", "typealias"]
        var depth = 0
        var names: [String] = []
        for (index, token) in tokens.enumerated() {
            if token.text == "{" { depth += 1 }
            if token.text == "}" { depth -= 1 }
            if depth == 0, keywords.contains(token.text), index + 1 < tokens.count {
                names.append(tokens[index + 1].text)
            }
        }
        return names
    }
}

/// Splits a file into tokens.
private struct Lexer {
    private let bytes: [UInt8]
    private var place = 0
    private var line = 1
    private var lineHasCode = false
    /// Where the last token ended.
    private var end = 0
    private(set) var tokens: [Token] = []
    private(set) var commentLines: Set<Int> = []

    init(_ text: String) { bytes = Array(text.utf8) }

    mutating func run() {
        while place < bytes.count {
            switch bytes[place] {
            case UInt8(ascii: "/") where starts("//"):
                noteComment()
                while place < bytes.count, bytes[place] != UInt8(ascii: "\n") { place += 1 }
            case UInt8(ascii: "/") where starts("/*"): skipBlockComment()
            case UInt8(ascii: "\""), UInt8(ascii: "#"):
                if let hashes = stringStart() { skipString(hashes) } else { word() }
            default: word()
            }
        }
    }

    private func starts(_ text: String) -> Bool { bytes[place...].starts(with: text.utf8) }

    private mutating func noteComment() {
        if !lineHasCode { commentLines.insert(line) }
    }

    private mutating func step() {
        if bytes[place] == UInt8(ascii: "\n") { (line, lineHasCode) = (line + 1, false) }
        place += 1
    }

    private mutating func skipBlockComment() {
        var depth = 0
        repeat {
            noteComment()
            if starts("/*") {
                (depth, place) = (depth + 1, place + 2)
            } else if starts("*/") {
                (depth, place) = (depth - 1, place + 2)
            } else {
                step()
            }
        } while depth > 0 && place < bytes.count
    }

    /// The number of `#` before a quotation mark that stands here.
    private func stringStart() -> Int? {
        var end = place
        while end < bytes.count, bytes[end] == UInt8(ascii: "#") { end += 1 }
        return end < bytes.count && bytes[end] == UInt8(ascii: "\"") ? end - place : nil
    }

    private mutating func skipString(_ hashes: Int) {
        lineHasCode = true
        let start = place
        place += hashes
        let quote = starts("\"\"\"") ? "\"\"\"" : "\""
        let close = quote + String(repeating: "#", count: hashes)
        let escape = "\\" + String(repeating: "#", count: hashes)
        place += quote.utf8.count
        while place < bytes.count {
            if starts(close) {
                place += close.utf8.count
                break
            }
            if starts(escape) {
                place += escape.utf8.count
                if starts("(") { skipInterpolation() } else if place < bytes.count { step() }
            } else {
                step()
            }
        }
        append("\"\"", from: start)
    }

    private mutating func skipInterpolation() {
        var depth = 0
        repeat {
            if let hashes = stringStart() {
                skipString(hashes)
                continue
            }
            if starts("(") { depth += 1 }
            if starts(")") { depth -= 1 }
            step()
        } while depth > 0 && place < bytes.count
    }

    private mutating func word() {
        let start = place
        while place < bytes.count, Self.isWord(bytes[place]) { place += 1 }
        if place == start {
            if bytes[place] > 0x20 {
                let text = String(decoding: [bytes[place]], as: UTF8.self)
                place += 1
                append(text, from: start)
            } else {
                step()
            }
        } else {
            append(String(decoding: bytes[start..<place], as: UTF8.self), from: start)
        }
    }

    private mutating func append(_ text: String, from start: Int) {
        tokens.append(Token(text: text, line: line, isGlued: start == end && start > 0))
        lineHasCode = true
        end = place
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case 48...57, 65...90, 97...122, UInt8(ascii: "_"), 0x80...: true
        default: false
        }
    }
}
