// A whole agent: threads for buses, broker events, signals, reloads, metrics and the control socket around one keeper.
// No decisions.

internal import AgentCore
internal import Glibc
internal import Keys
internal import MQTT
internal import Quantities
internal import Settings
internal import Supervision

/// Runs an agent on the calling thread until SIGTERM or SIGINT. SIGHUP reads the configuration again.
package enum RunningAgent {
    /// Broker events waiting for the keeper.
    private static let eventsMax = 4_096
    /// Descriptors of this process: select() in libmodbus knows none above.
    private static let descriptorsMax: rlim_t = 1_024

    /// - Throws: ``SettingsError`` for a configuration that cannot run; ``SpoolError`` and others when the spool fails.
    package static func run(_ parts: AgentParts, remote: RemoteStart, log: Log = Log()) throws {
        let signals = blockSignals()
        setLimits()
        // Reading the configuration is over: its code is not in memory beside what opens the spool.
        Footprint.dropCode()
        let clock = try MachineClock(house: parts.settings.clock)
        // Believed as it stands; the number held in the spool is compared below.
        try checkUplink(parts, believed: 0)
        var keeperSettings = parts.keeper
        keeperSettings.supervisor = .ofThisProcess()
        let reading = ReadingEnd()
        keeperSettings.reading = reading
        let start = try KeeperStart(
            folder: parts.settings.spool.path, settings: keeperSettings, meters: parts.meters,
            keys: parts.keys, clock: clock, log: log)
        try checkUplink(parts, believed: start.spool.agent.keyListNumber)
        let recorder = Recorder(clock: clock, meters: parts.buses.map(\.meters.count))
        let board = StatusBoard(recorder: recorder, buses: parts.buses)
        let inbox = Mailbox<KeeperEvent>(itemsMax: eventsMax)
        let stop = Mailbox<Never>(itemsMax: 1)
        let uplink = Uplink(parts: parts) { options, number in try connect(options, number, inbox) }
        let keeper = Keeper(
            settings: keeperSettings, start: start, trust: nil, clock: clock, recorder: recorder,
            inbox: inbox, uplink: uplink, log: log, board: board)
        let desk = BusDesk(perSecond: parts.settings.access.perSecond)
        let context = ControlContext(
            settings: parts.settings, desk: desk, board: board, keeper: inbox, clock: clock, reading: reading)
        Footprint.dropCode()
        var threads = BusThreads(recorder: recorder, clock: clock, desk: desk)
        for plan in parts.buses { try threads.start(plan) }
        let reloader = Reloader(
            parts, remote: remote, chain: start.chain, clock: clock, threads: threads, recorder: recorder,
            inbox: inbox, board: board, context: context, supervisor: keeperSettings.supervisor, log: log,
            reading: reading)
        _ = try WorkerThread("reload") {
            var reloader = reloader
            reloader.serve()
        }
        try serve(board, context, clock, stop, log)
        _ = try WorkerThread("signals") { awaitSignals(signals, inbox, reading.reloads) }
        tellStart(parts, log)
        defer {
            reading.reloads.close()
            stop.close()
        }
        try keeper.run()
        unlink(parts.settings.control)
    }

    private static func tellStart(_ parts: AgentParts, _ log: Log) {
        log.line(
            .info, "started",
            [
                ("version", agentVersion), ("gateway", parts.settings.gateway.text),
                ("meters", String(parts.meters.count)), ("buses", String(parts.buses.count)),
            ])
    }

    /// Opens what others may look at: control socket and figures.
    private static func serve(
        _ board: StatusBoard, _ context: ControlContext, _ clock: MachineClock, _ stop: Mailbox<Never>, _ log: Log
    ) throws {
        let settings = try context.configured()
        board.set(CommissioningFile(folder: settings.spool.path))
        // Until the keeper's first step, which brings the rest.
        var figures = AgentFigures()
        figures.gateway = settings.gateway.text
        board.set(figures)
        let listening = try ControlSocket.listen(settings.control, access: settings.access)
        if let remark = listening.remark {
            log.line(.warning, "control socket for the agent's own user alone", [("problem", remark)])
            board.update { $0.controlProblem = remark }
        }
        let listener = listening.descriptor
        _ = try WorkerThread("control") {
            ControlServer(listener: listener, context: context, log: log).run(stop: stop)
        }
        _ = try WorkerThread("shadow") {
            var reader = ShadowReader(desk: context.desk, board: board, clock: clock, log: log)
            reader.run(stop: stop)
        }
        guard let metrics = settings.metrics else { return }
        let port = MetricsPort(metrics, board: board, log: log)
        _ = try WorkerThread("metrics") { port.run(stop: stop) }
    }

    /// What the configuration names must be sound. What enrolment left may not be: then the agent reads, signs and stores,
    /// and says so.
    private static func checkUplink(_ parts: AgentParts, believed: UInt64) throws(SettingsError) {
        if parts.settings.keyList != nil { _ = try parts.trust(believed: believed) }
        if parts.settings.mqtt != nil { _ = try parts.broker(session: 0, receipt: nil) }
    }

    private static func connect(
        _ options: MQTTOptions, _ number: UInt64, _ inbox: Mailbox<KeeperEvent>
    ) throws -> MQTTSession {
        let session = try MQTTSession(options: options)
        _ = try WorkerThread("broker-events") { forward(session, number, to: inbox) }
        return session
    }

    /// The keeper is the only taker; a full inbox holds the session's events back, and those hold the socket back.
    private static func forward(_ session: MQTTSession, _ number: UInt64, to inbox: Mailbox<KeeperEvent>) {
        while true {
            for event in session.nextEvents(max: 256, timeout: .seconds(1)) {
                while !inbox.post(.uplink(event, session: number)) {
                    guard inbox.isOpen else { return }
                    usleep(10_000)
                }
                if event == .stopped { return }
            }
        }
    }

    /// SIGTERM, SIGINT and SIGHUP are taken by one thread; SIGPIPE by nobody.
    private static func blockSignals() -> sigset_t {
        signal(SIGPIPE, SIG_IGN)
        var set = sigset_t()
        sigemptyset(&set)
        sigaddset(&set, SIGTERM)
        sigaddset(&set, SIGINT)
        sigaddset(&set, SIGHUP)
        pthread_sigmask(SIG_BLOCK, &set, nil)
        return set
    }

    private static func awaitSignals(_ set: sigset_t, _ inbox: Mailbox<KeeperEvent>, _ reloads: Mailbox<ReloadRequest>)
    {
        var set = set
        var isStopping = false
        while true {
            var signal: Int32 = 0
            sigwait(&set, &signal)
            // One that waits already will read the file as it is then.
            if signal == SIGHUP { reloads.post(.file) }
            guard signal == SIGTERM || signal == SIGINT else { continue }
            // A second signal means now: what is committed is safe.
            if isStopping { _exit(1) }
            isStopping = true
            while !inbox.post(.stop) { usleep(10_000) }
        }
    }

    /// With 1 024 descriptors no socket can get a number that select() writes past its set for.
    private static func setLimits() {
        Footprint.share()
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(UInt32(RLIMIT_NOFILE.rawValue)), &limit) == 0 else { return }
        limit.rlim_cur = min(descriptorsMax, limit.rlim_max)
        setrlimit(__rlimit_resource_t(UInt32(RLIMIT_NOFILE.rawValue)), &limit)
    }
}
