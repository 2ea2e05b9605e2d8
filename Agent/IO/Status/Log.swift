// What the agent says while it runs: one line an event on standard error, level and key=value. journald adds the time
// and takes the level from the line's start (sd-daemon(3)).

internal import Glibc
internal import Supervision
internal import Synchronization

package enum LogLevel: Int, Comparable, Sendable {
    case error = 3
    case warning = 4
    case info = 6

    package static func < (a: LogLevel, b: LogLevel) -> Bool { a.rawValue < b.rawValue }
    var name: String {
        switch self {
        case .error: "error"
        case .warning: "warning"
        case .info: "info"
        }
    }
}

/// Writes lines; the same event of the same subject at most once in ``quietSeconds``, then with the count left out.
package final class Log: Sendable {
    private struct Quiet {
        var since: Int
        var suppressed: Int
    }

    /// Subjects remembered for rate limiting; beyond it the oldest knowledge is dropped.
    private static let subjectsMax = 1024
    private static let quietSeconds = 30

    private let quiet = Mutex<[String: Quiet]>([:])
    private let write: @Sendable (String) -> Void
    /// journald reads the lines.
    private let isForJournal: Bool

    /// - Parameter isForJournal: lines begin with their level as `<N>`.
    package init(
        isForJournal: Bool = JournalStream.isStandardError, write: (@Sendable (String) -> Void)? = nil
    ) {
        self.isForJournal = isForJournal
        self.write =
            write ?? { line in
                var bytes = Array((line + "\n").utf8)
                // One write a line, so that threads do not mix; a broken standard error is nobody's to repair here.
                _ = Glibc.write(2, &bytes, bytes.count)
            }
    }

    /// - Parameters:
    ///   - event: fixed words, no values: what people search for.
    ///   - limit: what the rate limit goes by beside the event; nil: always written.
    package func line(_ level: LogLevel, _ event: String, _ values: [(String, String)] = [], limit: String? = nil) {
        var values = values
        if let limit {
            guard let suppressed = passes(event + "\u{0}" + limit) else { return }
            if suppressed > 0 { values.append(("suppressed", String(suppressed))) }
        }
        let details = values.map { key, value in " \(key)=\(Self.quoted(value))" }.joined()
        let prefix = isForJournal ? "<\(level.rawValue)>" : ""
        write("\(prefix)level=\(level.name) event=\(Self.quoted(event))\(details)")
    }

    private func passes(_ subject: String) -> Int? {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return quiet.withLock { quiet in
            if var last = quiet[subject], time.tv_sec - last.since < Self.quietSeconds {
                last.suppressed += 1
                quiet[subject] = last
                return nil
            }
            let suppressed = quiet[subject]?.suppressed ?? 0
            if quiet.count >= Self.subjectsMax { quiet.removeAll() }
            quiet[subject] = Quiet(since: time.tv_sec, suppressed: 0)
            return suppressed
        }
    }

    /// Bare when it has no space, quote or control character.
    private static func quoted(_ text: String) -> String {
        let isPlain = !text.isEmpty && text.utf8.allSatisfy { $0 > 0x20 && $0 != 0x22 && $0 != 0x3D && $0 != 0x7F }
        if isPlain { return text }
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": result += "\\" + String(scalar)
            case _ where scalar.value < 0x20 || scalar.value == 0x7F: result += "?"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
