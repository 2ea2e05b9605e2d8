// A house that signs and hashes everything afresh after doing wrong: nothing is broken, only wrong.

import CBOR
import CollectorCore
import Evidence
import Keys
import Kit
import Proofs
import Quantities
import Testing

/// A misdeed by name, and words of the finding that must name it.
struct NamedMisdeed: CustomTestStringConvertible, Sendable {
    let name: String
    let finding: String
    let make: @Sendable () -> Misdeed

    var testDescription: String { name }

    /// Alters events of one kind.
    init(_ name: String, _ kind: Event.Kind, finding: String, _ change: @escaping @Sendable (Event) throws -> Event?) {
        self.name = name
        self.finding = finding
        make = {
            Misdeed(draft: { draft in
                guard draft.kind == kind.rawValue else { return draft }
                guard let changed = try change(try Event(kind: draft.kind, body: draft.payload.body)) else {
                    return nil
                }
                return changed.draft(commandID: draft.payload.commandID, ordinal: draft.payload.ordinal)
            })
        }
    }

    init(_ name: String, finding: String, _ make: @escaping @Sendable () -> Misdeed) {
        (self.name, self.finding, self.make) = (name, finding, make)
    }
}

private func signed(_ payload: [UInt8], _ type: ContentType, by name: String) throws -> Event.Received {
    Event.Received(
        envelope: try SignedMessage.signing(payload, as: type, with: PublishedHouse.keyPairs[name]!).encoded)
}

private func payload(_ body: Event.Received, _ type: ContentType) throws -> [UInt8] {
    try SignedMessage(parsing: body.envelope, as: type, bytesMax: SignedMessage.documentBytesMax).payload
}

private let money: [NamedMisdeed] = [
    NamedMisdeed("an allocation of one minor unit more", .allocationCalculated, finding: "allots") { event in
        guard case .allocationCalculated(let body) = event else { return event }
        let lines = body.allocations.map {
            Allocation(
                entity: $0.entity, principal: $0.principal, account: $0.account, ppm: $0.ppm,
                amount: Amount(minorUnits: $0.amount.minorUnits + 1), verifiedWattHours: $0.verifiedWattHours)
        }
        return .allocationCalculated(
            Event.AllocationCalculated(
                window: body.window, outputDigest: body.outputDigest, allocations: lines, carries: body.carries))
    },
    NamedMisdeed("an issuance of one minor unit more", .issuanceComplete, finding: "issues") { event in
        guard case .issuanceComplete(let body) = event else { return event }
        return .issuanceComplete(
            Event.IssuanceComplete(
                window: body.window, entity: body.entity, principal: body.principal, account: body.account,
                amount: Amount(minorUnits: body.amount.minorUnits + 1), outputDigest: body.outputDigest))
    },
    NamedMisdeed("a credit of one minor unit more", .accountCredited, finding: "credits") { event in
        guard case .accountCredited(let body) = event else { return event }
        let own = body.transfer
        return .accountCredited(
            Event.AccountCredited(
                transfer: Transfer(
                    id: own.id, debit: own.debit, credit: own.credit,
                    amount: Amount(minorUnits: own.amount.minorUnits + 1),
                    code: own.code, cause: own.cause)))
    },
    NamedMisdeed("a credit to somebody else", .accountCredited, finding: "is not the credit") { event in
        guard case .accountCredited(let body) = event, body.transfer.credit == id("serf-alice") else { return event }
        let own = body.transfer
        return .accountCredited(
            Event.AccountCredited(
                transfer: Transfer(
                    id: own.id, debit: own.debit, credit: id("serf-bob"), amount: own.amount, code: own.code,
                    cause: own.cause)))
    },
    NamedMisdeed("an order that the owner did not sign", .transferPosted, finding: "not signed by the owner") { event in
        guard case .transferPosted(let body) = event else { return event }
        let order = try SignedMessage(parsing: body.order, as: .order).payload
        let forged = try SignedMessage.signing(order, as: .order, with: PublishedHouse.keyPairs["seal"]!)
        return .transferPosted(Event.Ordered(transfer: body.transfer, order: forged.encoded))
    },
    NamedMisdeed("no issuance behind a credit", .issuanceComplete, finding: "without an issuance") { _ in nil },
    NamedMisdeed("weights moved", .weightCalculated, finding: "weighs otherwise") { event in
        guard case .weightCalculated(let body) = event, let own = body.weights.first else { return event }
        let changed = Event.WeightCalculated.Weight(
            entity: own.entity, production: own.production, population: own.population + 1, units: own.units)
        return .weightCalculated(
            Event.WeightCalculated(window: body.window, isPreliminary: true, weights: [changed]))
    },
]

private let gate: [NamedMisdeed] = [
    NamedMisdeed("no proof of compliance", .proofReceived, finding: "acceptance digest") { event in
        guard case .proofReceived(let body) = event else { return event }
        return try Proof(decoding: payload(body, .proof)).kind == .complianceTested ? nil : event
    },
    NamedMisdeed("a proof that the house signed itself", .proofReceived, finding: "not signed by a key in force") {
        event in
        guard case .proofReceived(let body) = event else { return event }
        return .proofReceived(try signed(payload(body, .proof), .proof, by: "seal"))
    },
    NamedMisdeed("a decision that the seal key did not sign", .authorizationDecided, finding: "seal key") { event in
        guard case .authorizationDecided(let body) = event else { return event }
        return .authorizationDecided(try signed(payload(body, .decision), .decision, by: "owner"))
    },
    NamedMisdeed("no decision", .authorizationDecided, finding: "whom no decision allowed") { _ in nil },
    NamedMisdeed("no replay", .replayCompared, finding: "no replay had come") { _ in nil },
    NamedMisdeed("a seal over another output", .transcriptSealed, finding: "output digest") { event in
        guard case .transcriptSealed(let body) = event else { return event }
        let own = try Seal(decoding: payload(body, .seal))
        let other = Seal(
            window: own.window, outputDigest: .test("other"), transcriptRoot: own.transcriptRoot,
            evidence: own.evidence,
            segments: own.segments, sealedAt: own.sealedAt)
        return .transcriptSealed(try signed(other.encoded, .seal, by: "seal"))
    },
    NamedMisdeed("more energy verified than the inputs give", .productionVerified, finding: "the inputs give 24000 Wh")
    { event in
        guard case .productionVerified(let body) = event, body.verified.wattHours == 24_000 else { return event }
        return .productionVerified(
            Event.ProductionVerified(
                window: body.window, entity: body.entity, settledFrom: body.settledFrom,
                settledThrough: body.settledThrough,
                verified: Energy(wattHours: 24_001), lowestConfidence: body.lowestConfidence,
                attestations: body.attestations))
    },
    NamedMisdeed("a registration without dual control", .registered, finding: "registration") { event in
        guard case .registered(let body) = event else { return event }
        let document = try Document(body.document, as: .registration)
        guard document.envelopes.count > 1 else { return event }
        let root = PublishedHouse.keyPairs["root"]!.kid
        return .registered(Event.Registered(document: try Document(document.envelopes.filter { $0.kid == root }).cbor))
    },
    NamedMisdeed("a statement the auditor did not sign", .statementReceived, finding: "not signed by a key in force") {
        event in
        guard case .statementReceived(let body) = event else { return event }
        return .statementReceived(try signed(payload(body, .statement), .statement, by: "finance"))
    },
    NamedMisdeed("another evidence checkpoint", .windowCut, finding: "names root") { event in
        guard case .windowCut(let body) = event else { return event }
        let other = Checkpoint(origin: body.evidence.origin, size: body.evidence.size - 1, root: body.evidence.root)
        return .windowCut(
            Event.WindowCut(
                window: body.window, start: body.start, end: body.end, manifest: body.manifest, evidence: other,
                entities: body.entities, segments: body.segments, inputDigest: body.inputDigest))
    },
]

/// Alters every decision and signs it again.
private func deciding(_ change: @escaping @Sendable (GateDecision) -> GateDecision) -> (JournalDraft) throws ->
    JournalDraft
{
    { draft in
        guard draft.kind == Event.Kind.authorizationDecided.rawValue,
            case .authorizationDecided(let body) = try Event(kind: draft.kind, body: draft.payload.body)
        else { return draft }
        let changed = change(try GateDecision(decoding: payload(body, .decision)))
        return Event.authorizationDecided(try signed(changed.encoded, .decision, by: "seal"))
            .draft(commandID: draft.payload.commandID, ordinal: draft.payload.ordinal)
    }
}

/// Writes an event after each of one kind.
private func after(
    _ kind: Event.Kind, _ event: @escaping @Sendable (Event) throws -> Event?
) -> (JournalDraft) throws -> [JournalDraft] {
    { draft in
        guard draft.kind == kind.rawValue else { return [] }
        let found = try event(try Event(kind: draft.kind, body: draft.payload.body))
        return found.map { [$0.draft(commandID: .test("after \(draft.eventID)"))] } ?? []
    }
}

private func opened(_: Event) throws -> Event {
    let epoch = EpochDocument(
        log: .evidence, endedOrigin: "test.example/house/evidence/1", lastCheckpoint: [], openedAt: anchor)
    let envelope = try SignedMessage.signing(epoch.encoded, as: .epoch, with: PublishedHouse.keyPairs["root"]!)
    return .epochOpened(Event.EpochOpened(document: try Document([envelope]).cbor))
}

private let release: [NamedMisdeed] = [
    NamedMisdeed("a decision of an earlier hour, when proofs were fresh", finding: "its event stands at") {
        Misdeed(
            draft: deciding {
                GateDecision(
                    window: $0.window, outputDigest: $0.outputDigest, acceptanceDigest: $0.acceptanceDigest,
                    lines: $0.lines, decidedAt: $0.decidedAt + -1)
            })
    },
    NamedMisdeed("an amount that nobody outside replayed", finding: "no organisation but the entity's") {
        Misdeed(
            draft: deciding {
                GateDecision(
                    window: $0.window, outputDigest: $0.outputDigest, acceptanceDigest: $0.acceptanceDigest,
                    lines: $0.lines.map { GateDecision.Line(principal: $0.principal, isAllowed: true) },
                    decidedAt: $0.decidedAt)
            }, outsideReplayAbove: 1, verifier: "operator")
    },
    NamedMisdeed("an ALLOW while a lost tail is not reconciled", finding: "lost tail") {
        Misdeed(also: after(.windowCut, opened))
    },
    NamedMisdeed("a transfer while a lost tail is not reconciled", finding: "moves K$ while") {
        Misdeed(
            also: after(.accountCredited) { event in
                guard case .accountCredited(let body) = event, body.transfer.amount.minorUnits == 4_800_000 else {
                    return nil
                }
                return try opened(event)
            })
    },
    NamedMisdeed("an ALLOW while two histories of a gateway wait", finding: "two histories") {
        Misdeed(
            also: after(.windowCut) { _ in
                .streamForked(
                    Event.StreamForked(
                        gateway: id("gw-1"), stream: TestGateway().stream, sequence: 9, identityHeld: .test("one"),
                        otherEnvelope: [1]))
            })
    },
    NamedMisdeed("a verifier who signs two kinds", finding: "another kind") {
        Misdeed(
            also: after(.proofReceived) { event in
                guard case .proofReceived(let body) = event else { return nil }
                let own = try Proof(decoding: payload(body, .proof))
                guard own.kind == .acknowledged else { return nil }
                let other = Proof(
                    kind: .payoutReconciled, window: own.window, outputDigest: own.outputDigest, principal: nil,
                    isValid: true, issuedAt: own.issuedAt, expiresAt: own.expiresAt, verifier: own.verifier,
                    replayDigest: own.replayDigest)
                return .proofReceived(try signed(other.encoded, .proof, by: "finance"))
            })
    },
]

private let readings: [NamedMisdeed] = [
    NamedMisdeed("a reading left out", finding: "is left out") {
        Misdeed(inputs: { $0.points[0].readings.remove(at: 7) })
    },
    NamedMisdeed("words altered", finding: "its record says words") {
        Misdeed(inputs: { inputs in
            let own = inputs.points[0].readings[4]
            inputs.points[0].readings[4] = InputReading(
                time: own.time, record: own.record, sampleIndex: own.sampleIndex, read: own.read, status: own.status,
                words: own.words.dropLast() + [own.words[own.words.count - 1] ^ 1])
        })
    },
    NamedMisdeed("a carry invented", finding: "carry") {
        Misdeed(inputs: { inputs in
            let own = inputs.carries[0]
            inputs.carries[0] = Carry(
                entity: own.entity, asset: own.asset, numerator: 0, denominator: own.denominator + 1)
        })
    },
    NamedMisdeed("a commissioning left out", finding: "commissionings") {
        Misdeed(inputs: { $0.commissionings = [] })
    },
    NamedMisdeed("a commissioning invented", finding: "commissionings") {
        Misdeed(inputs: { inputs in
            let own = inputs.commissionings[0]
            inputs.commissionings.append(
                CommissioningInput(
                    meter: own.meter, time: own.time + 1, record: .test("never"), serial: own.serial,
                    profile: own.profile))
        })
    },
    NamedMisdeed("a statement left out", finding: "statements") { Misdeed(inputs: { $0.statements = [] }) },
    NamedMisdeed("a record that another key signed", finding: "not authentic") {
        Misdeed(signsRecord: { $0 == 9 ? "owner" : "gateway" })
    },
    NamedMisdeed("a record that follows another one", finding: "chain is broken") {
        Misdeed(record: { sequence, record in
            guard sequence == 9 else { return record }
            let place = RecordPlace(
                gateway: record.place.gateway, stream: record.place.stream, sequence: sequence, previous: .test("other")
            )
            return Record(place: place, clock: record.clock, completeThrough: record.completeThrough, body: record.body)
        })
    },
]

/// A claim for gw-1 that a root key and two persons signed, and a key bound by it, written once a house is registered.
private func binding(
    isClaimed: Bool = true, secret: String = ClaimTests.secret, cause: Digest? = nil, count: Int = 1,
    request: @escaping @Sendable () throws -> [UInt8]
) -> Misdeed {
    Misdeed(
        also: { draft in
            guard case .registered(let body) = try Event(kind: draft.kind, body: draft.payload.body),
                case .meteringPoint = try Registration(
                    decoding: try Document(body.document, as: .registration).payload
                ).body
            else { return [] }
            let claim = Registration(number: 1, effectiveFrom: anchor, body: .claim(ClaimTests.claim)).encoded
            let document = try Document(
                ["root", "person-1", "person-2"].map {
                    try SignedMessage.signing(claim, as: .registration, with: PublishedHouse.keyPairs[$0]!)
                })
            let registered = Event.registered(Event.Registered(document: document.cbor)).draft(commandID: document.id)
            let bound = Event.keyBound(
                Event.KeyBound(
                    gateway: id("gw-1"), spki: PublishedHouse.keyPairs["gateway"]!.publicKey.spki, secret: secret,
                    request: try request()))
            let command = cause ?? Registry.bindingCommand(claim: document.id)
            let events = (0..<count).map { bound.draft(commandID: command, ordinal: UInt64($0)) }
            return (isClaimed ? [registered] : []) + events
        })
}

private func gatewayRequest(signedBy signer: String = "gateway", name: String = "gw-1") throws -> [UInt8] {
    try RequestMaker.der(
        commonName: name, spki: PublishedHouse.keyPairs["gateway"]!.publicKey.spki, isEdwards: true,
        sign: { try PublishedHouse.keyPairs[signer]!.sign($0) })
}

private let enrolment: [NamedMisdeed] = [
    NamedMisdeed("a key bound without a claim", finding: "no claim allows (2)") {
        binding(isClaimed: false) { try gatewayRequest() }
    },
    NamedMisdeed("a key bound with another secret", finding: "no claim allows (3)") {
        binding(secret: "ZZZZZZZZZZZZZZZZZZZZ") { try gatewayRequest() }
    },
    NamedMisdeed("a claim used twice", finding: "no claim allows (5)") {
        binding(count: 2) { try gatewayRequest() }
    },
    NamedMisdeed("a request of another gateway", finding: "no claim allows (7)") {
        binding { try gatewayRequest(name: "gw-2") }
    },
    NamedMisdeed("a key whose owner asked for nothing", finding: "no claim allows (8)") {
        binding { try gatewayRequest(signedBy: "owner") }
    },
    NamedMisdeed("a key bound by another cause", finding: "no claim allows (11)") {
        binding(cause: .test("nothing")) { try gatewayRequest() }
    },
]

struct MisdeedTests {
    /// What an honest enrolment writes is in order, and the gateway's records go on.
    @Test func anHonestEnrolmentIsNone() async throws {
        let house = try PublishedHouse(binding { try gatewayRequest() })
        #expect(try await house.verify().records > 0)
    }

    @Test(arguments: money + gate + release + readings + enrolment)
    func isNamed(misdeed: NamedMisdeed) async throws {
        let house = try PublishedHouse(misdeed.make())
        let failure = await #expect(throws: AuditFailure.self) { _ = try await house.verify() }
        #expect(failure?.finding.contains(misdeed.finding) == true, "\(String(describing: failure))")
    }
}
