// A window of a million interval records: cut, computed with its transcript, sealed, kept, replayed. Beside it SHA-256 of
// the same bytes. An interval record here is what one meter showed at one minute.

internal import CollectorCore
internal import CollectorJournal
internal import Evidence
internal import Keys
internal import Kit
internal import Metering
internal import Proofs
internal import Quantities

enum WindowFigures {
    static let intervals = 1_000_000
    private static let minutes = 1_440

    private struct Phase {
        let taken: Taken
        /// Bytes of the whole process.
        let peak: Double

        init(_ work: () throws -> Void) throws {
            try ProcessFigures.resetPeak()
            taken = try Machine.time(work)
            peak = try ProcessFigures("self").peak
        }

        init(sum phases: [Phase]) {
            taken = Taken(
                seconds: phases.reduce(0) { $0 + $1.taken.seconds },
                processor: phases.reduce(0) { $0 + $1.taken.processor })
            peak = phases.map(\.peak).max() ?? 0
        }
    }

    static func measure() throws -> [Row] {
        // Two meters, each minute of the day and the first of the next.
        let points = (intervals + 2 * minutes - 1) / (2 * minutes)
        var house = try BenchHouse()
        for number in 0..<points { try house.addEntity(number) }
        let start = try ProcessFigures("self").resident
        var admission = Admission()
        let admitted = try Phase {
            for number in 0..<points { DayOfRecords(number, house, minutes: minutes).admit(into: &admission) }
        }
        let held = try ProcessFigures("self").resident - start
        var rows = [
            row(
                "admit, held until cut", admitted, note: "\(Figure.mebibytes(held)) held; records made in the same time"
            )
        ]
        guard let window = WindowGrid(anchor: BenchHouse.anchor, manifest: house.registry.firstManifest).window(0)
        else {
            throw KitError("the grid has no first window")
        }
        var inputs: WindowInputs?
        let cut = try Phase {
            inputs = WindowInputs(
                cutting: window, registry: house.registry, standing: Standing(), admission: admission,
                sources: CutSources(
                    profiles: [
                        house.revenue.digest: house.revenue.encoded(), house.inverter.digest: house.inverter.encoded(),
                    ],
                    statements: (0..<points).map(statement), reviews: [], isHeld: { _, _, _ in false }))
        }
        guard let inputs else { throw KitError("no inputs") }
        let readings = inputs.points.reduce(0) { $0 + $1.readings.count }
        guard readings >= intervals else { throw KitError("\(readings) readings were cut") }
        rows += try close(window, inputs, cut, readings)
        return rows
    }

    /// An auditor's word on the day: without one nothing settles.
    private static func statement(_ number: Int) -> StatementInput {
        let statement = SourceStatement(
            source: .auditor, meteringPoint: name("p-\(number)"), from: BenchHouse.anchor,
            to: BenchHouse.anchor + BenchHouse.day, wattHours: Int64(60 * minutes), resolutionWattHours: 10, inputs: [],
            issuedAt: BenchHouse.anchor + BenchHouse.day, method: "bench")
        let payload = statement.encoded
        return StatementInput(identity: Digest(of: payload), payload: payload, statement: statement)
    }

    private static func close(_ window: Window, _ inputs: WindowInputs, _ cut: Phase, _ readings: Int) throws -> [Row] {
        let place = try TemporaryDirectory()
        defer { withExtendedLifetime(place) {} }
        let objects = try DirectoryObjectStore(root: place.file("objects"))
        let key = try PrivateKey.generate(.eddsa)
        var result: (outcome: WindowOutcome, transcript: Transcript)?
        let computed = try Phase { result = computeWindow(inputs) }
        guard let (outcome, transcript) = result else { throw KitError("no outcome") }
        let settled = outcome.verdicts.filter(\.isSettled).count
        if let verdict = outcome.verdicts.first(where: { !$0.isSettled }) {
            throw KitError("\(settled) of \(outcome.verdicts.count) settle: \(verdict)")
        }
        let sealed = try Phase {
            for segment in transcript.segments { _ = try objects.put(segment.bytes) }
            let seal = Seal(
                window: window.id, outputDigest: outcome.outputDigest, transcriptRoot: transcript.root,
                evidence: Checkpoint(origin: "bench.example/house/evidence/1", size: 1, root: .zero),
                segments: transcript.segments.map(\.reference), sealedAt: window.end)
            _ = try SignedMessage.signing(seal.encoded, as: .seal, with: key)
        }
        let segments = transcript.segments.filter { $0.reference.kind == .inputs }.map(\.bytes)
        let replayed = try Phase {
            guard try replay(segments: segments).outputDigest == outcome.outputDigest else {
                throw KitError("the replay differs")
            }
        }
        let bytes = Double(segments.reduce(0) { $0 + $1.count })
        let hashed = Machine.time { for segment in segments { _ = Digest(of: segment) } }
        func limited(_ what: String, _ phase: Phase) -> Row {
            row(
                what, phase, limit: Figure.seconds(hashed.seconds),
                note: "SHA-256 of the same \(Figure.mebibytes(bytes)): "
                    + "\(Figure.count(phase.taken.seconds / hashed.seconds)) times that")
        }
        return [
            row(
                "cut \(Figure.count(Double(readings))) interval records", cut, note: "\(settled) entities, all settled"),
            limited("compute, allocate, transcript", computed),
            limited("keep \(transcript.segments.count) segments, seal", sealed),
            limited("replay from segments", replayed),
            limited("cut to replayed", Phase(sum: [cut, computed, sealed, replayed])),
        ]
    }

    private static func row(_ what: String, _ phase: Phase, limit: String = "–", note: String = "") -> Row {
        Row(
            "window", what, "\(Figure.seconds(phase.taken.seconds)), peak \(Figure.mebibytes(phase.peak))",
            limit: limit,
            note)
    }
}

/// A gateway's day: both meters each minute, one record an hour, signatures left out.
private struct DayOfRecords {
    private let number: Int
    private let house: BenchHouse
    private let minutes: Int

    init(_ number: Int, _ house: BenchHouse, minutes: Int) {
        self.number = number
        self.house = house
        self.minutes = minutes
    }

    func admit(into admission: inout Admission) {
        guard let stream = StreamID([UInt8](repeating: 1, count: 8)) else { preconditionFailure("eight bytes") }
        var previous = Digest.zero
        var sequence: UInt64 = 0
        func admit(_ body: RecordBody, minute: Int) {
            sequence += 1
            let uptime = UInt64(minute) * 60_000
            let record = Record(
                place: RecordPlace(
                    gateway: Kilomint.gateway(number), stream: stream, sequence: sequence, previous: previous),
                clock: RecordClock(
                    sync: 2, errorMilliseconds: 1, boot: [UInt8](repeating: 1, count: 16), uptimeMilliseconds: uptime,
                    utc: BenchHouse.anchor + Int64(uptime)),
                completeThrough: uptime, body: body)
            previous = Digest(
                of: record.place.previous.bytes, [UInt8(truncatingIfNeeded: sequence)], Array("\(number)".utf8))
            _ = admission.admit(
                StoredRecord(record: record, identity: previous, receivedAt: record.clock.utc + 100), clockError: 1_000)
        }
        admit(.birth(birth), minute: 0)
        let seen = RegisterSeen(
            obis: "1-0:2.8.0", typedWattHours: 10_000,
            read: RegisterSeen.Read(wattHours: 10_000, uptime: 0, function: 3, address: 0x5000, words: revenue(0)))
        let told = Commissioning(
            meter: 0, serialTyped: "main-\(number)", registers: [seen], by: Signatory(user: "bench", name: "bench"),
            profile: house.revenue.digest, serialRead: "main-\(number)")
        admit(.note(told.note(uptime: 0)), minute: 0)
        for hour in 0..<(minutes / 60) {
            // The last one ends with the next day's first minute, so that the day is complete.
            let range = (hour * 60)..<(hour * 60 + 60 + (hour == minutes / 60 - 1 ? 1 : 0))
            let samples = range.flatMap { minute in
                (0..<2 as Range<UInt64>).map { read in
                    Readings.Sample(
                        read: read, dt: UInt64(minute - range.lowerBound) * 60_000, took: 5, status: 0,
                        words: read == 0 ? revenue(minute) : inverter(minute))
                }
            }
            admit(
                .readings(Readings(base: UInt64(range.lowerBound) * 60_000, samples: samples)),
                minute: range.upperBound - 1)
        }
    }

    /// The B23's import and export (10 Wh), 0x5000 … 0x5007: 60 Wh a minute.
    private func revenue(_ minute: Int) -> [UInt8] { bigEndian(5, 8) + bigEndian(UInt64(1_000 + 6 * minute), 8) }
    /// Model 103: WH and its scale factor.
    private func inverter(_ minute: Int) -> [UInt8] { bigEndian(UInt64(777 + 60 * minute), 4) + bigEndian(0, 2) }

    private func bigEndian(_ value: UInt64, _ count: Int) -> [UInt8] {
        (0..<count).reversed().map { UInt8(truncatingIfNeeded: value >> (8 * UInt64($0))) }
    }

    private var birth: Birth {
        let chain = [
            Birth.Meter.Model(id: 1, address: 40_002, length: 66),
            Birth.Meter.Model(id: 103, address: 40_070, length: 50),
        ]
        return Birth(
            agentVersion: "bench", predecessor: nil,
            meters: [
                Birth.Meter(
                    index: 0, id: name("main-\(number)"), profileName: "abb/b23", profileDigest: house.revenue.digest,
                    model: "B23 112-100", serial: "main-\(number)", firmware: "1", unit: 1,
                    endpoint: "tcp://127.0.0.1:502"),
                Birth.Meter(
                    index: 1, id: name("check-\(number)"), profileName: "sunspec/inverter-103",
                    profileDigest: house.inverter.digest, model: "check", serial: "check-\(number)", firmware: "1",
                    unit: 2, endpoint: "tcp://127.0.0.1:502", chain: chain),
            ],
            reads: [
                Birth.Read(index: 0, meter: 0, function: 3, address: 0x5000, count: 8, intervalMilliseconds: 60_000),
                Birth.Read(index: 1, meter: 1, function: 3, address: 40_094, count: 3, intervalMilliseconds: 60_000),
            ], replay: nil)
    }
}
