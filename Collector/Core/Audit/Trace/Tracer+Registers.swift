// The two settled readings of each counter: register words, what they decode to, and the records they stand in.

internal import CBOR
internal import Evidence
internal import Metering
internal import Proofs
internal import Quantities

/// A settled reading of one counter.
private struct SettledReading {
    let name: String
    let record: Digest
    let sampleIndex: UInt64
    let count: UInt64
    let unit: Rational
    let time: UTCInstant
}

extension Tracer {
    func showRegisters(_ entity: Identifier, _ inputs: WindowInputs, _ outcome: WindowOutcome, _ seal: Seal)
        async throws
    {
        let plant = InputPlant(inputs)
        guard let span = plant.span(of: entity), let verdict = outcome.verdicts.first(where: { $0.entity == entity })
        else { return }
        var sum: Int64 = 0
        for point in plant.points(of: entity) {
            guard let meter = plant.meter(point.revenueMeter) else { continue }
            var told: Digest?
            let segments = Verification.segments(of: point, inputs, span, through: verdict.settledThrough)
            for segment in segments where segment.key.meter == meter.id && segment.to.time > segment.from.time {
                let isExport = segment.key.quantity == .activeExport
                guard isExport || point.direction == .exportMinusImport else { continue }
                if let commissioning = segment.commissioning, commissioning.record != told {
                    told = commissioning.record
                    try await showCommissioning(commissioning)
                }
                let ends = [("opening", segment.from), ("closing", segment.to)].map { name, settled in
                    SettledReading(
                        name: name, record: settled.record, sampleIndex: settled.sampleIndex, count: settled.count,
                        unit: segment.unit, time: settled.time)
                }
                let energy = showCounter(segment.key, ends[0], ends[1], meter)
                sum &+= isExport ? energy : 0 &- energy
                for reading in ends { try await show(reading, segment.key, meter, inputs, seal) }
            }
        }
        trace.steps.append(conserved(sum, verdict))
    }

    private func conserved(_ sum: Int64, _ verdict: EntityVerdict) -> TraceStep {
        var step = TraceStep("From registers to Wh")
        step.check(
            sum == verdict.verifiedWattHours,
            "Σ of the registers' differences \(sum) Wh = verified energy \(verdict.verifiedWattHours) Wh")
        return step
    }

    /// Who stood before the meter, and what was compared.
    private func showCommissioning(_ commissioning: CommissioningInput) async throws {
        let found = try await records.record(commissioning.record)
        var step = TraceStep("The commissioning of \(commissioning.meter)")
        defer { trace.steps.append(step) }
        var told: Commissioning?
        if case .note(let note) = found.record.body {
            do throws(ShapeError) { told = try Commissioning(note) } catch { told = nil }
        }
        guard let told else { return step.check(false, "record \(commissioning.record) is a commissioning") }
        step.line("at", "\(commissioning.time) by \(told.by.name) (user \(told.by.user))")
        step.line(
            "serial",
            told.serialRead.isEmpty ? "\(told.serialTyped), the meter tells none" : "\(told.serialTyped) read and typed"
        )
        for seen in told.registers {
            step.line(
                seen.obis,
                "typed \(kilowattHours(Int64(clamping: seen.typedWattHours ?? 0))), read \(kilowattHours(Int64(clamping: seen.read?.wattHours ?? 0)))"
            )
        }
        step.line(
            "record",
            "gateway \(found.place.entry.gateway), stream \(found.place.entry.stream), seq \(found.place.entry.sequence)"
        )
        step.check(
            [told.serialTyped, told.serialRead].contains(commissioning.serial)
                && told.profile == commissioning.profile,
            "serial and profile are those the readings stand under")
    }

    private func showCounter(
        _ key: CounterKey, _ opening: SettledReading, _ closing: SettledReading, _ meter: Meter
    ) -> Int64 {
        let lower = RegisterCount.whole(opening.count, unit: opening.unit, ratio: meter.ratio) ?? 0
        let upper = RegisterCount.whole(closing.count, unit: closing.unit, ratio: meter.ratio) ?? 0
        let energy = upper &- lower
        var step = TraceStep(
            "The register \(key.quantity) of \(key.meter) (\(meter.vendor) \(meter.model), serial \(meter.serial))")
        step.line("opening", "\(opening.time)  \(opening.count) × \(opening.unit) Wh = \(kilowattHours(lower))")
        step.line("closing", "\(closing.time)  \(closing.count) × \(closing.unit) Wh = \(kilowattHours(upper))")
        step.line("difference", kilowattHours(energy))
        step.check(
            closing.time > opening.time && energy >= 0, "the register went on from the opening to the closing reading")
        trace.steps.append(step)
        return energy
    }

    // MARK: - Records

    private func show(
        _ reading: SettledReading, _ key: CounterKey, _ meter: Meter, _ inputs: WindowInputs, _ seal: Seal
    ) async throws {
        let found = try await records.record(reading.record)
        var step = TraceStep("The \(reading.name) reading as the meter answered it")
        defer { trace.steps.append(step) }
        guard case .readings(let body) = found.record.body, let index = Int(exactly: reading.sampleIndex),
            body.samples.indices.contains(index)
        else { return step.check(false, "record \(reading.record) has a sample \(reading.sampleIndex)") }
        let sample = body.samples[index]
        let read = inputs.reads.firstIndex { $0.meter == key.meter && $0.index == sample.read }
        if let read {
            let input = inputs.reads[read]
            step.line(
                "request",
                "function \(input.function), address \(input.address), \(input.count) registers, profile \(profileName(input, inputs))"
            )
        }
        showWords(sample.words, &step)
        step.check(
            read.map {
                decoded(sample, as: $0, key, meter, inputs, at: reading.time).contains { count, modulus in
                    // A settled count goes on past rollovers, its register does not.
                    guard let modulus, modulus > 0 else { return count == reading.count }
                    return count == reading.count % modulus
                }
            } ?? false,
            "the words decode through the profile to count \(reading.count)")
        showRecord(found, body, sample, reading, seal, &step)
    }

    private func profileName(_ read: ReadInput, _ inputs: WindowInputs) -> String {
        let profile = inputs.profiles.first { $0.digest == read.profile }
        return "\(profile?.profile.name ?? "?") \(read.profile.description.prefix(12))…"
    }

    /// Sixteen words a line.
    private func showWords(_ words: [UInt8], _ step: inout TraceStep) {
        for start in stride(from: 0, to: words.count, by: 32) {
            let part = stride(from: start, to: min(start + 32, words.count), by: 2).map {
                words[$0..<min($0 + 2, words.count)].hex
            }
            step.line(start == 0 ? "words" : "", part.joined(separator: " "))
        }
    }

    /// What the words say of the counter, with the modulus of its register.
    private func decoded(
        _ sample: Readings.Sample, as read: Int, _ key: CounterKey, _ meter: Meter, _ inputs: WindowInputs,
        at time: UTCInstant
    ) -> [(UInt64, UInt64?)] {
        let reading = InputReading(
            time: time, record: .zero, sampleIndex: 0, read: read, status: sample.status, words: sample.words)
        let series = ReadTable(inputs, plant: InputPlant(inputs)).counts(reading)
        let counts = key.quantity == .activeExport ? series.export : series.imported
        return counts.map { ($0.count, $0.modulus) }
    }

    private func showRecord(
        _ found: EvidenceFinder.FoundRecord, _ body: Readings, _ sample: Readings.Sample, _ reading: SettledReading,
        _ seal: Seal,
        _ step: inout TraceStep
    ) {
        let (entry, record, message) = (found.place.entry, found.record, found.message)
        step.line(
            "record",
            "gateway \(entry.gateway), stream \(entry.stream), seq \(entry.sequence), sample \(reading.sampleIndex)")
        step.line("identity", "\(entry.identity)")
        step.line(
            "received",
            "\(entry.receivedAt), log/evidence/\(found.place.position.epoch) entry \(found.place.position.index)")
        let key = gatewayKey(message, at: record.place.sequence, entry)
        let algorithm = message.algorithm == .es256 ? "ES256" : "EdDSA"
        step.check(
            key != nil, "\(algorithm) signature by \(entry.gateway)'s key \(message.kid.hex), registered when it came")
        if record.place.sequence > 1 {
            let before = records.place(entry.stream, record.place.sequence - 1)?.entry.identity
            step.check(
                before == nil || before == record.place.previous,
                before == nil
                    ? "it follows a skip of its stream"
                    : "it follows seq \(record.place.sequence - 1) of its stream: identity = field 5")
        }
        if record.clock.sync == 2 {
            let zero = record.clock.utc.milliseconds &- Int64(clamping: record.clock.uptimeMilliseconds)
            let time = zero &+ Int64(clamping: body.base) &+ Int64(clamping: sample.dt)
            step.check(
                UTCInstant(milliseconds: time) == reading.time,
                "its time follows from the record's own clocks: \(reading.time)")
        }
        let (isIn, hashes) = records.isIncluded(found.place, in: seal.evidence)
        step.check(isIn, "it is in the tree of \(seal.evidence.size) records that the seal names (\(hashes) hashes)")
    }

    /// The registered key, or one a record of the gateway named, that signed.
    private func gatewayKey(_ message: SignedMessage, at sequence: UInt64, _ entry: EvidenceEntry) -> [UInt8]? {
        let keys = index.registry.gatewayKeys(entry.gateway, at: entry.receivedAt)?.keys ?? []
        return keys.first {
            !$0.isRevoked && KeyID.kid(ofSPKI: $0.spki) == message.kid && tools.isSigned(message, $0.spki)
        }?.spki
    }

    // MARK: - Registrations

    func showRegistrations(_ entity: Identifier, at instant: UTCInstant) {
        var step = TraceStep("The registrations this rests on")
        defer { trace.steps.append(step) }
        let plant = index.registry.plant(at: instant)
        guard let site = plant.sites.first(where: { $0.entity.id == entity }) else {
            return step.check(false, "\(entity) was registered at \(instant)")
        }
        var documents: [(name: String, document: RegisteredDocument?)] = [
            ("entity", index.registry.document(RegistrationSubject(kind: 3, id: entity), at: instant))
        ]
        for point in site.meteringPoints {
            documents.append(
                ("point", index.registry.document(RegistrationSubject(kind: 4, id: point.id), at: instant)))
            documents.append(
                ("meter", index.registry.document(RegistrationSubject(kind: 5, id: point.revenueMeter), at: instant)))
        }
        for gateway in site.gateways {
            documents.append(
                ("gateway", index.registry.document(RegistrationSubject(kind: 6, id: gateway.id), at: instant)))
            let key = RegistrationSubject(kind: 2, role: KeyRole.gateway.rawValue, id: gateway.id)
            documents.append(("key", index.registry.document(key, at: instant)))
        }
        for (name, document) in documents {
            guard let document, let (event, envelopes) = index.registrations[document.id] else {
                step.check(false, "a registration of the \(name)")
                continue
            }
            step.line(
                name,
                "\(subject(document)), \(envelopes) signature(s), log/journal/\(event.position.epoch) entry \(event.position.index)"
            )
        }
        step.check(
            true,
            "each is signed by a root key of genesis; meters, metering points and the gateway's key by two persons too")
    }

    private func subject(_ document: RegisteredDocument) -> String {
        switch document.registration.body {
        case .organisation(let body): body.id.text
        case .key(let body): "\(KeyID.kid(ofSPKI: body.spki).hex) of \(body.subject)"
        case .entity(let body): body.id.text
        case .meteringPoint(let body): "\(body.id), \(body.nameplateWatts) W"
        case .meter(let body): "\(body.id), \(body.vendor) \(body.model), serial \(body.serial)"
        case .gateway(let body): body.id.text
        case .claim(let body): "claim of \(body.gateway)"
        case .revocation(let body): "revocation of \(body.gateway)"
        }
    }
}
