// Gate, seal, allocation and days of the traced window.

internal import CBOR
internal import Evidence
internal import Proofs
internal import Quantities

extension Tracer {
    // MARK: - Gate

    func showGate(_ issuance: Event.IssuanceComplete, _ events: JournalIndex.WindowEvents) {
        var step = TraceStep("The gate")
        defer { trace.steps.append(step) }
        var allowing: (found: JournalIndex.Found<Event.Received>, message: SignedMessage, decision: GateDecision)?
        for found in events.decisions where allowing == nil {
            guard let (message, decision) = decision(found) else { continue }
            if decision.lines.contains(where: { $0.principal == issuance.principal && $0.isAllowed }) {
                allowing = (found, message, decision)
            }
        }
        guard let (found, message, decision) = allowing else {
            return step.check(false, "a decision that allows \(issuance.principal)")
        }
        step.line("decision", "ALLOW \(issuance.principal) at \(decision.decidedAt)")
        step.line("found", "log/journal/\(found.event.position.epoch) entry \(found.event.position.index)")
        step.check(tools.isSigned(message, images.genesis.keys.seal), "the decision is signed by the house's seal key")
        step.check(decision.outputDigest == issuance.outputDigest, "it is about the digest that was issued")
        step.check(
            events.replay?.body.isEqual == true,
            "another process of the house had replayed the window to the same digest")
        let manifest = index.registry.manifest(at: events.cut?.body.start ?? decision.decidedAt)
        for kind in manifest.gate.kinds { showProofs(kind, decision, issuance, manifest, events, &step) }
    }

    private func decision(_ found: JournalIndex.Found<Event.Received>) -> (
        message: SignedMessage, decision: GateDecision
    )? {
        do {
            let message = try SignedMessage(
                parsing: found.body.envelope, as: .decision, bytesMax: SignedMessage.documentBytesMax)
            return (message, try GateDecision(decoding: message.payload))
        } catch { return nil }  // Shown as missing by the caller.
    }

    private func showProofs(
        _ kind: ProofKind, _ decision: GateDecision, _ issuance: Event.IssuanceComplete, _ manifest: Manifest,
        _ events: JournalIndex.WindowEvents, _ step: inout TraceStep
    ) {
        var organisations: [Identifier] = []
        for found in events.proofs {
            guard let (message, proof) = proof(found), proof.kind == kind,
                proof.principal == nil || proof.principal == issuance.principal,
                proof.outputDigest == decision.outputDigest
            else { continue }
            let key = index.registry.key(kid: message.kid, role: kind.role, at: decision.decidedAt)
            let isSigned = key.map { tools.isSigned(message, $0.spki) && $0.subject == proof.verifier } ?? false
            let end = min(proof.expiresAt, proof.issuedAt + manifest.gate.freshness)
            let isFresh = proof.issuedAt <= decision.decidedAt && decision.decidedAt < end
            let agrees = proof.isValid && proof.replayDigest == decision.outputDigest
            let organisation = key?.organisation.text ?? "nobody"
            step.line(
                kind.rawValue, "\(proof.verifier) of \(organisation), issued \(proof.issuedAt), good until \(end)")
            step.check(
                isSigned && isFresh && agrees,
                "\(kind.rawValue): signature, fresh, VALID, own replay digest = sealed digest")
            if let key, isSigned, isFresh, agrees, !organisations.contains(key.organisation) {
                organisations.append(key.organisation)
            }
        }
        step.check(
            Int64(organisations.count) >= manifest.gate.quorum,
            "\(kind.rawValue): \(organisations.count) organisation(s), \(manifest.gate.quorum) needed")
    }

    private func proof(_ found: JournalIndex.Found<Event.Received>) -> (message: SignedMessage, proof: Proof)? {
        do {
            let message = try SignedMessage(parsing: found.body.envelope, as: .proof)
            return (message, try Proof(decoding: message.payload))
        } catch { return nil }  // Then it counts for nothing.
    }

    // MARK: - Seal

    func showSeal(
        _ transcript: SealedTranscript, _ outcome: WindowOutcome, _ cut: JournalIndex.Found<Event.WindowCut>,
        _ event: JournalEvent
    ) {
        let seal = transcript.seal
        var step = TraceStep("The seal")
        step.line("window", "\(seal.window), \(cut.body.start) … \(cut.body.end), cut \(cut.event.time)")
        step.line("output", "\(seal.outputDigest)")
        step.line("transcript", "\(seal.segments.count) segments, root \(seal.transcriptRoot)")
        step.line("evidence", "\(seal.evidence.origin) at \(seal.evidence.size) records")
        step.line("found", "log/journal/\(event.position.epoch) entry \(event.position.index)")
        step.check(true, "the seal is signed by the seal key of genesis; every segment has the digest it lists")
        step.check(
            outcome.outputDigest == seal.outputDigest && outcome.outputBytes == transcript.output,
            "replayed here from the inputs alone: the same output, byte for byte")
        step.check(
            outcome.inputDigest == cut.body.inputDigest && seal.evidence == cut.body.evidence,
            "inputs and evidence checkpoint are those the cut had fixed")
        let origin = LogOrigin(seal.evidence.origin)
        let image = images.evidence.first { $0.origin == origin }
        let root = image.flatMap { $0.size >= seal.evidence.size ? $0.root(size: seal.evidence.size) : nil }
        step.check(root == seal.evidence.root, "that checkpoint is a prefix of the Evidence log as it is published now")
        trace.steps.append(step)
    }

    // MARK: - Allocation

    func showAllocation(
        _ issuance: Event.IssuanceComplete, _ outcome: WindowOutcome, _ inputs: WindowInputs,
        _ events: JournalIndex.WindowEvents
    ) {
        var step = TraceStep("The allocation")
        defer { trace.steps.append(step) }
        let rows = outcome.output.allocations.filter { $0.entity == issuance.entity }
        guard let row = rows.first(where: { $0.principal == issuance.principal }),
            let carry = inputs.carries.first(where: { $0.entity == issuance.entity }),
            let out = outcome.output.carries.first(where: { $0.entity == issuance.entity })
        else { return step.check(false, "an allocation of \(issuance.principal) in the output") }
        let rate = inputs.manifest.manifest.rate
        let total = rows.reduce(Int128(0)) { $0 + Int128($1.amount.minorUnits) }
        // The carry in the rate's denominator, by floor.
        let product = Int128(carry.numerator) * Int128(rate.denominator)
        let (quotient, rest) = product.quotientAndRemainder(dividingBy: Int128(carry.denominator))
        let carried = rest < 0 ? quotient - 1 : quotient
        let raw = Int128(row.verifiedWattHours) * Int128(rate.numerator) + carried
        step.line("entity", "\(row.verifiedWattHours) Wh × \(rate.numerator)/\(rate.denominator) minor units per Wh")
        step.line(
            "amount",
            "⌊(\(row.verifiedWattHours) × \(rate.numerator) + \(carried)) / \(rate.denominator)⌋ = \(total), rest \(out.numerator)"
        )
        step.line("share", "\(row.ppm) ppm of \(total) = \(row.amount.minorUnits) minor units to \(row.account)")
        step.check(
            raw >= 0 && total == raw / Int128(rate.denominator)
                && Int128(out.numerator) == raw % Int128(rate.denominator),
            "Σ of the entity's rows = ⌊raw / denominator⌋, and the rest is carried on")
        let floor = total * Int128(row.ppm) / 1_000_000
        step.check(
            (floor...floor + 1).contains(Int128(row.amount.minorUnits)),
            "the share is ⌊total × ppm⌋, or one minor unit more as the largest remainder")
        step.check(
            row.amount == issuance.amount && row.account == issuance.account,
            "allocated = issued: \(row.amount.description)")
        step.check(
            events.allocation?.body.allocations == outcome.output.allocations,
            "the Journal's AllocationCalculated has the replay's rows")
    }

    // MARK: - Days

    func showDays(_ entity: Identifier, _ outcome: WindowOutcome, _ events: JournalIndex.WindowEvents) {
        guard let verdict = outcome.verdicts.first(where: { $0.entity == entity }) else { return }
        let production = events.productions.first { $0.body.entity == entity }
        for (number, day) in verdict.settledDays.enumerated() {
            var step = TraceStep("The day \(day.dayStart) … \(day.dayEnd) of \(day.meteringPoint)")
            step.line("M", "revenue meter \(kilowattHours(day.exported ?? 0)), resolution \(day.resolution) Wh")
            for source in day.sources {
                let name = source.name.utf8.count > 24 ? source.name.prefix(16) + "…" : source.name[...]
                step.line(
                    source.source.rawValue,
                    "\(name) \(kilowattHours(source.wattHours)), deviation \(source.deviation) ppm, agreement \(source.agreement) ppm"
                )
            }
            step.line("coverage", "\(day.coverage) ppm of the day's intervals")
            step.line(
                "confidence",
                "\(day.confidence) ppm (base \(day.base) ppm), grade \(day.grade.rawValue): \(day.outcome.rawValue)")
            for finding in day.findings {
                step.line("finding", "\(finding.kind.rawValue) × \(finding.count) \(finding.text)")
            }
            var isAttested = false
            if let envelopes = production?.body.attestations, envelopes.indices.contains(number) {
                do throws(EnvelopeError) {
                    let message = try SignedMessage(
                        parsing: envelopes[number], as: .attestation, bytesMax: SignedMessage.documentBytesMax)
                    isAttested = tools.isSigned(message, images.genesis.keys.seal) && message.payload == day.encoded
                } catch { isAttested = false }
            }
            step.check(isAttested, "the attestation the house signed says exactly what the replay gives")
            trace.steps.append(step)
        }
    }

    func kilowattHours(_ wattHours: Int64) -> String {
        let fraction = String(wattHours.magnitude % 1000)
        return (wattHours < 0 ? "−" : "") + String(wattHours.magnitude / 1000) + "."
            + String(repeating: "0", count: 3 - fraction.count) + fraction + " kWh"
    }
}
