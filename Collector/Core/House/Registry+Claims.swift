// Claims and what is bound by them: a gateway proves that it knows the secret and has the key. The same check for the
// collector that takes the request and for whoever folds the Journal.

internal import CBOR
internal import Evidence
package import Proofs
package import Quantities

/// From an instant on the keys and claims that a gateway had before count no more.
struct GatewayCut: Sendable {
    /// First instant at which the cut counts.
    let from: UTCInstant
    /// How many versions of the gateway's key, and of its claims, it ends.
    let keys: Int
    let claims: Int
}

/// A claim as it stands.
package struct StandingClaim: Hashable, Sendable {
    /// Of its document.
    package let id: Digest
    package let claim: Claim
    package let effectiveFrom: UTCInstant
    /// The key that was bound by it (SPKI); nil while it is open.
    package let boundKey: [UInt8]?
}

extension Registry {
    /// Whether `signature` (64 raw bytes) over the message is the key's (DER SubjectPublicKeyInfo).
    package typealias RawSignatureCheck = (_ message: [UInt8], _ signature: [UInt8], _ spki: [UInt8]) -> Bool

    /// The last claim of a gateway that has begun and was not ended by a revocation.
    package func claim(of gateway: Identifier, at instant: UTCInstant) -> StandingClaim? {
        let known = versions[RegistrationSubject(kind: 7, id: gateway)] ?? []
        // At once: claims are asked for in the order of the Journal, never for a record's instant.
        let ended = cuts[gateway]?.last?.claims ?? 0
        guard let index = known.lastIndex(where: { $0.inForceFrom <= instant }), index >= ended,
            case .claim(let claim) = known[index].registration.body
        else { return nil }
        return StandingClaim(
            id: known[index].id, claim: claim, effectiveFrom: known[index].inForceFrom,
            boundKey: boundKeys[known[index].id])
    }

    /// What a gateway that says the secret asks for: the event to append, or nil when exactly this key was bound by this
    /// claim already, whose answer was lost.
    package func binding(
        _ gateway: Identifier, secret: String, request der: [UInt8], at instant: UTCInstant, check: RawSignatureCheck
    ) throws(BindingRefusal) -> Event.KeyBound? {
        let standing = try openClaim(of: gateway, secret: secret, at: instant)
        let request = try Self.request(der, of: gateway, check)
        guard standing.boundKey == nil || standing.boundKey == request.spki else { throw .claimUsed }
        try requireUsable(request.spki, by: gateway, at: instant)
        if standing.boundKey != nil { return nil }
        return Event.KeyBound(gateway: gateway, spki: request.spki, secret: secret, request: der)
    }

    /// The key of a request that renews or re-keys: signed by itself, and nobody else's. Who may ask is the caller's business.
    package func renewal(
        _ gateway: Identifier, request der: [UInt8], at instant: UTCInstant, check: RawSignatureCheck
    ) throws(BindingRefusal) -> [UInt8] {
        let request = try Self.request(der, of: gateway, check)
        try requireUsable(request.spki, by: gateway, at: instant)
        return request.spki
    }

    /// The claim that the secret opens; a used one too.
    package func openClaim(
        of gateway: Identifier, secret: String, at instant: UTCInstant
    ) throws(BindingRefusal) -> StandingClaim {
        guard self.gateway(gateway, at: instant) != nil else { throw .unknownGateway }
        guard let standing = claim(of: gateway, at: instant) else { throw .noClaim }
        guard ClaimCode.digest(ofSecret: secret).equalsInConstantTime(standing.claim.secret) else { throw .secretWrong }
        guard instant < standing.claim.expires else { throw .claimExpired }
        return standing
    }

    /// The number that the next registration of this kind about a gateway has.
    package func nextNumber(kind: UInt64, _ gateway: Identifier) -> UInt64 {
        let last = versions[RegistrationSubject(kind: kind, id: gateway)]?.last?.registration.number ?? 0
        return last < .max ? last + 1 : last
    }

    /// Command id of the event that a claim's use causes: the Journal takes it once.
    package static func bindingCommand(claim id: Digest) -> Digest {
        CommandID.caused(
            by: JournalPayload(commandID: id, ordinal: 0, body: .null).eventID, purpose: "bind")
    }

    /// Folds a bound key. It counts from the event's time on, as a registered one; of a gateway that had keys it replaces
    /// them, and they sign nothing more: their streams stay as far as they were taken.
    package mutating func bind(
        _ bound: Event.KeyBound, commandID: Digest?, at instant: UTCInstant, check: RawSignatureCheck
    ) throws(BindingRefusal) {
        let standing = try openClaim(of: bound.gateway, secret: bound.secret, at: instant)
        guard standing.boundKey == nil else { throw .claimUsed }
        let request = try Self.request(bound.request, of: bound.gateway, check)
        try requireUsable(request.spki, by: bound.gateway, at: instant)
        guard bound.spki == request.spki, commandID == Self.bindingCommand(claim: standing.id) else {
            throw .eventWrong
        }
        let key = RegisteredKey(
            spki: bound.spki, role: .gateway, subject: bound.gateway, organisation: standing.claim.organisation,
            validTo: UTCInstant(milliseconds: HouseBounds.instantMax))
        let subject = RegistrationSubject(.key(key))
        let before = versions[subject]
        // Records of this very millisecond were judged by the keys before.
        let inForceFrom = before == nil ? instant : instant + 1
        if before != nil { cut(bound.gateway, from: inForceFrom, endsClaims: false) }
        let registration = Registration(
            number: before?.last?.registration.number ?? 0, effectiveFrom: instant, body: .key(key))
        boundKeys[standing.id] = bound.spki
        apply(
            RegisteredDocument(
                id: standing.id, payload: registration.encoded, registration: registration, inForceFrom: inForceFrom),
            subject)
    }

    /// Ends the keys that the gateway has now, and perhaps its claims.
    mutating func cut(_ gateway: Identifier, from instant: UTCInstant, endsClaims: Bool) {
        let keys = versions[RegistrationSubject(kind: 2, role: KeyRole.gateway.rawValue, id: gateway)]?.count ?? 0
        let claims =
            endsClaims
            ? versions[RegistrationSubject(kind: 7, id: gateway)]?.count ?? 0 : cuts[gateway]?.last?.claims ?? 0
        cuts[gateway, default: []].append(GatewayCut(from: instant, keys: keys, claims: claims))
    }

    private static func request(
        _ der: [UInt8], of gateway: Identifier, _ check: RawSignatureCheck
    ) throws(BindingRefusal) -> CertificateRequest {
        guard let request = CertificateRequest(der: der) else { throw .requestNotUnderstood }
        guard request.commonName == gateway.text else { throw .requestOfOtherGateway }
        guard check(request.signed, request.signature, request.spki) else { throw .requestSignatureWrong }
        return request
    }

    /// Nobody else's key, and none that was revoked.
    private func requireUsable(
        _ spki: [UInt8], by gateway: Identifier, at instant: UTCInstant
    ) throws(BindingRefusal) {
        let subject = RegistrationSubject(kind: 2, role: KeyRole.gateway.rawValue, id: gateway)
        let holders = keysByKid[KeyID.kid(ofSPKI: spki)] ?? []
        let isOwn = holders.allSatisfy { RegistrationSubject($0.registration.body) == subject }
        guard isOwn, !genesis.keys.all.contains(spki) else { throw .keyTaken }
        // What a revocation of this very millisecond ends is ended: the next instant is asked.
        let isRevoked = gatewayKeys(gateway, at: instant + 1)?.keys.contains { $0.spki == spki && $0.isRevoked }
        guard isRevoked != true else { throw .keyRevoked }
    }
}

extension Digest {
    /// Takes as long wherever the first difference stands.
    func equalsInConstantTime(_ other: Digest) -> Bool {
        zip(bytes, other.bytes).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }
}
