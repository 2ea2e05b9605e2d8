// The house as a fold over its Journal: registry, windows, statements. Ledger, gate and weights have folds of their own.
// Everything here can be thrown away and folded again.

internal import CBOR
package import Evidence
package import Proofs
package import Quantities

/// Why a Journal cannot be folded. Each is final until somebody looks at the Journal.
package enum HouseFoldError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The first event is not a genesis, or a second one stands.
    case notGenesis(LogPosition)
    case event(LogPosition, EventError)
    case document(LogPosition, String)
    case outOfOrder(LogPosition, String)

    package var description: String {
        switch self {
        case .notGenesis(let position):
            "journal \(position): a Journal begins with one Genesis: run `kilomint-collector genesis` first"
        case .event(let position, let error): "journal \(position): \(error)"
        case .document(let position, let text): "journal \(position): a document does not hold: \(text)"
        case .outOfOrder(let position, let text): "journal \(position): \(text)"
        }
    }
}

package struct HouseState: Sendable {
    package internal(set) var registry: Registry
    /// In the order they were cut, which is the grid's.
    package internal(set) var windows: [WindowProgress] = []
    /// By identity of the envelope.
    package internal(set) var statements: [StatementInput] = []
    package internal(set) var reviews: [ReviewInput] = []
    package internal(set) var attestations: [(id: Digest, envelope: [UInt8], window: WindowID, verdict: DayVerdict)] =
        []
    package internal(set) var openEpochs: [LogName] = []
    package internal(set) var lastTime: UTCInstant
    private var windowIndex: [WindowID: Int] = [:]
    private var statementKeys: Set<StatementKey> = []
    private let check: @Sendable (SignedMessage, [UInt8]) -> Bool
    private let rawCheck: @Sendable ([UInt8], [UInt8], [UInt8]) -> Bool

    private struct StatementKey: Hashable, Sendable {
        let source: SourceKind
        let meteringPoint: Identifier
        let from: UTCInstant
        let to: UTCInstant
    }

    /// Begins with the Journal's first event.
    ///
    /// - Parameter rawCheck: see ``Registry/RawSignatureCheck``; without one no bound key is believed.
    package init(
        genesis event: JournalEvent,
        rawCheck: @escaping @Sendable ([UInt8], [UInt8], [UInt8]) -> Bool = { _, _, _ in false },
        check: @escaping @Sendable (SignedMessage, [UInt8]) -> Bool
    ) throws(HouseFoldError) {
        self.check = check
        self.rawCheck = rawCheck
        guard event.kind == Event.Kind.genesis.rawValue, let body = event.body else {
            throw .notGenesis(event.position)
        }
        do {
            registry = try Registry(try Genesis(decoding: body.encoded()), check: check)
        } catch { throw .document(event.position, "\(error)") }
        lastTime = event.time
    }

    package var genesis: Genesis { registry.genesis }

    package func window(_ id: WindowID) -> WindowProgress? { windowIndex[id].map { windows[$0] } }

    /// Whether a statement of this source, metering point and day stands already: the first accepted counts.
    package func hasStatement(like statement: SourceStatement) -> Bool {
        statementKeys.contains(
            StatementKey(
                source: statement.source, meteringPoint: statement.meteringPoint, from: statement.from, to: statement.to
            ))
    }

    /// Folds the next event of the Journal.
    package mutating func apply(_ entry: JournalEvent) throws(HouseFoldError) {
        let event: Event
        do throws(EventError) { event = try Event(entry) } catch { throw .event(entry.position, error) }
        guard let id = entry.id else { throw .event(entry.position, .erased(kind: entry.kind)) }
        lastTime = max(lastTime, entry.time)
        switch event {
        case .genesis: throw .notGenesis(entry.position)
        case .registered(let body): try register(body, entry)
        case .keyBound(let body): try bind(body, entry)
        case .epochOpened(let body): try openEpoch(body, entry)
        case .epochReconciled(let body): openEpochs.removeAll { $0 == body.log }
        case .statementReceived(let body): try receive(statement: body, entry)
        case .reviewReceived(let body): try receive(review: body, entry)
        case .windowCut(let body): try cut(body, id, entry)
        case .productionVerified(let body): try verified(body, id, entry)
        case .transcriptSealed(let body): try sealed(body, id, entry)
        case .authorizationDecided(let body): try decided(body, id, entry)
        default: try progress(event, id, entry)
        }
    }

    private mutating func progress(_ event: Event, _ id: Digest, _ entry: JournalEvent) throws(HouseFoldError) {
        switch event {
        case .reconciliationComplete(let body): try update(body.window, entry) { $0.reconciliations.append(body) }
        case .allocationCalculated(let body):
            try update(body.window, entry) { $0.allocation = .init(id: id, body: body) }
        case .replayCompared(let body): try update(body.window, entry) { $0.replay = .init(id: id, body: body) }
        case .issuanceComplete(let body): try update(body.window, entry) { $0.issued.append(.init(id: id, body: body)) }
        case .weightCalculated(let body): try update(body.window, entry) { $0.isWeighed = true }
        default: break
        }
    }

    /// Notes the supply after a window's credit; the ledger's fold knows it.
    package mutating func note(supply: Int128, after window: WindowID) {
        if let index = windowIndex[window] { windows[index].supplyAfter = supply }
    }

    private mutating func update(
        _ window: WindowID, _ entry: JournalEvent, _ change: (inout WindowProgress) -> Void
    ) throws(HouseFoldError) {
        guard let index = windowIndex[window] else {
            throw .outOfOrder(entry.position, "\(entry.kind) of \(window.text), which was never cut")
        }
        change(&windows[index])
    }

    private mutating func register(_ body: Event.Registered, _ entry: JournalEvent) throws(HouseFoldError) {
        do {
            try registry.register(try Document(body.document, as: .registration), at: entry.time, check: check)
        } catch { throw .document(entry.position, "\(error)") }
    }

    private mutating func bind(_ body: Event.KeyBound, _ entry: JournalEvent) throws(HouseFoldError) {
        do throws(BindingRefusal) {
            try registry.bind(body, commandID: entry.payload?.commandID, at: entry.time, check: rawCheck)
        } catch { throw .document(entry.position, "a key is bound to \(body.gateway): \(error)") }
    }

    private mutating func openEpoch(_ body: Event.EpochOpened, _ entry: JournalEvent) throws(HouseFoldError) {
        do {
            let epoch = try EpochDocument(decoding: try Document(body.document, as: .epoch).payload)
            let log: LogName = epoch.log == .journal ? .journal : .evidence
            if !openEpochs.contains(log) { openEpochs.append(log) }
        } catch { throw .document(entry.position, "\(error)") }
    }

    private mutating func receive(statement body: Event.Received, _ entry: JournalEvent) throws(HouseFoldError) {
        do {
            let message = try SignedMessage(parsing: body.envelope, as: .statement)
            let statement = try SourceStatement(decoding: message.payload)
            statements.append(
                StatementInput(identity: message.identity, payload: message.payload, statement: statement))
            statementKeys.insert(
                StatementKey(
                    source: statement.source, meteringPoint: statement.meteringPoint, from: statement.from,
                    to: statement.to))
        } catch { throw .document(entry.position, "\(error)") }
    }

    private mutating func receive(review body: Event.Received, _ entry: JournalEvent) throws(HouseFoldError) {
        do {
            let message = try SignedMessage(parsing: body.envelope, as: .review)
            reviews.append(
                ReviewInput(
                    identity: message.identity, payload: message.payload, review: try Review(decoding: message.payload))
            )
        } catch { throw .document(entry.position, "\(error)") }
    }

    private mutating func cut(_ body: Event.WindowCut, _ id: Digest, _ entry: JournalEvent) throws(HouseFoldError) {
        guard windowIndex[body.window] == nil else {
            throw .outOfOrder(entry.position, "\(body.window.text) is cut a second time")
        }
        windowIndex[body.window] = windows.count
        windows.append(WindowProgress(cut: body, cutID: id, cutAt: entry.time))
    }

    private mutating func verified(_ body: Event.ProductionVerified, _ id: Digest, _ entry: JournalEvent)
        throws(HouseFoldError)
    {
        do {
            for envelope in body.attestations {
                let message = try SignedMessage(
                    parsing: envelope, as: .attestation, bytesMax: SignedMessage.documentBytesMax)
                attestations.append(
                    (message.identity, envelope, body.window, try DayVerdict(decoding: message.payload)))
            }
        } catch { throw .document(entry.position, "\(error)") }
        try update(body.window, entry) { $0.verified.append(.init(id: id, body: body)) }
    }

    private mutating func sealed(_ body: Event.Received, _ id: Digest, _ entry: JournalEvent) throws(HouseFoldError) {
        let seal: Seal
        do {
            seal = try Seal(
                decoding: try SignedMessage(parsing: body.envelope, as: .seal, bytesMax: SignedMessage.documentBytesMax)
                    .payload)
        } catch { throw .document(entry.position, "\(error)") }
        try update(seal.window, entry) {
            $0.seal = .init(id: id, body: seal)
            $0.sealEnvelope = body.envelope
        }
    }

    private mutating func decided(_ body: Event.Received, _ id: Digest, _ entry: JournalEvent) throws(HouseFoldError) {
        let decision: GateDecision
        do {
            // A line for each principal: of a large house more than what is accepted from others.
            decision = try GateDecision(
                decoding: try SignedMessage(
                    parsing: body.envelope, as: .decision, bytesMax: SignedMessage.documentBytesMax
                ).payload)
        } catch { throw .document(entry.position, "\(error)") }
        try update(decision.window, entry) { $0.decision = .init(id: id, body: decision) }
    }
}
