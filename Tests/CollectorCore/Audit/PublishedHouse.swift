// A whole house in memory, with real keys: registrations, evidence, windows from cut to credit, and everything it would
// publish as files. What a dishonest house would do differently is handed in.

import CBOR
import CollectorCore
import Evidence
import Keys
import Metering
import Proofs
import Quantities

/// What a house does that it should not. Everything after it is signed and hashed as if it were right.
struct Misdeed {
    /// Alters or drops (nil) an event before it is written; the house goes on as if the event were the original.
    var draft: (JournalDraft) throws -> JournalDraft? = { $0 }
    var inputs: (inout WindowInputs) -> Void = { _ in }
    /// Alters the record with this number before the gateway signs it; the chain goes on from the altered one.
    var record: (UInt64, Record) -> Record = { $1 }
    /// Events that are written after one, beside the house's own state.
    var also: (JournalDraft) throws -> [JournalDraft] = { _ in [] }
    var outsideReplayAbove: UInt64?
    var verifier = "bank"
    /// Who signs the record with this number.
    var signsRecord: (UInt64) -> String = { _ in "gateway" }
}

/// Files by path as docs/formats/logs.md has them.
struct PublishedHouse {
    private(set) var files: [String: [UInt8]] = [:]
    let keys: [String: PrivateKey]
    let genesis: Genesis
    private let misdeed: Misdeed
    private let grid: WindowGrid
    private(set) var registry: Registry
    private(set) var ledger = Ledger()
    private var gate = Gate()
    private var governance = Governance()
    private var standing = Standing()
    private var statements: [StatementInput] = []
    private(set) var journal: [(entry: [UInt8], record: CBORValue)] = []
    private var sequences: [Stage: UInt64] = [:]
    private var evidence: [(entry: [UInt8], envelope: [UInt8], record: StoredRecord)] = []

    static let names = [
        "root", "person-1", "person-2", "gateway", "owner", "finance", "compliance", "auditor", "receipt", "log",
        "seal",
    ]
    /// Made once: the tests of a run share them.
    static let keyPairs: [String: PrivateKey] = {
        var keys: [String: PrivateKey] = [:]
        for name in names {
            do { keys[name] = try PrivateKey.generate(.eddsa) } catch { preconditionFailure("no key: \(error)") }
        }
        return keys
    }()

    /// Days of 24 000 Wh and 12 000 Wh in two windows, issued; alice then pays bob 1 K$.
    init(_ misdeed: Misdeed = Misdeed()) throws {
        self.misdeed = misdeed
        keys = Self.keyPairs
        func spki(_ name: String) -> [UInt8] { Self.keyPairs[name]!.publicKey.spki }
        let manifest = Manifest(
            number: 1, effectiveFrom: anchor, cadence: day, grace: day, billingGrade: [TestProfiles.revenue.digest],
            outsideReplayAbove: misdeed.outsideReplayAbove)
        genesis = Genesis(
            asset: "K$-TEST", anchor: anchor,
            keys: Genesis.Keys(roots: [spki("root")], log: spki("log"), receipt: spki("receipt"), seal: spki("seal")),
            manifest: try Document([
                try SignedMessage.signing(manifest.encoded, as: .manifest, with: Self.keyPairs["root"]!)
            ]),
            clock: .replayed(start: anchor, speed: 3600, zero: anchor), originBase: "test.example/house",
            tenant: id("test"))
        registry = try Registry(genesis, check: Self.check)
        grid = WindowGrid(anchor: anchor, manifest: manifest)
        let body = try CBORValue(decoding: genesis.encoded)
        try append([Event.genesis(body).draft(commandID: genesis.commandID)], at: anchor)
        try registerAll()
        try recordEvidence()
        for index in 0..<2 as Range<Int64> { try settleWindow(index) }
        if ledger.supply > 0 { try pay() }
        try publish()
    }

    static func check(_ message: SignedMessage, _ spki: [UInt8]) -> Bool {
        do { return message.isSigned(by: try PublicKey(spki: spki)) } catch { return false }
    }

    // MARK: - Journal

    private mutating func append(_ drafts: [JournalDraft], at time: UTCInstant) throws {
        for original in drafts {
            let event = try Event(kind: original.kind, body: original.payload.body)
            try ledger.apply(event, at: time)
            try gate.apply(event, id: original.eventID)
            try governance.apply(event, id: original.eventID)
            guard let draft = try misdeed.draft(original) else { continue }
            for written in [draft] + (try misdeed.also(draft)) { write(written, at: time) }
        }
    }

    private mutating func write(_ draft: JournalDraft, at time: UTCInstant) {
        let sequence = (sequences[draft.stage] ?? 0) + 1
        sequences[draft.stage] = sequence
        let salt = Array(Digest.test("salt \(journal.count)").bytes.prefix(16))
        let payload = draft.payload.encoded
        let entry = JournalEntry(
            kind: draft.kind, stage: draft.stage, sequence: sequence, time: time, digest: Digest(of: salt, payload))
        journal.append((entry.encoded, .array([.bytes(salt), .bytes(payload)])))
    }

    private mutating func register(_ body: Registration.Body, by signers: [String]) throws {
        let payload = Registration(number: 1, effectiveFrom: anchor, body: body).encoded
        let document = try Document(
            try signers.map { try SignedMessage.signing(payload, as: .registration, with: keys[$0]!) })
        try registry.register(document, at: anchor, check: Self.check)
        let draft = Event.registered(Event.Registered(document: document.cbor)).draft(commandID: document.id)
        try append([draft], at: anchor)
        let registration = Registration(number: 1, effectiveFrom: anchor, body: body)
        try append(ledger.opening(registration, eventID: draft.eventID), at: anchor)
    }

    private mutating func registerAll() throws {
        let dual = ["root", "person-1", "person-2"]
        for name in ["operator", "bank", "auditors"] {
            try register(.organisation(Organisation(id: id(name), name: name)), by: ["root"])
        }
        func key(_ name: String, _ role: KeyRole, _ subject: String, _ organisation: String) -> Registration.Body {
            .key(
                RegisteredKey(
                    spki: keys[name]!.publicKey.spki, role: role, subject: id(subject), organisation: id(organisation),
                    validTo: anchor + 365 * day))
        }
        for name in ["person-1", "person-2"] { try register(key(name, .person, name, "operator"), by: ["root"]) }
        try register(
            .entity(
                Entity(
                    id: id("serf"), organisation: id("operator"), population: 10,
                    shares: [
                        Entity.Share(principal: id("alice"), account: id("serf-alice"), ppm: 600_000),
                        Entity.Share(principal: id("bob"), account: id("serf-bob"), ppm: 400_000),
                    ])), by: ["root"])
        try register(.gateway(Gateway(id: id("gw-1"), entity: id("serf"), clockError: 1000)), by: ["root"])
        try register(key("gateway", .gateway, "gw-1", "operator"), by: dual)
        try register(key("owner", .owner, "serf", "operator"), by: dual)
        try register(key("finance", .financeVerifier, "finance", misdeed.verifier), by: dual)
        try register(key("compliance", .complianceVerifier, "compliance", misdeed.verifier), by: dual)
        try register(key("auditor", .auditor, "auditor", "auditors"), by: dual)
        for (name, profile, kind) in [
            ("main", "test/revenue", Meter.Class.midMeter), ("check", "test/inverter", .inverter),
        ] {
            try register(
                .meter(
                    Meter(
                        id: id(name), vendor: "ABB", model: name, serial: "serial-\(name)", gateway: id("gw-1"),
                        profileName: profile, meterClass: kind)), by: dual)
        }
        try register(
            .meteringPoint(
                MeteringPoint(
                    id: id("serf-1"), entity: id("serf"), nameplateWatts: 6000, direction: .export,
                    revenueMeter: id("main"),
                    checkMeters: [id("check")], latitude: 0, longitude: 0, performanceRatio: 800_000)), by: dual)
    }

    // MARK: - Evidence

    private mutating func recordEvidence() throws {
        var gateway = TestGateway()
        gateway.bear(interval: 3_600_000)
        var state = TestCounters()
        gateway.open(state)
        gateway.produce([24_000, 12_000], state: &state)
        var previous = Digest.zero
        for stored in gateway.records {
            let own = stored.record
            let place = RecordPlace(
                gateway: own.place.gateway, stream: own.place.stream, sequence: own.place.sequence, previous: previous)
            let record = misdeed.record(
                place.sequence,
                Record(place: place, clock: own.clock, completeThrough: own.completeThrough, body: own.body))
            let key = keys[misdeed.signsRecord(place.sequence)]!
            let message = try SignedMessage.signing(record.encoded, as: .record, with: key)
            previous = if case .skip(let skip) = record.body { skip.identity } else { message.identity }
            let entry = EvidenceEntry(
                gateway: place.gateway, stream: place.stream, sequence: place.sequence, identity: message.identity,
                envelopeBytes: UInt64(message.encoded.count), receivedAt: stored.receivedAt)
            evidence.append(
                (
                    entry.encoded, message.encoded,
                    StoredRecord(record: record, identity: message.identity, receivedAt: stored.receivedAt)
                ))
        }
    }

    // MARK: - Windows

    private func sign(_ payload: [UInt8], _ type: ContentType, _ name: String) throws -> SignedMessage {
        try SignedMessage.signing(payload, as: type, with: keys[name]!)
    }

    private mutating func settleWindow(_ index: Int64) throws {
        let window = grid.window(index)!
        let now = grid.cutInstant(of: window)
        if index == 0 { try state(window) }
        let count = evidence.count { $0.record.receivedAt <= now }
        let checkpoint = Checkpoint(
            origin: "test.example/house/evidence/1", size: UInt64(count),
            root: MerkleTree.root(ofLeafHashes: evidence.prefix(count).map { MerkleTree.leafHash($0.entry) }))
        var admission = Admission()
        for item in evidence.prefix(count) { _ = admission.admit(item.record, clockError: 1000) }
        var inputs = WindowInputs(
            cutting: window, registry: registry, standing: standing, admission: admission,
            sources: CutSources(
                profiles: [TestProfiles.revenue, TestProfiles.inverter].reduce(into: [:]) {
                    $0[$1.digest] = $1.encoded()
                },
                statements: statements, reviews: [], isHeld: { _, _, _ in false }))
        misdeed.inputs(&inputs)
        let (outcome, transcript) = computeWindow(inputs)
        for segment in transcript.segments { files["segments/\(segment.reference.digest)"] = segment.bytes }
        let segments = transcript.segments.filter { $0.reference.kind == .inputs }.map(\.reference.digest)
        let cut = Event.windowCut(
            Event.WindowCut(
                window: window.id, start: window.start, end: window.end, manifest: genesis.manifest.id,
                evidence: checkpoint,
                entities: inputs.spans.map {
                    Event.WindowCut.EntityCut(
                        entity: $0.entity, settledThrough: $0.completeThrough, reason: nil, late: $0.late)
                }, segments: segments, inputDigest: outcome.inputDigest)
        ).draft(commandID: CommandID.time(purpose: "cut", window: window.id.text))
        try append([cut], at: now)
        try verify(outcome, window, cut.eventID, at: now)
        try seal(outcome, transcript, window, checkpoint, at: now)
        try release(window, outcome, at: now + hour)
        standing.settle(outcome.output)
    }

    private mutating func state(_ window: Window) throws {
        let own = TestHouse.statement(.auditor, 0, 24_000)
        let raw = Array("read at both instants".utf8)
        files["sources/\(Digest(of: raw))"] = raw
        let statement = SourceStatement(
            source: .auditor, meteringPoint: own.meteringPoint, from: own.from, to: own.to, wattHours: own.wattHours,
            resolutionWattHours: own.resolutionWattHours, inputs: [Digest(of: raw)], issuedAt: own.issuedAt,
            method: "test")
        let message = try sign(statement.encoded, .statement, "auditor")
        statements.append(StatementInput(identity: message.identity, payload: message.payload, statement: statement))
        try append(
            [Event.statementReceived(Event.Received(envelope: message.encoded)).draft(commandID: message.identity)],
            at: window.end)
    }

    private mutating func verify(_ outcome: WindowOutcome, _ window: Window, _ cut: Digest, at now: UTCInstant) throws {
        for verdict in outcome.verdicts {
            let command = CommandID.caused(by: cut, purpose: "verify/\(verdict.entity)")
            let attestations = try verdict.settledDays.map { try sign($0.encoded, .attestation, "seal").encoded }
            try append(
                [
                    Event.reconciliationComplete(
                        Event.ReconciliationComplete(window: window.id, entity: verdict.entity, days: verdict.days)
                    ).draft(commandID: command),
                    Event.productionVerified(
                        Event.ProductionVerified(
                            window: window.id, entity: verdict.entity, settledFrom: verdict.settledFrom,
                            settledThrough: verdict.settledThrough,
                            verified: Energy(wattHours: verdict.verifiedWattHours),
                            lowestConfidence: PartsPerMillion(verdict.lowestConfidence ?? 0)!,
                            attestations: attestations)
                    ).draft(commandID: command, ordinal: 1),
                ], at: now)
        }
        let weights = governance.preliminaryWeights(
            after: window.id, registry: registry, manifest: registry.manifest(at: window.start), at: window.end)
        try append([weights].compactMap(\.self), at: now)
    }

    private mutating func seal(
        _ outcome: WindowOutcome, _ transcript: Transcript, _ window: Window, _ checkpoint: Checkpoint,
        at now: UTCInstant
    ) throws {
        let seal = Seal(
            window: window.id, outputDigest: outcome.outputDigest, transcriptRoot: transcript.root,
            evidence: checkpoint,
            segments: transcript.segments.map(\.reference), sealedAt: now)
        try append(
            [
                Event.allocationCalculated(
                    Event.AllocationCalculated(
                        window: window.id, outputDigest: outcome.outputDigest, allocations: outcome.output.allocations,
                        carries: outcome.output.carries)
                ).draft(commandID: .test("allocate \(window.id)")),
                Event.transcriptSealed(Event.Received(envelope: try sign(seal.encoded, .seal, "seal").encoded))
                    .draft(commandID: .test("seal \(window.id)")),
                Event.replayCompared(
                    Event.ReplayCompared(
                        window: window.id, outputDigest: outcome.outputDigest, replayDigest: outcome.outputDigest,
                        isEqual: true, text: "")
                ).draft(commandID: .test("replay \(window.id)")),
            ], at: now)
    }

    private mutating func release(_ window: Window, _ outcome: WindowOutcome, at now: UTCInstant) throws {
        for (kind, name) in [(ProofKind.acknowledged, "finance"), (.complianceTested, "compliance")] {
            let proof = Proof(
                kind: kind, window: window.id, outputDigest: outcome.outputDigest, principal: nil, isValid: true,
                issuedAt: now, expiresAt: now + day, verifier: id(name), replayDigest: outcome.outputDigest)
            let message = try sign(proof.encoded, .proof, name)
            try append(
                [Event.proofReceived(Event.Received(envelope: message.encoded)).draft(commandID: message.identity)],
                at: now)
        }
        let conditions = GateConditions(manifest: registry.manifest(at: window.start))
        // Nobody to decide about where a misdeed kept the day from settling.
        guard let decision = gate.decision(window.id, registry: registry, conditions: conditions, at: now) else {
            return
        }
        let envelope = try sign(decision.encoded, .decision, "seal").encoded
        for draft in try gate.drafts(of: decision, envelope: envelope) {
            try append([draft], at: now)
            guard case .issuanceComplete(let issuance) = try Event(kind: draft.kind, body: draft.payload.body) else {
                continue
            }
            try append([try ledger.crediting(issuance, eventID: draft.eventID)].compactMap(\.self), at: now)
        }
    }

    private mutating func pay() throws {
        let now = anchor + 4 * day
        let order = Order(
            transfer: TransferID(Digest.test("payment").bytes.prefix(16))!, debit: id("serf-alice"),
            credit: id("serf-bob"),
            amount: Amount(minorUnits: 1_000_000), memo: "thanks", issuedAt: now)
        let message = try sign(order.encoded, .order, "owner")
        let transfer = Transfer(
            id: order.transfer, debit: order.debit, credit: order.credit, amount: order.amount, code: .transfer,
            cause: message.identity)
        try append(
            [
                Event.transferPosted(Event.Ordered(transfer: transfer, order: message.encoded))
                    .draft(commandID: message.identity)
            ], at: now)
    }

    // MARK: - Files

    private mutating func publish() throws {
        try publish(.journal, journal.map(\.entry), journal.map(\.record))
        try publish(.evidence, evidence.map(\.entry), evidence.map { .bytes($0.envelope) })
        let raw = Array(genesis.keys.log.suffix(32))
        files["house"] =
            HouseContents(
                journalEpochs: 1, evidenceEpochs: 1,
                keys: [NoteVerifierKey(name: "test.example/house/journal/1", ed25519: raw)!]
            ).encoded
    }

    private mutating func publish(_ log: LogName, _ entries: [[UInt8]], _ records: [CBORValue]) throws {
        let path = "log/\(log.rawValue)/1/"
        var frontier = MerkleFrontier()
        for entry in entries { frontier.append(MerkleTree.leafHash(entry)) }
        let origin = "test.example/house/\(log.rawValue)/1"
        let checkpoint = Checkpoint(origin: origin, size: UInt64(entries.count), root: frontier.root)
        let key = NoteVerifierKey(name: origin, ed25519: Array(genesis.keys.log.suffix(32)))!
        let note = SignedNote(
            text: checkpoint.text,
            signatures: [
                SignedNote.Signature(
                    name: origin, keyID: key.keyID, signature: try keys["log"]!.sign(Array(checkpoint.text.utf8)))
            ])
        files[path + "checkpoint"] = Array(note.encoded.utf8)
        for start in stride(from: 0, to: entries.count, by: Tile.width) {
            let part = entries[start..<min(start + Tile.width, entries.count)]
            let tile = Tile(level: 0, index: UInt64(start / Tile.width), hashes: part.count)
            files[path + tile.entriesPath] = part.flatMap { [UInt8($0.count >> 8), UInt8($0.count & 0xFF)] + $0 }
            files[path + tile.path] = part.flatMap { MerkleTree.leafHash($0).bytes }
            files["records/\(log.rawValue)/1/\(start / Tile.width)"] =
                CBORValue.array(Array(records[start..<min(start + Tile.width, records.count)])).encoded()
        }
    }

    // MARK: - Audit

    /// Replaces a file, or takes it away.
    mutating func replace(_ path: String, with bytes: [UInt8]?) { files[path] = bytes }

    var tools: AuditTools {
        let files = files
        return AuditTools(
            read: { files[$0] }, isSigned: Self.check,
            isRawSigned: { message, signature, spki in
                do { return try PublicKey(spki: spki).verify(signature: signature, over: message) } catch {
                    return false
                }
            })
    }

    func verify(_ pins: AuditPins = AuditPins()) async throws -> AuditSummary {
        try await HouseAudit.verify(pins, tools)
    }
}
