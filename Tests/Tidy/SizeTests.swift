// Files of at most 400 lines, functions of at most 50. What is larger today stands in ratchet.txt and may only shrink.

import Testing

let fileLinesMax = 400
let functionLinesMax = 50

/// One line of ratchet.txt: `file <path> <lines>` or `function <path> <name> <lines>`.
struct Exception: Hashable {
    let path: String
    /// Nil for a file.
    let function: String?
    let lines: Int

    init?(_ text: Substring) {
        let words = text.split(separator: " ").map(String.init)
        switch (words.first, words.count) {
        case ("file", 3): (path, function) = (words[1], nil)
        case ("function", 4): (path, function) = (words[1], words[2])
        default: return nil
        }
        guard let lines = Int(words[words.count - 1]) else { return nil }
        self.lines = lines
    }

    var subject: String { path + (function.map { " " + $0 } ?? "") }
}

func sizeFindings(_ sources: [SwiftSource], _ exceptions: [Exception]) -> [Finding] {
    // The largest of each name: overloads share an exception.
    var sizes: [(subject: String, path: String, line: Int, lines: Int, limit: Int)] = []
    for source in sources {
        let count = source.lines.last == "" ? source.lines.count - 1 : source.lines.count
        if count > fileLinesMax { sizes.append((source.path, source.path, 1, count, fileLinesMax)) }
        var longest: [String: FunctionLength] = [:]
        for function in source.functions where function.length > longest[function.name]?.length ?? functionLinesMax {
            longest[function.name] = function
        }
        for function in longest.values.sorted(by: { $0.line < $1.line }) {
            let subject = source.path + " " + function.name
            sizes.append((subject, source.path, function.line, function.length, functionLinesMax))
        }
    }
    var unused = Dictionary(grouping: exceptions, by: \.subject)
    var findings: [Finding] = []
    for size in sizes {
        let allowed = unused.removeValue(forKey: size.subject)?.first?.lines
        if let allowed, size.lines == allowed { continue }
        let advice =
            allowed.map {
                size.lines < $0 ? "well done: write \(size.lines) into ratchet.txt" : "it may not grow beyond \($0)"
            }
            ?? "the limit is \(size.limit): split it by its nouns"
        findings.append(
            Finding(path: size.path, line: size.line, text: "\(size.subject) has \(size.lines) lines; \(advice)"))
    }
    for subject in unused.keys.sorted() {
        findings.append(
            Finding(path: "Tests/Tidy/ratchet.txt", line: 1, text: "\(subject) needs no exception: remove its line"))
    }
    return findings
}

struct SizeTests {
    private func source(function lines: Int, file total: Int = 0) -> SwiftSource {
        let body = (0..<max(0, lines - 2)).map { _ in "    step()\n" }.joined()
        let rest = String(repeating: "\n", count: max(0, total - lines))
        return SwiftSource(path: "A.swift", text: "func work() {\n\(body)}\n" + rest)
    }

    @Test func nothingIsLargerThanAllowed() throws {
        let lines = try Repository.text("Tests/Tidy/ratchet.txt").split(separator: "\n").filter { !$0.hasPrefix("#") }
        let exceptions = lines.compactMap(Exception.init)
        #expect(exceptions.count == lines.count, "a line of ratchet.txt is neither `file` nor `function`")
        let findings = sizeFindings(try Repository.sources(), exceptions)
        #expect(findings.isEmpty, "\(list(findings))")
    }

    @Test(arguments: [(49, true), (50, true), (51, false)])
    func functionsHaveFiftyLines(lines: Int, allowed: Bool) {
        #expect(sizeFindings([source(function: lines)], []).isEmpty == allowed)
    }

    @Test(arguments: [(399, true), (400, true), (401, false)])
    func filesHaveFourHundredLines(lines: Int, allowed: Bool) {
        #expect(sizeFindings([source(function: 3, file: lines)], []).isEmpty == allowed)
    }

    @Test(arguments: [(60, true), (61, false), (59, false), (50, false)])
    func exceptionsOnlyShrink(lines: Int, allowed: Bool) {
        let exception = Exception("function A.swift work 60")!
        #expect(sizeFindings([source(function: lines)], [exception]).isEmpty == allowed)
    }

    @Test func bodiesAreFoundWhereverTheyHide() {
        let text = """
            protocol P {
                func requirement(a: Int) throws
                var value: Int { get }
            }
            struct S {
                init(_ closure: () -> Void = { () }) {
                    run()
                }
                static func < (a: S, b: S) -> Bool { true }
                var stored = make { 1 }
                var computed: Int {
                    let text = "}"  // }
                    return 1
                }
                func generic<T>(
                    _ value: T
                ) throws(Refusal) -> [T]
                where T: P {
                    self.init()
                }
            }
            """
        let found = SwiftSource(path: "A.swift", text: text).functions.map { "\($0.name) \($0.length)" }
        #expect(found == ["value 1", "init 3", "< 1", "computed 4", "generic 6"])
    }
}
