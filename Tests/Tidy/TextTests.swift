// What every file must have and what none may: a first line that says what it is for, nothing left undone,
// nothing that is true of one machine only.

import Testing

/// Words that promise work nobody has done. Written apart, so that this file does not find itself.
private let undone = ["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"]

/// Directories that exist on the author's machine.
private let machinePaths = ["wo" + "rk", "ho" + "me", "ro" + "ot", "Us" + "ers"].map { "/" + $0 + "/" }

func textFindings(path: String, text: String) -> [Finding] {
    var findings: [Finding] = []
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    let isScript = path.hasSuffix(".py") || path.hasSuffix(".sh")
    let first = lines.first ?? ""
    if path.hasSuffix(".swift"), path != "Package.swift", !first.hasPrefix("// ") || first.utf8.count < 20 {
        findings.append(
            Finding(path: path, line: 1, text: "the first line says what the file is for and what it is not"))
    }
    if isScript, !first.hasPrefix("#"), !first.hasPrefix("\"\"\"") {
        findings.append(
            Finding(path: path, line: 1, text: "the first line is a comment that says what the script is for"))
    }
    for (index, line) in lines.enumerated() {
        for word in undone where containsWord(line, word) {
            findings.append(
                Finding(path: path, line: index + 1, text: "\(word): do it, or open an issue and say nothing here"))
        }
        for place in machinePaths where startsPath(line, place) {
            findings.append(Finding(path: path, line: index + 1, text: "\(place) exists on one machine only"))
        }
        if path.hasSuffix(".swift"), line.last?.isWhitespace == true {
            findings.append(
                Finding(path: path, line: index + 1, text: "white space at the end of the line: `make format`"))
        }
    }
    return findings
}

private func isWordByte(_ byte: UInt8?) -> Bool {
    guard let byte else { return false }
    return (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte) || byte == 95
}

private func containsWord(_ line: Substring, _ word: String) -> Bool {
    line.ranges(of: word).contains { range in
        let before = line[..<range.lowerBound].utf8.last
        let after = line[range.upperBound...].utf8.first
        return !isWordByte(before) && !isWordByte(after)
    }
}

/// Whether an absolute path begins here: `a/home/b` and `https://x/home/` are none.
private func startsPath(_ line: Substring, _ place: String) -> Bool {
    line.ranges(of: place).contains { range in
        let before = line[..<range.lowerBound].utf8.last
        return !isWordByte(before)
            && ![UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "/"), UInt8(ascii: "}")].contains(before)
    }
}

struct TextTests {
    static let suffixes = [
        ".swift", ".py", ".sh", ".md", ".yaml", ".yml", ".service", ".timer", ".conf", ".html", ".css", ".js",
    ]

    @Test func everyFileIsFinished() throws {
        let findings = try Repository.files(Self.suffixes).flatMap { path in
            textFindings(path: path, text: try Repository.text(path))
        }
        #expect(findings.isEmpty, "\(list(findings))")
    }

    @Test(
        "each rule of this file can fail",
        arguments: [
            ("A.swift", "import A"), ("A.swift", "// short"), ("A.swift", ""), ("a.py", "import os"),
            ("A.md", "TO" + "DO: more"), ("A.swift", "// It holds the readings. FIX" + "ME"), ("A.md", "XX" + "X"),
            ("A.md", "see /wo" + "rk/main"), ("A.md", "in `/ho" + "me/me/a`"),
            ("A.swift", "// It holds the readings. "),
        ])
    func unfinishedTextIsFound(path: String, text: String) {
        #expect(textFindings(path: path, text: text).count == 1, "\(text)")
    }

    @Test(arguments: [
        ("A.swift", "// It holds the readings, and no clock."), ("a.py", "#!/usr/bin/env python3"),
        ("A.md", "https://a.example/wo" + "rk/b, docs/ho" + "me/a, TO" + "DOS, XX" + "XX"),
    ])
    func finishedTextIsNot(path: String, text: String) {
        #expect(textFindings(path: path, text: text).isEmpty)
    }
}
