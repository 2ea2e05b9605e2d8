// The audit of a whole house: every event of the Journal in order, computed again from what it was caused by. Stops at the
// first that does not hold. Each stage's checks stand in an extension.

internal import CBOR
internal import Evidence
internal import Proofs
internal import Quantities

/// One run over one house. Owned by one task.
package final class HouseAudit {
    let tools: AuditTools
    let images: HouseImages
    let evidence: EvidenceFold
    var registry: Registry
    var standing = Standing()
    var ledger = Ledger()
    var governance = Governance()
    var summary = AuditSummary()

    /// In the order of their cuts.
    var windows: [AuditedWindow] = []
    var windowIndices: [WindowID: Int] = [:]
    /// A window that was cut and whose input segments are not published: nothing may follow from it yet.
    var uncomputed: WindowID?
    /// Profiles as transcripts carry them, by digest.
    var profiles: [Digest: [UInt8]] = [:]
    var statements: [StatementInput] = []
    var reviews: [ReviewInput] = []
    /// Issuances by event id.
    var issuances: [Digest: Event.IssuanceComplete] = [:]
    /// Logs that lost their tail and are not reconciled at this event.
    var unreconciled: [LogName] = []
    /// Intake's events, judged when all evidence is folded.
    var intakeEvents: [(event: JournalEvent, body: Event)] = []

    private init(_ images: HouseImages, _ registry: Registry, _ counter: SignatureCounter, _ pins: AuditPins) {
        tools = counter.tools
        self.images = images
        self.registry = registry
        evidence = EvidenceFold(images.evidence, clock: images.genesis.clock, counter.tools)
        summary.genesis = Digest(of: images.genesis.encoded)
        summary.asset = images.genesis.asset
        summary.isReplay = images.genesis.mode == 1
        summary.isPinned = !pins.isEmpty
    }

    /// Checks everything.
    ///
    /// - Throws: ``AuditFailure`` for the first thing that does not hold; what `tools.read` throws.
    package static func verify(_ pins: AuditPins, _ tools: AuditTools) async throws -> AuditSummary {
        let counter = SignatureCounter(tools)
        let images = try await HouseImages.load(pins, counter.tools)
        let place = AuditPlace.event(.start, kind: "Genesis")
        let registry: Registry
        do throws(RegistrationRefusal) { registry = try Registry(images.genesis, check: counter.tools.isSigned) } catch
        {
            throw AuditFailure(place, "its manifest: \(error)")
        }
        let audit = HouseAudit(images, registry, counter, pins)
        try await audit.run()
        return audit.finished(signatures: counter.count)
    }

    private func run() async throws {
        var reader = JournalReader(images.journal)
        while let (event, body) = try await reader.next(tools) {
            tools.progress("checking events", reader.count, reader.total)
            try await take(event, body)
        }
        summary.events = reader.count
        try await evidence.finish(registry)
        try judgeIntake()
        do throws(LedgerError) { try ledger.checkConservation() } catch {
            throw AuditFailure(.file("log/journal"), "the ledger it gives does not balance: \(error)")
        }
    }

    private func take(_ event: JournalEvent, _ body: Event) async throws {
        let place = AuditPlace.event(event.position, kind: event.kind)
        switch body {
        case .genesis:
            guard event.position == .start else {
                throw AuditFailure(place, "a house has one genesis, its first event")
            }
        case .registered(let body): try register(body, event, place)
        case .keyBound(let body): try bind(body, event, place)
        case .epochOpened(let body): try open(body, place)
        case .epochReconciled(let body): unreconciled.removeAll { $0 == body.log }
        case .recordRefused: break
        case .findingMade, .streamForked, .streamEnded, .gatewayCloned, .identityChanged:
            intakeEvents.append((event, body))
        case .windowCut(let body): try await cut(body, event, place)
        case .statementReceived(let body): try await receive(statement: body, event, place)
        case .reviewReceived(let body): try receive(review: body, event, place)
        case .reconciliationComplete(let body): try compare(body, place)
        case .anomalyDetected(let body): try compare(body, place)
        case .disputeOpened(let body): try compare(body, place)
        case .productionVerified(let body): try compare(body, place)
        case .allocationCalculated(let body): try compare(body, place)
        case .transcriptSealed(let body): try await seal(body, event, place)
        case .replayCompared(let body): try compare(body, place)
        case .proofReceived(let body): try receive(proof: body, event, place)
        case .authorizationDecided(let body): try decide(body, event, place)
        case .issuanceComplete(let body): try issue(body, event, place)
        case .accountOpened, .accountCredited, .transferPosted, .transferRefused, .holdPlaced, .holdPosted, .holdVoided:
            try settle(body, event, place)
        case .weightCalculated(let body): try compare(body, event, place)
        }
        try remember(body, event, place)
    }

    private func finished(signatures: UInt64) -> AuditSummary {
        summary.heads = images.heads.map { image in
            AuditSummary.Head(
                origin: image.origin.description, size: image.checkpoint.size, root: image.checkpoint.root)
        }
        summary.gateways = evidence.intake.gatewayIDs.count
        (summary.streams, summary.records, summary.readings) = (evidence.streams, evidence.records, evidence.readings)
        summary.windowsCut = windows.count
        summary.windowsSealed = windows.count { $0.seal != nil }
        summary.signatures = signatures
        summary.accounts = ledger.accountIDs.count
        (summary.supply, summary.issued, summary.destroyed) = (ledger.supply, ledger.issued, ledger.destroyed)
        if let end = windows.last?.cut.end {
            let plant = registry.plant(at: end)
            summary.meters = Set(plant.sites.flatMap { $0.meteringPoints.flatMap(\.meters) }).sorted()
        }
        summary.verifiers = Set(windows.flatMap { $0.proofs.map(\.proof.verifier) }).sorted()
        return summary
    }

    // MARK: - House

    private func register(_ body: Event.Registered, _ event: JournalEvent, _ place: AuditPlace) throws {
        let document: Document
        do throws(DocumentError) { document = try Document(body.document, as: .registration) } catch {
            throw AuditFailure(place, "is no document of ours (\(error))")
        }
        do throws(RegistrationRefusal) {
            try registry.register(document, at: event.time, check: tools.isSigned)
        } catch { throw AuditFailure(place, "registration \(document.id): \(error)") }
        summary.registrations += 1
    }

    /// The claim, its secret, the request and its key: all that the collector saw when it bound the key.
    private func bind(_ body: Event.KeyBound, _ event: JournalEvent, _ place: AuditPlace) throws {
        do throws(BindingRefusal) {
            try registry.bind(body, commandID: event.payload?.commandID, at: event.time, check: tools.isRawSigned)
        } catch {
            throw AuditFailure(
                place, "binds a key to \(body.gateway) that no claim allows (\(error.rawValue)): \(error)")
        }
    }

    private func open(_ body: Event.EpochOpened, _ place: AuditPlace) throws {
        do {
            let document = try Document(body.document, as: .epoch)
            let epoch = try EpochDocument(decoding: document.payload)
            unreconciled.append(epoch.log == .journal ? .journal : .evidence)
            let roots = images.genesis.keys.roots
            let isSigned = document.envelopes.contains { envelope in roots.contains { tools.isSigned(envelope, $0) } }
            guard isSigned else { throw AuditFailure(place, "is not signed by a root key") }
        } catch let error as AuditFailure { throw error } catch {
            throw AuditFailure(place, "is no epoch document (\(error))")
        }
    }

    func window(_ id: WindowID, _ place: AuditPlace) throws -> Int {
        guard uncomputed != id else {
            throw AuditFailure(
                .window(id), "its input segments are missing: nothing that follows from it can be checked")
        }
        guard let index = windowIndices[id] else {
            throw AuditFailure(place, "names window \(id), which was not cut before")
        }
        return index
    }

    /// An envelope of the house's seal key.
    func sealed(_ envelope: [UInt8], as type: ContentType, _ place: AuditPlace) throws -> SignedMessage {
        let message = try message(envelope, as: type, place)
        guard tools.isSigned(message, images.genesis.keys.seal) else {
            throw AuditFailure(place, "is not signed by the seal key that genesis fixed")
        }
        return message
    }

    func message(_ envelope: [UInt8], as type: ContentType, _ place: AuditPlace) throws -> SignedMessage {
        do throws(EnvelopeError) {
            return try SignedMessage(parsing: envelope, as: type, bytesMax: SignedMessage.documentBytesMax)
        } catch { throw AuditFailure(place, "carries no envelope of type \(type.rawValue) (\(error))") }
    }

    /// A payload that must be readable: its signature stands already.
    func payload<Payload: HousePayload>(_ message: SignedMessage, _ place: AuditPlace) throws -> Payload {
        do throws(ShapeError) { return try Payload(decoding: message.payload) } catch {
            throw AuditFailure(place, "\(error)")
        }
    }
}

/// Counts what it lets through.
final class SignatureCounter {
    private(set) var count: UInt64 = 0
    private let outside: AuditTools

    init(_ tools: AuditTools) { outside = tools }

    var tools: AuditTools {
        let outside = outside
        return AuditTools(
            read: outside.read,
            isSigned: { message, spki in
                self.count += 1
                return outside.isSigned(message, spki)
            },
            isRawSigned: { message, signature, spki in
                self.count += 1
                return outside.isRawSigned(message, signature, spki)
            }, progress: outside.progress)
    }
}
