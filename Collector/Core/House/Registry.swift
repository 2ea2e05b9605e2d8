// The registry: everything registered, as a fold of documents. Checking a signature is handed in; storing is the Journal's.

internal import CBOR
package import Evidence
package import Proofs
package import Quantities

/// A registration as taken: with its payload and id, as transcripts carry it.
package struct RegisteredDocument: Hashable, Sendable {
    /// SHA-256 of `payload`.
    package let id: Digest
    package let payload: [UInt8]
    package let registration: Registration
    /// When it takes effect: its own word, but for what records are judged by. See ``Registry/register(_:at:check:)``.
    package let inForceFrom: UTCInstant

    package init(id: Digest, payload: [UInt8], registration: Registration, inForceFrom: UTCInstant? = nil) {
        self.id = id
        self.payload = payload
        self.registration = registration
        self.inForceFrom = inForceFrom ?? registration.effectiveFrom
    }
}

/// What a registration is about: the later one of the same subject replaces the earlier.
package struct RegistrationSubject: Hashable, Sendable {
    /// 1 … 8 as on the wire.
    package let kind: UInt64
    /// Keys only: one subject may hold keys of several roles.
    package let role: UInt64
    package let id: Identifier

    package init(_ body: Registration.Body) {
        kind = body.kind
        switch body {
        case .organisation(let body): (role, id) = (0, body.id)
        case .key(let body): (role, id) = (body.role.rawValue, body.subject)
        case .entity(let body): (role, id) = (0, body.id)
        case .meteringPoint(let body): (role, id) = (0, body.id)
        case .meter(let body): (role, id) = (0, body.id)
        case .gateway(let body): (role, id) = (0, body.id)
        case .claim(let body): (role, id) = (0, body.gateway)
        case .revocation(let body): (role, id) = (0, body.gateway)
        }
    }

    init(kind: UInt64, role: UInt64 = 0, id: Identifier) {
        self.kind = kind
        self.role = role
        self.id = id
    }
}

/// Genesis and all registrations, with their history by effective instant.
package struct Registry: Sendable {
    /// Whether the message's signature is the key's (DER SubjectPublicKeyInfo).
    package typealias SignatureCheck = (SignedMessage, [UInt8]) -> Bool

    package let genesis: Genesis
    /// The genesis manifest, in force from the anchor.
    package let firstManifest: Manifest
    /// By effective instant; never empty.
    var versions: [RegistrationSubject: [RegisteredDocument]] = [:]
    /// Subjects in the order they were first registered: the dictionary itself is never iterated.
    var subjects: [RegistrationSubject] = []
    private var meterClaims: [MeterIdentity: Holding] = [:]
    private var meterUses: [Identifier: Holding] = [:]
    private var accountOwners: [Identifier: Identifier] = [:]
    /// Every key ever registered, by kid, in the order of registration.
    private(set) var keysByKid: [[UInt8]: [RegisteredDocument]] = [:]
    /// By gateway, in the order they were made. Looked up, never iterated.
    var cuts: [Identifier: [GatewayCut]] = [:]
    /// SPKI by the claim's document id.
    var boundKeys: [Digest: [UInt8]] = [:]

    /// Who holds something, or since when nobody does: two holders must not overlap in time either.
    private struct Holding: Hashable, Sendable {
        let holder: Identifier?
        let freeFrom: UTCInstant

        func allows(_ id: Identifier, from instant: UTCInstant) -> Bool {
            holder == id || (holder == nil && freeFrom <= instant)
        }
    }

    private struct MeterIdentity: Hashable, Sendable {
        let vendor: String
        let model: String
        let serial: String

        init(_ meter: Meter) {
            vendor = meter.vendor
            model = meter.model
            serial = meter.serial
        }
    }

    /// Refused when the genesis manifest is not understood, not in force at the anchor, or not signed by a root key.
    package init(_ genesis: Genesis, check: SignatureCheck) throws(RegistrationRefusal) {
        do throws(ShapeError) { firstManifest = try Manifest(decoding: genesis.manifest.payload) } catch {
            throw .notUnderstood
        }
        guard firstManifest.effectiveFrom <= genesis.anchor else { throw .notUnderstood }
        self.genesis = genesis
        guard try signers(of: genesis.manifest, at: genesis.anchor, check).hasRoot else { throw .rootSignatureMissing }
    }

    /// Takes a registration, or tells that exactly this one stands already.
    ///
    /// What replaces a gateway or its key takes effect after `instant` at the earliest: records that came before were
    /// taken under what was known then, and whoever folds them again must come to the same answer.
    ///
    /// - Parameter instant: time of the event; persons' keys must be in force then.
    /// - Returns: false when nothing changed: the same payload under the same number is there.
    @discardableResult
    package mutating func register(
        _ document: Document, at instant: UTCInstant, check: SignatureCheck
    ) throws(RegistrationRefusal) -> Bool {
        let registration: Registration
        do throws(ShapeError) { registration = try Registration(decoding: document.payload) } catch {
            throw .notUnderstood
        }
        guard document.contentType == .registration else { throw .notUnderstood }
        let signers = try signers(of: document, at: instant, check)
        guard signers.hasRoot || registration.body.isRevocation else { throw .rootSignatureMissing }
        guard !registration.body.needsDualControl || signers.persons >= 2 else { throw .personSignaturesMissing }
        return try take(registration, id: document.id, payload: document.payload, at: instant)
    }

    /// Everything about a registration but its signatures.
    mutating func take(
        _ registration: Registration, id: Digest, payload: [UInt8], at instant: UTCInstant
    ) throws(RegistrationRefusal) -> Bool {
        guard registration.body.isRegistrable else { throw .roleNotRegistrable }
        let subject = RegistrationSubject(registration.body)
        if let last = versions[subject]?.last {
            guard registration.number >= last.registration.number else { throw .numberTooLow }
            if registration.number == last.registration.number {
                guard last.id == id else { throw .numberTaken }
                return false
            }
            guard registration.effectiveFrom >= last.registration.effectiveFrom else { throw .effectiveWentBack }
        }
        try requireReferences(registration.body)
        try requireUnclaimed(registration.body, from: registration.effectiveFrom)
        if case .revocation(let body) = registration.body {
            guard registration.number &- (versions[subject]?.last?.registration.number ?? 0) == 1 else {
                throw .numberSkipped
            }
            guard registration.effectiveFrom <= instant else { throw .revocationLater }
            cut(body.gateway, from: instant + 1, endsClaims: true)
        }
        let isRetroactive =
            registration.body.isRevocation || versions[subject] != nil && registration.body.judgesRecords
        apply(
            RegisteredDocument(
                id: id, payload: payload, registration: registration,
                inForceFrom: isRetroactive ? max(registration.effectiveFrom, instant + 1) : registration.effectiveFrom),
            subject)
        return true
    }

    mutating func apply(_ document: RegisteredDocument, _ subject: RegistrationSubject) {
        let effectiveFrom = document.registration.effectiveFrom
        release(versions[subject]?.last?.registration.body, at: effectiveFrom)
        switch document.registration.body {
        case .meter(let meter): meterClaims[MeterIdentity(meter)] = Holding(holder: meter.id, freeFrom: effectiveFrom)
        case .meteringPoint(let point):
            for meter in point.meters { meterUses[meter] = Holding(holder: point.id, freeFrom: effectiveFrom) }
        case .entity(let entity): for share in entity.shares { accountOwners[share.account] = entity.id }
        case .key(let key): keysByKid[KeyID.kid(ofSPKI: key.spki), default: []].append(document)
        case .organisation, .gateway, .claim, .revocation: break
        }
        if versions[subject] == nil { subjects.append(subject) }
        versions[subject, default: []].append(document)
    }

    /// Ends the claims of the version that is replaced. Accounts stay with their entity for ever: K$ may lie there.
    private mutating func release(_ body: Registration.Body?, at instant: UTCInstant) {
        switch body {
        case .meter(let meter): meterClaims[MeterIdentity(meter)] = Holding(holder: nil, freeFrom: instant)
        case .meteringPoint(let point):
            for meter in point.meters { meterUses[meter] = Holding(holder: nil, freeFrom: instant) }
        case .organisation, .key, .entity, .gateway, .claim, .revocation, nil: break
        }
    }

    private func requireReferences(_ body: Registration.Body) throws(RegistrationRefusal) {
        switch body {
        case .organisation: break
        case .key(let key):
            guard isKnown(1, key.organisation) else { throw .unknownOrganisation }
            guard key.role != .owner || isKnown(3, key.subject) else { throw .unknownEntity }
            guard key.role != .gateway || isKnown(6, key.subject) else { throw .unknownGateway }
        case .entity(let entity): guard isKnown(1, entity.organisation) else { throw .unknownOrganisation }
        case .meteringPoint(let point):
            guard isKnown(3, point.entity) else { throw .unknownEntity }
            guard point.meters.allSatisfy({ isKnown(5, $0) }) else { throw .unknownMeter }
        case .meter(let meter): guard isKnown(6, meter.gateway) else { throw .unknownGateway }
        case .gateway(let gateway): guard isKnown(3, gateway.entity) else { throw .unknownEntity }
        case .claim(let claim):
            guard isKnown(1, claim.organisation) else { throw .unknownOrganisation }
            guard isKnown(6, claim.gateway) else { throw .unknownGateway }
        case .revocation(let revocation): guard isKnown(6, revocation.gateway) else { throw .unknownGateway }
        }
    }

    private func requireUnclaimed(
        _ body: Registration.Body, from instant: UTCInstant
    ) throws(RegistrationRefusal) {
        switch body {
        case .key(let key):
            let holders = keysByKid[KeyID.kid(ofSPKI: key.spki)] ?? []
            let isOwn = holders.allSatisfy { RegistrationSubject($0.registration.body) == RegistrationSubject(body) }
            guard isOwn, !genesis.keys.all.contains(key.spki) else { throw .keyTaken }
        case .meter(let meter):
            let isFree = meterClaims[MeterIdentity(meter)]?.allows(meter.id, from: instant) ?? true
            guard isFree else { throw .meterClaimedTwice }
        case .meteringPoint(let point):
            let areFree = point.meters.allSatisfy { meterUses[$0]?.allows(point.id, from: instant) ?? true }
            guard areFree else { throw .meterUsedTwice }
        case .entity(let entity):
            let accounts = entity.shares.map(\.account)
            let areFree = accounts.allSatisfy { account in
                account != Entity.issuanceAccount && (accountOwners[account] ?? entity.id) == entity.id
            }
            guard areFree else { throw .accountTaken }
            let names = [entity.id] + entity.shares.map(\.principal)
            guard !names.contains(Entity.issuanceAccount) else { throw .nameOfHouse }
        case .organisation, .gateway, .claim, .revocation: break
        }
    }

    private func isKnown(_ kind: UInt64, _ id: Identifier) -> Bool {
        versions[RegistrationSubject(kind: kind, id: id)] != nil
    }

    /// Every envelope must be of a root key or of a registered person and verify; a stranger's is refused, so that
    /// nobody can be made to believe in more signatures than were checked.
    private func signers(
        of document: Document, at instant: UTCInstant, _ check: SignatureCheck
    ) throws(RegistrationRefusal) -> (hasRoot: Bool, persons: Int) {
        var hasRoot = false
        var persons: [Identifier] = []
        for envelope in document.envelopes {
            if let root = genesis.keys.roots.first(where: { KeyID.kid(ofSPKI: $0) == envelope.kid }) {
                guard check(envelope, root) else { throw .signatureWrong }
                hasRoot = true
            } else if let person = key(kid: envelope.kid, role: .person, at: instant) {
                guard check(envelope, person.spki) else { throw .signatureWrong }
                if !persons.contains(person.subject) { persons.append(person.subject) }
            } else {
                throw .signatureWrong
            }
        }
        return (hasRoot, persons.count)
    }
}

extension Registration.Body {
    /// One root key or person is enough: what it takes away, dual control gives back.
    fileprivate var isRevocation: Bool { if case .revocation = self { true } else { false } }

    /// Metering points, meters, claims and every key but a person's move money: a root key and two persons sign them.
    fileprivate var needsDualControl: Bool {
        switch self {
        case .organisation, .entity, .gateway, .revocation: false
        case .key(let key): key.role != .person
        case .meteringPoint, .meter, .claim: true
        }
    }

    /// Whether it decides about records when they come: whose key signs them, how far a gateway's clock may be off.
    fileprivate var judgesRecords: Bool {
        switch self {
        case .gateway: true
        case .key(let key): key.role == .gateway
        case .organisation, .entity, .meteringPoint, .meter, .claim, .revocation: false
        }
    }

    fileprivate var isRegistrable: Bool {
        guard case .key(let key) = self else { return true }
        switch key.role {
        case .root, .receipt, .command, .log, .seal: return false
        case .gateway, .owner, .financeVerifier, .complianceVerifier, .auditor, .gridOperator, .satellite, .person:
            return true
        }
    }
}

extension Genesis.Keys {
    var all: [[UInt8]] { roots + [log, receipt, seal] }
}

/// How keys are named in envelopes.
package enum KeyID {
    /// First 8 bytes of SHA-256 over the SubjectPublicKeyInfo.
    package static func kid(ofSPKI spki: [UInt8]) -> [UInt8] { Array(Digest(of: spki).bytes.prefix(8)) }
}
