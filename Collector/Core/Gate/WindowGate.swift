// What the gate knows of one window: its output, whether a replay agrees, the proofs, and what was released for ever.

package import Proofs
package import Quantities

/// One window at the gate.
package struct WindowGate: Hashable, Sendable {
    /// A proof that was taken.
    package struct HeldProof: Hashable, Sendable {
        package let proof: Proof
        package let identity: Digest
        /// Of the signing key: judged again at each decision, so a revoked verifier counts no more.
        let kid: [UInt8]
    }

    /// A principal's ALLOW and the event that bears it.
    struct Allowed: Hashable, Sendable {
        let principal: Identifier
        let decision: Digest
    }

    package let window: WindowID
    package internal(set) var outputDigest: Digest
    /// By (entity, principal).
    package internal(set) var allocations: [Allocation]
    /// Whether a seal over this output stands.
    package internal(set) var isSealed = false
    /// Nil until the replay of this output was compared.
    package internal(set) var replayIsEqual: Bool?
    /// In Journal order; of every output the window had.
    package internal(set) var proofs: [HeldProof] = []
    /// The output that the first ALLOW bound the window to, for ever.
    package internal(set) var boundDigest: Digest?
    var allowed: [Allowed] = []
    /// (entity, principal) already issued.
    var issued: [Issued] = []
    package internal(set) var lastDecision: GateDecision?
    /// Decisions so far: the ordinal of the next.
    var decisions: UInt64 = 0

    struct Issued: Hashable, Sendable {
        let entity: Identifier
        let principal: Identifier
    }

    init(_ event: Event.AllocationCalculated) {
        window = event.window
        outputDigest = event.outputDigest
        allocations = event.allocations
    }

    /// Sorted, each once.
    package var principals: [Identifier] {
        var names: [Identifier] = []
        for id in allocations.map(\.principal).sorted() where names.last != id { names.append(id) }
        return names
    }

    package func isAllowed(_ principal: Identifier) -> Bool { allowed.contains { $0.principal == principal } }

    package func isIssued(_ allocation: Allocation) -> Bool {
        issued.contains(Issued(entity: allocation.entity, principal: allocation.principal))
    }

    /// Sum over the principal's entities.
    func amount(of principal: Identifier) -> Int128 {
        allocations.reduce(0) { $0 + ($1.principal == principal ? Int128($1.amount.minorUnits) : 0) }
    }
}

extension WindowGate.HeldProof {
    /// Valid until min(expires at, issued at + F); at that instant no more.
    func isFresh(_ freshness: Int64, at now: UTCInstant) -> Bool {
        // Instants end in the year 9999 and durations at 100 years: the sum fits.
        now < min(proof.expiresAt, proof.issuedAt + freshness) && proof.issuedAt <= now
    }
}
