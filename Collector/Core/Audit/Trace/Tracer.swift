// Walks from a transfer back to the register words. Every step recomputes what it shows; a check that fails is shown as
// such, and the walk goes on as long as there is something to show.

internal import CBOR
internal import Evidence
internal import Proofs
internal import Quantities

/// One walk. Owned by one task.
package final class Tracer {
    let tools: AuditTools
    let images: HouseImages
    let index: JournalIndex
    let records: EvidenceFinder
    var trace = Trace()

    private init(_ images: HouseImages, _ index: JournalIndex, _ tools: AuditTools) {
        self.tools = tools
        self.images = images
        self.index = index
        records = EvidenceFinder(images.evidence, tools)
    }

    /// - Throws: ``AuditFailure`` when a log, an event or a segment on the way cannot be believed at all.
    package static func trace(_ id: TransferID, _ pins: AuditPins, _ tools: AuditTools) async throws -> Trace {
        let images = try await HouseImages.load(pins, tools)
        let tracer = Tracer(images, try await JournalIndex(images, tools), tools)
        try await tracer.walk(id, isPinned: !pins.isEmpty)
        return tracer.trace
    }

    private func walk(_ id: TransferID, isPinned: Bool) async throws {
        guard let entry = index.ledger.entry(id), let event = index.transfers[id] else {
            throw AuditFailure(
                .file("log/journal"), "has no transfer \(id): name a transaction id of this house (32 hex digits)")
        }
        showTransfer(entry, event)
        guard let lot = showProvenance(entry) else { return }
        guard let issuance = showIssuance(lot) else { return }
        let window = issuance.body.window
        guard let events = index.windows[window], let cut = events.cut, let sealEvent = events.seal else {
            throw AuditFailure(.window(window), "was issued and is not sealed in the Journal")
        }
        showGate(issuance.body, events)
        let (seal, identity) = try SealedTranscript.seal(
            sealEvent.body.envelope, sealKey: images.genesis.keys.seal,
            at: .event(sealEvent.event.position, kind: sealEvent.event.kind), tools)
        let transcript = try await SealedTranscript.load(seal, identity: identity, tools)
        let outcome = try transcript.replayed()
        let inputs: WindowInputs
        do throws(ShapeError) { inputs = try WindowInputs(segments: transcript.inputs) } catch {
            throw AuditFailure(.window(window), "\(error)")
        }
        showSeal(transcript, outcome, cut, sealEvent.event)
        showAllocation(issuance.body, outcome, inputs, events)
        showDays(issuance.body.entity, outcome, events)
        try await showRegisters(issuance.body.entity, inputs, outcome, seal)
        showRegistrations(issuance.body.entity, at: cut.body.start)
        var summary = AuditSummary()
        summary.genesis = Digest(of: images.genesis.encoded)
        (summary.isReplay, summary.isPinned) = (images.genesis.mode == 1, isPinned)
        summary.meters = index.registry.plant(at: cut.body.start).sites.filter { $0.entity.id == issuance.body.entity }
            .flatMap { $0.meteringPoints.flatMap(\.meters) }
        summary.verifiers = Set(events.proofs.compactMap { verifier(of: $0) }).sorted()
        trace.notes += summary.beliefs
    }

    private func verifier(of proof: JournalIndex.Found<Event.Received>) -> Identifier? {
        do {
            let payload: Proof = try JournalIndex.payload(
                proof.body, .proof, .event(proof.event.position, kind: proof.event.kind))
            return payload.verifier
        } catch { return nil }  // It was read once when the index was made.
    }

    /// `log/journal/1 entry 17`, and that it is in the signed tree.
    func checkInclusion(of position: LogPosition, in step: inout TraceStep) {
        let image = images.journal[Int(position.epoch) - 1]
        let proof = image.inclusionProof(index: position.index, size: image.size)
        let isIn = MerkleTree.verifyInclusion(
            leaf: image.leaves[Int(position.index)], index: position.index, size: image.size, proof: proof,
            root: image.root(size: image.size))
        step.check(
            isIn && image.size == image.checkpoint.size,
            "Journal entry \(position.index) is in the tree of \(image.size) that the log key signed (\(proof.count) hashes)"
        )
    }

    // MARK: - Ledger

    private func showTransfer(_ entry: LedgerEntry, _ event: JournalEvent) {
        let transfer = entry.transfer
        var step = TraceStep("The transfer \(transfer.id)")
        step.line("what", "\(event.kind) at \(event.time)")
        step.line(
            "amount", "\(transfer.amount.description) \(images.genesis.asset), \(transfer.debit) → \(transfer.credit)")
        if let order = entry.order { step.line("order", "\"\(order.memo)\", issued \(order.issuedAt)") }
        step.line("found", "log/journal/\(event.position.epoch) entry \(event.position.index)")
        checkInclusion(of: event.position, in: &step)
        trace.steps.append(step)
    }

    /// The part that is walked back: the transfer's own issuance, or the oldest lot it moved.
    private func showProvenance(_ entry: LedgerEntry) -> TransferID? {
        if entry.kind == .issued { return entry.transfer.id }
        let lots = Provenance(index.ledger).lots(of: entry.transfer.id)
        var step = TraceStep("Where it came from (first in, first out)")
        for lot in lots { step.line(lot.amount.description, "issued with \(lot.issuance)") }
        let sum = lots.reduce(Int128(0)) { $0 + Int128($1.amount.minorUnits) }
        step.check(
            sum == Int128(entry.transfer.amount.minorUnits),
            "the parts add up to the transfer's amount, or it moved nothing")
        trace.steps.append(step)
        for lot in lots.dropFirst() {
            trace.notes.append("another part, \(lot.amount.description): kilomint-audit trace \(lot.issuance)")
        }
        return lots.first?.issuance
    }

    private func showIssuance(_ id: TransferID) -> JournalIndex.Found<Event.IssuanceComplete>? {
        var step = TraceStep("The issuance")
        defer { trace.steps.append(step) }
        guard let credit = index.ledger.entry(id)?.transfer, let issuance = index.issuances[credit.cause] else {
            step.check(false, "credit \(id) names an issuance that is in the Journal")
            return nil
        }
        let body = issuance.body
        step.line("window", "\(body.window), entity \(body.entity), principal \(body.principal)")
        step.line("amount", "\(body.amount.description) \(images.genesis.asset) to \(body.account)")
        step.line("found", "log/journal/\(issuance.event.position.epoch) entry \(issuance.event.position.index)")
        step.check(
            credit.amount == body.amount && credit.credit == body.account,
            "credited = issued: \(credit.amount.description) to \(credit.credit)")
        step.check(TransferID(creditFor: credit.cause) == id, "the credit's id follows from the issuance's event id")
        let same = index.issuances.values.count {
            $0.body.window == body.window && $0.body.principal == body.principal && $0.body.entity == body.entity
        }
        step.check(same == 1, "issued once for (\(body.window), \(body.principal)) in the whole Journal")
        checkInclusion(of: issuance.event.position, in: &step)
        return issuance
    }
}
