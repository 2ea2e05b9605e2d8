// One metering point through rules 1 to 7: its walks, and a verdict for each day.

internal import Metering
internal import Proofs
internal import Quantities

/// What a metering point's days came to.
struct PointVerification: Hashable, Sendable {
    /// By day.
    private(set) var days: [DayVerdict] = []
    /// Energy of each day as it settles: export, or export − import; nil where it cannot be told.
    private(set) var energies: [Int64?] = []
    /// For each day the A or D statement that agreed fully.
    private(set) var agreed: [Lift?] = []
    /// Counters in order of their keys.
    let counters: [(key: CounterKey, walk: CounterWalk)]
    let readings: [InputReading]
    let point: MeteringPoint
    /// The revenue meter's; nil where it is not registered.
    private(set) var epochs: MeterEpochs?

    static func == (a: PointVerification, b: PointVerification) -> Bool { a.days == b.days && a.point == b.point }
    func hash(into hasher: inout Hasher) { hasher.combine(days) }
}

/// What all metering points of a window share.
struct VerificationContext: Sendable {
    let inputs: WindowInputs
    let manifest: Manifest
    let plant: InputPlant
    let reads: ReadTable
    let sources: SourceTable

    init(_ inputs: WindowInputs, plant: InputPlant) {
        self.inputs = inputs
        self.plant = plant
        manifest = inputs.manifest.manifest
        reads = ReadTable(inputs, plant: plant)
        sources = SourceTable(inputs)
    }
}

/// A check meter's or the revenue meter's walk with its energies.
private struct CounterDays {
    let meter: Meter
    let walk: CounterWalk
    let energies: [Int64?]
    let series: MeterSeries
}

extension PointVerification {
    init(_ point: MeteringPoint, readings: [InputReading], span: DaySpan, _ context: VerificationContext) {
        self.point = point
        self.readings = readings
        let meters = point.meters.compactMap { context.plant.meter($0) }
        let series = context.reads.decode(
            readings, reads: context.inputs.reads, of: point, meters: meters, days: span, context.plant)
        var counters: [(key: CounterKey, walk: CounterWalk)] = []
        func walk(_ meter: Meter, _ quantity: ObisCode, _ counts: [RegisterReading]) -> CounterWalk {
            let key = CounterKey(meteringPoint: point.id, meter: meter.id, quantity: quantity)
            let scale = CounterScale(
                nameplateWatts: point.nameplateWatts, margin: context.manifest.capacityMargin, ratio: meter.ratio,
                interval: context.manifest.intervalLength)
            let walk = CounterWalk(counts, opening: context.plant.opening(key), scale: scale, days: span)
            counters.append((key, walk))
            return walk
        }
        var exports: [CounterDays] = []
        var imports: CounterWalk?
        for (meter, series) in zip(meters, series) {
            if meter.id == point.revenueMeter { imports = walk(meter, .activeImport, series.imported) }
            let export = walk(meter, .activeExport, series.export)
            exports.append(CounterDays(meter: meter, walk: export, energies: export.energies(), series: series))
        }
        self.counters = counters.sorted { $0.key < $1.key }
        judge(exports, imports, span, context)
    }

    private mutating func judge(
        _ exports: [CounterDays], _ imports: CounterWalk?, _ span: DaySpan, _ context: VerificationContext
    ) {
        let revenue = exports.first { $0.meter.id == point.revenueMeter }
        epochs = revenue?.series.epochs
        let checks = exports.filter { $0.meter.id != point.revenueMeter }
        let coverage = Coverage.days(
            revenue?.walk.goods ?? [], span, interval: context.manifest.intervalLength,
            bridgeMax: context.manifest.bridgeMax, leftOut: epochs?.leftOut ?? [])
        let importEnergies = imports?.goods.isEmpty == false ? imports?.energies() : nil
        var lift = context.sources.lift(of: point.id)
        for day in 0..<span.count {
            let draft = DayDraft(
                point: point, day: day, span: span, exported: revenue?.energies[day], imported: importEnergies?[day],
                resolution: revenue?.walk.resolutionWattHours ?? 0, coverage: coverage[day],
                hasGoods: [revenue?.walk, imports].contains { walk in
                    walk?.hasGoods(after: span.start(of: day), through: span.end(of: day)) ?? false
                })
            var findings = DayFindings()
            if let revenue { addRevenueFindings(revenue, imports, draft, context, &findings) }
            for check in checks {
                findings.add(check.walk.tallies[day], meter: check.meter.id, isRevenue: false)
                for kind in [FindingKind.identity, .deviceUnfit] {
                    findings.add(kind, check.series.remarks(kind, on: day), check.meter.id.text)
                }
            }
            let candidates = checks.compactMap { check in
                let isUsable = !check.walk.tallies[day].isBroken && check.series.remarks[day].isEmpty
                return isUsable
                    ? check.energies[day].map { CheckEnergy(check.meter, $0, check.walk.resolutionWattHours) } : nil
            }
            let judgement = draft.judge(candidates, lift: lift, findings, context)
            days.append(judgement.verdict)
            energies.append(draft.settling)
            agreed.append(judgement.agreed)
            lift = judgement.agreed ?? lift
        }
    }

    private func addRevenueFindings(
        _ revenue: CounterDays, _ imports: CounterWalk?, _ draft: DayDraft, _ context: VerificationContext,
        _ findings: inout DayFindings
    ) {
        let (day, series) = (draft.day, revenue.series)
        let name = revenue.meter.id.text
        findings.add(.gap, draft.coverage.uncovered, name)
        let tally = revenue.walk.tallies[day].joined(withImport: imports?.tallies[day] ?? CounterTally())
        findings.add(tally, meter: revenue.meter.id, isRevenue: true)
        for kind in FindingKind.ofDevice {
            findings.add(kind, series.remarks(kind, on: day), name, isBlocking: true)
        }
        findings.add(
            .beforeCommissioning, series.remarks(.beforeCommissioning, on: day) + tally.superseded, name)
        if draft.coverage.isPartial { return findings.skip(.energyPower) }
        let rule = EnergyPowerRule(tolerance: context.manifest.energyPowerTolerance, ratio: revenue.meter.ratio)
        let (start, end) = (draft.span.start(of: day), draft.span.end(of: day))
        let from = series.power.partitioningIndex { $0.time > start }
        let to = series.power.partitioningIndex { $0.time > end }
        if let exported = draft.exported, let imported = draft.imported,
            let disagrees = rule.disagrees(
                series.power[from..<to], from: start, to: end, net: exported - imported, resolution: draft.resolution)
        {
            findings.add(.energyPower, disagrees ? 1 : 0, name)
        } else {
            findings.skip(.energyPower)
        }
    }
}

extension Meter {
    /// CT × PT. The registration bounds both parts, so the fraction always exists.
    var ratio: Rational { Rational(UInt64(ratioNumerator), UInt64(ratioDenominator)) ?? .one }
}
