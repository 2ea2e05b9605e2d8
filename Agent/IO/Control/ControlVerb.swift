// What may be asked for through the control socket. A verb is a value in a file of its own; ControlVerb.all lists them.

internal import Synchronization

/// One thing a caller can ask the running agent for. The same code answers where no agent runs, for the tool itself.
package struct ControlVerb: Sendable {
    package typealias Service = @Sendable (ControlRequest, ControlCaller, ControlContext) throws -> Void

    package let name: String
    /// Keys it understands; another one is refused.
    let keys: Set<String>
    /// It may take its time or never end by itself: it has its own share of the places.
    let isLong: Bool
    let serve: Service

    /// - Parameter serve: runs on a thread of its own; may block. What it throws becomes the last line, `error …`.
    package init(_ name: String, keys: Set<String> = [], isLong: Bool = false, serve: @escaping Service) {
        self.name = name
        self.keys = keys
        self.isLong = isLong
        self.serve = serve
    }

    /// Every verb there is.
    package static let all: [ControlVerb] = [
        status, read, identify, scan, doctor, commission, replace, report, watch, spool, shadow,
        rollBack, rekey,
    ]

    /// Runs the verb of `request`: refuses what no verb understands.
    package static func run(_ request: ControlRequest, _ caller: ControlCaller, _ context: ControlContext) throws {
        let verb = try named(request)
        try verb.serve(request, caller, context)
    }

    static func named(_ request: ControlRequest) throws(ControlRefusal) -> ControlVerb {
        guard let verb = all.first(where: { $0.name == request.verb }) else {
            throw ControlRefusal(
                "\(request.verb) is not known; known: \(all.map(\.name).sorted().joined(separator: ", "))")
        }
        if let key = request.values.keys.sorted().first(where: { !verb.keys.contains($0) }) {
            throw ControlRefusal(
                "\(verb.name) does not know \(key); known: \(verb.keys.sorted().joined(separator: ", "))")
        }
        return verb
    }
}

/// What verbs work with.
package final class ControlContext: Sendable {
    /// The way to meters: through the buses that run, none of them where no agent does.
    package let desk: BusDesk
    /// Nil where no agent runs.
    package let board: StatusBoard?
    /// The keeper, for what shall be signed; nil where no agent runs.
    package let keeper: Mailbox<KeeperEvent>?
    /// The house's clock; nil where no agent runs.
    package let clock: MachineClock?
    /// Who owns the configuration; nil where no agent runs.
    let reloads: Mailbox<ReloadRequest>?
    private let current: Mutex<AgentSettings?>

    package init(
        settings: AgentSettings?, desk: BusDesk, board: StatusBoard? = nil, keeper: Mailbox<KeeperEvent>? = nil,
        clock: MachineClock? = nil, reading: ReadingEnd? = nil
    ) {
        current = Mutex(settings)
        self.desk = desk
        self.board = board
        self.keeper = keeper
        self.clock = clock
        reloads = reading?.reloads
    }

    /// As they are in force; nil for a tool without a configuration.
    package var settings: AgentSettings? { current.withLock { $0 } }

    /// The configuration was read again.
    func set(_ settings: AgentSettings) { current.withLock { $0 = settings } }

    package func configured() throws(ControlRefusal) -> AgentSettings {
        guard let settings else { throw ControlRefusal("this needs --config FILE") }
        return settings
    }
}
