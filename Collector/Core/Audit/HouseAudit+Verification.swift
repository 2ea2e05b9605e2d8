// Statements, reviews and verdicts: who signed them, and that the verdicts are the ones the inputs give.

internal import CBOR
internal import Evidence
internal import Proofs
internal import Quantities

extension HouseAudit {
    func receive(statement body: Event.Received, _ event: JournalEvent, _ place: AuditPlace) async throws {
        let message = try message(body.envelope, as: .statement, place)
        let statement: SourceStatement = try payload(message, place)
        guard let role = statement.source.role, let key = registry.key(kid: message.kid, role: role, at: event.time),
            tools.isSigned(message, key.spki)
        else {
            throw AuditFailure(
                place, "is not signed by a key in force of a source of kind \(statement.source.rawValue)")
        }
        let isTaken = statements.contains { known in
            known.statement.source == statement.source && known.statement.meteringPoint == statement.meteringPoint
                && known.statement.from == statement.from && known.statement.to == statement.to
        }
        guard !isTaken else {
            throw AuditFailure(
                place,
                "is a second statement of source \(statement.source.rawValue) for \(statement.meteringPoint), \(statement.from)"
            )
        }
        statements.append(StatementInput(identity: message.identity, payload: message.payload, statement: statement))
        summary.statements += 1
        for digest in statement.inputs { try await look(at: digest) }
    }

    /// Raw inputs explain a statement; what counts is what was signed, so one that is not published is no failure.
    private func look(at digest: Digest) async throws {
        let path = "sources/\(digest)"
        guard let bytes = try await tools.read(path) else {
            summary.sourcesMissing += 1
            return
        }
        let own = Digest(of: bytes)
        guard own == digest else { throw AuditFailure(.file(path), "its bytes have the digest \(own)") }
        summary.sources += 1
    }

    func receive(review body: Event.Received, _ event: JournalEvent, _ place: AuditPlace) throws {
        let message = try message(body.envelope, as: .review, place)
        let review: Review = try payload(message, place)
        guard let key = registry.key(kid: message.kid, role: .person, at: event.time), tools.isSigned(message, key.spki)
        else {
            throw AuditFailure(place, "is not signed by a registered person")
        }
        reviews.append(ReviewInput(identity: message.identity, payload: message.payload, review: review))
    }

    private func verdict(_ entity: Identifier, _ id: WindowID, _ place: AuditPlace) throws -> EntityVerdict {
        guard let verdict = windows[try window(id, place)].verdict(of: entity) else {
            throw AuditFailure(place, "names \(entity), which is not in the inputs of \(id)")
        }
        return verdict
    }

    func compare(_ body: Event.ReconciliationComplete, _ place: AuditPlace) throws {
        let verdict = try verdict(body.entity, body.window, place)
        guard body.days == verdict.days else {
            let day = zip(body.days, verdict.days).first { $0 != $1 }?.0
            let name = day.map { "\($0.meteringPoint), day \($0.dayStart)" } ?? "their number"
            throw AuditFailure(place, "its day verdicts are not those the inputs give: \(name)")
        }
    }

    func compare(_ body: Event.AnomalyDetected, _ place: AuditPlace) throws {
        guard let day = windows[try window(body.window, place)].day(body.meteringPoint, body.day),
            day.outcome == body.verdict, day.outcome != .verified, day.findings == body.findings
        else { throw AuditFailure(place, "is not what the inputs give for \(body.meteringPoint), day \(body.day)") }
    }

    func compare(_ body: Event.DisputeOpened, _ place: AuditPlace) throws {
        guard let day = windows[try window(body.window, place)].day(body.meteringPoint, body.day),
            day.outcome == .disputed
        else {
            throw AuditFailure(place, "the inputs give no dispute of \(body.meteringPoint), day \(body.day)")
        }
    }

    func compare(_ body: Event.ProductionVerified, _ place: AuditPlace) throws {
        let verdict = try verdict(body.entity, body.window, place)
        guard verdict.isSettled, body.settledFrom == verdict.settledFrom, body.settledThrough == verdict.settledThrough
        else {
            throw AuditFailure(
                place, "settles through \(body.settledThrough), the inputs give \(verdict.settledThrough)")
        }
        guard body.verified.wattHours == verdict.verifiedWattHours else {
            throw AuditFailure(
                place, "says \(body.verified.wattHours) Wh, the inputs give \(verdict.verifiedWattHours) Wh")
        }
        guard body.lowestConfidence.value == verdict.lowestConfidence else {
            throw AuditFailure(
                place, "says lowest confidence \(body.lowestConfidence.value) ppm, the inputs give another")
        }
        let days = verdict.settledDays
        guard body.attestations.count == days.count else {
            throw AuditFailure(place, "carries \(body.attestations.count) attestations for \(days.count) settled days")
        }
        for (envelope, day) in zip(body.attestations, days) {
            let attestation = try sealed(envelope, as: .attestation, place)
            guard attestation.payload == day.encoded else {
                throw AuditFailure(
                    place,
                    "an attestation of \(day.meteringPoint), day \(day.dayStart), says something else than the inputs give"
                )
            }
        }
        let index = try window(body.window, place)
        guard !windows[index].verified.contains(body.entity) else {
            throw AuditFailure(place, "verifies \(body.entity) twice")
        }
        windows[index].verified.append(body.entity)
        summary.verifiedWattHours += Int128(verdict.verifiedWattHours)
    }
}
