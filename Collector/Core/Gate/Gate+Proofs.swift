// Which proofs the gate takes. What they are worth is judged at each decision, when some have become stale.

package import Evidence
package import Proofs
package import Quantities

/// What becomes of a proof.
package enum ProofOutcome: Hashable, Sendable {
    /// To be appended and folded.
    case accepted(JournalDraft)
    /// Taken before: the same answer again.
    case known(Digest)
    case refused(ProofRefusal)
}

extension ProofKind {
    /// Who signs it.
    package var role: KeyRole {
        switch self {
        case .acknowledged, .payoutReconciled: .financeVerifier
        case .complianceTested: .complianceVerifier
        }
    }
}

extension Gate {
    /// Decides about a proof as it came; checks run in the order of ``ProofRefusal``.
    ///
    /// - Parameter isSigned: whether a message's signature is that of a key (SPKI).
    package func decide(
        proof envelope: [UInt8], registry: Registry, at now: UTCInstant, isSigned: (SignedMessage, [UInt8]) -> Bool
    ) -> ProofOutcome {
        let message: SignedMessage
        let proof: Proof
        do {
            message = try SignedMessage(parsing: envelope, as: .proof)
            proof = try Proof(decoding: message.payload)
        } catch { return .refused(.malformed) }
        do throws(ProofRefusal) {
            let key = try Self.verifier(of: message, proof, registry, now, isSigned)
            guard let window = window(proof.window) else { throw .windowUnknown }
            if window.proofs.contains(where: { $0.identity == message.identity }) { return .known(message.identity) }
            try Self.check(proof, window, key, now)
        } catch { return .refused(error) }
        return .accepted(
            Event.proofReceived(Event.Received(envelope: envelope)).draft(commandID: message.identity))
    }

    private static func verifier(
        of message: SignedMessage, _ proof: Proof, _ registry: Registry, _ now: UTCInstant,
        _ isSigned: (SignedMessage, [UInt8]) -> Bool
    ) throws(ProofRefusal) -> RegisteredKey {
        guard let key = registry.verifierKey(kid: message.kid, at: now) else { throw .unknownVerifier }
        guard isSigned(message, key.spki) else { throw .badSignature }
        guard key.subject == proof.verifier else { throw .otherVerifier }
        guard key.role == proof.kind.role else { throw .otherRole }
        return key
    }

    private static func check(
        _ proof: Proof, _ window: WindowGate, _ key: RegisteredKey, _ now: UTCInstant
    ) throws(ProofRefusal) {
        guard proof.outputDigest == window.outputDigest else { throw .otherDigest }
        guard !proof.isValid || proof.replayDigest == proof.outputDigest else { throw .replayDiffers }
        if let principal = proof.principal, !window.principals.contains(principal) { throw .principalUnknown }
        guard proof.issuedAt <= now else { throw .issuedInFuture }
        guard now < proof.expiresAt else { throw .expired }
        let other = window.proofs.contains { $0.proof.verifier == proof.verifier && $0.proof.kind != proof.kind }
        guard !other else { throw .otherKindSigned }
        if let principal = proof.principal, key.affiliated.contains(principal) { throw .affiliated }
    }
}

extension Registry {
    /// The finance or compliance verifier's key in force that `kid` names.
    func verifierKey(kid: [UInt8], at now: UTCInstant) -> RegisteredKey? {
        key(kid: kid, role: .financeVerifier, at: now) ?? key(kid: kid, role: .complianceVerifier, at: now)
    }
}
