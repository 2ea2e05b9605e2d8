// How a command asks: the running agent through its control socket, or, where none runs, the same verb in this process.

internal import AgentIO
internal import Glibc
internal import Settings
internal import Synchronization

enum Tool {
    /// Where a configuration is looked for that no --config names.
    static let configurationDefault = "/etc/kilomint/agent.yaml"

    /// Set by Ctrl-C: what is under way ends in order.
    private static let isInterrupted = Atomic<Bool>(false)
    /// Whoever read the output has gone, as in `… | head`.
    private static let isUnheard = Atomic<Bool>(false)
    static var isStopped: Bool { isInterrupted.load(ordering: .relaxed) || isUnheard.load(ordering: .relaxed) }

    /// Options of the command line that are handed on to a verb, as `--stop-bits` for `stop_bits`.
    static func values(_ arguments: Arguments, _ names: [String]) -> [String: String] {
        var values: [String: String] = [:]
        for name in names {
            if let value = arguments.optional(name) { values[String(name.map { $0 == "-" ? "_" : $0 })] = value }
        }
        return values
    }

    /// The configuration's path: the one that is named, or the usual one where it is.
    static func path(_ arguments: Arguments) throws(Arguments.Wrong) -> String {
        if let path = arguments.optional("config") { return path }
        guard access(configurationDefault, F_OK) == 0 else {
            throw Arguments.Wrong(description: "--config is missing, and there is no \(configurationDefault)")
        }
        return configurationDefault
    }

    /// The configuration. Who can do without one is told, and goes on, where the usual one is not filled in yet or not
    /// theirs to read: devices are looked for before there is anything to write into it.
    static func settings(_ arguments: Arguments, isNeeded: Bool) throws -> AgentSettings? {
        guard !isNeeded, arguments.optional("config") == nil else {
            return try AgentSettings(try SettingsFile.load(path: try path(arguments)))
        }
        guard access(configurationDefault, F_OK) == 0 else { return nil }
        do throws(SettingsError) { return try AgentSettings(try SettingsFile.load(path: configurationDefault)) } catch {
            Commands.say("Without a configuration, for \(error)")
            return nil
        }
    }

    /// Runs a verb and hands on its lines.
    ///
    /// - Throws: ``Arguments/Failed`` with the verb's own words.
    static func run(
        _ request: ControlRequest, _ settings: AgentSettings?, onlyRunning: Bool = false, isHere: Bool = false,
        _ line: (String) -> Void
    ) throws {
        // Whether anybody reads shows only where something is written.
        func tell(_ text: String) {
            line(text)
            if fflush(nil) != 0 { isUnheard.store(true, ordering: .relaxed) }
        }
        guard let settings, !isHere else { return try runHere(request, settings, tell) }
        do {
            try ControlSocket.ask(
                settings.control, request, isOver: { isStopped },
                { text in
                    tell(text)
                    return !isStopped
                })
        } catch {
            guard case .absent = error, !onlyRunning else { throw Arguments.Failed(description: error.description) }
            try runHere(request, settings, tell)
        }
    }

    /// Runs a verb that may take its time. Its progress, lines that begin with `…`, stays on one line of a terminal and is
    /// left out elsewhere; Ctrl-C ends it.
    static func show(_ request: ControlRequest, _ settings: AgentSettings?, isHere: Bool = false) throws {
        catchInterrupts()
        let isTerminal = isatty(1) == 1
        var isProgress = false
        try run(request, settings, isHere: isHere) { text in
            let clear = isProgress && isTerminal ? "\r\u{1B}[K" : ""
            isProgress = text.hasPrefix("…")
            if !isProgress {
                print(clear + text)
            } else if isTerminal {
                print(clear + text, terminator: "")
            }
        }
        if isProgress, isTerminal { print("\r\u{1B}[K", terminator: "") }
        fflush(nil)
        if isInterrupted.load(ordering: .relaxed) {
            throw Arguments.Failed(description: "stopped; what is above was found until then")
        }
    }

    private static func runHere(
        _ request: ControlRequest, _ settings: AgentSettings?, _ line: (String) -> Void
    ) throws {
        try withoutActuallyEscaping(line) { line in
            let caller = ControlCaller(
                peer: .own,
                write: { text in
                    for part in text.split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
                        line(String(part))
                    }
                    return !isStopped
                }, hasGone: { isStopped })
            let desk = settings.map { BusDesk(perSecond: $0.access.perSecond) } ?? BusDesk()
            do {
                try ControlVerb.run(request, caller, ControlContext(settings: settings, desk: desk))
            } catch is ControlGone { return } catch let error as ControlRefusal {
                throw Arguments.Failed(description: error.description)
            }
        }
    }

    /// From here on Ctrl-C and an end that was asked for set ``isInterrupted``; what waits in the system is woken.
    static func catchInterrupts() {
        // Made now: a handler must not make anything.
        _ = isStopped
        var action = sigaction()
        action.__sigaction_handler.sa_handler = { _ in Tool.isInterrupted.store(true, ordering: .relaxed) }
        sigaction(SIGINT, &action, nil)
        sigaction(SIGTERM, &action, nil)
        signal(SIGPIPE, SIG_IGN)
    }
}
