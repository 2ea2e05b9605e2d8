// What happened on a bus and to each of its meters since the start: for the person who installs it. No decision here.

internal import Evidence

/// Counters of one meter.
package struct MeterFigures: Hashable, Sendable {
    package var requests: UInt64 = 0
    package var good: UInt64 = 0
    package var timeouts: UInt64 = 0
    /// By code, from 1.
    package var exceptions = [UInt64](repeating: 0, count: Int(SampleStatus.exceptionMax))
    package var checksums: UInt64 = 0
    package var wrongUnits: UInt64 = 0
    /// Another function, length, transaction, or no frame at all.
    package var wrongAnswers: UInt64 = 0
    package var echoes: UInt64 = 0
    package var disconnects: UInt64 = 0
    package var notConnected: UInt64 = 0
    /// Requests up to now that brought not one byte, since the last answer.
    package var silentInARow: UInt64 = 0
    package var backedOff: UInt64 = 0
    /// Requests that were asked again because the device was busy.
    package var busyRetries: UInt64 = 0
    /// Real microseconds: smoothed, and the slowest sound answer.
    package var latency: Int64?
    package var latencyMax: Int64 = 0
    /// What the next answer is given, real milliseconds.
    package var timeoutMilliseconds: Int64 = 0

    package init() {}

    package mutating func count(_ answer: ModbusAnswer, microseconds: Int64) {
        requests += 1
        switch answer.status {
        case SampleStatus.good: good += 1
        case 1...SampleStatus.exceptionMax: exceptions[Int(answer.status) - 1] += 1
        case SampleStatus.timeout: timeouts += 1
        case SampleStatus.checksum: checksums += 1
        case SampleStatus.disconnected: disconnects += 1
        case SampleStatus.connectFailed: notConnected += 1
        default:
            switch answer.defect {
            case .unit: wrongUnits += 1
            case .echo: echoes += 1
            default: wrongAnswers += 1
            }
        }
        if answer.status <= SampleStatus.exceptionMax {
            latencyMax = max(latencyMax, microseconds)
            silentInARow = 0
        } else if answer.status == SampleStatus.timeout, answer.defect == nil {
            silentInARow += 1
        }
    }

    /// Counters less those of `earlier`; times stand as they are now.
    func since(_ earlier: MeterFigures) -> MeterFigures {
        var rest = self
        let counters: [WritableKeyPath<MeterFigures, UInt64>] = [
            \.requests, \.good, \.timeouts, \.checksums, \.wrongUnits, \.wrongAnswers, \.echoes, \.disconnects,
            \.notConnected, \.backedOff, \.busyRetries,
        ]
        for counter in counters { rest[keyPath: counter] -= min(self[keyPath: counter], earlier[keyPath: counter]) }
        rest.exceptions = zip(exceptions, earlier.exceptions).map { $0 - min($0, $1) }
        return rest
    }
}

/// Counters of one bus.
package struct BusFigures: Hashable, Sendable {
    /// In the order of the configuration.
    package var meters: [MeterFigures]
    package var connects: UInt64 = 0
    package var strayBytes: UInt64 = 0
    package var babbles: UInt64 = 0
    /// Multiples of an interval that passed unread.
    package var missed: Int64 = 0
    package var isCycleTooShort = false
    package var load = BusLoad()
    /// Requests that people asked for: no samples.
    package var askedByPeople: UInt64 = 0
    /// Why the bus cannot be opened; nil: it can.
    package var problem: String?
    /// What one should know of the line although it is open.
    package var remark: String?
    /// What was heard beside the answers.
    package var evidence = LineEvidence()
    /// What the driver counted of single characters since the start; nil: it counts none, or there is no line.
    package var characters: CharacterErrors?

    package init(meters: Int) { self.meters = Array(repeating: MeterFigures(), count: meters) }

    /// What happened after `earlier`, figures of the same bus: states stand as they are now.
    package func since(_ earlier: BusFigures) -> BusFigures {
        guard earlier.meters.count == meters.count else { return self }
        var rest = self
        rest.meters = zip(meters, earlier.meters).map { $0.since($1) }
        rest.connects -= min(connects, earlier.connects)
        rest.strayBytes -= min(strayBytes, earlier.strayBytes)
        rest.babbles -= min(babbles, earlier.babbles)
        rest.missed -= min(missed, earlier.missed)
        rest.evidence = evidence.since(earlier.evidence)
        if let characters, let before = earlier.characters { rest.characters = characters.since(before) }
        return rest
    }

    /// A figure over all meters.
    package func total(_ figure: KeyPath<MeterFigures, UInt64>) -> UInt64 {
        meters.reduce(0) { $0 + $1[keyPath: figure] }
    }

    package var exceptions: UInt64 { meters.reduce(0) { $0 + $1.exceptions.reduce(0, +) } }
    package var wrong: UInt64 {
        meters.reduce(0) {
            $0 + $1.checksums + $1.wrongUnits + $1.wrongAnswers + $1.echoes + $1.disconnects + $1.notConnected
        }
    }
}

/// The share of the last whole minute in which a bus was busy; until there is one, of the time so far.
package struct BusLoad: Hashable, Sendable {
    private static let window: Int64 = 60_000_000_000
    private var began: Int64?
    private var busy: Int64 = 0
    private var last: Int64?

    package init() {}

    /// - Parameter from: nanoseconds of the clock that never steps, when the bus became busy; `to`: free again.
    package mutating func add(from: Int64, to: Int64) {
        let start = began ?? from
        began = start
        busy += max(0, to - from)
        guard to - start >= Self.window else { return }
        last = Self.percent(busy, to - start)
        (began, busy) = (to, 0)
    }

    /// 0 … 100.
    package func percent(now: Int64) -> Int64 {
        last ?? began.map { Self.percent(busy, now - $0) } ?? 0
    }

    private static func percent(_ busy: Int64, _ all: Int64) -> Int64 { min(100, busy / max(1, all / 100)) }
}
