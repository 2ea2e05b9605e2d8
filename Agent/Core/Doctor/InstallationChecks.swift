// Is the meter wired, scaled and set up as it must be? From readings alone, in integers: phases against the total, sign
// against the hour, energy against power, volts times amperes against watts.

internal import Metering
internal import Quantities

package enum InstallationChecks {
    /// Rounds that must show the same before it is called a fault: one may be torn between two requests.
    static let roundsMin = 3
    /// mW: below it nothing is concluded.
    static let powerMin: Int64 = 50_000
    /// mW: what a sleeping inverter or a measuring error makes.
    static let nightPowerMin: Int64 = 200_000
    static let nightHours: Set<Int> = [22, 23, 0, 1, 2, 3]
    static let noonHours: Set<Int> = [11, 12, 13, 14]
    /// Milliseconds over which energy is compared with power.
    static let spanMin: Int64 = 120_000
    static let stuckRounds = 8
    /// V: between phase and neutral, or between phases, of the usual low-voltage grids.
    static let voltages: [ClosedRange<Int64>] = [85_000...140_000, 190_000...265_000, 330_000...480_000]
    static let frequencies: [ClosedRange<Int64>] = [47_000...53_000, 57_000...63_000]

    /// In no order.
    package static func findings(_ meters: [MeterSeries]) -> [Finding] {
        meters.flatMap { meter in
            [
                phases(meter), direction(meter), energy(meter), powerFactor(meter), voltage(meter), frequency(meter),
                stuck(meter),
            ].compactMap { $0 }
        } + serials(meters)
    }

    // MARK: Power

    static func phases(_ meter: MeterSeries) -> Finding? {
        let rounds = meter.rounds.suffix(8).compactMap { round -> (parts: [Int64], total: Int64)? in
            let parts = ObisCode.phasePowers.compactMap { round.values[$0] }
            guard parts.count == 3, let total = round.values[.activePower] else { return nil }
            return (parts, total)
        }
        guard rounds.count >= roundsMin, let last = rounds.last else { return nil }
        let words =
            "L1 \(watts(last.parts[0])) + L2 \(watts(last.parts[1])) + L3 \(watts(last.parts[2])) W make "
            + "\(watts(last.parts.reduce(0, +))) W; "
        if rounds.allSatisfy({ isOff($0.parts, $0.total) }) {
            return Finding(
                .phasesSum, name(meter), words + "the total says \(watts(last.total)) W, in \(rounds.count) rounds")
        }
        // The device adds them up itself: then one phase that runs against two like it is turned.
        guard rounds.allSatisfy({ odd($0.parts) != nil && odd($0.parts) == odd(last.parts) }),
            let phase = odd(last.parts)
        else { return nil }
        return Finding(
            .phasesSum, name(meter), words + "L\(phase + 1) is as large as the others and runs the other way",
            remedy: "Turn the current transformer of L\(phase + 1) (S1, S2), or swap its two wires at the meter.")
    }

    /// Off by more than a twentieth and 50 W.
    private static func isOff(_ parts: [Int64], _ total: Int64) -> Bool {
        let size = max(magnitude(total), parts.reduce(0) { $0 + magnitude($1) })
        return magnitude(parts.reduce(0, +) - total) > size / 20 + powerMin
    }

    /// The phase with the other sign, where all three are alike in size.
    private static func odd(_ parts: [Int64]) -> Int? {
        let sizes = parts.map(magnitude)
        guard let least = sizes.min(), let most = sizes.max(), least >= 2 * powerMin, most * 10 <= least * 14 else {
            return nil
        }
        let negative = parts.indices.filter { parts[$0] < 0 }
        return negative.count == 1 ? negative[0] : negative.count == 2 ? parts.firstIndex { $0 > 0 } : nil
    }

    static func direction(_ meter: MeterSeries) -> Finding? {
        let rounds = meter.rounds.suffix(8).compactMap { round -> (hour: Int, power: Int64)? in
            guard let hour = round.hour, let power = round.values[.activePower] else { return nil }
            return (hour, power)
        }
        guard rounds.count >= roundsMin, let last = rounds.last else { return nil }
        let exports = rounds.allSatisfy { $0.power < 0 - nightPowerMin }
        let imports = rounds.allSatisfy { $0.power > nightPowerMin }
        let what: String
        switch meter.role {
        case .exchange: return nil
        case .consumption where exports: what = "a meter of consumption delivers \(watts(0 - last.power)) W"
        case .production where imports && rounds.allSatisfy({ noonHours.contains($0.hour) }):
            what =
                "around noon (\(last.hour) o'clock) the meter of production takes \(watts(last.power)) W from the grid"
        case .production where exports && rounds.allSatisfy({ nightHours.contains($0.hour) }):
            what = "at night (\(last.hour) o'clock) the meter of production delivers \(watts(0 - last.power)) W"
        case .unknown where exports && rounds.allSatisfy({ nightHours.contains($0.hour) }):
            what =
                "at night (\(last.hour) o'clock) it delivers \(watts(0 - last.power)) W; without a battery or an engine "
                + "on site nothing can"
        default: return nil
        }
        return Finding(.directionReversed, name(meter), what + ", in \(rounds.count) rounds")
    }

    // MARK: Energy

    static func energy(_ meter: MeterSeries) -> Finding? {
        let rounds = meter.rounds.filter { $0.values[.activePower] != nil && net($0) != nil }
        guard isComparable(rounds, step: meter.energyStep), let first = rounds.first, let last = rounds.last,
            let before = net(first), let after = net(last), let expected = integral(rounds)
        else { return nil }
        let advanced = after - before
        // Power moves between two rounds: a fifth of it, and two steps of the register, may be missing.
        let tolerance = magnitude(expected) / 5 + 2 * max(1, meter.energyStep)
        guard magnitude(advanced - expected) > tolerance else { return nil }
        let minutes = (last.instant - first.instant) / 60_000
        return Finding(
            .energyPower, name(meter),
            "in \(minutes) min the registers advanced by \(wattHours(advanced)) Wh (import less export); the power makes "
                + "\(wattHours(expected)) Wh" + ratio(advanced, expected))
    }

    /// Long enough, and enough energy by the power: at least ten steps of the registers.
    static func isComparable(_ rounds: [MeterSeries.Round], step: Int64) -> Bool {
        guard let first = rounds.first, let last = rounds.last, last.instant - first.instant >= spanMin,
            rounds.count >= roundsMin, let expected = integral(rounds)
        else { return false }
        return magnitude(expected) >= 10 * max(1, step)
    }

    /// Of the power over the rounds, mWh; nil: beyond what there can be.
    private static func integral(_ rounds: [MeterSeries.Round]) -> Int64? {
        var integral: Int128 = 0
        for (a, b) in zip(rounds, rounds.dropFirst()) {
            let power = Int128(a.values[.activePower] ?? 0) + Int128(b.values[.activePower] ?? 0)
            integral += power * Int128(b.instant - a.instant)
        }
        return Int64(exactly: integral / 7_200_000)
    }

    /// Import less export, mWh; of a meter with one register that one.
    static func net(_ round: MeterSeries.Round) -> Int64? {
        let (taken, given) = (round.values[.activeImport], round.values[.activeExport])
        guard taken != nil || given != nil else { return nil }
        let (value, overflowed) = (taken ?? 0).subtractingReportingOverflow(given ?? 0)
        return overflowed ? nil : value
    }

    private static func ratio(_ advanced: Int64, _ expected: Int64) -> String {
        if advanced == 0 { return "; the registers stand still" }
        if (advanced < 0) != (expected < 0) { return "; their directions are opposite" }
        let (large, small) = (
            max(magnitude(advanced), magnitude(expected)), min(magnitude(advanced), magnitude(expected))
        )
        return small > 0 && large / small >= 2 ? ": a factor of about \((large + small / 2) / small)" : ""
    }

    // MARK: Volts and amperes

    static func powerFactor(_ meter: MeterSeries) -> Finding? {
        for phase in 0..<3 {
            let rounds = meter.rounds.suffix(8).compactMap { round -> (power: Int64, apparent: Int64)? in
                guard let power = round.values[ObisCode.phasePowers[phase]],
                    let volts = round.values[ObisCode.phaseVoltages[phase]],
                    let amperes = round.values[ObisCode.phaseCurrents[phase]]
                else { return nil }
                // mV × mA are µW.
                let apparent = Int128(magnitude(volts)) * Int128(magnitude(amperes)) / 1_000
                return (power, Int64(clamping: min(apparent, Int128(MeterSeries.valueMax))))
            }
            guard rounds.count >= roundsMin, let last = rounds.last else { continue }
            let words =
                "L\(phase + 1): volts times amperes are \(watts(last.apparent)) VA, the power says \(watts(last.power)) W"
            if rounds.allSatisfy({ magnitude($0.power) > $0.apparent + $0.apparent / 10 + powerMin }) {
                return Finding(.powerFactor, name(meter), words + ": more than there can be")
            }
            if rounds.allSatisfy({ $0.apparent >= 10 * powerMin && magnitude($0.power) * 10 < $0.apparent * 6 }) {
                return Finding(.powerFactor, name(meter), words + ": a power factor below 0.6")
            }
        }
        return nil
    }

    static func voltage(_ meter: MeterSeries) -> Finding? {
        for phase in 0..<3 {
            let values = meter.rounds.suffix(8).compactMap { $0.values[ObisCode.phaseVoltages[phase]] }
            guard values.count >= roundsMin, let last = values.last else { continue }
            // Above the last band a voltage transformer, or the grid of a mine: not ours to judge.
            let isOdd = values.allSatisfy { value in
                value < voltages[2].upperBound && !voltages.contains { $0.contains(value) }
            }
            if isOdd {
                return Finding(
                    .voltageOdd, name(meter), "L\(phase + 1) has \(thousandths(last)) V, in \(values.count) rounds")
            }
        }
        return nil
    }

    static func frequency(_ meter: MeterSeries) -> Finding? {
        let values = meter.rounds.suffix(8).compactMap { $0.values[.frequency] }
        guard values.count >= roundsMin, let last = values.last,
            values.allSatisfy({ value in !frequencies.contains { $0.contains(value) } })
        else { return nil }
        return Finding(.frequencyOdd, name(meter), "it says \(thousandths(last)) Hz, in \(values.count) rounds")
    }

    static func stuck(_ meter: MeterSeries) -> Finding? {
        for code in [ObisCode.activePower] + ObisCode.phaseVoltages {
            let rounds = meter.rounds.compactMap { round in round.values[code].map { (round.instant, $0) } }
            guard rounds.count >= stuckRounds, let first = rounds.first, let last = rounds.last, first.1 != 0,
                last.0 - first.0 >= spanMin, rounds.allSatisfy({ $0.1 == first.1 })
            else { continue }
            return Finding(
                .valueStuck, name(meter),
                "\(code) was \(thousandths(first.1)) in each of \(rounds.count) rounds of \((last.0 - first.0) / 60_000) min"
            )
        }
        return nil
    }

    // MARK: Serial numbers

    private static func serials(_ meters: [MeterSeries]) -> [Finding] {
        let known = meters.filter { meter in !meter.serial.isEmpty && meter.serial.contains { $0 != "0" } }
        return Dictionary(grouping: known, by: \.serial).filter { $0.value.count > 1 }.map { serial, twins in
            let names = twins.map(name).sorted()
            return Finding(
                .serialTwice, names.joined(separator: "; "), "\(names.count) meters say serial number \(serial)")
        }
    }

    // MARK: Words

    private static func name(_ meter: MeterSeries) -> String { "\(meter.id), unit \(meter.unit)" }
    private static func magnitude(_ value: Int64) -> Int64 { Int64(clamping: value.magnitude) }
    private static func watts(_ milliwatts: Int64) -> Int64 { milliwatts / 1_000 }

    private static func wattHours(_ value: Int64) -> String { thousandths(value) }

    /// `230.4`, without trailing zeros.
    private static func thousandths(_ value: Int64) -> String {
        let (whole, rest) = value.magnitude.quotientAndRemainder(dividingBy: 1_000)
        var digits = String(1_000 + rest).dropFirst()
        while digits.last == "0" { digits = digits.dropLast() }
        return (value < 0 ? "-" : "") + String(whole) + (digits.isEmpty ? "" : "." + digits)
    }
}
