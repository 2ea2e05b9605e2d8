// A trace for people: numbered steps, figures, and each check with its mark. At most 100 columns.

internal import CollectorCore

struct TraceText {
    static let columns = 100
    /// Of the names in front of values.
    private static let names = 12

    let text: String

    init(_ trace: Trace, colours: Bool) {
        func paint(_ text: String, _ code: String) -> String { colours ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text }
        var lines: [String] = []
        for (number, step) in trace.steps.enumerated() {
            let digits = String(number + 1)
            let title = Self.wrapped(step.title, Self.columns - 4)
            for (index, line) in title.enumerated() {
                let margin =
                    index == 0 ? String(repeating: " ", count: max(0, 2 - digits.count)) + digits + "  " : "    "
                lines.append(margin + paint(line, "1"))
            }
            for (name, value) in step.lines {
                let indent = "    " + name + String(repeating: " ", count: max(1, Self.names - name.count))
                let parts = Self.wrapped(value, Self.columns - 4 - Self.names)
                for (index, part) in parts.enumerated() {
                    lines.append((index == 0 ? indent : String(repeating: " ", count: indent.count)) + part)
                }
            }
            for check in step.checks {
                let mark = check.isHeld ? paint("✓", "32") : paint("✗", "31;1")
                for (index, part) in Self.wrapped(check.text, Self.columns - 6).enumerated() {
                    lines.append("    " + (index == 0 ? mark : " ") + " " + part)
                }
            }
            lines.append("")
        }
        let checks = trace.steps.flatMap(\.checks)
        let failed = checks.count { !$0.isHeld }
        lines.append(
            failed == 0
                ? paint("✓ All \(checks.count) checks held.", "32") + " What must still be believed:"
                : paint("✗ \(failed) of \(checks.count) checks failed.", "31;1") + " What must be believed besides:")
        for note in trace.notes { lines += SummaryTable.wrapped(note, width: Self.columns - 2) }
        text = lines.joined(separator: "\n")
    }

    /// Broken at spaces; a word longer than the width stands alone, cut.
    static func wrapped(_ text: String, _ width: Int) -> [String] {
        var lines: [String] = []
        var line = ""
        for word in text.split(separator: " ", omittingEmptySubsequences: false) {
            if !line.isEmpty, line.count + 1 + word.count > width {
                lines.append(line)
                line = ""
            }
            line += line.isEmpty ? String(word) : " " + word
            while line.count > width {
                lines.append(String(line.prefix(width)))
                line = String(line.dropFirst(width))
            }
        }
        return lines + [line]
    }
}
