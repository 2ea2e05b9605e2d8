// Rule 2: walks a counter's counts in time order and tells good ones from glitches, rollovers, resets and jumps.

internal import Metering
internal import Proofs
internal import Quantities

/// A count that the energy may be taken from.
struct GoodCount: Hashable, Sendable {
    let time: UTCInstant
    /// Carried on past rollovers.
    let count: UInt64
    /// Of its read, ms; 0 for an opening, whose read is not known any more.
    let interval: Int64
    /// Index into the metering point's readings; nil for an opening.
    let reading: Int?
    /// Number of the commissioning it stands under; 0 for an opening.
    var ordinal = 0
}

/// What the walk found in one day.
struct CounterTally: Hashable, Sendable {
    var zeroGlitches: UInt64 = 0
    var decreases: UInt64 = 0
    var rollovers: UInt64 = 0
    var capacityJumps: UInt64 = 0
    var unitChanges: UInt64 = 0
    /// Low readings that a commissioning made an end of.
    var superseded: UInt64 = 0
}

/// What a counter can have counted: nameplate × margin, and what CT/PT make of a count.
struct CounterScale: Hashable, Sendable {
    let nameplateWatts: Int64
    /// ppm
    let margin: Int64
    let ratio: Rational
    /// The manifest's interval, ms: shorter spans are held against what the plant can in a whole one, because readings
    /// are stamped some time after the register showed them, and registers move in steps of their own.
    let interval: Int64

    /// Whether `counts` (of `unit` Wh) in `milliseconds`, at least an interval, exceed ⌈nameplate × margin × Δt⌉ Wh + 2 counts.
    func exceeds(_ counts: UInt64, unit: Rational, milliseconds: Int64) -> Bool {
        // 10^12 W × 10^7 ppm × 2.6·10^14 ms: below 2^113.
        let work = Int128(nameplateWatts) * Int128(margin) * Int128(max(milliseconds, interval))
        let divisor: Int128 = 1_000_000 * 3_600_000
        // More than any register is worth means no bound; so the product below stays under 2^110.
        let wattHours = min((work + divisor - 1) / divisor, Int128(HouseBounds.wattHoursMax))
        let energy = UInt128(counts) * UInt128(unit.numerator) * UInt128(ratio.numerator)
        let slack = 2 * UInt128(unit.numerator) * UInt128(ratio.numerator)
        return energy > UInt128(wattHours) * UInt128(unit.denominator) * UInt128(ratio.denominator) + slack
    }
}

/// One counter's good counts and what was found on the way.
struct CounterWalk: Hashable, Sendable {
    /// In time order; the opening first, if there is one.
    private(set) var goods: [GoodCount] = []
    /// By day.
    private(set) var tallies: [CounterTally]
    /// What the counts between two commissionings have in common.
    struct Epoch: Hashable, Sendable {
        /// Index into ``goods`` of its first.
        let first: Int
        let number: UInt64
        let unit: Rational
    }

    /// In time order; empty without a good count.
    private(set) var epochs: [Epoch] = []
    /// The largest device step of the window's counts, at least the unit.
    private(set) var resolution: Rational?
    private let scale: CounterScale
    private let days: DaySpan
    /// Into `goods`: the last one at least an interval older than the newest.
    private var base = 0

    init(_ counts: [RegisterReading], opening: CounterOpening?, scale: CounterScale, days: DaySpan) {
        self.scale = scale
        self.days = days
        tallies = [CounterTally](repeating: CounterTally(), count: days.count)
        goods.reserveCapacity(counts.count + 1)
        if let opening {
            goods.append(GoodCount(time: opening.time, count: opening.count, interval: 0, reading: nil))
            epochs.append(Epoch(first: 0, number: opening.epoch, unit: opening.unit))
            resolution = opening.unit
        }
        var lows: [UTCInstant] = []
        for count in counts { walk(count, &lows) }
        for low in lows { tally(low) { $0.decreases += 1 } }
    }

    private mutating func walk(_ reading: RegisterReading, _ lows: inout [UTCInstant]) {
        guard let last = goods.last, let unit = epochs.last?.unit, last.ordinal == reading.ordinal else {
            return begin(reading, &lows)
        }
        guard reading.unit == unit else { return tally(reading.time) { $0.unitChanges += 1 } }
        resolution = max(resolution ?? reading.resolution, reading.resolution, unit)
        // Readings are in time order after their opening; the inputs' rules see to it.
        let elapsed = max(0, reading.time - last.time)
        if let count = carriedOn(reading, past: last.count), count >= last.count {
            for low in lows { tally(low) { $0.zeroGlitches += 1 } }
            lows = []
            if isJump(to: count, at: reading.time, unit: unit) { tally(reading.time) { $0.capacityJumps += 1 } }
            accept(reading, count)
        } else if let modulus = reading.modulus, reading.count > 0, let carried = carriedOn(reading, past: last.count),
            case let (rolled, overflowed) = carried.addingReportingOverflow(modulus), !overflowed,
            !scale.exceeds(rolled - last.count, unit: unit, milliseconds: elapsed)
        {
            for low in lows { tally(low) { $0.zeroGlitches += 1 } }
            lows = []
            // A count of 0 is left to the next one: near the modulus a glitch would look like a rollover.
            tally(reading.time) { $0.rollovers += 1 }
            accept(reading, rolled)
        } else {
            lows.append(reading.time)
        }
    }

    /// The first count of a commissioning: nothing before it is compared with it.
    private mutating func begin(_ reading: RegisterReading, _ lows: inout [UTCInstant]) {
        for low in lows { tally(low) { $0.superseded += 1 } }
        lows = []
        base = goods.count
        epochs.append(
            Epoch(
                first: goods.count, number: epochs.last.map { $0.number &+ 1 } ?? 1, unit: reading.unit))
        resolution = max(resolution ?? reading.resolution, reading.resolution, reading.unit)
        accept(reading, reading.count)
    }

    /// Whether the counter moved further than the plant can: since the last good count, or, so that many small jumps are
    /// seen too, since the last one that is an interval older.
    private mutating func isJump(to count: UInt64, at time: UTCInstant, unit: Rational) -> Bool {
        guard let last = goods.last else { return false }
        while base + 1 < goods.count, goods[base + 1].time <= time + (0 - scale.interval) { base += 1 }
        if scale.exceeds(count - last.count, unit: unit, milliseconds: time - last.time) { return true }
        let older = goods[base]
        guard older.time <= time + (0 - scale.interval) else { return false }
        return scale.exceeds(count - older.count, unit: unit, milliseconds: time - older.time)
    }

    /// The count as many turns on as `last`; nil for a count that its register cannot show or that leaves 64 bits.
    private func carriedOn(_ reading: RegisterReading, past last: UInt64) -> UInt64? {
        guard let modulus = reading.modulus, modulus > 0 else { return reading.count }
        guard reading.count < modulus else { return nil }
        let (carried, overflowed) = (last - last % modulus).addingReportingOverflow(reading.count)
        return overflowed ? nil : carried
    }

    private mutating func accept(_ reading: RegisterReading, _ count: UInt64) {
        goods.append(
            GoodCount(
                time: reading.time, count: count, interval: reading.interval, reading: reading.reading,
                ordinal: reading.ordinal))
    }

    private mutating func tally(_ time: UTCInstant, _ change: (inout CounterTally) -> Void) {
        if let day = days.day(of: time) { change(&tallies[day]) }
    }

    /// Wh of a good count after CT/PT, rounded down. Nil beyond ``HouseBounds/wattHoursMax``.
    private func wattHours(_ good: GoodCount, unit: Rational) -> Int64? {
        guard let value = RegisterCount.whole(good.count, unit: unit, ratio: scale.ratio) else { return nil }
        return value <= HouseBounds.wattHoursMax ? value : nil
    }

    /// The device's step in whole Wh after CT/PT, rounded up; 0 without counts.
    var resolutionWattHours: Int64 {
        guard let resolution else { return 0 }
        let numerator = UInt128(resolution.numerator) * UInt128(scale.ratio.numerator)
        let denominator = UInt128(resolution.denominator) * UInt128(scale.ratio.denominator)
        return Int64(min((numerator + denominator - 1) / denominator, UInt128(HouseBounds.wattHoursMax)))
    }

    /// The last good count at or before `instant`, with its epoch.
    func last(through instant: UTCInstant) -> (good: GoodCount, epoch: Epoch)? {
        let after = count(through: instant)
        guard after > 0, let epoch = epochs.last(where: { $0.first < after }) else { return nil }
        return (goods[after - 1], epoch)
    }
}

extension CounterWalk {
    /// Rule 3: energy of each day, Σ over the commissionings of Wh(last good at or before its end) − Wh(last good at or
    /// before its start, or else the first good one). Nil where no good count stands at or before the day's end.
    func energies() -> [Int64?] {
        (0..<days.count).map { day in
            var sum: Int64?
            for segment in segments(from: days.start(of: day), through: days.end(of: day)) {
                guard let upper = wattHours(segment.to, unit: segment.epoch.unit),
                    let lower = wattHours(segment.from, unit: segment.epoch.unit)
                else { return nil }
                // At most 1 025 epochs of 10^15.
                sum = (sum ?? 0) + upper - lower
            }
            return sum.flatMap { $0 <= HouseBounds.wattHoursMax ? $0 : nil }
        }
    }

    /// Between which good counts each epoch's part of (start, end] is measured. Epochs that begin later have none; one
    /// that ended before has two equal ones.
    func segments(
        from start: UTCInstant, through end: UTCInstant
    ) -> [(epoch: Epoch, from: GoodCount, to: GoodCount)] {
        let (before, through) = (count(through: start), count(through: end))
        var found: [(epoch: Epoch, from: GoodCount, to: GoodCount)] = []
        for (index, epoch) in epochs.enumerated() where epoch.first < through {
            let next = index + 1 < epochs.count ? epochs[index + 1].first : goods.count
            let to = min(next, through) - 1
            let from = min(max(epoch.first, min(next, before) - 1), to)
            found.append((epoch, goods[from], goods[to]))
        }
        return found
    }

    /// Good counts at or before `instant`.
    func count(through instant: UTCInstant) -> Int { goods.partitioningIndex { $0.time > instant } }

    /// Whether a good count stands in (start, end].
    func hasGoods(after start: UTCInstant, through end: UTCInstant) -> Bool {
        count(through: start) < count(through: end)
    }
}
