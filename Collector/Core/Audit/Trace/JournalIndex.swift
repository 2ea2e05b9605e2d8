// The Journal folded just far enough to find things in it: where each event of a window stands, the registry, the ledger.

internal import Evidence
internal import Proofs
internal import Quantities

/// Where what stands. Owned by one trace.
struct JournalIndex {
    struct Found<Body> {
        let event: JournalEvent
        let body: Body
    }

    struct WindowEvents {
        var cut: Found<Event.WindowCut>?
        var allocation: Found<Event.AllocationCalculated>?
        var seal: Found<Event.Received>?
        var replay: Found<Event.ReplayCompared>?
        var proofs: [Found<Event.Received>] = []
        var decisions: [Found<Event.Received>] = []
        var productions: [Found<Event.ProductionVerified>] = []
    }

    private(set) var registry: Registry
    private(set) var ledger = Ledger()
    private(set) var windows: [WindowID: WindowEvents] = [:]
    /// By event id.
    private(set) var issuances: [Digest: Found<Event.IssuanceComplete>] = [:]
    /// Settlement's events by transfer.
    private(set) var transfers: [TransferID: JournalEvent] = [:]
    /// By document id, with their signers' number.
    private(set) var registrations: [Digest: (event: JournalEvent, envelopes: Int)] = [:]

    init(_ images: HouseImages, _ tools: AuditTools) async throws {
        do throws(RegistrationRefusal) { registry = try Registry(images.genesis, check: tools.isSigned) } catch {
            throw AuditFailure(.event(.start, kind: "Genesis"), "its manifest: \(error)")
        }
        var reader = JournalReader(images.journal)
        while let (event, body) = try await reader.next(tools) {
            tools.progress("reading events", reader.count, reader.total)
            try take(event, body, tools)
        }
    }

    private mutating func take(_ event: JournalEvent, _ body: Event, _ tools: AuditTools) throws {
        let place = AuditPlace.event(event.position, kind: event.kind)
        switch body {
        case .registered(let body): try register(body, event, tools)
        case .keyBound(let body):
            do throws(BindingRefusal) {
                try registry.bind(body, commandID: event.payload?.commandID, at: event.time, check: tools.isRawSigned)
            } catch { throw AuditFailure(place, "\(error)") }
        case .windowCut(let body): windows[body.window, default: WindowEvents()].cut = Found(event: event, body: body)
        case .productionVerified(let body):
            windows[body.window, default: WindowEvents()].productions.append(Found(event: event, body: body))
        case .allocationCalculated(let body):
            windows[body.window, default: WindowEvents()].allocation = Found(event: event, body: body)
        case .transcriptSealed(let body):
            let seal: Seal = try Self.payload(body, .seal, place)
            windows[seal.window, default: WindowEvents()].seal = Found(event: event, body: body)
        case .replayCompared(let body):
            windows[body.window, default: WindowEvents()].replay = Found(event: event, body: body)
        case .proofReceived(let body):
            let proof: Proof = try Self.payload(body, .proof, place)
            windows[proof.window, default: WindowEvents()].proofs.append(Found(event: event, body: body))
        case .authorizationDecided(let body):
            let decision: GateDecision = try Self.payload(body, .decision, place)
            windows[decision.window, default: WindowEvents()].decisions.append(Found(event: event, body: body))
        case .issuanceComplete(let body): if let id = event.id { issuances[id] = Found(event: event, body: body) }
        case .accountOpened, .accountCredited, .transferPosted, .transferRefused, .holdPlaced, .holdPosted, .holdVoided:
            try settle(body, event, place)
        default: break
        }
    }

    private mutating func settle(_ body: Event, _ event: JournalEvent, _ place: AuditPlace) throws {
        do throws(LedgerError) { try ledger.apply(body, at: event.time) } catch {
            throw AuditFailure(place, "\(error)")
        }
        if let transfer = body.transfer { transfers[transfer.id] = event }
    }

    private mutating func register(_ body: Event.Registered, _ event: JournalEvent, _ tools: AuditTools) throws {
        let place = AuditPlace.event(event.position, kind: event.kind)
        do {
            let document = try Document(body.document, as: .registration)
            try registry.register(document, at: event.time, check: tools.isSigned)
            registrations[document.id] = (event, document.envelopes.count)
        } catch { throw AuditFailure(place, "\(error)") }
    }

    static func payload<Payload: HousePayload>(
        _ body: Event.Received, _ type: ContentType, _ place: AuditPlace
    ) throws -> Payload {
        do {
            let message = try SignedMessage(parsing: body.envelope, as: type, bytesMax: SignedMessage.documentBytesMax)
            return try Payload(decoding: message.payload)
        } catch { throw AuditFailure(place, "carries no \(type.rawValue) (\(error))") }
    }
}

extension Event {
    /// The transfer that settlement's events carry.
    var transfer: Transfer? {
        switch self {
        case .accountCredited(let body): body.transfer
        case .transferPosted(let body), .holdPlaced(let body): body.transfer
        case .holdPosted(let body), .holdVoided(let body): body.transfer
        default: nil
        }
    }
}
