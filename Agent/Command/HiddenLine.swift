// A line typed at a terminal of which nothing is shown: for what others in the room must not read. Not for passwords of a file
// or a pipe: there is nothing to hide there.

internal import Glibc

/// The terminal of standard input with its echo off. It is put back on every way out: the end of the line, and every signal that
/// ends or stops a program and can be caught.
struct HiddenLine {
    /// They wait while echo is off, and act once it is back.
    private static let heldBack = [SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP]
    /// Milliseconds between two looks for one that waits.
    private static let lookEvery: Int32 = 100

    private let bytesMax: Int
    private let prompt: () -> Void
    private var line: [UInt8] = []
    private var isEnded = false

    private init(bytesMax: Int, prompt: @escaping () -> Void) {
        self.bytesMax = bytesMax
        self.prompt = prompt
    }

    /// A line without its end; at most `bytesMax` bytes, the rest is thrown away. To be called before there are other threads:
    /// one of them would take the signals.
    static func read(bytesMax: Int, prompt: @escaping () -> Void) -> [UInt8] {
        var line = HiddenLine(bytesMax: bytesMax, prompt: prompt)
        line.read()
        return line.line
    }

    private mutating func read() {
        var held = sigset_t()
        var former = sigset_t()
        sigemptyset(&held)
        for signal in Self.heldBack { sigaddset(&held, signal) }
        while !isEnded {
            pthread_sigmask(SIG_BLOCK, &held, &former)
            hidden { $0.take() }
            // Whatever waited ends or stops the program here; a stopped one that goes on asks again.
            pthread_sigmask(SIG_SETMASK, &former, nil)
        }
    }

    private mutating func hidden(_ body: (inout HiddenLine) -> Void) {
        var shown = termios()
        guard tcgetattr(0, &shown) == 0 else { return body(&self) }
        var hiding = shown
        hiding.c_lflag &= ~tcflag_t(ECHO)
        // The end of the line alone, so that what follows stands in a line of its own.
        hiding.c_lflag |= tcflag_t(ECHONL)
        tcsetattr(0, TCSADRAIN, &hiding)
        body(&self)
        // What was typed beyond the line must not become a command of the shell.
        tcsetattr(0, TCSAFLUSH, &shown)
    }

    /// Until the line is whole or a signal waits.
    private mutating func take() {
        prompt()
        while !isEnded, !isSignalled {
            var keyboard = pollfd(fd: 0, events: Int16(POLLIN), revents: 0)
            guard poll(&keyboard, 1, Self.lookEvery) > 0 else { continue }
            var byte: UInt8 = 0
            guard Glibc.read(0, &byte, 1) == 1, byte != 0x0A, line.count < bytesMax else { return isEnded = true }
            line.append(byte)
        }
    }

    private var isSignalled: Bool {
        var waiting = sigset_t()
        sigpending(&waiting)
        return Self.heldBack.contains { sigismember(&waiting, $0) == 1 }
    }
}
