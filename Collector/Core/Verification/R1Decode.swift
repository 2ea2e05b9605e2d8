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
    /// Number of the commissioning it stands under: counts of two are not compared.
    var ordinal = 0
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
struct MeterSeries: Sendable {
    var export: [RegisterReading] = []
    var imported: [RegisterReading] = []
    var power: [PowerReading] = []
    /// Readings by day that blocked, or were left out, by why.
    private(set) var remarks: [[FindingKind: UInt64]]
    /// Of a revenue meter.
    var epochs: MeterEpochs?

    init(days: Int) { remarks = [[FindingKind: UInt64]](repeating: [:], count: days) }

    mutating func remark(_ kind: FindingKind, on day: Int?) {
        if let day { remarks[day][kind, default: 0] += 1 }
    }

    func remarks(_ kind: FindingKind, on day: Int) -> UInt64 { remarks[day][kind] ?? 0 }
}

/// Decoders and properties of all reads of a window, made once.
struct ReadTable: Sendable {
    private let decoders: [ReadDecoder?]
    private let isBillingGrade: [Bool]
    private let intervals: [Int64]
    private let devices: [ReadDevice?]
    private let header: WindowHeader

    init(_ inputs: WindowInputs, plant: InputPlant) {
        header = inputs.header
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
        devices = inputs.reads.map { read in
            guard let profile = profiles[read.profile], let meter = plant.meter(read.meter) else { return nil }
            return ReadDevice(read, profile, registered: meter.profileName)
        }
    }

    /// The series of each meter of `point` in `meters`, in that order. Readings are in time order, so are the series.
    func decode(
        _ readings: [InputReading], reads: [ReadInput], of point: MeteringPoint, meters: [Meter], days: DaySpan,
        _ plant: InputPlant
    ) -> [MeterSeries] {
        var series = meters.map { meter in
            var series = MeterSeries(days: days.count)
            if meter.id == point.revenueMeter {
                series.epochs = MeterEpochs(
                    meter, plant, header, settledFrom: days.start,
                    isOpened: plant.opened(meter: meter.id, at: point.id) != nil)
            }
            return series
        }
        for (index, reading) in readings.enumerated() where reading.status == 0 {
            let read = reads[reading.read]
            guard let meter = meters.firstIndex(where: { $0.id == read.meter }) else { continue }
            // Opening readings before the first day speak for that day.
            let day = days.day(of: reading.time) ?? (reading.time <= days.start && days.count > 0 ? 0 : nil)
            let ordinal =
                series[meter].epochs == nil
                ? check(reading, meters[meter], on: day, &series[meter]) : judge(reading, on: day, &series[meter])
            if let ordinal { take(reading, index, ordinal, into: &series[meter]) }
        }
        return series
    }

    /// A revenue meter's reading: the number of its commissioning, or nil where it does not count.
    private func judge(_ reading: InputReading, on day: Int?, _ series: inout MeterSeries) -> Int? {
        guard let device = devices[reading.read] else { return nil }
        let isGraded = isBillingGrade[reading.read]
        switch series.epochs?.place(reading, device, isGraded: isGraded) {
        case .counted(let ordinal):
            if !isGraded { series.remark(.notBillingGrade, on: day) }
            return ordinal
        case .blocked(let kind): series.remark(kind, on: day)
        case .leftOut: series.remark(.beforeCommissioning, on: day)
        case .unknown, nil: break
        }
        return nil
    }

    /// A check meter's reading: it counts if the device is the registered one and the profile is for it.
    private func check(_ reading: InputReading, _ meter: Meter, on day: Int?, _ series: inout MeterSeries) -> Int? {
        guard let device = devices[reading.read] else { return nil }
        if device.serial != meter.serial {
            if !device.serial.isEmpty {
                series.remark(.identity, on: day)
                return nil
            }
            if device.tellsSerial { return nil }
        }
        guard device.isFit, (device.told + device.heard(in: reading.words)).allSatisfy(\.isExpected) else {
            series.remark(.deviceUnfit, on: day)
            return nil
        }
        return 0
    }

    /// What a reading's words say of the two energy counters, whoever it stands under.
    func counts(_ reading: InputReading) -> MeterSeries {
        var series = MeterSeries(days: 0)
        take(reading, 0, 0, into: &series)
        return series
    }

    private func take(_ reading: InputReading, _ index: Int, _ ordinal: Int, into series: inout MeterSeries) {
        guard let decoder = decoders[reading.read] else { return }
        let interval = intervals[reading.read]
        for decoded in decoder.decode(reading.words) {
            switch decoded.value {
            case .counter(let value):
                let isExport = decoded.obis == .activeExport
                guard isExport || decoded.obis == .activeImport else { continue }
                let count = RegisterReading(
                    time: reading.time, count: value.count, unit: value.unit, modulus: value.modulus,
                    resolution: value.resolution, interval: interval, reading: index, ordinal: ordinal)
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
    var sunSpecModels: [SunSpecModel]? {
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
