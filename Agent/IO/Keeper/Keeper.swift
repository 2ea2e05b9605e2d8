// The keeper: one thread that commits what was read, and sends what is not receipted. It owns spool, chain and window.
//
// Order of a commit: cut, sign, store (durable), then send the stored bytes. A crash between any two steps loses the
// open commit at most, which the next start names in a note. Receipts are in Keeper+Receipts, room in Keeper+Room.

package import AgentCore
internal import Evidence
internal import Glibc
internal import Keys
package import MQTT
package import Quantities
package import Supervision

/// What wakes the keeper before its time.
package enum KeeperEvent: Sendable {
    /// From the session of this number; what an earlier one still has to say is not heard.
    case uplink(MQTTEvent, session: UInt64)
    /// Other meters from here on: the buses that end have ended, those that begin wait for the answer.
    case exchange(MeterExchange)
    /// A tool looks at what was recorded lately.
    case recent(RecentRequest)
    /// A person wants something signed.
    case note(NoteRequest)
    /// The key is to be changed, or somebody asks how far that is.
    case rekey(RekeyRequest)
    /// Somebody looks at what is stored.
    case look(SpoolLook)
    /// Commit what there is, wait briefly for receipts, end.
    case stop
}

/// Everything the keeper is told before it starts.
package struct KeeperSettings: Sendable {
    package var gateway: Identifier
    package var agentVersion: String
    package var replay: (start: UTCInstant, speed: Int64)?
    /// Real milliseconds between commits.
    package var commitEvery: Int64
    package var limits: UplinkWindow.Limits
    package var policy: SpoolPolicy
    /// Real milliseconds a stop waits for receipts.
    package var drain: Int64 = 2_000
    /// Real milliseconds between two messages for screens; nil: none.
    package var live: Int64?
    /// How the buses are told to end; nil: nobody reads.
    package var reading: ReadingEnd?
    /// Who is told that the agent works.
    package var supervisor = Supervisor.none

    package init(
        gateway: Identifier, agentVersion: String, replay: (start: UTCInstant, speed: Int64)?, commitEvery: Int64,
        limits: UplinkWindow.Limits, policy: SpoolPolicy
    ) {
        self.gateway = gateway
        self.agentVersion = agentVersion
        self.replay = replay
        self.commitEvery = commitEvery
        self.limits = limits
        self.policy = policy
    }
}

/// Not Sendable: everything in it belongs to the thread that calls ``run()``.
package final class Keeper {
    /// Signed records that are not durable yet. They are stored as they are, however often it takes.
    struct Pending {
        let records: [ChainedRecord]
        let chain: Chain
        let uptime: UInt64
        let births: Int
    }

    var settings: KeeperSettings
    let spool: Spool
    let reserve: SpoolReserve
    var signers: Signers
    /// Nil: not enrolled, and nobody's receipts count.
    var trust: ReceiptTrust?
    let clock: MachineClock
    let recorder: Recorder
    let inbox: Mailbox<KeeperEvent>
    /// Nil: nothing is sent; reading and storing go on.
    var session: MQTTSession?
    /// Where trust and session come from; nil in tests that need no broker.
    let uplink: Uplink?
    var enrolment = EnrolmentWatch()
    let log: Log
    let board: StatusBoard

    var planner: CommitPlanner
    var chain: Chain
    var pending: Pending?
    var unsigned: Unsigned?
    /// Why the key's store does not sign; nil while it does.
    var signerProblem: String?
    /// When the certificate shown to the broker ends.
    var certificateEnds: UTCInstant?
    /// The log was told of another client with our id.
    var isRivalTold = false
    /// The last stream ended, and the one that follows is not open yet.
    var ending: Birth.Predecessor?
    var agent: AgentState
    /// Streams as they will be remembered by the next commit.
    var streams: [StreamState]
    var window: UplinkWindow
    var tails = TailWatch()
    /// Position in `streams` of the stream being sent: the oldest with something unreceipted.
    var sending: Int
    var isStopping = false
    /// The disk took the last commit.
    var isWritable = true
    var receiptReceivedAt: Int64?
    /// The receipt's time that was last kept as a floor.
    var floorWrittenAt = UTCInstant(milliseconds: 0)
    var clockLag = ClockLag()
    private var opening: OpenCommit.Cut?
    private var openingNotices: [BusNotice] = []
    var startedAt: Int64
    /// Asked for, and not done yet.
    var exchange: MeterExchange?
    var commitAt: Int64
    /// Commits since the agent's row was written.
    var sinceKept = 0
    var statusSentAt: Int64 = .min
    var boardAt: Int64 = .min / 2
    /// As last said in the log.
    var doubts: [MeterDoubt] = []
    var signs = SignsOfLife()
    var notes = NoteDesk()
    var rekeying = RekeyDesk()
    var live = LiveDesk()
    var clockSteps: (count: Int, largest: Int64) = (0, 0)
    /// How connections to the broker went.
    var evidence = UplinkEvidence()
    /// House time of the next look for records that are too old.
    var forgetAt: Int64 = .min
    var lastBirth: [UInt8]?
    var unbelieved = UnbelievedMessages()
    /// No piece of a damaged spool is taken over before this.
    var salvageAt = Int64.min / 2
    var salvageFailures = 0
    var offset: (milliseconds: Int64, sync: Int)?

    /// - Parameters:
    ///   - start: what the spool holds and what is to be said about it.
    package init(
        settings: KeeperSettings, start: KeeperStart, trust: ReceiptTrust?, clock: MachineClock,
        recorder: Recorder, inbox: Mailbox<KeeperEvent>, uplink: Uplink?, log: Log, board: StatusBoard
    ) {
        let now = clock.now()
        self.settings = settings
        spool = start.spool
        reserve = start.reserve
        signers = start.signers
        self.trust = trust
        self.clock = clock
        self.recorder = recorder
        self.inbox = inbox
        self.uplink = uplink
        self.log = log
        self.board = board
        agent = start.agent
        streams = start.spool.streams
        lastBirth = start.lastBirth
        chain = start.chain
        planner = start.planner
        sending = Self.oldestUnsent(streams)
        window = UplinkWindow(limits: settings.limits, receipted: streams[sending].receipted, now: now.monotonic)
        startedAt = now.monotonic
        commitAt = now.monotonic
    }

    /// Runs until a stop event.
    ///
    /// - Throws: when the spool cannot be used any more. The process ends then; the next start salvages.
    package func run() throws {
        log.line(.info, "keeping", [("stream", chain.stream.description), ("head", String(chain.head))])
        do {
            try followEnrolment()
            while !isStopping {
                for event in inbox.take(within: nanosecondsToWait()) { try unlessRefused { try handle(event) } }
                try unlessRefused(step)
            }
            try finish()
        } catch {
            remember(error)
            throw error
        }
    }

    private func step() throws {
        let now = clock.now().monotonic
        if now >= commitAt {
            try exchangeMeters()
            commitAt = now + (isOpen(now) ? settings.commitEvery : 20)
            if isOpen(now) {
                try commit(isFinal: false)
                signs.isReady = true
            } else {
                collect()
            }
        }
        try followEnrolment()
        try lookAfterPages()
        try lookAfterKeys()
        publishLive()
        try send()
        publishStatus()
        updateBoard()
        giveSigns()
    }

    private func nanosecondsToWait() -> Int64 {
        let now = clock.now().monotonic
        let wakeAt = min(commitAt, holdsBack ? salvageAt : window.wakeAt(head: streams[sending].head) ?? .max)
        return max(0, min(wakeAt - now, 1_000)) * 1_000_000
    }

    private func handle(_ event: KeeperEvent) throws {
        switch event {
        case .stop: isStopping = true
        case .exchange(let new):
            exchange = new
            commitAt = clock.now().monotonic
        case .note(let request): ask(request)
        case .rekey(let request): try ask(request)
        case .recent(let request): answer(request)
        case .uplink(let event, let number) where number == enrolment.session: try handle(event)
        case .uplink: break
        case .look(let look): show(look)
        }
    }

    // MARK: Commit

    /// Whether the first birth need not wait any more for meters to say who they are.
    private func isOpen(_ now: Int64) -> Bool { planner.isOpen(since: startedAt, now: now) }

    /// Before the first birth: what is read waits, but who the meters are is looked at.
    private func collect() {
        let (_, cut, notices) = recorder.cut()
        planner.take(notices)
        opening = opening.map { $0.joined(cut) } ?? cut
        openingNotices += notices
    }

    func commit(isFinal: Bool) throws {
        guard try openStreamIfNeeded() else { return }
        if pending == nil { pending = try prepare() }
        agent.isClean = isFinal && unsigned == nil
        if let pending { agent.uptime = pending.uptime }
        var attempts = 0
        while attempts < 2 {
            attempts += 1
            do {
                try store(pending?.records ?? [])
            } catch {
                guard try isDurable() else {
                    try refused(error)
                    continue
                }
            }
            return try landed()
        }
    }

    /// Cuts and signs; nil when there is nothing to say or the key's store does not sign. The bytes are final from here
    /// on.
    func prepare() throws -> Pending? {
        if unsigned == nil { unsigned = cut() }
        guard let open = unsigned else { return nil }
        var chain = self.chain
        var records: [ChainedRecord] = []
        do {
            for planned in open.bodies {
                records.append(
                    try chain.append(
                        planned.body, clock: open.clock, completeThrough: planned.completeThrough,
                        sign: { try SignedMessage.signing($0, as: .record, with: key) }))
            }
        } catch let error as KeyError {
            // A crash from here on loses what any crash loses; the next start says so.
            signerFailed(error)
            return nil
        }
        signerWorks()
        unsigned = nil
        agent.boot = open.clock.boot
        return Pending(
            records: records, chain: chain, uptime: open.moment.uptime,
            births: records.filter { $0.kind == .birth }.count)
    }

    /// What was read and noticed since the last cut, as bodies; nil when that is nothing.
    private func cut() -> Unsigned? {
        var (moment, cut, notices) = recorder.cut()
        if let early = opening {
            cut = early.joined(cut)
            notices = openingNotices + notices
            opening = nil
            openingNotices = []
        }
        let clock = self.clock.recordClock(moment)
        noteClockStep(clock, moment.monotonic)
        takeNotes(uptime: clock.uptimeMilliseconds)
        let bodies = planner.bodies(
            CommitPlanner.Input(cut: cut, notices: notices, clock: clock, monotonic: moment.monotonic))
        report(notices)
        return bodies.isEmpty ? nil : Unsigned(bodies: bodies, clock: clock, moment: moment)
    }

    /// After a failed write: whether it was applied and only the answer was lost.
    private func isDurable() throws -> Bool {
        do { try spool.reload() } catch let error as DatabaseError where !error.isDamaged { return false }
        guard let pending, let last = spool.streams.last else { return spool.agent == agent }
        return last.id == pending.chain.stream && last.head == pending.chain.head && last.link == pending.chain.link
    }

    private func landed() throws {
        if !isWritable { log.line(.info, "the spool takes records again") }
        isWritable = true
        reserve.restore()
        if let pending {
            streams = spool.streams
            spool.leftAsideIsNoted()
            chain = pending.chain
            if let birth = pending.records.last(where: { $0.kind == .birth }) {
                lastBirth = birth.envelope
                board.set(planner.register)
                publishBirth()
            }
            // A start that needs no birth knows its meters from the stream's.
            if board.identified == nil { board.set(planner.register) }
        }
        if pending?.records.last?.kind == .key { takeOver() }
        pending = nil
        // Those of a commit that the key's store does not sign wait for it.
        if unsigned == nil { answerNotes() }
        doubt()
        try makeRoom(isFull: false)
    }

    private func refused(_ error: any Error) throws {
        isWritable = false
        log.line(.error, "the spool refuses a commit; reading goes on", [("error", "\(error)")], limit: "")
        guard let database = error as? DatabaseError else { return }
        if database.isDamaged { throw SpoolError.database(database) }
        if database.isFull { try relieve() }
    }

    private func report(_ notices: [BusNotice]) {
        for notice in notices {
            switch notice {
            // Counted, and told once per change.
            case .overrun: break
            case .cycle(let isTooShort, let endpoint):
                log.line(
                    isTooShort ? .warning : .info,
                    isTooShort ? "cycle too short: the bus misses reads" : "the bus keeps up again",
                    [("bus", endpoint)])
            case .line(let problem?, let endpoint):
                log.line(.warning, "bus", [("bus", endpoint), ("problem", problem)])
            case .line(nil, let endpoint): log.line(.info, "bus is open", [("bus", endpoint)])
            case .silent(let meter, let status):
                log.line(.warning, "meter does not answer", [("meter", name(meter)), ("status", word(status))])
            case .answering(let meter): log.line(.info, "meter answers again", [("meter", name(meter))])
            case .unreadable(let meter, let reason):
                log.line(.error, "meter cannot be read", [("meter", name(meter)), ("reason", reason)])
            case .opened: break
            case .planned(let plan):
                log.line(
                    .info, "meter planned",
                    [("meter", plan.meter.id.text), ("reads", String(plan.reads.count))])
            }
        }
    }

    // MARK: Stop

    /// Final commit, a short wait for receipts of what is under way, farewell.
    private func finish() throws {
        settings.supervisor.stopping("final commit")
        // Before the commit: what a meter answers until here is committed, and nothing is read after it.
        settings.reading?.end()
        try commit(isFinal: true)
        let deadline = clock.now().monotonic + settings.drain
        while !holdsBack, window.isConnected, window.receipted < streams[sending].head, clock.now().monotonic < deadline
        {
            try send()
            for event in inbox.take(within: 50_000_000) {
                if case .uplink = event { try handle(event) }
            }
        }
        // Receipts that came meanwhile are remembered; without them the next start only sends again.
        try commit(isFinal: true)
        session?.stop(within: .seconds(2), sendingWill: true)
        spool.close()
        log.line(.info, "stopped", [("head", String(chain.head)), ("receipted", String(window.receipted))])
    }
}
