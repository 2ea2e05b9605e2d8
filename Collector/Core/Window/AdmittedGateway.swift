// One gateway's streams on their way to readings: births, times, completeness.

internal import Evidence
internal import Proofs
internal import Quantities

/// Samples of one meter, in the order they got their time; their reads are numbers in `reads`.
struct MeterSamples: Sendable {
    let reads: [ReadInput]
    var samples: [AdmittedSample] = []

    /// Numbers of the reads that the samples came from, ascending.
    var usedReads: [Int] {
        var isUsed = [Bool](repeating: false, count: reads.count)
        for sample in samples { isUsed[sample.read] = true }
        return reads.indices.filter { isUsed[$0] }
    }
}

struct AdmittedGateway: Sendable {
    private let id: Identifier
    private var streams: [StreamID: AdmittedStream] = [:]
    /// The stream that was born last: it alone says how far the gateway is complete. An earlier one has ended.
    private var open: StreamID?
    private(set) var completeThrough: UTCInstant?
    /// Every read ever born here, by number.
    private var reads: [ReadInput] = []
    /// By meter.
    private var samples: [Identifier: [AdmittedSample]] = [:]

    init(_ id: Identifier) { self.id = id }

    mutating func admit(
        _ stored: StoredRecord, clockError: Int64
    ) -> (findings: [AdmissionFinding], marks: [TimedMark]) {
        let place = stored.record.place
        var findings: [AdmissionFinding] = []
        func note(_ kind: AdmissionFinding.Kind, _ count: UInt64 = 1) {
            findings.append(
                AdmissionFinding(kind: kind, gateway: id, stream: place.stream, sequence: place.sequence, count: count))
        }
        // Taken out and put back, so that its arrays are not copied.
        var stream = streams.removeValue(forKey: place.stream) ?? AdmittedStream(place.stream)
        if stream.isNew { open = place.stream }
        if case .birth(let birth) = stored.record.body {
            stream.readNumbers = [:]
            stream.meters = [:]
            if let numbers = bear(birth, identity: stored.identity) {
                stream.readNumbers = numbers
                for meter in birth.meters { stream.meters[meter.index] = meter.id }
            } else {
                note(.birthContradicts)
            }
        }
        if case .skip(let skip) = stored.record.body {
            // One that begins below what came counts for the rest alone.
            let first = max(place.sequence, stream.through &+ 1)
            if first <= skip.to { note(.recordsSkipped, skip.to - first + 1) }
        }
        let step = stream.admit(stored.record, identity: stored.identity, mark: stream.mark(in: stored.record))
        streams[place.stream] = stream
        for (kind, count) in step.findings { note(kind, count) }
        keep(step.samples)
        if let through = step.completeThrough, open == place.stream {
            let bounded = min(through, stored.receivedAt + clockError)
            completeThrough = max(completeThrough ?? bounded, bounded)
        }
        return (findings, step.marks)
    }

    /// Puts samples to their meters. Those of one meter mostly stand together: each run is looked up once, because a
    /// lookup costs more than a sample.
    private mutating func keep(_ admitted: [AdmittedSample]) {
        var rest = admitted[...]
        while let first = rest.first {
            let meter = reads[first.read].meter
            let run = rest.prefix { $0.read == first.read || reads[$0.read].meter == meter }
            samples[meter, default: []].append(contentsOf: run)
            rest = rest.dropFirst(run.count)
        }
    }

    /// Numbers a birth's reads. Nil, and nothing born, when it contradicts itself.
    private mutating func bear(_ birth: Birth, identity: Digest) -> [UInt64: Int]? {
        var meters: [UInt64: Birth.Meter] = [:]
        for meter in birth.meters {
            guard meters.updateValue(meter, forKey: meter.index) == nil else { return nil }
        }
        var numbers: [UInt64: Int] = [:]
        var born: [ReadInput] = []
        for read in birth.reads {
            guard let meter = meters[read.meter], numbers[read.index] == nil else { return nil }
            numbers[read.index] = reads.count + born.count
            born.append(ReadInput(read, of: meter, birth: identity))
        }
        reads += born
        return numbers
    }

    /// - Parameter isHeld: whether the record at this place is kept out of windows.
    func samples(
        ofMeter meter: Identifier, after: UTCInstant, through: UTCInstant, isHeld: (StreamID, UInt64) -> Bool
    ) -> MeterSamples {
        var found = MeterSamples(reads: reads)
        var last: (stream: StreamID, sequence: UInt64, isHeld: Bool)?
        for sample in samples[meter] ?? [] where after < sample.time && sample.time <= through {
            // Samples of one record stand together: asked once.
            if last?.stream != sample.stream || last?.sequence != sample.sequence {
                last = (sample.stream, sample.sequence, isHeld(sample.stream, sample.sequence))
            }
            if last?.isHeld == false { found.samples.append(sample) }
        }
        return found
    }

    mutating func forget(through instant: UTCInstant) {
        for meter in samples.keys { samples[meter]?.removeAll { $0.time <= instant } }
    }

    var sampleCount: Int { samples.values.reduce(0) { $0 + $1.count } }
}

extension AdmittedStream {
    /// What a record of this stream says of meters; its birth is known already.
    fileprivate func mark(in record: Record) -> (uptime: UInt64, mark: MeterMark)? {
        switch record.body {
        // A birth that contradicts itself bears nothing, and claims nothing.
        case .birth(let birth):
            meters.isEmpty ? nil : (record.clock.uptimeMilliseconds, MeterMark(birth))
        case .note(let note): MeterMark(note, meters: meters).map { (note.uptimeMilliseconds, $0) }
        case .readings, .skip, .key: nil
        }
    }
}

extension ReadInput {
    fileprivate init(_ read: Birth.Read, of meter: Birth.Meter, birth: Digest) {
        self.init(
            meter: meter.id, profile: meter.profileDigest, function: read.function, address: read.address,
            count: read.count, interval: read.intervalMilliseconds,
            chain: meter.chain.map { SunSpecEntry(model: $0.id, address: $0.address, length: $0.length) },
            model: meter.model, serial: meter.serial, firmware: meter.firmware, birth: birth, index: read.index)
    }
}
