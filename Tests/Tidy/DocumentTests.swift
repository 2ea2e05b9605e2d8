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

private func isCapability(_ id: Substring) -> Bool { capability(id) != nil }

/// How many capabilities each source document names.
private let capabilityCounts = [("S0", 139), ("S1", 112), ("S2", 91)]

private func capability(_ id: some StringProtocol) -> (source: String, number: Int)? {
    let parts = id.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count == 2, parts[1].utf8.count == 3, let number = Int(parts[1]), number > 0,
        let count = capabilityCounts.first(where: { $0.0 == parts[0] })?.1, number <= count
    else { return nil }
    return (String(parts[0]), number)
}

/// Ids that stand nowhere, or both in a row and in a list of what is not yet built (`- S0-001 … S0-003, S0-007: why`).
func coverageFindings(_ text: String) -> [Finding] {
    var built: Set<String> = []
    var missing: Set<String> = []
    for line in text.split(separator: "\n") {
        if line.hasPrefix("|"), let id = line.split(separator: "|").first?.split(separator: " ").first, isCapability(id)
        {
            built.insert(String(id))
        }
        guard line.hasPrefix("- S") else { continue }
        for range in line.dropFirst(2).prefix(while: { $0 != ":" }).split(separator: ",") {
            let ends = range.split(separator: "…").map { $0.filter { !$0.isWhitespace } }.compactMap { capability($0) }
            guard let first = ends.first, let last = ends.last, first.number <= last.number else { continue }
            for number in first.number...last.number {
                missing.insert(
                    first.source + "-" + String(repeating: "0", count: 3 - String(number).count) + String(number))
            }
        }
    }
    let all = capabilityCounts.flatMap { source, count in
        (1...count).map { source + "-" + String(repeating: "0", count: 3 - String($0).count) + String($0) }
    }
    return all.compactMap { id in
        switch (built.contains(id), missing.contains(id)) {
        case (true, true):
            Finding(path: "docs/capabilities.md", line: 1, text: "\(id) is called built and not yet built")
        case (false, false): Finding(path: "docs/capabilities.md", line: 1, text: "\(id) is not mentioned")
        default: nil
        }
    }
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

    @Test func everyLibraryHasItsReason() throws {
        let reasons = try Repository.text("docs/dependencies.md")
        let packages = try Repository.text("Package.swift").split(separator: "\n").filter {
            $0.contains(".package(url:")
        }
        .compactMap { $0.split(separator: "\"").first { $0.hasPrefix("https://") }?.split(separator: "/").last }
        let python = try Repository.text("Tests/Interop/requirements.txt").split(separator: "\n")
            .filter { !$0.hasPrefix("#") }.compactMap { $0.split(separator: "=").first }
        #expect(packages.count > 3 && python.count > 3)
        for name in packages + python {
            #expect(reasons.lowercased().contains(name.lowercased()), "say in docs/dependencies.md why \(name)")
        }
    }

    @Test func capabilitiesHaveTests() throws {
        guard Repository.exists("docs/capabilities.md") else { return }
        let text = try Repository.text("docs/capabilities.md")
        let findings = capabilityFindings(text, exists: Repository.exists) + coverageFindings(text)
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

    @Test func aForgottenCapabilityIsFound() {
        let rest = "- S0-002 … S0-139, S1-001…S1-112: later\n- S2-001 … S2-090: later\n"
        let row = "| S0-001 | `Shared/A.swift` | `Tests/A.swift` |\n"
        #expect(coverageFindings(row + rest).map(\.text) == ["S2-091 is not mentioned"])
        #expect(
            coverageFindings(row + rest + "- S2-091, S0-001: never").map(\.text) == [
                "S0-001 is called built and not yet built"
            ])
    }
}
