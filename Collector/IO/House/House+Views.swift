// What the HTTP interface tells of the state. Shapes: docs/formats/http.md. Nothing here changes anything.

internal import CollectorCore
internal import CollectorJournal
internal import Evidence
internal import Proofs
internal import Quantities

extension House {
    // MARK: - Production and verification

    /// The latest settled production of an entity, and its history, newest last.
    func production(_ entity: Identifier) -> [JSON] {
        state.windows.flatMap { window in
            window.verified.filter { $0.body.entity == entity }.map { verified in
                .object([
                    ("entity", .string(entity.text)), ("window_id", .string(window.window.text)),
                    ("settled_from", .string(verified.body.settledFrom.description)),
                    ("settled_through", .string(verified.body.settledThrough.description)),
                    ("verified_wh", .int(verified.body.verified.wattHours)),
                    ("confidence_ppm", .int(verified.body.lowestConfidence.value)),
                    (
                        "attestations",
                        .array(
                            state.attestations.filter { $0.window == window.window && $0.verdict.entity == entity }.map
                            { .string($0.id.description) })
                    ),
                ])
            }
        }
    }

    func attestation(_ id: Digest) -> JSON? {
        guard let found = state.attestations.first(where: { $0.id == id }) else { return nil }
        return .object([
            ("attestation_id", .string(id.description)), ("window_id", .string(found.window.text)),
            ("verdict", Self.view(found.verdict, attestation: id)), ("envelope", .string(found.envelope.base64)),
        ])
    }

    func reconciliationStatus() -> JSON {
        let last = state.windows.last { !$0.reconciliations.isEmpty }
        let verdicts = last.map { days($0) } ?? []
        let streams = intake.streams.map { gateway, stream -> JSON in
            .object([
                ("gateway", .string(gateway.text)), ("stream", .string(stream.description)),
                ("complete_through", .optional(admission.completeThrough(gateway)?.description)),
                ("hold", .optional(intake.gateway(gateway)?.hold(stream, .max)?.rawValue)),
            ])
        }
        let open = grid.window(Int64(state.windows.count))
        return .object([
            ("window_id", .optional(last?.window.text)),
            ("days", .array(verdicts.map { Self.view($0, attestation: nil) })),
            ("open_window", .optional(open?.id.text)),
            ("streams", .array(streams)),
        ])
    }

    func days(_ window: WindowProgress) -> [DayVerdict] {
        window.reconciliations.flatMap(\.days)
    }

    static func view(_ verdict: DayVerdict, attestation: Digest?) -> JSON {
        .object([
            ("metering_point", .string(verdict.meteringPoint.text)), ("day", .string(verdict.dayStart.description)),
            ("m_wh", .optional(verdict.exported)),
            (
                "sources",
                .array(
                    verdict.sources.map { source in
                        .object([
                            ("source", .string(source.source.rawValue)), ("name", .string(source.name)),
                            ("wh", .int(source.wattHours)),
                            ("deviation_ppm", .int(source.deviation)), ("agreement_ppm", .int(source.agreement)),
                            ("weight", .int(source.weight)),
                        ])
                    })
            ),
            ("q_ppm", .int(verdict.coverage)), ("base_ppm", .int(verdict.base)),
            ("satellite_agreement_ppm", .optional(verdict.satellite)), ("confidence_ppm", .int(verdict.confidence)),
            ("grade", .string(verdict.grade.rawValue)),
            (
                "findings",
                .array(
                    verdict.findings.map { finding in
                        .object([
                            ("finding", .string(finding.kind.rawValue)), ("count", .count(finding.count)),
                            ("text", .string(finding.text)),
                        ])
                    })
            ),
            ("skipped", .array(verdict.skipped.map { .string($0.rawValue) })),
            ("verdict", .string(verdict.outcome.rawValue)),
            ("attestation_id", .optional(attestation?.description)),
        ])
    }

    // MARK: - Windows

    var grid: WindowGrid {
        WindowGrid(anchor: state.genesis.anchor, manifest: state.registry.manifest(at: state.genesis.anchor))
    }

    /// Windows that were cut, and those that began since.
    func windows(_ page: Page) -> JSON {
        let began = grid.window(containing: now()).map { Int($0.index) + 1 } ?? 0
        let total = max(state.windows.count, began)
        let start = min(page.after, total)
        let end = min(total, start + page.limit)
        let views = (start..<end).compactMap { index -> JSON? in
            index < state.windows.count ? view(state.windows[index]) : grid.window(Int64(index)).map(open)
        }
        return Page.answer(views, next: end < total ? end : nil)
    }

    func windowView(_ id: WindowID) -> (view: JSON, isFinal: Bool)? {
        // Final when nothing can change it: issued, credited, so that the supply after it is known, and weighed.
        if let progress = state.window(id) { return (view(progress), progress.isSettled && isComplete(progress)) }
        // Windows of an id's UTC day are few; they are looked at one by one.
        guard let midnight = UTCInstant(String(id.text.dropFirst(2).prefix(10)) + "T00:00:00Z") else { return nil }
        var index = grid.window(containing: max(midnight, grid.anchor))?.index ?? .max
        while let window = grid.window(index), window.start <= now(), window.start < midnight + 86_400_000 {
            if window.id == id { return (open(window), false) }
            index += 1
        }
        return nil
    }

    private func isComplete(_ window: WindowProgress) -> Bool {
        window.issued.allSatisfy { ledger.entry(TransferID(creditFor: $0.id)) != nil }
            && (window.isWeighed || window.verified.isEmpty)
    }

    private func open(_ window: Window) -> JSON {
        .object([
            ("window_id", .string(window.id.text)), ("start", .string(window.start.description)),
            ("end", .string(window.end.description)), ("cut_at", .string(grid.cutInstant(of: window).description)),
            ("state", .string("open")), ("entities", .array([])), ("decisions", .array([])), ("issued", .array([])),
        ])
    }

    private func view(_ window: WindowProgress) -> JSON {
        .object([
            ("window_id", .string(window.window.text)), ("start", .string(window.cut.start.description)),
            ("end", .string(window.cut.end.description)), ("cut_at", .string(window.cutAt.description)),
            ("state", .string(window.step.rawValue)), ("input_digest", .string(window.cut.inputDigest.description)),
            ("output_digest", .optional(window.allocation?.body.outputDigest.description)),
            ("transcript_root", .optional(window.seal?.body.transcriptRoot.description)),
            (
                "replay",
                window.replay.map {
                    .object([
                        ("equal", .bool($0.body.isEqual)), ("digest", .optional($0.body.replayDigest?.description)),
                    ])
                } ?? .null
            ),
            ("entities", .array(window.cut.entities.map { entity(window, $0) })),
            ("decisions", .array(window.decision?.body.lines.map(Self.view) ?? [])),
            (
                "issued",
                .array(
                    window.issued.map { issued in
                        .object([
                            ("principal_id", .string(issued.body.principal.text)),
                            ("account", .string(issued.body.account.text)),
                            ("amount", .string(String(issued.body.amount.minorUnits))),
                            ("transaction_id", .string(TransferID(creditFor: issued.id).description)),
                        ])
                    })
            ),
            ("supply_after", .optional(window.supplyAfter.map { "\($0)" })),
        ])
    }

    private func entity(_ window: WindowProgress, _ cut: Event.WindowCut.EntityCut) -> JSON {
        let verified = window.verified.first { $0.body.entity == cut.entity }?.body
        return .object([
            ("entity", .string(cut.entity.text)), ("complete_through", .string(cut.settledThrough.description)),
            ("reason", .optional(cut.reason)), ("late", .array(cut.late.map { .string($0.text) })),
            ("settled_through", .optional(verified?.settledThrough.description)),
            ("verified_wh", .optional(verified?.verified.wattHours)),
            ("confidence_ppm", .optional(verified?.lowestConfidence.value)),
            (
                "days",
                .array(
                    days(window).filter { $0.entity == cut.entity }.map { day in
                        Self.view(day, attestation: state.attestations.first { $0.verdict == day }?.id)
                    })
            ),
        ])
    }

    static func view(_ line: GateDecision.Line) -> JSON {
        .object([
            ("principal_id", .string(line.principal.text)), ("decision", .string(line.isAllowed ? "ALLOW" : "HOLD")),
            ("reason_code", .optional(line.reason)), ("action", .optional(line.action)),
        ])
    }

    func transcript(_ id: WindowID) -> JSON? {
        guard let window = state.window(id), let seal = window.seal?.body else { return nil }
        return .object([
            ("window_id", .string(id.text)), ("output_digest", .string(seal.outputDigest.description)),
            ("transcript_root", .string(seal.transcriptRoot.description)),
            ("seal", .string(window.sealEnvelope.base64)),
            (
                "segments",
                .array(
                    seal.segments.map { segment in
                        .object([
                            ("kind", .int(segment.kind.rawValue)), ("size", .count(segment.size)),
                            ("digest", .string(segment.digest.description)),
                        ])
                    })
            ),
        ])
    }

    // MARK: - House and gateways

    func houseView() -> JSON {
        let manifest = state.registry.manifest(at: now())
        let isReplay = state.genesis.mode == 1
        return .object([
            ("tenant", .string(state.genesis.tenant.text)), ("asset", .string(state.genesis.asset)),
            ("mode", .string(isReplay ? "replay" : "real")), ("now", .string(now().description)),
            ("minor_units_per_unit", .int(state.genesis.minorUnitsPerUnit)),
            ("grid_anchor", .string(state.genesis.anchor.description)),
            ("manifest_id", .string(state.genesis.manifest.id.description)), ("cadence_ms", .int(manifest.cadence)),
            ("grace_ms", .int(manifest.grace)), ("freshness_ms", .int(manifest.gate.freshness)),
            ("quorum", .int(manifest.gate.quorum)),
            ("rate", .array([.int(manifest.rate.numerator), .int(manifest.rate.denominator)])),
            ("log_origin", .string(state.genesis.originBase)), ("troubles", .array(troubles.map { .string($0) })),
        ])
    }

    func gatewayViews() -> [JSON] {
        let ids = Set(gateways.ids + intake.gatewayIDs).sorted()
        return ids.map { id in
            let board = gateways.gateway(id)
            let streams = (intake.gateway(id)?.births ?? []).map { stream -> JSON in
                let known = intake.gateway(id)?.stream(stream)
                return .object([
                    ("stream", .string(stream.description)), ("through", .count(known?.head.through ?? 0)),
                    ("complete_through", .optional(admission.completeThrough(id)?.description)),
                    ("hold", .optional(intake.gateway(id)?.hold(stream, .max)?.rawValue)),
                    ("findings", .int(Int64(known?.findings.count ?? 0))),
                    ("missing_tail", .optional(known?.missingTail?.description)),
                    ("skipped", .count(known?.skippedCount ?? 0)),
                ])
            }
            let meters = (board?.meters ?? []).map { meter -> JSON in
                .object([
                    ("meter", .string(meter.id.text)), ("model", .string(meter.model)),
                    ("serial", .string(meter.serial)),
                    ("export_wh", .optional(meter.energy?.energy.wattHours)), ("watts", .optional(meter.watts)),
                    ("read_at", .optional(meter.readAt?.description)),
                ])
            }
            return .object([
                ("gateway", .string(id.text)), ("online", .bool(board?.isOnline ?? false)),
                ("records", .count(board?.records ?? 0)),
                ("readings", .count(board?.readings ?? 0)),
                ("last_record_at", .optional(board?.lastRecordAt?.description)),
                ("streams", .array(streams)), ("meters", .array(meters)),
            ])
        }
    }
}
