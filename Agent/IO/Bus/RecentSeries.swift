// Recorded answers of the last minutes as series of values, by meter: what the installation checks look at.

internal import AgentCore
internal import Evidence
internal import Glibc
internal import Metering
internal import Quantities

struct RecentSeries {
    /// Milliseconds between two rounds at least: what is read each second is not looked at each second.
    static let everyMin: Int64 = 15_000

    /// How to read one request's answers.
    private struct Way {
        let series: Int
        let decoder: ReadDecoder
        let every: Int64
    }

    private(set) var meters: [MeterSeries] = []
    private var ways: [UInt64: Way] = [:]
    /// Samples that were looked at.
    private(set) var samples = 0

    /// - Parameters:
    ///   - envelopes: a birth and the readings after it.
    ///   - known: meters as they are read now; one of another profile is left out.
    ///   - roles: by meter, where the configuration says it.
    init(_ envelopes: [[UInt8]], _ known: [ConfiguredMeter], roles: [Identifier: MeterSeries.Role]) {
        for envelope in envelopes {
            // Our own records; one that cannot be read any more is looked at by the salvage, not here.
            guard let record = Self.record(envelope) else { continue }
            switch record.body {
            case .birth(let birth): begin(birth, known, roles)
            case .readings(let readings): take(readings, record.clock)
            case .note, .skip, .key: continue
            }
        }
    }

    private static func record(_ envelope: [UInt8]) -> Record? {
        do {
            return try Record(decoding: try SignedMessage(parsing: envelope, as: .record).payload)
        } catch { return nil }  // See above: it is only left out.
    }

    private mutating func begin(
        _ birth: Birth, _ known: [ConfiguredMeter], _ roles: [Identifier: MeterSeries.Role]
    ) {
        meters = []
        ways = [:]
        for told in birth.meters {
            guard let meter = known.first(where: { $0.id == told.id && $0.profileDigest == told.profileDigest }) else {
                continue
            }
            let chain = told.chain.map {
                SunSpecModel(
                    id: UInt16(clamping: $0.id), address: UInt16(clamping: $0.address),
                    length: UInt16(clamping: $0.length))
            }
            let steps = meter.profile.quantities.filter { $0.kind == .counter }.map {
                Int64(clamping: $0.resolution.numerator * 1_000 / $0.resolution.denominator)
            }
            for read in birth.reads where read.meter == told.index && !told.identityReads.contains(read.index) {
                let request = ReadRequest(
                    function: UInt8(clamping: read.function), address: UInt16(clamping: read.address),
                    count: UInt16(clamping: read.count))
                ways[read.index] = Way(
                    series: meters.count, decoder: ReadDecoder(meter.profile, request, chain: chain),
                    every: max(Self.everyMin, Int64(clamping: read.intervalMilliseconds)))
            }
            meters.append(
                MeterSeries(
                    id: told.id, unit: meter.unit, role: roles[told.id] ?? .unknown, serial: told.serial,
                    energyStep: steps.max() ?? 1_000))
        }
    }

    private mutating func take(_ readings: Readings, _ clock: RecordClock) {
        for sample in readings.samples where sample.status == SampleStatus.good {
            guard let way = ways[sample.read] else { continue }
            samples += 1
            let uptime = Int64(clamping: readings.base &+ sample.dt)
            let utc = clock.utc + (uptime - Int64(clamping: clock.uptimeMilliseconds))
            let hour = clock.sync == 2 ? Self.hour(utc) : nil
            for value in way.decoder.decode(sample.words) {
                guard let thousandths = Self.thousandths(value.value) else { continue }
                // Half of an interval: two reads of one round are closer, those of the next farther.
                meters[way.series].add(
                    value.obis, thousandths, instant: uptime, hour: hour, span: way.every / 2, every: way.every)
            }
        }
    }

    private static func thousandths(_ value: DecodedValue) -> Int64? {
        guard let step = Rational(1, 1_000) else { return nil }
        switch value {
        case .counter(let count):
            guard let whole = Int64(exactly: count.count) else { return nil }
            return GaugeReading(count: whole, unit: count.unit).floored(to: step)
        case .gauge(let gauge): return gauge.floored(to: step)
        case .notAvailable: return nil
        }
    }

    /// Of the day on site: the machine's time zone.
    private static func hour(_ instant: UTCInstant) -> Int? {
        var seconds = time_t(instant.milliseconds / 1_000)
        var parts = tm()
        guard localtime_r(&seconds, &parts) != nil else { return nil }
        return Int(parts.tm_hour)
    }
}
