// What the terminal is told: complaints and progress on standard error, results on standard output. No decisions.

internal import Foundation

enum Terminal {
    static func complain(_ text: String) { write("kilomint-audit: \(text)\n") }

    /// Whether somebody looks at `descriptor` in a terminal.
    static func isTerminal(_ descriptor: Int32) -> Bool { isatty(descriptor) == 1 }

    static func write(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }
}

/// Says how far a long check is: one line that moves in a terminal, otherwise a line for each stage.
final class Progress {
    private let moves = Terminal.isTerminal(STDERR_FILENO)
    private let clock = ContinuousClock()
    private var last: ContinuousClock.Instant?
    private var stage = ""

    /// - Parameter total: nil when nobody knows.
    func show(_ stage: String, _ done: UInt64, of total: UInt64?) {
        let isNew = stage != self.stage
        guard isNew || moves else { return }
        let now = clock.now
        // Ten times a second is as fast as eyes go.
        if !isNew, let last, now - last < .milliseconds(100) { return }
        self.stage = stage
        last = now
        let amount = total.map { $0 == 0 ? "" : " \(done) of \($0)" } ?? " \(done)"
        Terminal.write(moves ? "\r\u{1B}[K\(stage)\(amount)" : "\(stage)\n")
    }

    func end() {
        if moves, !stage.isEmpty { Terminal.write("\r\u{1B}[K") }
    }
}
