// Rule 6: what was found in a day, each finding by a small rule of its own, and the grade that follows.

internal import Metering
internal import Quantities

/// Collects a day's findings and those whose rule had no inputs.
struct DayFindings: Hashable, Sendable {
    private(set) var findings: [Finding] = []
    private(set) var skipped: [FindingKind] = []
    private(set) var isBlocked = false

    /// A count of 0 is no finding.
    mutating func add(_ kind: FindingKind, _ count: UInt64, _ text: String, isBlocking: Bool = false) {
        guard count > 0 else { return }
        findings.append(Finding(kind, count: count, text: text))
        if isBlocking { isBlocked = true }
    }

    mutating func skip(_ kind: FindingKind) { skipped.append(kind) }

    /// By the order of the kinds; inside one as added: revenue meter first, then check meters by id.
    func ordered() -> [Finding] {
        FindingKind.allCases.flatMap { kind in findings.filter { $0.kind == kind } }
    }

    func orderedSkips() -> [FindingKind] { FindingKind.allCases.filter { skipped.contains($0) } }

    func grade(isMeasured: Bool, coverage: Int64) -> Grade {
        if isBlocked || !isMeasured { return .blocked }
        if coverage < 900_000 { return .incomplete }
        return findings.isEmpty ? .clean : .warned
    }
}

extension FindingKind {
    /// What is wrong with the device itself, or with what is known of it.
    static let ofDevice: [FindingKind] = [
        .identity, .notBillingGrade, .deviceChanged, .deviceUnfit, .serialTwice, .notCommissioned,
    ]
}

extension DayFindings {
    /// Findings of a meter's walks. Only the revenue meter's block: a check meter's leave it out of the sources.
    mutating func add(_ tally: CounterTally, meter: Identifier, isRevenue: Bool) {
        add(.zeroGlitch, tally.zeroGlitches, meter.text)
        add(.registerDecreased, tally.decreases, meter.text, isBlocking: isRevenue)
        add(.rollover, tally.rollovers, meter.text)
        add(.capacity, tally.capacityJumps, meter.text, isBlocking: isRevenue)
        add(.unitChanged, tally.unitChanges, meter.text, isBlocking: isRevenue)
    }
}

extension CounterTally {
    /// Whether the counter's energy of the day cannot be used.
    var isBroken: Bool { decreases > 0 || capacityJumps > 0 || unitChanges > 0 }

    /// Both counters of one meter. Import has no capacity: a plant may draw what its load needs.
    func joined(withImport other: CounterTally) -> CounterTally {
        var joined = self
        joined.zeroGlitches += other.zeroGlitches
        joined.decreases += other.decreases
        joined.rollovers += other.rollovers
        joined.unitChanges += other.unitChanges
        joined.superseded += other.superseded
        return joined
    }
}

/// ENERGY_POWER: a day's energy against the sum of power × time, each value held until the next one.
struct EnergyPowerRule: Sendable {
    /// ppm of the energy.
    let tolerance: Int64
    let ratio: Rational

    /// Nil when the rule cannot run: no power, or a hole longer than two read intervals.
    ///
    /// - Parameters:
    ///   - power: of the day (start, end], in time order.
    ///   - net: export − import, Wh.
    func disagrees(
        _ power: ArraySlice<PowerReading>, from start: UTCInstant, to end: UTCInstant, net: Int64, resolution: Int64
    ) -> Bool? {
        guard let first = power.first, first.time - start <= 2 * first.interval else { return nil }
        var work: Int128 = 0
        // The first value stands for the time before it too.
        var heldFrom = start
        for (index, value) in zip(power.indices, power) {
            let heldTo = index + 1 < power.endIndex ? power[index + 1].time : end
            guard heldTo - value.time <= 2 * value.interval, value.unit == first.unit else { return nil }
            // 2^63 × a day in ms: below 2^90 together, because the pieces tile the day.
            work += Int128(value.count) * Int128(heldTo - heldFrom)
            heldFrom = heldTo
        }
        guard let expected = wattHours(work, unit: first.unit) else { return true }
        // Power counts import as positive, net energy export.
        let difference = (Int128(net) + expected).magnitude
        let allowed = max(UInt128(net.magnitude) * UInt128(tolerance) / 1_000_000, 2 * UInt128(resolution))
        return difference > allowed
    }

    /// ⌊work × unit × ratio ÷ 3 600 000⌋. Nil when it leaves 128 bits.
    private func wattHours(_ work: Int128, unit: Rational) -> Int128? {
        let (once, overflowed) = work.multipliedReportingOverflow(by: Int128(unit.numerator))
        let (twice, overflowedAgain) = once.multipliedReportingOverflow(by: Int128(ratio.numerator))
        guard !overflowed, !overflowedAgain else { return nil }
        let (quotient, rest) = twice.quotientAndRemainder(
            dividingBy: Int128(unit.denominator) * Int128(ratio.denominator) * 3_600_000)
        return rest < 0 ? quotient - 1 : quotient
    }
}
