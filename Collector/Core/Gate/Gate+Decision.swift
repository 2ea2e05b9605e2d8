// ALLOW or HOLD for each principal of a window, and the issuances that follow. Idempotent on window, output digest and
// acceptance digest; an ALLOW is remembered, a HOLD is computed anew each time.

internal import Evidence
internal import Proofs
package import Quantities

/// What the gate must be told and cannot know from issuance's events.
package struct GateConditions: Sendable {
    /// The manifest in force at the window's start.
    package let manifest: Manifest
    /// The window was cut under another manifest.
    package var hasPolicyConflict = false
    /// Entities whose evidence of this window a fork or clone concerns.
    package var forked: [Identifier] = []
    /// Principals of entities of which no day of this window settled: they have no amount, but are told why.
    package var stalled: [Identifier] = []

    package init(manifest: Manifest) { self.manifest = manifest }
}

extension Gate {
    /// The decision about a window as it stands now; nil for a window without an output.
    package func decision(
        _ id: WindowID, registry: Registry, conditions: GateConditions, at now: UTCInstant
    ) -> GateDecision? {
        guard let window = window(id) else { return nil }
        let judge = Judge(
            window: window, registry: registry, conditions: conditions, isHalted: isHalted, now: now)
        let principals = window.principals
        var lines = principals.map { principal in
            if window.isAllowed(principal), window.boundDigest == window.outputDigest {
                return GateDecision.Line(principal: principal, isAllowed: true)
            }
            return Self.line(principal, judge.reason(to: principal))
        }
        for principal in conditions.stalled where !lines.contains(where: { $0.principal == principal }) {
            lines.append(Self.line(principal, .watermarkStall))
        }
        guard !lines.isEmpty else { return nil }
        return GateDecision(
            window: id, outputDigest: window.outputDigest, acceptanceDigest: judge.acceptanceDigest, lines: lines,
            decidedAt: now)
    }

    private static func line(_ principal: Identifier, _ reason: HoldReason?) -> GateDecision.Line {
        GateDecision.Line(
            principal: principal, isAllowed: reason == nil, reason: reason?.rawValue, action: reason?.action)
    }

    /// Whether `decision` says something else than the last one of its window: only then is it signed and journalled.
    package func isNews(_ decision: GateDecision) -> Bool {
        guard let last = window(decision.window)?.lastDecision else { return true }
        return last.outputDigest != decision.outputDigest || last.lines != decision.lines
    }

    /// The events of a decision that is news: itself, and the issuance of every amount it newly allows.
    ///
    /// All go into one append. A crash that keeps only the first loses nothing: ``pendingIssuances(of:)`` drafts the rest
    /// with the same ids.
    ///
    /// - Parameter envelope: `decision` signed by the seal key.
    package func drafts(of decision: GateDecision, envelope: [UInt8]) throws(GateError) -> [JournalDraft] {
        guard let window = window(decision.window) else { throw .windowUnknown(decision.window.text) }
        let event = Event.authorizationDecided(Event.Received(envelope: envelope))
        let draft = event.draft(
            commandID: CommandID.time(purpose: "authorize", window: decision.window.text), ordinal: window.decisions)
        var next = self
        try next.apply(event, id: draft.eventID)
        return [draft] + next.pendingIssuances(of: decision.window)
    }

    /// Amounts that are allowed and not issued. Zero amounts issue nothing.
    package func pendingIssuances(of id: WindowID) -> [JournalDraft] {
        guard let window = window(id), window.boundDigest == window.outputDigest else { return [] }
        var drafts: [JournalDraft] = []
        for (ordinal, allocation) in window.allocations.enumerated() {
            guard allocation.amount > .zero, !window.isIssued(allocation),
                let allowed = window.allowed.first(where: { $0.principal == allocation.principal })
            else { continue }
            let event = Event.IssuanceComplete(
                window: id, entity: allocation.entity, principal: allocation.principal, account: allocation.account,
                amount: allocation.amount, outputDigest: window.outputDigest)
            drafts.append(
                Event.issuanceComplete(event).draft(
                    commandID: CommandID.caused(by: allowed.decision, purpose: "issue"), ordinal: UInt64(ordinal)))
        }
        return drafts
    }
}

/// Judges one window at one instant.
private struct Judge {
    let window: WindowGate
    let registry: Registry
    let conditions: GateConditions
    let isHalted: Bool
    let now: UTCInstant
    /// Proofs of this output by verifiers in force, with their keys, in Journal order.
    private let proofs: [(held: WindowGate.HeldProof, key: RegisteredKey)]

    init(window: WindowGate, registry: Registry, conditions: GateConditions, isHalted: Bool, now: UTCInstant) {
        self.window = window
        self.registry = registry
        self.conditions = conditions
        self.isHalted = isHalted
        self.now = now
        proofs = window.proofs.compactMap { held in
            guard held.proof.outputDigest == window.outputDigest,
                let key = registry.verifierKey(kid: held.kid, at: now), key.role == held.proof.kind.role
            else { return nil }
            return (held, key)
        }
    }

    private func isConsidered(_ held: WindowGate.HeldProof) -> Bool {
        !held.proof.isValid || held.isFresh(conditions.manifest.gate.freshness, at: now)
    }

    /// SHA-256 over the sorted identities of what is considered: fresh proofs, and every INVALID.
    var acceptanceDigest: Digest {
        Digest(of: proofs.filter { isConsidered($0.held) }.map(\.held.identity).sorted().flatMap(\.bytes))
    }

    /// The first predicate that fails for `principal`; nil: ALLOW.
    func reason(to principal: Identifier) -> HoldReason? {
        if isHalted { return .epochUnreconciled }
        if let bound = window.boundDigest, bound != window.outputDigest { return .windowBound }
        if conditions.hasPolicyConflict { return .policyVersionConflict }
        let entities = window.allocations.filter { $0.principal == principal }.map(\.entity)
        if entities.contains(where: { conditions.forked.contains($0) }) { return .streamForked }
        guard window.isSealed else { return .notSealed }
        guard let isEqual = window.replayIsEqual else { return .replayPending }
        guard isEqual else { return .digestMismatch }
        if let reason = objection(to: principal) { return reason }
        for kind in conditions.manifest.gate.kinds {
            if let reason = lack(of: kind, for: principal) { return reason }
        }
        return lackOfOutsideReplay(for: principal, entities)
    }

    /// The last word of each verifier on the principal. INVALID never becomes stale: only a later VALID of the same
    /// verifier clears it.
    private func words(on principal: Identifier) -> [(held: WindowGate.HeldProof, key: RegisteredKey)] {
        var last: [(held: WindowGate.HeldProof, key: RegisteredKey)] = []
        for word in proofs where word.held.proof.principal == nil || word.held.proof.principal == principal {
            guard !word.key.affiliated.contains(principal) else { continue }
            if let index = last.firstIndex(where: {
                $0.key.subject == word.key.subject && $0.held.proof.kind == word.held.proof.kind
            }) {
                // Of two words the one issued later counts; at the same instant the one against.
                let (old, new) = (last[index].held.proof, word.held.proof)
                if new.issuedAt > old.issuedAt || (new.issuedAt == old.issuedAt && !new.isValid) { last[index] = word }
            } else {
                last.append(word)
            }
        }
        return last
    }

    private func objection(to principal: Identifier) -> HoldReason? {
        let against = words(on: principal).map(\.held.proof).filter { !$0.isValid }
        if against.contains(where: { $0.replayDigest != window.outputDigest }) { return .digestMismatch }
        if against.contains(where: { $0.kind != .payoutReconciled }) { return .proofInvalid }
        return against.isEmpty ? nil : .providerTotalsMismatch
    }

    private func lack(of kind: ProofKind, for principal: Identifier) -> HoldReason? {
        let words = words(on: principal).filter { $0.held.proof.kind == kind }
        guard !words.isEmpty else { return .missing(kind) }
        let fresh = words.filter { $0.held.isFresh(conditions.manifest.gate.freshness, at: now) }
        guard !fresh.isEmpty else { return .staleProof }
        var organisations: [Identifier] = []
        for word in fresh where !organisations.contains(word.key.organisation) {
            organisations.append(word.key.organisation)
        }
        return Int64(organisations.count) >= conditions.manifest.gate.quorum ? nil : .insufficientQuorum
    }

    /// Above the manifest's amount somebody outside the entity's own organisation must have replayed; each proof carries
    /// the digest its verifier computed himself.
    private func lackOfOutsideReplay(for principal: Identifier, _ entities: [Identifier]) -> HoldReason? {
        guard let above = conditions.manifest.outsideReplayAbove, window.amount(of: principal) > Int128(above) else {
            return nil
        }
        let own = entities.compactMap { registry.entity($0, at: now)?.organisation }
        let isOutside = words(on: principal).contains { word in
            word.held.isFresh(conditions.manifest.gate.freshness, at: now) && !own.contains(word.key.organisation)
                && word.held.proof.replayDigest == window.outputDigest
        }
        return isOutside ? nil : .outsideReplayMissing
    }
}
