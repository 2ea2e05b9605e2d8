// What was heard on a bus beside the answers that were believed, sorted by what it can mean. The doctor reads it;
// nothing here becomes a value.

internal import Evidence

/// What one unit was heard to do.
package struct UnitEvidence: Hashable, Sendable {
    /// Requests and broken answers by the length of the whole answer: a bad line breaks long answers more often.
    package struct Share: Hashable, Sendable {
        package var asked: UInt64 = 0
        package var broken: UInt64 = 0
    }

    /// Answers up to this many bytes are short.
    package static let shortMax = 32

    package var short = Share()
    package var long = Share()
    /// Sound answers that came when they were no longer waited for.
    package var lateAnswers: UInt64 = 0
    /// The longest time from the end of such a request until its answer had been heard, milliseconds.
    package var lateMilliseconds: Int64 = 0
    /// A second sound answer to one request.
    package var secondAnswers: UInt64 = 0
    /// Broken answers with more bytes than one answer has.
    package var overlong: UInt64 = 0
    /// It began and did not end.
    package var partials: UInt64 = 0
    /// Other units that answered in its place, and how often the last of them.
    package var answeredBy: UInt8?
    package var otherAnswers: UInt64 = 0

    package init() {}

    func since(_ earlier: UnitEvidence) -> UnitEvidence {
        var rest = self
        let counters: [WritableKeyPath<UnitEvidence, UInt64>] = [
            \.short.asked, \.short.broken, \.long.asked, \.long.broken, \.lateAnswers, \.secondAnswers, \.overlong,
            \.partials, \.otherAnswers,
        ]
        for counter in counters { rest[keyPath: counter] -= min(self[keyPath: counter], earlier[keyPath: counter]) }
        return rest
    }
}

/// What was heard on one line.
package struct LineEvidence: Hashable, Sendable {
    /// A request, and what came of it.
    private struct Asked: Hashable {
        let unit: UInt8
        let function: UInt8
        let status: UInt64
        /// How many bytes had come when it was over.
        let during: Int
        /// When it had been sent, nanoseconds of the clock that never steps.
        let ended: Int64

        var isAnswered: Bool { status <= SampleStatus.exceptionMax }
        /// Bytes of a good answer; nil: it names its length itself.
        let whole: Int?

        /// Whether the frame may be its answer, or an exception to it.
        func fits(_ frame: HeardFrame) -> Bool {
            frame.unit == unit && frame.function == function
                && (whole == nil || frame.length == whole || frame.length == 5)
        }
    }

    /// An answer this late is no answer any more but somebody else's.
    private static let lateNanosecondsMax: Int64 = 30_000_000_000

    /// By unit; only looked up or summed.
    package private(set) var units: [UInt8: UnitEvidence] = [:]
    /// Sound frames that nobody here asked for, and a unit that was asked by the other master.
    package private(set) var foreignRequests: UInt64 = 0
    package private(set) var foreignAnswers: UInt64 = 0
    package private(set) var foreignUnit: UInt8?
    /// Bytes of broken answers, and how many of them were 0: a driver that checks parity turns a bad character into one.
    package private(set) var brokenBytes: UInt64 = 0
    package private(set) var brokenZeros: UInt64 = 0
    /// The last request of each unit that got no answer in time: it may still come.
    private var owed: [UInt8: Asked] = [:]
    /// The request before the one that is looked at.
    private var last: Asked?
    /// After a foreign request its answer is foreign too, whoever gives it.
    private var isForeign = false

    package init() {}

    package subscript(unit: UInt8) -> UnitEvidence { units[unit] ?? UnitEvidence() }

    /// Everything that came between the end of a request and the next one.
    ///
    /// - Parameters:
    ///   - heard: every byte, without the echo.
    ///   - during: how many of them had come when the request was given up, or its answer taken.
    ///   - ended: when the request had been sent, by the clock that never steps.
    package mutating func finished(
        _ request: ModbusRequest, _ answer: ModbusAnswer, heard: [UInt8], during: Int, ended: Int64, now: Int64
    ) {
        var unit = units[request.unit] ?? UnitEvidence()
        let whole = request.answerMax + 3
        let size: WritableKeyPath<UnitEvidence, UnitEvidence.Share> = whole <= UnitEvidence.shortMax ? \.short : \.long
        unit[keyPath: size].asked += 1
        switch answer.defect {
        case .checksum:
            unit[keyPath: size].broken += 1
            if request.count > 0, during > whole + 1 { unit.overlong += 1 }
            brokenBytes += UInt64(during)
            brokenZeros += UInt64(heard.prefix(during).count { $0 == 0 })
        case .partial:
            unit[keyPath: size].broken += 1
            unit.partials += 1
            brokenBytes += UInt64(during)
            brokenZeros += UInt64(heard.prefix(during).count { $0 == 0 })
        case .unit, .shape, .transaction, .header, .echo, nil: break
        }
        units[request.unit] = unit
        // What came back is our own: there is nobody else's frame in it.
        if answer.defect == .echo { return }
        let asked = Asked(
            unit: request.unit, function: request.function.rawValue, status: answer.status, during: during,
            ended: ended, whole: request.count > 0 ? whole : nil)
        if answer.status == SampleStatus.timeout { owed[request.unit] = asked }
        sort(HeardFrame.all(in: heard), asked, now: now)
        if asked.isAnswered { owed[request.unit] = nil }
        last = asked
    }

    /// Another unit answered: of a TCP gateway, beside whose answers nothing is heard.
    package mutating func answered(_ request: ModbusRequest, by other: UInt8) {
        units[request.unit, default: UnitEvidence()].answeredBy = other
        units[request.unit, default: UnitEvidence()].otherAnswers += 1
    }

    private mutating func sort(_ frames: [HeardFrame], _ asked: Asked, now: Int64) {
        var isOwnOpen = asked.isAnswered
        for frame in frames {
            switch frame.kind {
            case .request:
                foreignRequests += 1
                foreignUnit = frame.unit
                isForeign = true
            case .answer where isForeign:
                foreignAnswers += 1
                isForeign = false
            case .answer where isOwnOpen && asked.fits(frame): isOwnOpen = false
            case .answer: sort(frame, asked, now: now)
            }
        }
    }

    /// An answer that was not taken.
    private mutating func sort(_ frame: HeardFrame, _ asked: Asked, now: Int64) {
        if let before = owed[frame.unit], before.fits(frame), now - before.ended < Self.lateNanosecondsMax {
            var unit = units[frame.unit] ?? UnitEvidence()
            unit.lateAnswers += 1
            unit.lateMilliseconds = max(unit.lateMilliseconds, (now - before.ended) / 1_000_000)
            units[frame.unit] = unit
            owed[frame.unit] = nil
        } else if asked.fits(frame) {
            // Sound, but among noise that made all of it unbelievable: nobody else's.
            guard asked.isAnswered || frame.start >= asked.during else { return }
            units[frame.unit, default: UnitEvidence()].secondAnswers += 1
        } else if let last, last.isAnswered, last.fits(frame) {
            // So slow that the next request was out.
            units[frame.unit, default: UnitEvidence()].secondAnswers += 1
        } else if !asked.isAnswered, foreignRequests == 0 {
            // In place of the answer: perhaps the unit that was meant has another number.
            units[asked.unit, default: UnitEvidence()].answeredBy = frame.unit
            units[asked.unit, default: UnitEvidence()].otherAnswers += 1
        } else {
            foreignAnswers += 1
            foreignUnit = frame.unit
        }
    }

    /// What was heard after `earlier`.
    package func since(_ earlier: LineEvidence) -> LineEvidence {
        var rest = self
        rest.foreignRequests -= min(foreignRequests, earlier.foreignRequests)
        rest.foreignAnswers -= min(foreignAnswers, earlier.foreignAnswers)
        rest.brokenBytes -= min(brokenBytes, earlier.brokenBytes)
        rest.brokenZeros -= min(brokenZeros, earlier.brokenZeros)
        for (unit, before) in earlier.units { rest.units[unit] = self[unit].since(before) }
        return rest
    }
}
