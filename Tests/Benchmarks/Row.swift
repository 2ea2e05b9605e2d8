// One figure beside its limit, and the table that shows them. Not how anything is measured.

/// A line of the table. Travels between processes as tab-separated text.
struct Row {
    let section: String
    let what: String
    let measured: String
    /// Measured in the same run; a dash where nothing bounds the figure.
    let limit: String
    /// What the limit is, and what the figure is of it.
    let note: String
    /// Load average over the last minute when it was measured.
    let load: String

    init(_ section: String, _ what: String, _ measured: String, limit: String = "–", _ note: String = "") {
        self.section = section
        self.what = what
        self.measured = measured
        self.limit = limit
        self.note = note
        load = Machine.load
    }

    var line: String { ["row", section, what, measured, limit, note, load].joined(separator: "\t") }

    /// Nil for a line that is no row.
    init?(line: String) {
        let parts = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 7, parts[0] == "row" else { return nil }
        (section, what, measured, limit, note, load) = (parts[1], parts[2], parts[3], parts[4], parts[5], parts[6])
    }

    /// A Markdown table, columns aligned.
    static func table(_ rows: [Row]) -> String {
        let head = ["what", "measured", "limit", "the limit, and the share of it", "load"]
        let cells = [head] + rows.map { ["\($0.section): \($0.what)", $0.measured, $0.limit, $0.note, $0.load] }
        let widths = head.indices.map { column in cells.map { $0[column].count }.max() ?? 0 }
        func text(_ line: [String]) -> String {
            let padded = zip(line, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }
            return "| " + padded.joined(separator: " | ") + " |"
        }
        let rule = "|" + widths.map { String(repeating: "-", count: $0 + 2) }.joined(separator: "|") + "|"
        return ([text(cells[0]), rule] + cells.dropFirst().map(text)).joined(separator: "\n")
    }
}

/// Numbers as people read them: 1 234 567, and two places where the number is small.
enum Figure {
    static func count(_ value: Double) -> String {
        if value < 100 { return rounded(value) }
        let digits = String(Int64(value.rounded()))
        var groups: [Substring] = []
        var rest = digits[...]
        while !rest.isEmpty {
            groups.insert(rest.suffix(3), at: 0)
            rest = rest.dropLast(3)
        }
        return groups.joined(separator: " ")
    }

    static func perSecond(_ value: Double) -> String { count(value) + "/s" }
    static func seconds(_ value: Double) -> String { rounded(value) + " s" }
    /// With two places.
    static func number(_ value: Double) -> String { rounded(value) }
    static func mebibytes(_ bytes: Double) -> String { rounded(bytes / 1_048_576) + " MiB" }
    static func percent(_ part: Double, of whole: Double) -> String {
        whole > 0 ? String(Int64((100 * part / whole).rounded())) + " %" : "–"
    }

    private static func rounded(_ value: Double) -> String {
        let hundredths = Int64((value * 100).rounded())
        let (whole, rest) = (hundredths / 100, hundredths % 100)
        return "\(whole)." + (rest < 10 ? "0" : "") + "\(rest)"
    }
}
