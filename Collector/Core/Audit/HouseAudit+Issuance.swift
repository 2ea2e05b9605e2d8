// Allocation, seal, proofs, gate and issuance: each compared with what the window's inputs give.

internal import CBOR
internal import Evidence
internal import Proofs
internal import Quantities

extension HouseAudit {
    func compare(_ body: Event.AllocationCalculated, _ place: AuditPlace) throws {
        let index = try window(body.window, place)
        let outcome = windows[index].outcome
        guard body.outputDigest == outcome.outputDigest else {
            throw AuditFailure(
                place, "names output digest \(body.outputDigest), the inputs give \(outcome.outputDigest)")
        }
        let lines = outcome.output.allocations
        if let (claimed, own) = zip(body.allocations, lines).first(where: { $0 != $1 }) {
            throw AuditFailure(
                place,
                "allots \(claimed.amount.minorUnits) minor units to \(claimed.principal) of \(claimed.entity), the inputs give "
                    + "\(own.amount.minorUnits) to \(own.principal) of \(own.entity)")
        }
        guard body.allocations.count == lines.count else {
            throw AuditFailure(place, "has \(body.allocations.count) lines, the inputs give \(lines.count)")
        }
        guard body.carries == outcome.output.carries else {
            throw AuditFailure(place, "carries over something else than the inputs give")
        }
        let settled = outcome.verdicts.filter(\.isSettled).map(\.entity)
        guard windows[index].verified.sorted() == settled.sorted() else {
            throw AuditFailure(place, "stands before the production of every settled entity was verified")
        }
        guard !windows[index].isAllocated else { throw AuditFailure(place, "allocates \(body.window) twice") }
        windows[index].isAllocated = true
    }

    func seal(_ body: Event.Received, _ event: JournalEvent, _ place: AuditPlace) async throws {
        let (seal, _) = try SealedTranscript.seal(body.envelope, sealKey: images.genesis.keys.seal, at: place, tools)
        let index = try window(seal.window, place)
        let window = windows[index]
        guard window.isAllocated, window.seal == nil else {
            throw AuditFailure(place, "seals \(seal.window) \(window.seal == nil ? "before its allocation" : "twice")")
        }
        guard seal.outputDigest == window.outcome.outputDigest else {
            throw AuditFailure(
                place, "names output digest \(seal.outputDigest), the replay gives \(window.outcome.outputDigest)")
        }
        guard seal.evidence == window.cut.evidence else {
            throw AuditFailure(place, "names another evidence checkpoint than the cut of \(seal.window)")
        }
        guard seal.segments == window.references, seal.transcriptRoot == window.transcriptRoot else {
            throw AuditFailure(place, "lists other segments than the transcript of \(seal.window) has")
        }
        guard seal.sealedAt <= event.time else {
            throw AuditFailure(place, "was sealed at \(seal.sealedAt), after its own event")
        }
        for (number, reference) in seal.segments.enumerated() where reference.kind != .inputs {
            _ = try await SealedTranscript.segment(reference.digest, at: .segment(seal.window, number), tools)
        }
        windows[index].seal = seal
    }

    func compare(_ body: Event.ReplayCompared, _ place: AuditPlace) throws {
        let index = try window(body.window, place)
        guard let seal = windows[index].seal, body.outputDigest == seal.outputDigest else {
            throw AuditFailure(place, "compares a digest that is not sealed")
        }
        guard body.isEqual == (body.replayDigest == seal.outputDigest) else {
            throw AuditFailure(place, "calls two digests \(body.isEqual ? "equal" : "different") that are not")
        }
        windows[index].hasEqualReplay = body.isEqual
    }

    func receive(proof body: Event.Received, _ event: JournalEvent, _ place: AuditPlace) throws {
        let message = try message(body.envelope, as: .proof, place)
        let proof: Proof = try payload(message, place)
        guard let key = registry.key(kid: message.kid, role: proof.kind.role, at: event.time),
            key.subject == proof.verifier,
            tools.isSigned(message, key.spki)
        else {
            throw AuditFailure(
                place, "is not signed by a key in force of verifier \(proof.verifier) for \(proof.kind.rawValue)")
        }
        guard proof.issuedAt <= event.time else {
            throw AuditFailure(place, "was issued at \(proof.issuedAt), in the future")
        }
        let index = try window(proof.window, place)
        guard
            !windows[index].proofs.contains(where: {
                $0.proof.verifier == proof.verifier && $0.proof.kind != proof.kind
            })
        else {
            throw AuditFailure(place, "\(proof.verifier) had signed another kind for \(proof.window)")
        }
        windows[index].proofs.append(
            ReceivedProof(proof: proof, identity: message.identity, kid: message.kid, position: event.position))
        summary.proofs += 1
    }

    func decide(_ body: Event.Received, _ event: JournalEvent, _ place: AuditPlace) throws {
        let decision: GateDecision = try payload(try sealed(body.envelope, as: .decision, place), place)
        let index = try window(decision.window, place)
        let window = windows[index]
        guard let seal = window.seal, decision.outputDigest == seal.outputDigest else {
            throw AuditFailure(place, "decides about a digest that is not sealed")
        }
        // Earlier, and proofs that are stale by now would count as fresh.
        guard decision.decidedAt == event.time else {
            throw AuditFailure(place, "was decided at \(decision.decidedAt), its event stands at \(event.time)")
        }
        let check = GateCheck(window, registry, at: decision.decidedAt)
        guard decision.acceptanceDigest == check.acceptanceDigest else {
            throw AuditFailure(
                place,
                "names acceptance digest \(decision.acceptanceDigest), the proofs at hand give \(check.acceptanceDigest)"
            )
        }
        let principals = window.outcome.output.allocations.map(\.principal)
        for line in decision.lines where line.isAllowed && !window.allowed.contains(line.principal) {
            guard principals.contains(line.principal) else {
                throw AuditFailure(place, "allows \(line.principal), who has no allocation")
            }
            if let missing = hindrance(to: line.principal, window) ?? check.missing(for: line.principal) {
                throw AuditFailure(place, "allows \(line.principal) in \(decision.window): \(missing)")
            }
            windows[index].allowed.append(line.principal)
        }
        for principal in window.allowed
        where decision.lines.contains(where: { $0.principal == principal && !$0.isAllowed }) {
            throw AuditFailure(place, "holds \(principal), who was allowed before: an ALLOW is for ever")
        }
        summary.decisions += 1
    }

    /// What forbids any ALLOW, whatever proofs there are.
    private func hindrance(to principal: Identifier, _ window: AuditedWindow) -> String? {
        if !unreconciled.isEmpty { return "the lost tail of a log was not reconciled" }
        let entities = window.outcome.output.allocations.filter { $0.principal == principal }.map(\.entity)
        let held = intakeHeld()
        let plant = registry.plant(at: window.cut.start)
        for site in plant.sites where entities.contains(site.entity.id) {
            let disputed = plant.gatewayIDs(of: site).first { gateway in
                held.gateway(gateway)?.isDisputed(registry.gatewayKeys(gateway, at: window.cut.end)) ?? false
            }
            if let disputed { return "two histories of \(disputed) waited for a person" }
        }
        return nil
    }

    func issue(_ body: Event.IssuanceComplete, _ event: JournalEvent, _ place: AuditPlace) throws {
        let index = try window(body.window, place)
        let window = windows[index]
        guard window.allowed.contains(body.principal) else {
            throw AuditFailure(place, "issues to \(body.principal), whom no decision allowed")
        }
        guard body.outputDigest == window.outcome.outputDigest else {
            throw AuditFailure(place, "names another output digest")
        }
        let line = window.outcome.output.allocations.first {
            $0.entity == body.entity && $0.principal == body.principal
        }
        guard let line, line.account == body.account else {
            throw AuditFailure(
                place, "issues to \(body.principal) of \(body.entity) in \(body.account), which is not allocated")
        }
        guard line.amount == body.amount, body.amount > .zero else {
            throw AuditFailure(
                place,
                "issues \(body.amount.minorUnits) minor units to \(body.principal), allocated are \(line.amount.minorUnits)"
            )
        }
        guard !window.issued.contains([body.entity, body.principal]) else {
            throw AuditFailure(place, "issues \(body.window) to \(body.principal) a second time")
        }
        windows[index].issued.append([body.entity, body.principal])
        if let id = event.id { issuances[id] = body }
        summary.issuances += 1
    }
}
