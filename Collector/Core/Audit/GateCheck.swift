// Whether the proofs at hand justify an ALLOW: written again from docs/formats, apart from the gate's own code.

internal import Proofs
internal import Quantities

/// The proofs of one window at one instant.
struct GateCheck {
    private struct Word {
        let received: ReceivedProof
        let key: RegisteredKey
        let isFresh: Bool
    }

    private let window: AuditedWindow
    private let manifest: Manifest
    /// Of the window's output, by verifiers whose keys are in force.
    private let words: [Word]
    private let registry: Registry
    private let instant: UTCInstant

    init(_ window: AuditedWindow, _ registry: Registry, at instant: UTCInstant) {
        self.window = window
        self.registry = registry
        self.instant = instant
        let manifest = registry.manifest(at: window.cut.start)
        self.manifest = manifest
        words = window.proofs.compactMap { received in
            let proof = received.proof
            guard proof.outputDigest == window.outcome.outputDigest,
                let key = registry.key(kid: received.kid, role: proof.kind.role, at: instant)
            else { return nil }
            let end = min(proof.expiresAt, proof.issuedAt + manifest.gate.freshness)
            return Word(received: received, key: key, isFresh: proof.issuedAt <= instant && instant < end)
        }
    }

    /// SHA-256 over the sorted identities of what counts: fresh proofs, and every INVALID.
    var acceptanceDigest: Digest {
        let considered = words.filter { $0.isFresh || !$0.received.proof.isValid }
        return Digest(of: considered.map(\.received.identity).sorted().flatMap(\.bytes))
    }

    /// What an ALLOW lacks, in words; nil when nothing is missing.
    func missing(for principal: Identifier) -> String? {
        guard window.hasEqualReplay else { return "no replay had come to the sealed digest" }
        let last = lastWords(on: principal)
        if let against = last.first(where: { !$0.received.proof.isValid }) {
            return "\(against.received.proof.verifier) had signed \(against.received.proof.kind.rawValue) INVALID"
        }
        for kind in manifest.gate.kinds {
            let valid = last.filter { word in
                word.received.proof.kind == kind && word.isFresh
                    && word.received.proof.replayDigest == window.outcome.outputDigest
            }
            let organisations = Set(valid.map(\.key.organisation))
            if Int64(organisations.count) < manifest.gate.quorum {
                return
                    "\(organisations.count) of \(manifest.gate.quorum) organisations had a fresh, valid \(kind.rawValue) proof in"
            }
        }
        return isOutsideReplayLacking(for: principal, last)
            ? "no organisation but the entity's had replayed it, which an amount like this needs" : nil
    }

    private func isOutsideReplayLacking(for principal: Identifier, _ words: [Word]) -> Bool {
        let lines = window.outcome.output.allocations.filter { $0.principal == principal }
        let amount = lines.reduce(Int128(0)) { $0 + Int128($1.amount.minorUnits) }
        guard let above = manifest.outsideReplayAbove, amount > Int128(above) else { return false }
        let own = lines.compactMap { registry.entity($0.entity, at: instant)?.organisation }
        return !words.contains { word in
            word.isFresh && !own.contains(word.key.organisation)
                && word.received.proof.replayDigest == window.outcome.outputDigest
        }
    }

    /// Proofs that speak for the principal, for people.
    func valid(for principal: Identifier) -> [ReceivedProof] {
        lastWords(on: principal).filter { $0.isFresh && $0.received.proof.isValid }.map(\.received)
    }

    /// Of each verifier and kind the proof issued last; at the same instant the one against.
    private func lastWords(on principal: Identifier) -> [Word] {
        let about = words.filter { word in
            let proof = word.received.proof
            return (proof.principal == nil || proof.principal == principal) && !word.key.affiliated.contains(principal)
        }
        return about.enumerated().filter { index, word in
            let proof = word.received.proof
            return !about.enumerated().contains { other, later in
                let next = later.received.proof
                guard other != index, next.verifier == proof.verifier, next.kind == proof.kind else { return false }
                if next.issuedAt != proof.issuedAt { return next.issuedAt > proof.issuedAt }
                return next.isValid == proof.isValid ? other > index : !next.isValid
            }
        }.map(\.element)
    }
}
