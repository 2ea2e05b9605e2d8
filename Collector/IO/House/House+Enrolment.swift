// Enrolment: a gateway that knows its claim's secret gets its key bound; who has a key that counts may renew. The house says
// whose key it is; certificates are made elsewhere.

internal import CBOR
internal import CollectorCore
internal import Evidence
internal import Foundation
internal import Keys
internal import Logging
internal import Proofs
internal import Quantities

extension House {
    /// A certificate that expired may be renewed for this long.
    static let renewalAfterExpiry: Int64 = 365 * 86_400_000

    // MARK: - With a claim

    /// Binds the request's key, or finds that it was bound by this claim already: a lost answer is given again.
    ///
    /// - Returns: the key (SPKI) that a certificate may be made for.
    func enrol(_ gateway: Identifier, secret: String, request: [UInt8]) throws -> [UInt8] {
        try catchUp()
        try requireWhole()
        let instant = decisionTime()
        let claim = try authenticate(gateway, secret: secret, at: instant)
        do {
            let bound = try state.registry.binding(
                gateway, secret: secret, request: request, at: instant, check: isRawSigned)
            guard let bound else { return claim.boundKey ?? [] }
            // A key that a key record named is in no registration: the registry does not know that it was ended.
            let keys = state.registry.gatewayKeys(gateway, at: instant + 1)
            guard keys?.isRevoked(bound.spki, in: intake.gateway(gateway)) != true else {
                throw BindingRefusal.keyRevoked
            }
            let draft = Event.keyBound(bound).draft(commandID: Registry.bindingCommand(claim: claim.id))
            // A crash after this line leaves the key bound and the gateway without an answer: it asks again.
            try append([draft], at: instant)
            logger.info("a key was bound", metadata: ["gateway": "\(gateway)"])
            return bound.spki
        } catch let refusal as BindingRefusal { throw EnrolmentRefusal(refusal) }
    }

    /// Whether the secret opens the gateway's claim. A wrong one costs, and ten of them lock the claim.
    @discardableResult
    func authenticate(_ gateway: Identifier, secret: String, at instant: UTCInstant) throws -> StandingClaim {
        let isKnown = state.registry.gateway(gateway, at: instant) != nil
        guard attempts.admit(isKnown ? gateway : nil, uptime: SystemClock.uptime()) else {
            throw EnrolmentRefusal.tooMany
        }
        let standing = state.registry.claim(of: gateway, at: instant)
        readAttempts(of: gateway)
        if let standing, attempts.isLocked(gateway, claim: standing.id) { throw EnrolmentRefusal.locked }
        do throws(BindingRefusal) {
            return try state.registry.openClaim(of: gateway, secret: secret, at: instant)
        } catch {
            if error == .secretWrong, let standing {
                attempts.noteWrongSecret(gateway, claim: standing.id, uptime: SystemClock.uptime())
                // A crash before this line forgets one attempt of ten.
                keepAttempts(of: gateway)
                logger.warning(
                    "a wrong secret for an open claim",
                    metadata: [
                        "gateway": "\(gateway)", "times": "\(attempts.wrongSecrets(gateway, claim: standing.id))",
                    ])
            }
            throw EnrolmentRefusal(error)
        }
    }

    /// The same, at this instant.
    func authenticate(_ gateway: Identifier, secret: String) throws {
        try authenticate(gateway, secret: secret, at: decisionTime())
    }

    // MARK: - With a key

    /// Renews (the same key) or re-keys (another one, for which the request must be signed by itself): whoever shows a
    /// certificate with a key that counts, or signs with it.
    ///
    /// - Parameters:
    ///   - key: SPKI that was proved, by TLS or by the envelope.
    ///   - isExpired: TLS did not take the certificate any more.
    /// - Returns: the request's key.
    func renew(_ gateway: Identifier, key: [UInt8], request: [UInt8], isExpired: Bool) throws -> [UInt8] {
        try catchUp()
        try requireWhole()
        let instant = decisionTime()
        let isKnown = state.registry.gateway(gateway, at: instant) != nil
        guard attempts.admit(isKnown ? gateway : nil, uptime: SystemClock.uptime(), isCertified: !isExpired) else {
            throw EnrolmentRefusal.tooMany
        }
        try requireKey(key, of: gateway, at: instant)
        if isExpired, let last = issued(to: gateway), last.kid == KeyID.kid(ofSPKI: key),
            last.notAfter + Self.renewalAfterExpiry < realTime()
        {
            throw EnrolmentRefusal.expiredTooLong
        }
        let renewed: [UInt8]
        do throws(BindingRefusal) {
            renewed = try state.registry.renewal(gateway, request: request, at: instant, check: isRawSigned)
        } catch { throw EnrolmentRefusal(error) }
        guard !isExpired || renewed == key else { throw EnrolmentRefusal.unknownKey }
        let keys = state.registry.gatewayKeys(gateway, at: instant + 1)
        guard keys?.mayRenew(renewed, with: key, in: intake.gateway(gateway)) == true else {
            throw EnrolmentRefusal.superseded
        }
        return renewed
    }

    /// The same, at this instant.
    func requireKey(_ key: [UInt8], of gateway: Identifier) throws(EnrolmentRefusal) {
        try requireKey(key, of: gateway, at: decisionTime())
    }

    /// That the gateway's key counts.
    func requireKey(_ key: [UInt8], of gateway: Identifier, at instant: UTCInstant) throws(EnrolmentRefusal) {
        // What a revocation of this very millisecond ends is ended.
        guard let keys = state.registry.gatewayKeys(gateway, at: instant + 1) else { throw .unknownKey }
        let known = intake.gateway(gateway)
        guard !keys.isRevoked(key, in: known) else { throw .revoked }
        guard keys.mayEnrol(key, in: known) else { throw .unknownKey }
    }

    // MARK: - What a gateway is told

    func prepareEnrolment(_ configuration: EnrolmentConfiguration, _ authority: CertificateAuthority) {
        enrolment = (configuration, authority)
    }

    /// What people and tools need to let a gateway enrol.
    func deviceView(_ gateway: Identifier) -> JSON? {
        let instant = decisionTime()
        guard let known = state.registry.gateway(gateway, at: instant) else { return nil }
        let entity = state.registry.entity(known.entity, at: instant)
        return .object(
            [
                ("gateway", .string(gateway.text)), ("now", .string(instant.description)),
                ("entity", .string(known.entity.text)),
                ("organisation", .optional(entity?.organisation.text)),
                ("next_claim", .count(state.registry.nextNumber(kind: 7, gateway))),
                ("next_revocation", .count(state.registry.nextNumber(kind: 8, gateway))),
                ("command", lastCommand(gateway)),
            ] + enrolmentMembers + siteMembers(gateway))
    }

    /// docs/formats/http.md, "Provision".
    func provision(
        _ gateway: Identifier, authority: String, brokers: [EnrolmentConfiguration.Server]
    ) throws -> [UInt8] {
        let list = Array(try Data(contentsOf: URL(fileURLWithPath: configuration.keyList)))
        let message = try SignedMessage(parsing: list, as: .keyList, bytesMax: SignedMessage.documentBytesMax)
        guard let root = state.genesis.keys.roots.first(where: { isSigned(message, $0) }) else {
            throw HouseFileError(description: "\(configuration.keyList) is not signed by a root key of genesis")
        }
        let servers = brokers.map { CBORValue.array([.text($0.host), .int(Int64($0.port))]) }
        return CBORValue.fields([
            (1, .int(1)), (2, .text(gateway.text)), (3, .bytes(list)), (4, .bytes(root)), (5, .array(servers)),
            (6, .text(authority)), (7, .int(realTime().milliseconds)),
        ]).encoded()
    }

    // MARK: - Wrong secrets

    private static let attemptBytesMax = 256

    /// Once for each gateway: a lock outlives the process that locked.
    func readAttempts(of gateway: Identifier) {
        guard state.registry.gateway(gateway, at: decisionTime()) != nil, attemptsRead.insert(gateway).inserted,
            let bytes = FileManager.default.contents(atPath: "\(enrolmentFolder)/\(gateway).attempts"),
            bytes.count <= Self.attemptBytesMax,
            let kept = WrongSecrets(line: String(decoding: bytes, as: UTF8.self))
        else { return }
        attempts.restore(gateway, kept)
    }

    func keepAttempts(of gateway: Identifier) {
        write(attempts.kept(gateway)?.line ?? "", to: "\(gateway).attempts")
    }
}
