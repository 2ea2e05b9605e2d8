// A whole agent: threads for buses, broker events, signals and the control socket around one keeper. No decisions.

internal import AgentCore
internal import Glibc
internal import Keys
internal import MQTT
internal import Quantities

/// Runs an agent on the calling thread until SIGTERM or SIGINT.
package enum RunningAgent {
    /// Broker events waiting for the keeper.
    private static let eventsMax = 4_096
    /// Descriptors of this process: select() in libmodbus knows none above.
    private static let descriptorsMax: rlim_t = 1_024

    /// - Throws: ``SettingsError`` for a configuration that cannot run; ``SpoolError`` and others when the spool fails.
    package static func run(_ parts: AgentParts, log: Log = Log()) throws {
        let signals = blockSignals()
        limitDescriptors()
        let clock = try MachineClock(house: parts.settings.clock)
        // Believed as it stands; the number held in the spool is compared below.
        _ = try parts.trust(believed: 0)
        let start = try KeeperStart(
            folder: parts.settings.spool.path, settings: parts.keeper, meters: parts.meters,
            key: SpoolKey(parts.key.publicKey), clock: clock, log: log)
        let trust = try parts.trust(believed: start.spool.agent.keyListNumber)
        let recorder = Recorder(clock: clock, meters: parts.buses.map(\.meters.count))
        let board = StatusBoard(recorder: recorder, buses: parts.buses)
        let inbox = Mailbox<KeeperEvent>(itemsMax: eventsMax)
        let stop = Mailbox<Never>(itemsMax: 1)
        let session = try parts.broker(session: start.spool.agent.session, receipt: start.spool.agent.receipt).map {
            try MQTTSession(options: $0)
        }
        let keeper = Keeper(
            settings: parts.keeper, start: start, key: parts.key, trust: trust, clock: clock, recorder: recorder,
            inbox: inbox, session: session, log: log, board: board)

        for plan in parts.buses {
            _ = try WorkerThread("bus-\(plan.number)") {
                var runner = BusRunner(plan: plan, recorder: recorder, clock: clock, stop: stop)
                runner.run()
            }
        }
        if let session { _ = try WorkerThread("broker-events") { forward(session, to: inbox) } }
        let listener = try ControlSocket.listen(parts.settings.control)
        _ = try WorkerThread("control") { ControlSocket.serve(listener, board: board, stop: stop) }
        _ = try WorkerThread("signals") { awaitSignal(signals, inbox) }
        log.line(
            .info, "started",
            [
                ("version", agentVersion), ("gateway", parts.settings.gateway.text),
                ("meters", String(parts.meters.count)), ("buses", String(parts.buses.count)),
            ])
        // Bus threads are not joined: one may wait for a meter, and what it would still read belongs to no commit.
        defer { stop.close() }
        try keeper.run()
        unlink(parts.settings.control)
    }

    /// The keeper is the only taker; a full inbox holds the session's events back, and those hold the socket back.
    private static func forward(_ session: MQTTSession, to inbox: Mailbox<KeeperEvent>) {
        while true {
            for event in session.nextEvents(max: 256, timeout: .seconds(1)) {
                while !inbox.post(.uplink(event)) {
                    guard inbox.isOpen else { return }
                    usleep(10_000)
                }
                if event == .stopped { return }
            }
        }
    }

    /// SIGTERM and SIGINT are taken by one thread; SIGPIPE by nobody.
    private static func blockSignals() -> sigset_t {
        signal(SIGPIPE, SIG_IGN)
        var set = sigset_t()
        sigemptyset(&set)
        sigaddset(&set, SIGTERM)
        sigaddset(&set, SIGINT)
        pthread_sigmask(SIG_BLOCK, &set, nil)
        return set
    }

    private static func awaitSignal(_ set: sigset_t, _ inbox: Mailbox<KeeperEvent>) {
        var set = set
        var signal: Int32 = 0
        sigwait(&set, &signal)
        while !inbox.post(.stop) { usleep(10_000) }
        // A second signal means now: what is committed is safe.
        sigwait(&set, &signal)
        _exit(1)
    }

    /// With 1 024 descriptors no socket can get a number that select() writes past its set for.
    private static func limitDescriptors() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(UInt32(RLIMIT_NOFILE.rawValue)), &limit) == 0 else { return }
        limit.rlim_cur = min(descriptorsMax, limit.rlim_max)
        setrlimit(__rlimit_resource_t(UInt32(RLIMIT_NOFILE.rawValue)), &limit)
    }
}
