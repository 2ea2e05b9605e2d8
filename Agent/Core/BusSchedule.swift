// When each read of one bus is due, and which comes next. Decides only: the bus thread waits, asks and reports back.
//
// Reads stand on multiples of their interval in house time. Back-off waits in real time, so the schedule is told both.

package import Quantities

/// A read and how often it is repeated.
package struct ScheduledRead: Hashable, Sendable {
    /// Whether a read comes once, whatever its phase, when the schedule starts.
    package enum Opening: Hashable, Sendable {
        /// It waits for its first multiple.
        case none
        /// At once, and again after each back-off, until it is answered or its next multiple has come. In replay mode
        /// each meter is read like this before the clock begins to run.
        case once
        /// At once, and again after each back-off, until it is answered: identity registers.
        case untilAnswered
    }

    /// Index of the read in the birth.
    package let read: UInt64
    /// Index of the meter in the birth.
    package let meter: UInt64
    /// House milliseconds, at least 1.
    package let interval: Int64
    package let opening: Opening

    package init(read: UInt64, meter: UInt64, interval: Int64, opening: Opening) {
        self.read = read
        self.meter = meter
        self.interval = max(1, interval)
        self.opening = opening
    }
}

/// What a bus thread does next.
package enum BusStep: Hashable, Sendable {
    /// Send the request of the slot now.
    case ask(slot: Int, due: UTCInstant)
    /// Record the slot as not asked: its meter is backed off.
    case backedOff(slot: Int, due: UTCInstant)
    /// Nothing is to do before the house shows `until` or the real clock shows `orMonotonic`, whichever comes first.
    case wait(until: UTCInstant, orMonotonic: Int64?)
}

/// Multiples of the interval that passed unread because the bus was busy.
package struct Overrun: Hashable, Sendable {
    package let read: UInt64
    package let missed: Int64
    /// House milliseconds between the instant that was due and the moment it was looked at.
    package let late: Int64
}

/// The schedule of one bus: one endpoint, one owner thread.
package struct BusSchedule: Sendable {
    private struct Place {
        var due: UTCInstant
        /// Not answered yet, and owed by ``ScheduledRead/Opening``.
        var isOpening: Bool
        /// Its due instant is a boundary that overran; it is read late, not counted again.
        var isOwed = false
        /// Its meter was planned anew; the slot keeps its number and is never due again.
        var isRetired = false
    }

    /// Append-only: a slot's number stays.
    package private(set) var slots: [ScheduledRead] = []
    /// House milliseconds; the read at each of its multiples is asked whatever the back-off says.
    package let boundary: Int64
    /// Multiples missed since the start, over all reads.
    package private(set) var missed: Int64 = 0

    private var places: [Place] = []
    private var meters: [UInt64: MeterBackoff] = [:]

    package init(boundary: Int64) { self.boundary = max(1, boundary) }

    /// Adds reads after the slots that are there.
    ///
    /// - Parameter now: the house's time.
    package mutating func add(_ reads: [ScheduledRead], now: UTCInstant) {
        for read in reads {
            let first = UTCInstant(milliseconds: Self.multiple(of: read.interval, notBefore: now.milliseconds))
            slots.append(read)
            places.append(Place(due: read.opening == .none ? first : now, isOpening: read.opening != .none))
        }
    }

    /// The reads of `meter` are over: others take their place.
    package mutating func retire(meter: UInt64) {
        for slot in slots.indices where slots[slot].meter == meter { places[slot].isRetired = true }
    }

    /// The next step, and what was missed on the way to it.
    ///
    /// A slot that is late by a whole interval or more skips to the next multiple, except when a multiple of
    /// ``boundary`` is among the missed: then it is read at once.
    ///
    /// - Parameter monotonic: real milliseconds of a clock that never steps.
    package mutating func next(now: UTCInstant, monotonic: Int64) -> (step: BusStep, overruns: [Overrun]) {
        var overruns: [Overrun] = []
        var best: (slot: Int, isBackedOff: Bool)?
        var retryAt: Int64?
        for slot in slots.indices where places[slot].due <= now && !places[slot].isRetired {
            if let overrun = catchUp(slot, now) { overruns.append(overrun) }
            guard places[slot].due <= now else { continue }
            let backoff = meters[slots[slot].meter]?.retryAt ?? .min
            let isBackedOff = monotonic < backoff
            if isBackedOff && places[slot].isOpening {
                retryAt = min(retryAt ?? .max, backoff)
                continue
            }
            // Meters that answer come first, then the oldest due; a dead one never delays them.
            if let other = best {
                if isBackedOff && !other.isBackedOff { continue }
                if isBackedOff == other.isBackedOff && places[slot].due >= places[other.slot].due { continue }
            }
            best = (slot, isBackedOff)
        }
        guard let best else { return (.wait(until: nextDue(after: now), orMonotonic: retryAt), overruns) }
        let instant = places[best.slot].due
        // What an owed boundary passed over has been counted: go on from now.
        if !places[best.slot].isOpening { advance(best.slot, after: places[best.slot].isOwed ? now : instant) }
        if best.isBackedOff && instant.milliseconds % boundary != 0 {
            return (.backedOff(slot: best.slot, due: instant), overruns)
        }
        return (.ask(slot: best.slot, due: instant), overruns)
    }

    /// What came of a request: a meter that does not answer is left alone for 2 s … 300 s.
    ///
    /// - Parameters:
    ///   - status: ``SampleStatus``; a connect failure puts every meter of the bus aside, for all are behind it.
    ///   - now: the house's time.
    package mutating func finished(slot: Int, status: UInt64, now: UTCInstant, monotonic: Int64) {
        let failure = MeterBackoff.Failure(status: status)
        let concerned = failure == .endpoint ? Set(slots.map(\.meter)) : [slots[slot].meter]
        for meter in concerned { meters[meter, default: MeterBackoff()].finished(failure, monotonic: monotonic) }
        guard places[slot].isOpening, failure == nil else { return }
        places[slot].isOpening = false
        advance(slot, after: max(now, places[slot].due))
    }

    /// Consecutive failed attempts of a meter, 0 when it answers.
    package func failures(ofMeter meter: UInt64) -> Int { meters[meter]?.failures ?? 0 }

    private func nextDue(after now: UTCInstant) -> UTCInstant {
        places.lazy.filter { !$0.isRetired && $0.due > now }.map(\.due).min() ?? now + 86_400_000
    }

    private mutating func advance(_ slot: Int, after instant: UTCInstant) {
        places[slot].isOwed = false
        places[slot].due = UTCInstant(
            milliseconds: Self.multiple(of: slots[slot].interval, notBefore: instant.milliseconds + 1))
    }

    /// Moves a slot that is an interval or more late.
    private mutating func catchUp(_ slot: Int, _ now: UTCInstant) -> Overrun? {
        let interval = slots[slot].interval
        let place = places[slot]
        let late = now - place.due
        guard late >= interval, !place.isOwed else { return nil }
        if place.isOpening {
            if slots[slot].opening == .untilAnswered { return nil }
            places[slot].isOpening = false
        }
        let passed = late / interval
        missed += passed
        let lastBoundary = now.milliseconds - Self.remainder(now.milliseconds, boundary)
        if lastBoundary >= place.due.milliseconds, Self.remainder(lastBoundary, interval) == 0 {
            places[slot].due = UTCInstant(milliseconds: lastBoundary)
            places[slot].isOwed = true
        } else {
            advance(slot, after: now)
        }
        return Overrun(read: slots[slot].read, missed: passed, late: late)
    }

    /// The first multiple of `interval` at or after `instant`, also before 1970.
    private static func multiple(of interval: Int64, notBefore instant: Int64) -> Int64 {
        let rest = remainder(instant, interval)
        return rest == 0 ? instant : instant + (interval - rest)
    }

    private static func remainder(_ value: Int64, _ divisor: Int64) -> Int64 {
        let rest = value % divisor
        return rest < 0 ? rest + divisor : rest
    }
}
