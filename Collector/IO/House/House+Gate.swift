// Release: proofs come in, the gate decides, amounts are issued, credited and weighed. Each step does what is missing.

internal import CBOR
internal import CollectorCore
internal import CollectorJournal
internal import Evidence
internal import HTTPTypes
internal import Logging
internal import Proofs
internal import Quantities

extension House {
    func foldGate(_ event: Event, _ entry: JournalEvent) throws {
        guard let id = entry.id else { return }
        try gate.apply(event, id: id)
        try governance.apply(event, id: id)
    }

    // MARK: - Settling a window

    /// Decides, issues, credits and weighs what is due of a window that was replayed. Called after each proof, after the
    /// replay and while a window is held: an ALLOW is remembered, a HOLD is computed anew.
    func settle(_ id: WindowID) throws {
        guard let window = state.window(id), window.replay != nil else { return }
        if !window.isSettled {
            try decide(window)
            try append(try missing(gate.pendingIssuances(of: id)))
        }
        try credit(id)
        try weigh(id)
    }

    private func decide(_ window: WindowProgress) throws {
        let instant = decisionTime()
        guard
            let decision = gate.decision(
                window.window, registry: state.registry, conditions: conditions(window), at: instant),
            gate.isNews(decision)
        else { return }
        let envelope = try sign(decision.encoded, as: .decision)
        try append(try gate.drafts(of: decision, envelope: envelope.encoded), at: instant)
    }

    private func conditions(_ window: WindowProgress) -> GateConditions {
        let manifest = state.registry.manifest(at: window.cut.start)
        var conditions = GateConditions(manifest: manifest)
        conditions.hasPolicyConflict = window.cut.manifest != state.genesis.manifest.id
        let settled = window.verified.map(\.body.entity)
        let plant = state.registry.plant(at: window.cut.start)
        for site in plant.sites where window.cut.entities.contains(where: { $0.entity == site.entity.id }) {
            if !settled.contains(site.entity.id) { conditions.stalled += site.entity.shares.map(\.principal) }
            if plant.gatewayIDs(of: site).contains(where: { isDisputed($0, at: window.cut.end) }) {
                conditions.forked.append(site.entity.id)
            }
        }
        conditions.stalled = Array(Set(conditions.stalled)).sorted()
        return conditions
    }

    /// Whether two histories of a gateway wait for a person, or did at `instant`. A window that ended before a person decided may
    /// have readings of either.
    func isDisputed(_ gateway: Identifier, at instant: UTCInstant) -> Bool {
        intake.gateway(gateway)?.isDisputed(state.registry.gatewayKeys(gateway, at: instant)) ?? false
    }

    /// The credits of a window's issuances. Their ids come from the issuances, so none is credited twice.
    private func credit(_ id: WindowID) throws {
        for issued in state.window(id)?.issued ?? [] {
            if let draft = try ledger.crediting(issued.body, eventID: issued.id) { try append(try missing([draft])) }
        }
    }

    private func weigh(_ id: WindowID) throws {
        guard let window = state.window(id), window.isSettled, !window.isWeighed, !window.verified.isEmpty else {
            return
        }
        let manifest = state.registry.manifest(at: window.cut.start)
        let draft = governance.preliminaryWeights(
            after: id, registry: state.registry, manifest: manifest, at: window.cut.end)
        if let draft { try append(try missing([draft])) }
        _ = try stores.journal.publish()
    }

    // MARK: - Interface

    func take(proof message: SignedMessage) throws -> Digest {
        try catchUp()
        let instant = decisionTime()
        switch gate.decide(proof: message.encoded, registry: state.registry, at: instant, isSigned: isSigned) {
        case .known(let id): return id
        case .refused(let refusal):
            throw Problem(
                .unprocessableContent, "proof-refused", "The proof is not taken", detail: refusal.advice,
                code: Int64(refusal.rawValue))
        case .accepted(let draft):
            try append([draft], at: instant)
            let proof = try Proof(decoding: message.payload)
            try settle(proof.window)
            return message.identity
        }
    }

    func authorize(_ id: WindowID) throws -> JSON {
        try catchUp()
        guard let window = state.window(id), let seal = window.seal?.body else {
            throw Problem.notFound(
                "sealed window \(id.text)",
                hint: "a window is authorised after it is sealed; GET /v1/windows tells where it is")
        }
        try settle(id)
        let decision = state.window(id)?.decision?.body
        return .object([
            ("window_id", .string(id.text)), ("output_digest", .string(seal.outputDigest.description)),
            ("decisions", .array(decision?.lines.map(Self.view) ?? [])),
        ])
    }

    func acceptance(_ id: WindowID) throws -> JSON {
        guard let held = gate.window(id) else {
            throw Problem.notFound("window \(id.text) at the gate", hint: "proofs are taken once a window is allocated")
        }
        let manifest = state.registry.manifest(at: state.window(id)?.cut.start ?? now())
        let now = now()
        return .object([
            ("window_id", .string(id.text)), ("output_digest", .string(held.outputDigest.description)),
            ("required", .array(manifest.gate.kinds.map { .string($0.rawValue) })),
            ("quorum", .int(manifest.gate.quorum)),
            (
                "proofs",
                .array(
                    held.proofs.map { proof in
                        .object([
                            ("proof_id", .string(proof.identity.description)),
                            ("kind", .string(proof.proof.kind.rawValue)),
                            ("verifier", .string(proof.proof.verifier.text)),
                            ("principal_id", .optional(proof.proof.principal?.text)),
                            ("status", .string(proof.proof.isValid ? "VALID" : "INVALID")),
                            ("issued_at", .string(proof.proof.issuedAt.description)),
                            ("expires_at", .string(proof.proof.expiresAt.description)),
                            (
                                "fresh",
                                .bool(now < min(proof.proof.expiresAt, proof.proof.issuedAt + manifest.gate.freshness))
                            ),
                        ])
                    })
            ),
        ])
    }

    func weight(of entity: Identifier) -> JSON? {
        guard let latest = governance.latest, let weight = governance.weight(of: entity) else { return nil }
        return .object([
            ("entity", .string(entity.text)), ("units", .int(weight.units)), ("of", .int(Weights.units)),
            ("preliminary", .bool(latest.isPreliminary)), ("window_id", .string(latest.window.text)),
            ("production_wh", .int(weight.production.wattHours)), ("population", .int(weight.population)),
        ])
    }

    /// Replays a sealed window again for a person who asks; the Journal keeps the first comparison.
    func replayAgain(_ id: WindowID) throws -> JSON {
        guard let window = state.window(id), let seal = window.seal?.body else {
            throw Problem.notFound("sealed window \(id.text)", hint: "GET /v1/windows tells where it is")
        }
        let segments = try seal.segments.filter { $0.kind == .inputs }.map { reference -> [UInt8] in
            guard let bytes = try stores.objects.get(reference.digest) else {
                throw HouseFileError(
                    description: "segment \(reference.digest) is missing from the object store: restore it")
            }
            return bytes
        }
        let digest = try replay(segments: segments).outputDigest
        return .object([("equal", .bool(digest == seal.outputDigest)), ("digest", .string(digest.description))])
    }
}
