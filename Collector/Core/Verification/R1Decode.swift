// Rule 1: a reading's words become counts of the energy registers and values of power. What counts are worth over time
// is the walk's business.

internal import Metering
internal import Proofs
internal import Quantities

/// One count of one counter.
struct RegisterReading: Hashable, Sendable {
    let time: UTCInstant
    let count: UInt64
    /// Wh a count is worth, before CT/PT.
    let unit: Rational
    let modulus: UInt64?
    /// The device's own step in Wh, before CT/PT.
    let resolution: Rational
    /// Of its read, ms.
    let interval: Int64
    /// Index into the metering point's readings.
    let reading: Int
}

/// One value of active power, import positive.
struct PowerReading: Hashable, Sendable {
    let time: UTCInstant
    let count: Int64
    /// W a count is worth, before CT/PT.
    let unit: Rational
    let interval: Int64
}

/// What one meter of a metering point said.
struct MeterSeries: Hashable, Sendable {
    var export: [RegisterReading] = []
    var imported: [RegisterReading] = []
    var power: [PowerReading] = []
    /// Readings by day that came under another serial than the registered one.
    var foreignReadings: [UInt64]
    /// Readings by day under a profile that is not billing grade.
    var ungradedReadings: [UInt64]

    init(days: Int) {
        foreignReadings = [UInt64](repeating: 0, count: days)
        ungradedReadings = foreignReadings
    }
}

/// Decoders and properties of all reads of a window, made once.
struct ReadTable: Sendable {
    private let decoders: [ReadDecoder?]
    private let isBillingGrade: [Bool]
    private let intervals: [Int64]

    init(_ inputs: WindowInputs) {
        var profiles: [Digest: Profile] = [:]
        for input in inputs.profiles { profiles[input.digest] = input.profile }
        let graded = Set(inputs.manifest.manifest.billingGrade)
        decoders = inputs.reads.map { read in
            guard let profile = profiles[read.profile], let request = ReadRequest(read), let chain = read.sunSpecModels
            else {
                return nil
            }
            return ReadDecoder(profile, request, chain: chain)
        }
        let isReplay = inputs.header.mode != 0
        isBillingGrade = inputs.reads.map { read in
            // A profile that cannot be read decodes nothing; the manifest's word is then all there is.
            let mayGrade = profiles[read.profile]?.gradeObstacles(isReplay: isReplay).isEmpty ?? true
            return graded.contains(read.profile) && mayGrade
        }
        intervals = inputs.reads.map { Int64(min($0.interval, UInt64(HouseBounds.durationMax))) }
    }

    /// The series of each meter in `meters`, in that order. Readings are in time order, so are the series.
    func decode(
        _ readings: [InputReading], reads: [ReadInput], meters: [Meter], days: DaySpan
    ) -> [MeterSeries] {
        var series = meters.map { _ in MeterSeries(days: days.count) }
        for (index, reading) in readings.enumerated() where reading.status == 0 {
            let read = reads[reading.read]
            guard let meter = meters.firstIndex(where: { $0.id == read.meter }) else { continue }
            // Opening readings before the first day speak for that day.
            if let day = days.day(of: reading.time) ?? (reading.time <= days.start && days.count > 0 ? 0 : nil) {
                if read.serial != meters[meter].serial { series[meter].foreignReadings[day] += 1 }
                if !isBillingGrade[reading.read] { series[meter].ungradedReadings[day] += 1 }
            }
            take(reading, index, into: &series[meter])
        }
        return series
    }

    private func take(_ reading: InputReading, _ index: Int, into series: inout MeterSeries) {
        guard let decoder = decoders[reading.read] else { return }
        let interval = intervals[reading.read]
        for decoded in decoder.decode(reading.words) {
            switch decoded.value {
            case .counter(let value):
                let isExport = decoded.obis == .activeExport
                guard isExport || decoded.obis == .activeImport else { continue }
                let count = RegisterReading(
                    time: reading.time, count: value.count, unit: value.unit, modulus: value.modulus,
                    resolution: value.resolution, interval: interval, reading: index)
                if isExport { series.export.append(count) } else { series.imported.append(count) }
            case .gauge(let value):
                guard decoded.obis == .activePower else { continue }
                series.power.append(
                    PowerReading(time: reading.time, count: value.count, unit: value.unit, interval: interval))
            case .notAvailable: continue
            }
        }
    }
}

extension ReadRequest {
    /// Nil for what no Modbus read of registers can be.
    fileprivate init?(_ read: ReadInput) {
        guard read.function == 3 || read.function == 4, let address = UInt16(exactly: read.address),
            let count = UInt16(exactly: read.count), count >= 1, Int(address) + Int(count) <= 65_536
        else { return nil }
        self.init(function: UInt8(read.function), address: address, count: count)
    }
}

extension ReadInput {
    /// Nil when a number does not fit a register address.
    fileprivate var sunSpecModels: [SunSpecModel]? {
        var models: [SunSpecModel] = []
        for entry in chain {
            guard let id = UInt16(exactly: entry.model), let address = UInt16(exactly: entry.address),
                let length = UInt16(exactly: entry.length)
            else { return nil }
            models.append(SunSpecModel(id: id, address: address, length: length))
        }
        return models
    }
}
