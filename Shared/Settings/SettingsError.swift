// The one error of configuration: where it stands, what was found, what is allowed. Not for errors at run time.

/// A configuration that is refused. A process that meets one prints it and ends with `exitCode`.
package struct SettingsError: Error, Hashable, Sendable, CustomStringConvertible {
    /// `EX_CONFIG` of sysexits.h: systemd and operators tell it from a crash.
    package static let exitCode: Int32 = 78

    /// As the caller named it.
    package let file: String
    /// From 1. 0 where no line can be blamed: the file as a whole.
    package let line: Int
    /// `bus[0].baud`; empty for the file as a whole.
    package let keyPath: String
    /// The text as found, shortened and without control characters. Nil for maps, lists, missing keys and secrets.
    package let found: String?
    /// Reads on from the key and value: "is not a whole number".
    package let problem: String
    /// What would be accepted, or what to do. Nil where the problem says it all.
    package let allowed: String?

    package init(
        file: String, line: Int = 0, keyPath: String = "", found: String? = nil, problem: String,
        allowed: String? = nil
    ) {
        self.file = file
        self.line = line
        self.keyPath = keyPath
        self.found = found.map(Self.shown)
        self.problem = problem
        self.allowed = allowed
    }

    /// ``agent.yaml:7: `bus[0].baud: 96OO` is not a whole number; allowed: 1200 … 115200``
    package var description: String {
        let place = line > 0 ? "\(file):\(line): " : "\(file): "
        let value = found.map { ": \($0)" } ?? ""
        let subject = keyPath.isEmpty ? "" : "`\(keyPath)\(value)` "
        return place + subject + problem + (allowed.map { "; allowed: \($0)" } ?? "")
    }

    /// At most 60 characters on one line: an error must not carry a file, nor steer the terminal that shows it.
    private static func shown(_ text: String) -> String {
        var shown = ""
        for scalar in text.unicodeScalars.prefix(60) {
            let isControl = scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
            shown.unicodeScalars.append(isControl ? "\u{FFFD}" : scalar)
        }
        return text.unicodeScalars.count > 60 ? shown + "…" : shown
    }
}
