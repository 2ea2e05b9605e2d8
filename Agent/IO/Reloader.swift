// SIGHUP: the configuration is read again while the agent runs. The new file is checked as at a start; a broken one is
// refused and the old one goes on. Changed buses begin anew, others go on untouched.

internal import AgentCore
internal import Keys
internal import Settings
internal import Supervision

/// Owns the bus threads, on a thread of its own: ending a bus waits for its meter.
struct Reloader {
    private var settings: AgentSettings
    private let key: PublicKey
    private var threads: BusThreads
    private let recorder: Recorder
    private let inbox: Mailbox<KeeperEvent>
    private let board: StatusBoard
    private let context: ControlContext
    private let supervisor: Supervisor
    private let log: Log
    private let reading: ReadingEnd

    init(
        _ parts: AgentParts, threads: BusThreads, recorder: Recorder, inbox: Mailbox<KeeperEvent>, board: StatusBoard,
        context: ControlContext, supervisor: Supervisor, log: Log, reading: ReadingEnd
    ) {
        settings = parts.settings
        key = parts.key.publicKey
        self.threads = threads
        self.recorder = recorder
        self.inbox = inbox
        self.board = board
        self.context = context
        self.supervisor = supervisor
        self.log = log
        self.reading = reading
    }

    /// Until the end of reading is asked for. Requests that come while one is served are one more.
    mutating func serve() {
        let requests = reading.reloads
        while requests.isOpen {
            guard !requests.take(within: 3_600_000_000_000).isEmpty else { continue }
            supervisor.reloading()
            reload(requests)
            // Refused or not, the agent works.
            supervisor.ready()
        }
        threads.endAll()
        reading.ended.close()
    }

    private mutating func reload(_ requests: Mailbox<Void>) {
        log.line(.info, "configuration is read again", [("file", settings.file)])
        do {
            let parts = try AgentParts(try AgentSettings(try SettingsFile.load(path: settings.file)))
            if parts.settings.keyList != nil { _ = try parts.trust(believed: 0) }
            if parts.settings.mqtt != nil { _ = try parts.broker(session: 0, receipt: nil) }
            guard board.snapshot.figures.isWritable else {
                return refuse("the spool refuses commits: reload when it takes them again", [])
            }
            if let problem = board.snapshot.service.signerProblem {
                return refuse("the key does not sign: \(problem)", [])
            }
            try apply(parts, requests)
        } catch let error as SettingsError {
            let fields: [(String, String?)] = [
                ("file", error.file), ("line", error.line > 0 ? String(error.line) : nil), ("key", error.keyPath),
                ("value", error.found), ("problem", error.problem), ("allowed", error.allowed),
            ]
            refuse("\(error)", fields.compactMap { name, value in value.map { (name, $0) } })
        } catch {
            refuse("\(error)", [("error", "\(error)")])
        }
    }

    private func refuse(_ text: String, _ fields: [(String, String)]) {
        log.line(.error, "configuration refused; the old one goes on", fields.isEmpty ? [("problem", text)] : fields)
        board.update {
            $0.refusals += 1
            $0.refusal = text
        }
    }

    private mutating func apply(_ parts: AgentParts, _ requests: Mailbox<Void>) throws {
        let waiting = fixed(parts)
        for name in waiting {
            log.line(.warning, "a change waits for a restart", [("file", settings.file), ("key", name)])
        }
        let difference = BusExchange(running: threads.plans, wanted: parts.buses)
        threads.end(difference.ended)
        // Before the keeper is asked: from its answer on, reads of the buses that begin may be recorded.
        for plan in difference.begun { recorder.open(bus: plan.number, meters: plan.meters.count) }
        let exchange = MeterExchange(
            meters: difference.meters, kept: difference.kept, commitEvery: parts.settings.commit)
        while !inbox.post(.exchange(exchange)) {
            guard requests.isOpen else { return }
            _ = exchange.done.take(within: 10_000_000)
        }
        while exchange.done.isOpen {
            guard requests.isOpen else { return }
            _ = exchange.done.take(within: 1_000_000_000)
        }
        board.set(buses: difference.plans)
        for plan in difference.begun { try threads.start(plan) }
        settings.buses = parts.settings.buses
        settings.commit = parts.settings.commit
        settings.boundary = parts.settings.boundary
        settings.profiles = parts.settings.profiles
        context.set(settings)
        board.update {
            $0.reloads += 1
            $0.refusal = nil
            $0.restartNeeded = waiting
        }
        log.line(
            .info, "configuration applied",
            [
                ("kept", String(difference.plans.count - difference.begun.count)),
                ("begun", String(difference.begun.count)), ("ended", String(difference.ended.count)),
                ("meters", String(difference.meters.count)),
            ])
    }

    /// Keys of the file whose new value only a restart can bring.
    private func fixed(_ parts: AgentParts) -> [String] {
        let new = parts.settings
        let changes: [(String, Bool)] = [
            ("gateway", new.gateway != settings.gateway),
            ("key", new.key != settings.key || parts.key.publicKey != key),
            ("key_list", new.keyList != settings.keyList), ("root_key", new.rootKey != settings.rootKey),
            ("mqtt", new.mqtt != settings.mqtt), ("enrolment", new.enrolled != settings.enrolled),
            ("clock", new.clock != settings.clock),
            ("resend_after, resend_after_max, window", new.limits != settings.limits),
            ("spool", new.spool != settings.spool), ("control", new.control != settings.control),
            ("control_mode, control_group, control_rate", new.access != settings.access),
            ("metrics", new.metrics != settings.metrics),
        ]
        return changes.filter(\.1).map(\.0)
    }
}
