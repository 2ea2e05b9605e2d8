// A window's cut: its inputs gathered again from evidence, registry and the window before, and compared byte for byte.

internal import CBOR
internal import Evidence
internal import Metering
internal import Proofs
internal import Quantities

extension HouseAudit {
    func cut(_ body: Event.WindowCut, _ event: JournalEvent, _ place: AuditPlace) async throws {
        let id = body.window
        let manifest = registry.manifest(at: body.start)
        let grid = WindowGrid(anchor: images.genesis.anchor, manifest: manifest)
        guard let window = grid.window(Int64(windows.count)), window.id == id, window.start == body.start,
            window.end == body.end
        else { throw AuditFailure(place, "window \(id) \(body.start) … \(body.end) is not the next one of the grid") }
        guard event.time >= grid.cutInstant(of: window) else {
            throw AuditFailure(
                place, "was cut at \(event.time), before its grace ended (\(grid.cutInstant(of: window)))")
        }
        guard uncomputed == nil, windows.last.map({ $0.seal != nil }) ?? true else {
            throw AuditFailure(place, "was cut before the window before it was sealed")
        }
        try await reach(body.evidence, of: id, place)
        guard let segments = try await segments(body, place) else {
            // An export may have been made between a cut and its seal. Whatever follows from this window names it.
            uncomputed = id
            return
        }
        let outcome: WindowOutcome
        let found: WindowInputs
        do throws(ShapeError) {
            found = try WindowInputs(segments: segments)
            outcome = WindowOutcome(computing: found, inputDigest: body.inputDigest)
        } catch { throw AuditFailure(.window(id), "its inputs cannot be read: \(error)") }
        try require(found, segments, of: window, body, event)
        let transcript = Transcript(inputs: segments, output: outcome.outputBytes)
        windowIndices[id] = windows.count
        windows.append(
            AuditedWindow(
                cut: body, position: event.position, outcome: outcome, references: transcript.segments.map(\.reference),
                transcriptRoot: transcript.root))
        standing.settle(outcome.output)
        forgetSettled(at: window.end)
        summary.inputReadings += found.points.reduce(0) { $0 + UInt64($1.readings.count) }
    }

    /// Folds evidence up to the checkpoint the cut names: it must be a prefix of the published tree.
    private func reach(_ checkpoint: Checkpoint, of id: WindowID, _ place: AuditPlace) async throws {
        guard let origin = LogOrigin(checkpoint.origin), origin.log == .evidence,
            origin.base == images.genesis.originBase
        else {
            throw AuditFailure(place, "names no checkpoint of this house's Evidence log (\(checkpoint.origin))")
        }
        guard let root = try await evidence.advance(epoch: origin.epoch, size: checkpoint.size, registry) else {
            throw AuditFailure(
                place,
                "names \(checkpoint.size) records of \(checkpoint.origin); that is not in the published log after the last cut"
            )
        }
        guard root == checkpoint.root else {
            throw AuditFailure(
                place,
                "names root \(checkpoint.root) over \(checkpoint.size) records, the published log has \(root) there")
        }
    }

    /// Nil when the first of them is not there.
    private func segments(_ body: Event.WindowCut, _ place: AuditPlace) async throws -> [[UInt8]]? {
        if let first = body.segments.first, try await tools.read("segments/\(first)") == nil { return nil }
        var segments: [[UInt8]] = []
        for (index, digest) in body.segments.enumerated() {
            segments.append(try await SealedTranscript.segment(digest, at: .segment(body.window, index), tools))
        }
        let digest = inputDigest(of: segments)
        guard digest == body.inputDigest else {
            throw AuditFailure(place, "names input digest \(body.inputDigest), its segments give \(digest)")
        }
        return segments
    }

    /// Gathers the inputs from what the window may read, and nothing else.
    private func require(
        _ found: WindowInputs, _ segments: [[UInt8]], of window: Window, _ body: Event.WindowCut, _ event: JournalEvent
    ) throws {
        for profile in found.profiles { profiles[profile.digest] = profile.bytes }
        let held = intakeHeld()
        let expected = WindowInputs(
            cutting: window, registry: registry, standing: standing, admission: evidence.admission,
            sources: CutSources(
                profiles: profiles, statements: statements, reviews: reviews,
                isHeld: { gateway, stream, sequence in held.gateway(gateway)?.hold(stream, sequence) != nil }))
        if expected.segments() != segments {
            let difference =
                InputDifference.first(expected: expected, found: found) ?? "they are cut into other segments"
            throw AuditFailure(
                .window(window.id), "its transcript's inputs are not those of the evidence: \(difference)")
        }
        let place = AuditPlace.event(event.position, kind: event.kind)
        guard body.manifest == expected.manifest.id else {
            throw AuditFailure(place, "names a manifest that was not in force")
        }
        let cuts = body.entities.map { EntitySpanLine(entity: $0.entity, through: $0.settledThrough, late: $0.late) }
        let spans = expected.spans.map { EntitySpanLine(entity: $0.entity, through: $0.completeThrough, late: $0.late) }
        guard cuts == spans else { throw AuditFailure(place, "names other days or late gateways than its own inputs") }
    }

    private struct EntitySpanLine: Equatable {
        let entity: Identifier
        let through: UTCInstant
        let late: [Identifier]
    }

    /// Intake's state with what the Journal has added up to now: forks, and streams a person closed.
    func intakeHeld() -> IntakeState {
        var state = evidence.intake
        for (_, body) in intakeEvents { state.apply(body) }
        return state
    }

    /// No window reads them any more: memory stays with what is open.
    private func forgetSettled(at instant: UTCInstant) {
        evidence.admission.forgetSettled(
            registry.plant(at: instant), standing, bridge: registry.manifest(at: instant).bridgeMax)
    }
}
