// kilomint-agent watch: the running agent's values on a terminal, as a table that follows its size; elsewhere plain lines.

internal import AgentIO
internal import Glibc

extension Commands {
    static func watch(_ words: [String]) throws {
        let arguments = try Arguments(words, options: ["config", "meter", "every", "times"])
        let values = Tool.values(arguments, ["meter", "every", "times"])
        let settings = try Tool.settings(arguments, isNeeded: true)
        Tool.catchInterrupts()
        let screen = isatty(1) == 1 ? TerminalScreen() : nil
        // Whatever ends it, the terminal is as it was.
        defer { screen?.leave() }
        var table = WatchTable()
        try Tool.run(ControlRequest("watch", values), settings, onlyRunning: true) { line in
            guard table.take(line) else { return }
            guard let screen else { return table.plain(time: Self.clock("%FT%TZ")).forEach { print($0) } }
            let (columns, lines) = screen.size
            screen.show(table.screen(time: Self.clock("%T"), columns: columns, lines: lines))
        }
    }

    /// UTC for plain lines, local time for the eye.
    private static func clock(_ format: String) -> String {
        var now = time(nil)
        var parts = tm()
        if format.hasSuffix("Z") { gmtime_r(&now, &parts) } else { localtime_r(&now, &parts) }
        var text = [CChar](repeating: 0, count: 64)
        let count = strftime(&text, text.count, format, &parts)
        return String(decoding: text.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

/// The alternate screen of a terminal (xterm control sequences), without its cursor.
private struct TerminalScreen {
    init() { Self.write("\u{1B}[?1049h\u{1B}[?25l") }

    func leave() { Self.write("\u{1B}[?25h\u{1B}[?1049l") }

    /// 80 × 24 where the terminal does not say.
    var size: (columns: Int, lines: Int) {
        // struct winsize: rows, columns, and both in pixels.
        var size: (UInt16, UInt16, UInt16, UInt16) = (0, 0, 0, 0)
        guard ioctl(1, UInt(TIOCGWINSZ), &size) == 0, size.0 > 0, size.1 > 0 else { return (80, 24) }
        return (Int(size.1), Int(size.0))
    }

    /// Row by row over what stands there: nothing flickers.
    func show(_ rows: [String]) {
        Self.write("\u{1B}[H" + rows.map { $0 + "\u{1B}[K" }.joined(separator: "\r\n") + "\u{1B}[J")
    }

    private static func write(_ text: String) {
        let bytes = Array(text.utf8)
        var sent = 0
        while sent < bytes.count {
            let went = bytes.withUnsafeBytes { buffer in
                Glibc.write(1, buffer.baseAddress.map { $0 + sent }, buffer.count - sent)
            }
            guard went > 0 || errno == EINTR else { return }
            sent += max(0, went)
        }
    }
}
