// One stream's clocks: samples wait for their time until a synchronised record of the same boot gives it.

internal import Evidence
internal import Proofs
internal import Quantities

struct AdmittedStream: Sendable {
    /// Samples of one stream that may wait for a synchronised record: about nine days of 20 reads a minute.
    static let untimedMax = 262_144
    /// Notes and births of one boot that may wait for it; a gateway that writes more is not commissioned by them.
    static let untimedMarksMax = 4_096

    /// What one record brought.
    struct Step: Sendable {
        var samples: [AdmittedSample] = []
        var marks: [TimedMark] = []
        var completeThrough: UTCInstant?
        var findings: [(AdmissionFinding.Kind, UInt64)] = []
    }

    /// A sample at an uptime of the current boot.
    private struct Untimed: Sendable {
        let uptime: UInt64
        let record: Digest
        let sampleIndex: UInt64
        let sample: Readings.Sample
        let sequence: UInt64
        let read: Int
    }

    /// A birth or a note that says something of meters.
    private struct UntimedMark: Sendable {
        let uptime: UInt64
        let record: Digest
        let sequence: UInt64
        let mark: MeterMark
    }

    /// Read index of the latest birth → number of the read at the gateway.
    var readNumbers: [UInt64: Int] = [:]
    /// Meter index of the latest birth → meter; only looked up.
    var meters: [UInt64: Identifier] = [:]
    private let id: StreamID
    /// The last number that came or that a skip stands for.
    private(set) var through: UInt64 = 0
    private var boot: [UInt8] = []
    private var untimed: [Untimed] = []
    private var untimedMarks: [UntimedMark] = []

    init(_ id: StreamID) { self.id = id }

    /// Whether no record was admitted yet: every record names a boot.
    var isNew: Bool { boot.isEmpty }

    /// - Parameter mark: what the record says of meters, at an uptime of its boot.
    mutating func admit(
        _ record: Record, identity: Digest, mark: (uptime: UInt64, mark: MeterMark)? = nil
    ) -> Step {
        var step = Step()
        through = max(through, record.place.sequence)
        if case .skip(let skip) = record.body { through = max(through, skip.to) }
        if record.clock.boot != boot {
            // The boot before is over: what waited for its time gets none.
            if !untimed.isEmpty { step.findings.append((.timeUncertain, UInt64(untimed.count))) }
            untimed = []
            untimedMarks = []
            boot = record.clock.boot
        }
        if let mark, untimedMarks.count < Self.untimedMarksMax {
            untimedMarks.append(
                UntimedMark(
                    uptime: mark.uptime, record: identity, sequence: record.place.sequence, mark: mark.mark))
        }
        if case .readings(let readings) = record.body { collect(readings, record, identity, &step) }
        guard record.clock.sync == 2 else {
            if untimed.count > Self.untimedMax {
                step.findings.append((.tooManyUntimed, UInt64(untimed.count)))
                untimed = []
            }
            return step
        }
        // UTC at uptime 0 of this boot.
        let (zero, overflowed) = record.clock.utc.milliseconds.subtractingReportingOverflow(
            Int64(clamping: record.clock.uptimeMilliseconds))
        guard !overflowed else {
            step.findings.append((.timeOutOfRange, UInt64(untimed.count)))
            untimed = []
            untimedMarks = []
            return step
        }
        give(zero, &step)
        step.completeThrough = Self.instant(zero, record.completeThrough)
        return step
    }

    private mutating func collect(_ readings: Readings, _ record: Record, _ identity: Digest, _ step: inout Step) {
        var unknown: UInt64 = 0
        for (index, sample) in readings.samples.enumerated() {
            let (uptime, overflowed) = readings.base.addingReportingOverflow(sample.dt)
            guard let read = readNumbers[sample.read] else {
                unknown += 1
                continue
            }
            untimed.append(
                Untimed(
                    uptime: overflowed ? .max : uptime, record: identity, sampleIndex: UInt64(index), sample: sample,
                    sequence: record.place.sequence, read: read))
        }
        if unknown > 0 { step.findings.append((.unknownRead, unknown)) }
    }

    /// Gives every waiting sample its time: from this record's own clock pair, or from the nearest later one.
    private mutating func give(_ zero: Int64, _ step: inout Step) {
        var outside: UInt64 = 0
        step.samples.reserveCapacity(untimed.count)
        for waiting in untimed {
            guard let time = Self.instant(zero, waiting.uptime) else {
                outside += 1
                continue
            }
            step.samples.append(
                AdmittedSample(
                    time: time, record: waiting.record, sampleIndex: waiting.sampleIndex, status: waiting.sample.status,
                    words: waiting.sample.words, sequence: waiting.sequence, stream: id,
                    read: waiting.read))
        }
        untimed = []
        for waiting in untimedMarks {
            guard let time = Self.instant(zero, waiting.uptime) else { continue }
            step.marks.append(
                TimedMark(
                    time: time, record: waiting.record, sequence: waiting.sequence, stream: id, mark: waiting.mark))
        }
        untimedMarks = []
        if outside > 0 { step.findings.append((.timeOutOfRange, outside)) }
    }

    /// Nil outside 1970 … 9999.
    private static func instant(_ zero: Int64, _ uptime: UInt64) -> UTCInstant? {
        guard let uptime = Int64(exactly: uptime) else { return nil }
        let (time, overflowed) = zero.addingReportingOverflow(uptime)
        guard !overflowed, (0...HouseBounds.instantMax).contains(time) else { return nil }
        return UTCInstant(milliseconds: time)
    }
}
