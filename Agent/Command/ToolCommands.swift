// kilomint-agent read, identify, scan: a meter looked at, through the running agent or without one.

internal import AgentIO
internal import Glibc

extension Commands {
    private static let line = ["endpoint", "baud", "parity", "stop-bits", "echo", "timeout"]

    static func read(_ words: [String]) throws {
        let names = line + ["meter", "unit", "function", "address", "count", "as", "order"]
        let arguments = try Arguments(words, options: ["config"] + names)
        let settings = try Tool.settings(arguments, isNeeded: arguments.optional("endpoint") == nil)
        try Tool.run(ControlRequest("read", Tool.values(arguments, names)), settings) { print($0) }
    }

    static func identify(_ words: [String]) throws {
        let names = line + ["meter", "unit", "profiles"]
        let arguments = try Arguments(words, options: ["config"] + names)
        let settings = try Tool.settings(
            arguments, isNeeded: arguments.optional("meter") != nil || arguments.optional("profiles") == nil)
        try long(ControlRequest("identify", Tool.values(arguments, names)), settings)
    }

    static func scan(_ words: [String]) throws {
        let names = ["tcp", "port", "unit", "rtu", "baud", "parity", "stop-bits", "echo", "timeout", "profiles"]
        let arguments = try Arguments(words, options: ["config"] + names, flags: ["identify"])
        var values = Tool.values(arguments, names)
        if arguments.has("identify") { values["identify"] = "true" }
        try long(ControlRequest("scan", values), try Tool.settings(arguments, isNeeded: false))
    }

    /// Progress, lines that begin with `…`, stays on one line of a terminal, and is left out elsewhere.
    private static func long(_ request: ControlRequest, _ settings: AgentSettings?) throws {
        Tool.catchInterrupts()
        let isTerminal = isatty(1) == 1
        var isProgress = false
        try Tool.run(request, settings) { text in
            let clear = isProgress && isTerminal ? "\r\u{1B}[K" : ""
            isProgress = text.hasPrefix("…")
            if !isProgress {
                print(clear + text)
            } else if isTerminal {
                print(clear + text, terminator: "")
            }
            fflush(nil)
        }
        if isProgress, isTerminal { print("\r\u{1B}[K", terminator: "") }
        if Tool.isStopped {
            throw Arguments.Failed(description: "stopped; what is above was found until then")
        }
    }
}
