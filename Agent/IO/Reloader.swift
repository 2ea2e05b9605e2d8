// SIGHUP: the configuration is read again while the agent runs. The new file is checked as at a start; a broken one is
// refused and the old one goes on. Changed buses begin anew, others go on untouched.

internal import AgentCore
internal import Evidence
internal import Keys
internal import Settings
internal import Supervision

/// Owns the bus threads, on a thread of its own: ending a bus waits for its meter.
struct Reloader {
    /// What runs.
    private(set) var settings: AgentSettings
    /// The file as it was taken last.
    var site: SiteFile
    var remote: RemoteWork
    /// As they were at the start: the keeper has them as they are.
    let keys: KeyRing
    var threads: BusThreads
    let recorder: Recorder
    /// Nanoseconds that buses which end wait for others to begin.
    var patience: Int64 = 10_000_000_000
    let inbox: Mailbox<KeeperEvent>
    let board: StatusBoard
    private let context: ControlContext
    let clock: MachineClock
    private let supervisor: Supervisor
    let log: Log
    private let reading: ReadingEnd

    init(
        _ parts: AgentParts, remote start: RemoteStart, chain: Chain, clock: MachineClock, threads: BusThreads,
        recorder: Recorder,
        inbox: Mailbox<KeeperEvent>, board: StatusBoard,
        context: ControlContext, supervisor: Supervisor, log: Log, reading: ReadingEnd
    ) {
        settings = parts.settings
        site = start.site
        remote = RemoteWork(start.keeping)
        keys = parts.keys
        self.clock = clock
        self.threads = threads
        self.recorder = recorder
        self.inbox = inbox
        self.board = board
        self.context = context
        self.supervisor = supervisor
        self.log = log
        self.reading = reading
        resumeTrial(stream: chain.stream.description, head: chain.head)
        tell { _ in }
    }

    /// Until the end of reading is asked for. Requests that come while one is served are one more.
    mutating func serve() {
        let requests = reading.reloads
        while requests.isOpen {
            let wait = remote.isIdle ? 3_600_000_000_000 : RemoteWork.lookEvery
            let asked = requests.take(within: wait)
            if asked.contains(where: { if case .file = $0 { true } else { false } }) {
                supervisor.reloading()
                reload(requests)
                // Refused or not, the agent works.
                supervisor.ready()
            }
            for case .command(let command) in asked { take(command) }
            for case .rollBack(let person, let reply) in asked { rollBack(by: person, reply, requests) }
            if requests.isOpen { lookAfterRemote(requests) }
        }
        threads.endAll()
        reading.ended.close()
    }

    private mutating func reload(_ requests: Mailbox<ReloadRequest>) {
        log.line(.info, "configuration is read again", [("file", settings.file)])
        let former = (site: site, version: remote.keeping.state.effective?.number)
        do {
            let file = try SiteFile(path: settings.file)
            let parts = try AgentParts(file.settings)
            if parts.settings.keyList != nil { _ = try parts.trust(believed: 0) }
            if parts.settings.mqtt != nil { _ = try parts.broker(session: 0, receipt: nil) }
            guard board.snapshot.figures.isWritable else {
                return refuse("the spool refuses commits: reload when it takes them again", [])
            }
            if let problem = board.snapshot.service.signerProblem {
                return refuse("the key does not sign: \(problem)", [])
            }
            site = file
            // What stands is a version over the new file, or, where the file no longer allows it, the file alone.
            if let done = try apply(try standing(), requests, keys: parts.keys) {
                resumeTrial(stream: done.stream, head: done.head)
            }
        } catch let error as ExchangeWithdrawn {
            site = former.site
            // Taken back because the new file does not allow it: it still runs.
            if remote.keeping.state.effective?.number != former.version { oweStanding() }
            refuse("\(error)", [])
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

    /// What was applied.
    struct Applied {
        let begun: [BusPlan]
        /// Where the stream stood: what follows is signed with it.
        let stream: String
        let head: UInt64
    }

    /// - Parameter keys: those where the file says now; nil: it did not change.
    /// - Returns: nil when the agent ends.
    /// - Throws: ``ExchangeWithdrawn`` when nothing was changed; ``SystemError``.
    mutating func apply(
        _ parts: AgentParts, _ requests: Mailbox<ReloadRequest>, keys: KeyRing? = nil
    ) throws -> Applied? {
        let waiting = fixed(parts, keys)
        for name in waiting {
            log.line(.warning, "a change waits for a restart", [("file", settings.file), ("key", name)])
        }
        let difference = BusExchange(running: threads.plans, wanted: parts.buses)
        let ended = threads.end(difference.ended)
        // Before the keeper is asked: from its answer on, reads of the buses that begin may be recorded.
        for plan in difference.begun { recorder.open(bus: plan.number, meters: plan.meters.count) }
        let exchange = MeterExchange(
            meters: difference.meters, kept: difference.kept, commitEvery: parts.settings.commit,
            limits: parts.settings.limits)
        guard try take(exchange, requests, else: ended) else { return nil }
        board.set(buses: difference.plans)
        for plan in difference.begun { try threads.start(plan) }
        settings.buses = parts.settings.buses
        settings.commit = parts.settings.commit
        settings.boundary = parts.settings.boundary
        settings.profiles = parts.settings.profiles
        settings.remote = parts.settings.remote
        settings.limits.take(parts.settings.limits)
        context.set(settings)
        remote.standingOwedAt = nil
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
        let standing = exchange.standing.take(within: 0).first
        return Applied(begun: difference.begun, stream: standing?.stream ?? "", head: standing?.head ?? 0)
    }

    /// Whether the key in force is among those that the file names now.
    private func isKeyHeld(_ keys: KeyRing) -> Bool {
        let kid = board.snapshot.figures.key.kid
        return kid.isEmpty || keys.key(kid: kid) != nil
    }

    /// Keys of the file whose new value only a restart can bring.
    private func fixed(_ parts: AgentParts, _ keys: KeyRing?) -> [String] {
        let new = parts.settings
        let window = (settings.limits.recordsMax, settings.limits.bytesMax)
        let changes: [(String, Bool)] = [
            ("gateway", new.gateway != settings.gateway),
            ("key", new.key != settings.key || !(keys.map(isKeyHeld) ?? true)),
            ("key_list", new.keyList != settings.keyList), ("root_key", new.rootKey != settings.rootKey),
            ("mqtt", new.mqtt != settings.mqtt), ("enrolment", new.enrolled != settings.enrolled),
            ("clock", new.clock != settings.clock),
            ("window.records_max, window.bytes_max", (new.limits.recordsMax, new.limits.bytesMax) != window),
            ("live", new.live != settings.live), ("spool", new.spool != settings.spool),
            ("control", new.control != settings.control),
            ("control_mode, control_group, control_rate", new.access != settings.access),
            ("metrics", new.metrics != settings.metrics),
        ]
        return changes.filter(\.1).map(\.0)
    }
}
