// A window's way: cut, verified, allocated, sealed, replayed. Each step looks at what the Journal holds and does what is
// missing, so that going on after a crash is the normal path.

internal import CBOR
internal import CollectorCore
internal import CollectorJournal
internal import Evidence
internal import Logging
internal import Proofs
internal import Quantities

/// Long work that is done outside the house's thread.
enum HouseJob: Sendable {
    /// Input segments of a window that was cut.
    case compute(WindowID, segments: [[UInt8]])
    /// A sealed window, to be replayed by another process.
    case replay(WindowID, segments: [Digest])
}

extension House {
    /// Does what is due now and names one long job, if there is one. Called about ten times a second.
    func nextJob() -> HouseJob? {
        guard !isComputing else { return nil }
        do {
            guard try isWritable() else { return nil }
            try catchUp()
            try payOwed()
            owed.events += refusals.take(at: now())
            try payOwed()
            try reconcileEvidence()
            if let job = try unfinished() {
                isComputing = true
                return job
            }
            try cutIfDue()
            return nil
        } catch {
            logger.error("the house cannot go on: \(error)")
            trouble("\(error)")
            return nil
        }
    }

    /// Whether both logs may be appended to. A log that is behind says so to people until an operator opens an epoch.
    func isWritable() throws -> Bool {
        for standing in [try stores.evidence.standing(), try stores.journal.standing()] where standing != .current {
            trouble("\(standing)")
            return false
        }
        return true
    }

    /// Whose key counts is said by the whole Journal and the whole Evidence log alone: a copy of before does not know who
    /// was revoked since, nor who came.
    func requireWhole() throws(LogError) {
        for standing in [try stores.journal.standing(), try stores.evidence.standing()] where standing != .current {
            throw .behind(standing)
        }
    }

    /// The same; a log that cannot be read is not whole.
    var isWhole: Bool {
        do throws(LogError) { try requireWhole() } catch { return false }
        return true
    }

    /// The oldest window that is not settled: its next step, done here if it is short.
    private func unfinished() throws -> HouseJob? {
        for window in state.windows.suffix(Self.unsettledMax) {
            if window.seal == nil { return .compute(window.window, segments: try inputSegments(window)) }
            if window.replay == nil { return .replay(window.window, segments: inputDigests(window)) }
            try settle(window.window)
        }
        return nil
    }

    /// Windows looked at for unfinished steps. Older ones that are held stay held until a proof for them comes.
    private static let unsettledMax = 64

    private func inputSegments(_ window: WindowProgress) throws -> [[UInt8]] {
        try window.cut.segments.map { digest in
            guard let bytes = try stores.objects.get(digest) else {
                throw HouseFileError(
                    description:
                        "\(window.window.text): input segment \(digest) is missing from the object store: restore it")
            }
            return bytes
        }
    }

    private func inputDigests(_ window: WindowProgress) -> [Digest] {
        window.seal?.body.segments.filter { $0.kind == .inputs }.map(\.digest) ?? []
    }

    // MARK: - Cut

    private func cutIfDue() throws {
        // What an earlier Evidence log held comes again first: the windows are the same then.
        guard !gate.unreconciled.contains(.evidence) else { return }
        guard let window = grid.window(Int64(state.windows.count)), grid.cutInstant(of: window) <= now() else { return }
        // The checkpoint first: nothing that comes after it is read, so nobody can pick readings.
        let checkpoint = try stores.evidence.publish().checkpoint
        let inputs = WindowInputs(
            cutting: window, registry: state.registry, standing: standing, admission: admission,
            sources: CutSources(
                profiles: profiles.bytesByDigest, statements: state.statements, reviews: state.reviews,
                isHeld: { [intake] in intake.gateway($0)?.hold($1, $2) != nil }))
        let segments = inputs.segments()
        for segment in segments { try stores.objects.put(segment) }
        // A crash here leaves segments nobody names; the window is cut again, from whatever is known then.
        let entities = inputs.spans.map { span in
            Event.WindowCut.EntityCut(
                entity: span.entity, settledThrough: span.completeThrough,
                reason: span.completeThrough < window.end ? "WATERMARK_STALL" : nil, late: span.late)
        }
        let cut = Event.WindowCut(
            window: window.id, start: window.start, end: window.end, manifest: inputs.manifest.id, evidence: checkpoint,
            entities: entities, segments: segments.map { Digest(of: $0) }, inputDigest: inputDigest(of: segments))
        try append([Event.windowCut(cut).draft(commandID: CommandID.time(purpose: "cut", window: window.id.text))])
        logger.info("window \(window.id.text) cut", metadata: ["inputs": "\(cut.inputDigest)"])
    }

    // MARK: - Verified, allocated, sealed

    /// Takes a computed window. Events that stand already are left; signatures are made only for those that do not.
    func finish(computed outcome: WindowOutcome, transcript: Transcript, of id: WindowID) {
        isComputing = false
        do {
            try catchUp()
            guard let window = state.window(id), window.seal == nil else { return }
            for segment in transcript.segments { try stores.objects.put(segment.bytes) }
            try verify(window, outcome)
            try seal(window, outcome, transcript)
        } catch {
            logger.error("window \(id.text) could not be sealed: \(error)")
            trouble("\(id.text): \(error)")
        }
    }

    private func verify(_ window: WindowProgress, _ outcome: WindowOutcome) throws {
        for verdict in outcome.verdicts {
            let command = CommandID.caused(by: window.cutID, purpose: "verify/\(verdict.entity.text)")
            var drafts = [
                Event.reconciliationComplete(
                    Event.ReconciliationComplete(window: window.window, entity: verdict.entity, days: verdict.days)
                ).draft(commandID: command, ordinal: 0)
            ]
            for (index, day) in verdict.days.enumerated() where day.outcome != .verified {
                drafts.append(Self.anomaly(window.window, day).draft(commandID: command, ordinal: 1000 + UInt64(index)))
                if day.outcome == .disputed {
                    drafts.append(
                        Self.dispute(window.window, day).draft(commandID: command, ordinal: 1_000_000 + UInt64(index)))
                }
            }
            let production = JournalPayload(commandID: command, ordinal: 1, body: .null).eventID
            if verdict.isSettled, try !stands(production) {
                drafts.append(try productionVerified(window.window, verdict).draft(commandID: command, ordinal: 1))
            }
            try append(try missing(drafts))
        }
    }

    private func productionVerified(_ window: WindowID, _ verdict: EntityVerdict) throws -> Event {
        let attestations = try verdict.settledDays.map { try sign($0.encoded, as: .attestation).encoded }
        return .productionVerified(
            Event.ProductionVerified(
                window: window, entity: verdict.entity, settledFrom: verdict.settledFrom,
                settledThrough: verdict.settledThrough,
                verified: Energy(wattHours: verdict.verifiedWattHours),
                lowestConfidence: PartsPerMillion(verdict.lowestConfidence ?? 0) ?? .zero, attestations: attestations))
    }

    private static func anomaly(_ window: WindowID, _ day: DayVerdict) -> Event {
        .anomalyDetected(
            Event.AnomalyDetected(
                window: window, meteringPoint: day.meteringPoint, day: day.dayStart, verdict: day.outcome,
                findings: day.findings))
    }

    private static func dispute(_ window: WindowID, _ day: DayVerdict) -> Event {
        .disputeOpened(
            Event.DisputeOpened(
                window: window, meteringPoint: day.meteringPoint, day: day.dayStart,
                reason: "grade \(day.grade.rawValue), confidence \(day.confidence) ppm"))
    }

    private func seal(_ window: WindowProgress, _ outcome: WindowOutcome, _ transcript: Transcript) throws {
        let allocation = Event.AllocationCalculated(
            window: window.window, outputDigest: outcome.outputDigest, allocations: outcome.output.allocations,
            carries: outcome.output.carries)
        let allocated = Event.allocationCalculated(allocation).draft(
            commandID: CommandID.caused(by: window.cutID, purpose: "allocate"))
        try append(try missing([allocated]))
        let seal = Seal(
            window: window.window, outputDigest: outcome.outputDigest, transcriptRoot: transcript.root,
            evidence: window.cut.evidence,
            segments: transcript.segments.map(\.reference), sealedAt: now())
        let envelope = try sign(seal.encoded, as: .seal)
        // A crash before this append leaves no seal; the next attempt signs another with the same digests.
        try append([
            Event.transcriptSealed(Event.Received(envelope: envelope.encoded)).draft(
                commandID: CommandID.caused(by: allocated.eventID, purpose: "seal"))
        ])
        forgetSettled()
        _ = try stores.journal.publish()
        logger.info("window \(window.window.text) sealed", metadata: ["output": "\(outcome.outputDigest)"])
    }

    /// Samples that no window will read again go.
    func forgetSettled() {
        guard let end = state.windows.last(where: { $0.seal != nil })?.cut.end else { return }
        admission.forgetSettled(
            state.registry.plant(at: end), standing, bridge: state.registry.manifest(at: end).bridgeMax)
    }

    // MARK: - Replayed

    /// Takes the digest that another process computed; nil with `text` when it could not.
    func finish(replayed digest: Digest?, text: String, of id: WindowID) {
        isComputing = false
        do {
            try catchUp()
            guard let window = state.window(id), let seal = window.seal, window.replay == nil else { return }
            let compared = Event.ReplayCompared(
                window: id, outputDigest: seal.body.outputDigest, replayDigest: digest,
                isEqual: digest == seal.body.outputDigest,
                text: String(text.prefix(500)))
            try append([
                Event.replayCompared(compared).draft(commandID: CommandID.caused(by: seal.id, purpose: "replay"))
            ])
            if !compared.isEqual { trouble("\(id.text): DIGEST_MISMATCH: \(text)") }
            try settle(id)
        } catch {
            logger.error("replay of \(id.text) could not be recorded: \(error)")
            trouble("\(id.text): \(error)")
        }
    }
}

/// Something in the house's own files is not as it should be.
struct HouseFileError: Error, CustomStringConvertible {
    let description: String
}
