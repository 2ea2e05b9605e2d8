// The house at work: one actor on one thread that owns the state, decides through the core, and appends. What reads and
// writes blocks this thread and no other; long computations go elsewhere and come back as commands.

internal import CollectorCore
internal import CollectorJournal
internal import Evidence
internal import Keys
internal import Logging
internal import Metering
internal import Proofs
internal import Quantities

actor House {
    private nonisolated let executor = ThreadExecutor(name: "house")
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    let configuration: CollectorConfiguration
    let stores: HouseStores
    let keys: HouseKeys
    let logger: Logger
    nonisolated let clock: HouseClock
    let profiles: ProfileShelf

    // Owned by this actor's thread, as everything below. Folded from the Journal and the Evidence log.
    var state: HouseState
    var intake: IntakeState
    var sequences: [Stage: UInt64] = [.house: 1]
    /// How far both logs are folded. The Journal's first event is genesis.
    var foldedJournal = LogPosition(epoch: 1, index: 1)
    var foldedEvidence = LogPosition.start
    /// Intake's events that were read and wait for the records they speak of.
    var waitingForRecords: [Event] = []
    /// An append failed and nobody knows whether it stands: both logs are read on before anything is decided.
    var isUncertain = false
    /// Events of intake that are decided and not in the Journal yet, and streams to close after them.
    var owed: (events: [JournalDraft], closings: [StreamClosing]) = ([], [])
    var keyCache = KeyCache()
    var receipts = ReceiptSchedule()
    var refusals = RefusalCounter()
    /// When a gateway's former key last tried to open a stream, in the house's time; news for people.
    var supersededAt: [Identifier: UTCInstant] = [:]
    var gateways = GatewayBoard()
    var admission: Admission
    var ledger = Ledger()
    var governance = Governance()
    var gate = Gate()
    var standing = Standing()
    var connectedShares: Set<PartitionShare> = []
    /// The last receipt a gateway's status showed since start; the inner nil: it says it holds none.
    var heldReceipts: [Identifier: Receipt?] = [:]
    /// How far the last receipt made for a gateway since start reaches. For people.
    var receipted: [Identifier: UInt64] = [:]
    /// Origins of epochs that a signed document ended.
    var endedOrigins: [String] = []
    var attempts = EnrolmentAttempts()
    /// Gateways whose wrong secrets were read from their files.
    var attemptsRead: Set<Identifier> = []
    /// Certificates of each gateway that was asked for, the last one last.
    var certificates: [Identifier: [IssuedCertificate]] = [:]
    var revocations = WrittenRevocations()
    /// What gateways are told when they enrol; nil without an enrolment port.
    var enrolment: (configuration: EnrolmentConfiguration, authority: CertificateAuthority)?
    /// Nil when the broker's clients are somebody else's business.
    var roster: BrokerRoster?
    var commands: CommandDesk
    var wanted: WantedGateways?
    /// One window is computed at a time.
    var isComputing = false
    /// Why a window cannot go on, for people.
    var troubles: [String] = []

    private let realNow: @Sendable () -> UTCInstant

    /// - Parameter realNow: the machine's clock; the house's own is computed from it.
    init(
        configuration: CollectorConfiguration, stores: HouseStores, keys: HouseKeys, profiles: ProfileShelf,
        logger: Logger,
        realNow: @escaping @Sendable () -> UTCInstant = { SystemClock.realNow() }
    ) throws {
        self.configuration = configuration
        self.realNow = realNow
        self.stores = stores
        self.keys = keys
        self.logger = logger
        self.profiles = profiles
        clock = configuration.clock
        guard let first = try stores.journal.events(from: .start, limit: 1).first else {
            throw HouseStartError.noGenesis
        }
        state = try HouseState(genesis: first, rawCheck: isRawSigned, check: isSigned)
        guard state.genesis.clock == configuration.clock else { throw HouseStartError.otherClock(state.genesis.clock) }
        guard state.genesis.originBase == configuration.logOrigin else {
            throw HouseStartError.otherOrigin(state.genesis.originBase)
        }
        try Self.require(keys, fit: state.genesis)
        intake = IntakeState(clock: configuration.clock)
        admission = Admission()
        commands = CommandDesk(data: configuration.data)
        let broker = configuration.broker
        roster = broker.hasDynamicSecurity ? BrokerRoster(own: broker.username ?? "collector") : nil
    }

    private static func require(_ keys: HouseKeys, fit genesis: Genesis) throws {
        for (name, own, fixed) in [
            ("receipt", keys.receipt, genesis.keys.receipt), ("log", keys.log, genesis.keys.log),
            ("seal", keys.seal, genesis.keys.seal),
        ] where own.publicKey.spki != fixed {
            throw HouseStartError.otherKey(name)
        }
    }

    // MARK: - Time

    func now() -> UTCInstant { clock.now(real: realNow()) }

    /// The machine's clock, for certificates alone: TLS knows no replayed time.
    func realTime() -> UTCInstant { realNow() }

    /// The time at which an event that is decided now will stand in the Journal. Whose key is in force is asked at this
    /// instant and the event gets the very same: a key that ended in between would else be found wanting when the
    /// Journal is read again.
    func decisionTime() -> UTCInstant { max(now(), state.lastTime) }

    // MARK: - The Journal

    /// Appends drafts of any stages in their order and folds them. Each stage's run is one transaction; a crash between
    /// two runs is repaired at start, where what is missing is decided again with the same ids.
    ///
    /// An append that fails may stand all the same: then the log is read on, and it counts when it is there.
    /// - Parameter instant: the ``decisionTime()`` of what was decided by keys in force; nil: now.
    func append(_ drafts: [JournalDraft], at instant: UTCInstant? = nil) throws {
        // Whoever decides catches up first: a decision on less than the whole Journal may contradict it.
        guard !isUncertain else {
            throw HouseFileError(
                description: "the Journal could not be read after a failed append: see the log for why")
        }
        var rest = drafts[...]
        while let stage = rest.first?.stage {
            let run = rest.prefix(while: { $0.stage == stage }).prefix(SQLiteJournal.batchMax)
            rest = rest.dropFirst(run.count)
            let batch = JournalBatch(stage: stage, after: sequences[stage] ?? 0, drafts: Array(run))
            do {
                for event in try stores.journal.append(batch, now: instant ?? now()) { try foldAppended(event) }
            } catch let error as LogError {
                isUncertain = true
                try catchUp()
                guard try missing(batch.drafts).isEmpty else { throw error }
            }
        }
    }

    /// Whether an event with this id stands already: the answer of an earlier append got lost, or we were restarted.
    func stands(_ id: Digest) throws -> Bool { try stores.journal.position(of: id) != nil }

    /// Those of `drafts` that do not stand yet.
    func missing(_ drafts: [JournalDraft]) throws -> [JournalDraft] {
        try drafts.filter { try !stands($0.eventID) }
    }

    func sign(_ payload: [UInt8], as type: ContentType) throws -> SignedMessage {
        try SignedMessage.signing(payload, as: type, with: type == .receipt ? keys.receipt : keys.seal)
    }
}

/// Why a house does not start.
enum HouseStartError: Error, CustomStringConvertible {
    case noGenesis
    case otherClock(HouseClock)
    case otherKey(String)
    case otherOrigin(String)
    case epochUnnamed(LogName, String)

    var description: String {
        switch self {
        case .noGenesis: "the Journal is empty: run `kilomint-collector genesis --config FILE --house FILE` first"
        case .otherClock(let clock):
            "the configuration's clock is not the one genesis fixed (\(clock)): set `clock` to it, or point `data` to another house"
        case .otherOrigin(let base): "log_origin is not the one genesis fixed: set it to \(base)"
        case .epochUnnamed(let log, let origin):
            "\(origin) was ended and the Journal does not name it: run `kilomint-collector epoch open --log \(log.rawValue)` again"
        case .otherKey(let name): "keys.\(name) is not the key that genesis fixed: point it to the right file"
        }
    }
}
