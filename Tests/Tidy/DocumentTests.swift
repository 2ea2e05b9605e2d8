// Documents that can be trusted: links lead somewhere, and what the table of capabilities claims has a test.

import Testing

/// Links of Markdown text that are relative: `[text](path#fragment)`, outside of code.
func relativeLinks(_ text: String) -> [(line: Int, target: String)] {
    var links: [(line: Int, target: String)] = []
    var isCode = false
    for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
        if line.hasPrefix("```") { isCode.toggle() }
        if isCode { continue }
        // Every other piece between backticks is code.
        for (piece, part) in line.split(separator: "`", omittingEmptySubsequences: false).enumerated()
        where piece % 2 == 0 {
            for start in part.ranges(of: "](") {
                guard let end = part[start.upperBound...].firstIndex(of: ")") else { continue }
                let target = part[start.upperBound..<end].split(separator: "#", omittingEmptySubsequences: false)[0]
                if target.isEmpty || target.contains("://") || target.hasPrefix("mailto:") { continue }
                links.append((index + 1, String(target)))
            }
        }
    }
    return links
}

func linkFindings(path: String, text: String, exists: (String) -> Bool) -> [Finding] {
    relativeLinks(text).compactMap { line, target in
        var parts = path.split(separator: "/").dropLast().map(String.init)
        for part in target.split(separator: "/") {
            if part == ".." {
                guard parts.popLast() != nil else {
                    return Finding(path: path, line: line, text: "\(target) leads out of the repository")
                }
            } else if part != "." {
                parts.append(String(part))
            }
        }
        return exists(parts.joined(separator: "/"))
            ? nil : Finding(path: path, line: line, text: "\(target) does not exist")
    }
}

/// Rows of a Markdown table `| id | lives in | shown by |` whose id looks like `S0-001`.
func capabilityFindings(_ text: String, exists: (String) -> Bool) -> [Finding] {
    let path = "docs/capabilities.md"
    var seen: Set<String> = []
    var findings: [Finding] = []
    for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
        let cells = line.split(separator: "|").map { $0.drop(while: \.isWhitespace) }
        guard line.hasPrefix("|"), let id = cells.first?.prefix(while: { !$0.isWhitespace }), isCapability(id) else {
            continue
        }
        if !seen.insert(String(id)).inserted {
            findings.append(Finding(path: path, line: index + 1, text: "\(id) stands twice"))
        }
        let files = line.split(separator: "`", omittingEmptySubsequences: false).enumerated()
            .filter { $0.offset % 2 == 1 && $0.element.contains("/") }.map { String($0.element) }
        let tests = files.filter { $0.hasPrefix("Tests/") }
        if tests.isEmpty { findings.append(Finding(path: path, line: index + 1, text: "\(id) names no test")) }
        for file in files where !exists(file) {
            findings.append(Finding(path: path, line: index + 1, text: "\(id) names \(file), which does not exist"))
        }
    }
    return findings
}

private func isCapability(_ id: Substring) -> Bool {
    let parts = id.split(separator: "-", omittingEmptySubsequences: false)
    return parts.count == 2 && ["S0", "S1", "S2"].contains(parts[0]) && parts[1].utf8.count == 3
        && parts[1].utf8.allSatisfy { (48...57).contains($0) }
}

struct DocumentTests {
    @Test func linksLeadSomewhere() throws {
        let findings = try Repository.files([".md"]).flatMap { path in
            linkFindings(path: path, text: try Repository.text(path), exists: Repository.exists)
        }
        #expect(findings.isEmpty, "\(list(findings))")
    }

    @Test(arguments: [
        ("[a](b.md)", 0), ("[a](c.md)", 1), ("[a](../d.md#x)", 0), ("[a](../../e.md)", 1), ("`[a](c.md)`", 0),
    ])
    func brokenLinkIsFound(text: String, count: Int) {
        let there: Set = ["docs/b.md", "d.md"]
        #expect(linkFindings(path: "docs/a.md", text: text, exists: there.contains).count == count)
    }

    @Test func capabilitiesHaveTests() throws {
        guard Repository.exists("docs/capabilities.md") else { return }
        let findings = capabilityFindings(try Repository.text("docs/capabilities.md"), exists: Repository.exists)
        #expect(findings.isEmpty, "\(list(findings))")
    }

    @Test(arguments: [
        ("| S0-001 | `Shared/A.swift` | `Tests/A.swift` |", 0), ("| S0-001 | `Shared/A.swift` | |", 1),
        ("| S0-001 | | `Tests/B.swift` |", 1), ("| S0-001 | | `Tests/A.swift` |\n| S0-001 | | `Tests/A.swift` |", 1),
        ("| S0-001 … S0-010 | not yet |", 1), ("| id | lives in | shown by |", 0),
    ])
    func unprovenCapabilityIsFound(text: String, count: Int) {
        let there: Set = ["Shared/A.swift", "Tests/A.swift"]
        #expect(capabilityFindings(text, exists: there.contains).count == count)
    }
}
