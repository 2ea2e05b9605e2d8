// When each read of one bus is due, and which comes next. Decides only: the bus thread waits, asks and reports back.
//
// Reads stand on multiples of their interval in house time. Back-off waits in real time, so the schedule is told both. House
// time may be stepped; then a read never comes later than it would have, and nothing that was stepped over was missed.

package import Quantities

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
///
/// Meters that answer come before meters that do not, and of those the one that was asked longest ago: a meter with many
/// reads, or a bus that is too slow for its intervals, starves nobody. A meter keeps its turn for ``turnMax`` requests,
/// because changing the meter may cost a pause, unless the next one would have the length of the last: on RTU a late
/// answer could then be taken for it.
package struct BusSchedule: Sendable {
    private struct Place {
        var due: UTCInstant
        /// Not answered yet, and owed by ``ScheduledRead/Opening``.
        var isOpening: Bool
        /// It stands for a boundary that overran or that the clock stepped over; it is read late, not counted again.
        var isOwed = false
        /// Its meter was planned anew: never due again, and free.
        var isRetired = false
        /// The device said it is busy so many times in a row, and may be asked again from here on.
        var busyTries = 0
        var busyUntil = Int64.min
        /// What was asked last, to be due again if the device is busy.
        var asked: (due: UTCInstant, isOwed: Bool)?
        /// When in the order of all requests; 0: never.
        var askedAt: UInt64 = 0
    }

    /// A slot that could be taken now.
    private struct Candidate {
        let slot: Int
        let isBackedOff: Bool
        /// It did not answer lately: those that do come first.
        let isSuspect: Bool
        /// Smaller is sooner.
        let rank: (turn: Int, meter: UInt64, due: UTCInstant, length: Int, slot: UInt64)
    }

    /// Requests to one meter before another one that waits.
    package static let turnMax = 8
    /// Times a busy device is asked again, after 100, 200 and 400 ms.
    package static let busyTriesMax = 3
    private static let busyMilliseconds: Int64 = 100
    /// House milliseconds by which the clock changes at once when it is stepped; less is a clock that is slewed.
    package static let stepMin: Int64 = 100
    /// Real milliseconds before each of them.
    package static let busyPauses = (0..<Int64(busyTriesMax)).map { busyMilliseconds << $0 }

    /// A slot's number stays while its read does; then another read may have it.
    package private(set) var slots: [ScheduledRead] = []
    /// House milliseconds; the read at each of its multiples is asked whatever the back-off says.
    package let boundary: Int64
    /// House milliseconds in a real one.
    package let speed: Int64
    /// Multiples missed since the start, over all reads.
    package private(set) var missed: Int64 = 0

    private var places: [Place] = []
    private var meters: [UInt64: MeterBackoff] = [:]
    /// When each meter was asked last, in the order of all requests; only looked up.
    private var askedAt: [UInt64: UInt64] = [:]
    private var requests: UInt64 = 0
    private var turn: (meter: UInt64, length: Int, count: Int)?
    /// House time beside uptime, when last looked at, and when they last changed against each other.
    private var offset: Int64?
    private var steppedAt: UTCInstant?

    package init(boundary: Int64, speed: Int64 = 1) {
        self.boundary = max(1, boundary)
        self.speed = max(1, speed)
    }

    /// Adds reads, in slots that are free before others: a device that is planned again and again takes no more of them.
    ///
    /// - Parameter now: the house's time.
    /// - Returns: the slot of each.
    @discardableResult package mutating func add(_ reads: [ScheduledRead], now: UTCInstant) -> [Int] {
        var free = places.indices.filter { places[$0].isRetired }[...]
        return reads.map { read in
            let first = UTCInstant(milliseconds: Self.multiple(of: read.interval, notBefore: now.milliseconds))
            let place = Place(due: read.opening == .none ? first : now, isOpening: read.opening != .none)
            let slot = free.popFirst() ?? slots.count
            slots.replaceSubrange(slot..<min(slot + 1, slots.count), with: [read])
            places.replaceSubrange(slot..<min(slot + 1, places.count), with: [place])
            return slot
        }
    }

    /// The reads of `meter` are over: others take their place.
    ///
    /// - Returns: whether one of them was due and not asked yet: those that follow shall not wait for their next multiple.
    @discardableResult package mutating func retire(meter: UInt64, now: UTCInstant) -> Bool {
        let over = slots.indices.filter { slots[$0].meter == meter && !places[$0].isRetired }
        let wasDue = over.contains { !places[$0].isOpening && places[$0].due <= now }
        for slot in over { places[slot].isRetired = true }
        return wasDue
    }

    /// Told before anything else with a newly read clock: whether it was stepped.
    ///
    /// A read keeps the moment at which it would have come, unless a multiple of the new time comes sooner: never a gap
    /// longer than its interval, whatever the clock does. For a boundary that was stepped over, the next read stands.
    ///
    /// - Parameter uptime: house milliseconds of the clock that never steps.
    package mutating func observe(now: UTCInstant, uptime: UInt64) {
        let new = now.milliseconds - Int64(clamping: uptime)
        defer { offset = new }
        guard let offset, abs(new - offset) >= Self.stepMin else { return }
        steppedAt = now
        for slot in slots.indices { follow(slot, step: new - offset, now) }
    }

    private mutating func follow(_ slot: Int, step: Int64, _ now: UTCInstant) {
        let (place, interval) = (places[slot], slots[slot].interval)
        places[slot].due = place.due + step
        if let asked = place.asked { places[slot].asked = (asked.due + step, asked.isOwed) }
        guard !place.isOpening else { return }
        let before = now.milliseconds - step
        // One divides the other.
        let longer = max(interval, boundary)
        let isSteppedOver = now.milliseconds - Self.remainder(now.milliseconds, longer) > before
        let isWaiting = place.due.milliseconds <= before && place.due.milliseconds % boundary == 0
        places[slot].isOwed = place.isOwed || isSteppedOver || isWaiting
        let multiple = UTCInstant(milliseconds: Self.multiple(of: interval, notBefore: now.milliseconds))
        places[slot].due = min(places[slot].due, multiple)
    }

    /// Whether the slot's read is still asked.
    package func isInForce(_ slot: Int) -> Bool { !places[slot].isRetired }

    /// Who the meter is may have changed: what says so is asked from then on, until it is answered.
    package mutating func hasten(meter: UInt64, now: UTCInstant) {
        for slot in slots.indices where slots[slot].meter == meter && slots[slot].opening == .untilAnswered {
            places[slot].due = min(places[slot].due, now)
            places[slot].isOpening = true
        }
    }

    /// The next step, and what was missed on the way to it.
    ///
    /// A slot that is late by a whole interval or more stands for the last multiple that has come; when a multiple of
    /// ``boundary`` is among the missed, for that one. A slot whose meter is backed off waits if it may be
    /// asked before its next multiple; else it is recorded as not asked, except at a boundary.
    ///
    /// - Parameter monotonic: real milliseconds of a clock that never steps.
    package mutating func next(now: UTCInstant, monotonic: Int64) -> (step: BusStep, overruns: [Overrun]) {
        var overruns: [Overrun] = []
        var best: Candidate?
        var retryAt: Int64?
        for slot in slots.indices where places[slot].due <= now && !places[slot].isRetired {
            if let overrun = catchUp(slot, now, monotonic) { overruns.append(overrun) }
            guard places[slot].due <= now else { continue }
            if let until = held(slot, now, monotonic) {
                retryAt = min(retryAt ?? .max, until)
                continue
            }
            let candidate = candidate(slot, monotonic)
            if let other = best {
                if candidate.isSuspect != other.isSuspect {
                    if candidate.isSuspect { continue }
                } else if candidate.rank >= other.rank {
                    continue
                }
            }
            best = candidate
        }
        guard let best else { return (.wait(until: nextDue(after: now), orMonotonic: retryAt), overruns) }
        return (take(best, now), overruns)
    }

    private mutating func take(_ best: Candidate, _ now: UTCInstant) -> BusStep {
        let slot = best.slot
        let instant = places[slot].due
        places[slot].asked = (instant, places[slot].isOwed)
        let isBoundary = isBoundary(slot)
        // What an owed boundary passed over has been counted, and what the clock stepped over is none: go on from now.
        let isOnPhase = Self.remainder(instant.milliseconds, slots[slot].interval) == 0
        if !places[slot].isOpening { advance(slot, after: places[slot].isOwed || !isOnPhase ? now : instant) }
        if best.isBackedOff && !isBoundary { return .backedOff(slot: slot, due: instant) }
        requests += 1
        let meter = slots[slot].meter
        let count = turn?.meter == meter ? (turn?.count ?? 0) + 1 : 1
        turn = (meter, slots[slot].length, count)
        askedAt[meter] = requests
        places[slot].askedAt = requests
        return .ask(slot: slot, due: instant)
    }

    private func candidate(_ slot: Int, _ monotonic: Int64) -> Candidate {
        let read = slots[slot]
        var isNext = false
        var isSameLength = false
        if let turn {
            isSameLength = turn.meter == read.meter && turn.length == read.length
            isNext = turn.meter == read.meter && turn.count < Self.turnMax && !isSameLength
        }
        let backoff = meters[read.meter] ?? MeterBackoff()
        return Candidate(
            slot: slot, isBackedOff: monotonic < backoff.retryAt,
            isSuspect: backoff.isSuspect(monotonic: monotonic),
            rank: (
                isNext ? 0 : 1, askedAt[read.meter] ?? 0, places[slot].due, isSameLength ? 1 : 0, places[slot].askedAt
            ))
    }

    /// Until when a due slot must wait; nil: something is to be done about it now.
    private func held(_ slot: Int, _ now: UTCInstant, _ monotonic: Int64) -> Int64? {
        if monotonic < places[slot].busyUntil { return places[slot].busyUntil }
        guard let backoff = meters[slots[slot].meter], monotonic < backoff.retryAt else { return nil }
        if places[slot].isOpening { return backoff.retryAt }
        if isBoundary(slot) {
            return monotonic < backoff.quietUntil ? backoff.quietUntil : nil
        }
        return backoff.retryAt - monotonic < realRest(slot, now) ? backoff.retryAt : nil
    }

    /// Asked whatever the back-off says.
    private func isBoundary(_ slot: Int) -> Bool {
        places[slot].isOwed || places[slot].due.milliseconds % boundary == 0
    }

    /// Real milliseconds until the slot's next multiple.
    private func realRest(_ slot: Int, _ now: UTCInstant) -> Int64 {
        (slots[slot].interval - (now - places[slot].due)) / speed
    }

    /// What came of a request: a meter that does not answer is left alone for 2 s … 300 s, a busy one asked again.
    ///
    /// - Parameters:
    ///   - status: ``SampleStatus``; a connect failure puts every meter of the bus aside, for all are behind it.
    ///   - now: the house's time.
    /// - Returns: whether the same read comes again soon: then this answer is no sample.
    @discardableResult
    package mutating func finished(slot: Int, status: UInt64, now: UTCInstant, monotonic: Int64) -> Bool {
        let failure = MeterBackoff.Failure(status: status)
        let concerned = failure == .endpoint ? Set(slots.map(\.meter)) : [slots[slot].meter]
        for meter in concerned { meters[meter, default: MeterBackoff()].finished(failure, monotonic: monotonic) }
        if status == Self.busy, isAskedAgain(slot, now, monotonic) { return true }
        places[slot].busyTries = 0
        guard places[slot].isOpening, failure == nil else { return false }
        places[slot].isOpening = false
        advance(slot, after: max(now, places[slot].due))
        return false
    }

    /// There is no way to any meter of the bus: all are put aside.
    package mutating func endpointFailed(monotonic: Int64) {
        for meter in Set(slots.map(\.meter)) {
            meters[meter, default: MeterBackoff()].finished(.endpoint, monotonic: monotonic)
        }
    }

    /// Modbus exception 6: ask again later (Modbus Application Protocol V1.1b3 §7).
    package static let busy: UInt64 = 6

    private mutating func isAskedAgain(_ slot: Int, _ now: UTCInstant, _ monotonic: Int64) -> Bool {
        guard let asked = places[slot].asked, places[slot].busyTries < Self.busyTriesMax else { return false }
        let pause = Self.busyMilliseconds << Int64(places[slot].busyTries)
        let rest = (slots[slot].interval - (now - asked.due)) / speed
        guard pause < rest || places[slot].isOpening else { return false }
        places[slot].busyTries += 1
        places[slot].busyUntil = monotonic + pause
        if !places[slot].isOpening { (places[slot].due, places[slot].isOwed) = asked }
        return true
    }

    /// Consecutive failed attempts of a meter, 0 when it answers.
    package func failures(ofMeter meter: UInt64) -> Int { meters[meter]?.failures ?? 0 }

    /// Real milliseconds until another meter that answers is due.
    package func rest(besides meter: UInt64, now: UTCInstant) -> Int64 {
        var next = Int64.max
        for slot in slots.indices where slots[slot].meter != meter && !places[slot].isRetired {
            guard failures(ofMeter: slots[slot].meter) == 0 else { continue }
            next = min(next, max(0, places[slot].due - now))
        }
        return next / speed
    }

    /// Real milliseconds of the shortest interval of a meter that answers; without one very long.
    package var shortest: Int64 {
        let asked = slots.indices.lazy.filter { slot in
            !places[slot].isRetired && failures(ofMeter: slots[slot].meter) == 0
        }
        return (asked.map { slots[$0].interval }.min() ?? .max) / speed
    }

    /// Real milliseconds until the line is needed for a read of the schedule: room for what a person asks meanwhile. A
    /// read of a meter that is left alone needs no line, unless it stands at a boundary.
    package func room(now: UTCInstant, monotonic: Int64) -> Int64 {
        var room = Int64.max
        for slot in slots.indices where !places[slot].isRetired {
            let place = places[slot]
            var rest = max(0, place.due - now) / speed
            let retry = max(meters[slots[slot].meter]?.retryAt ?? .min, place.busyUntil)
            if retry > monotonic, retry - monotonic > rest, !place.isOwed {
                let past = max(place.due, now)
                let toBoundary = (Self.multiple(of: boundary, notBefore: past.milliseconds) - now.milliseconds) / speed
                rest = max(rest, min(retry - monotonic, place.isOpening ? .max : toBoundary))
            }
            room = min(room, rest)
        }
        return room
    }

    private func nextDue(after now: UTCInstant) -> UTCInstant {
        places.lazy.filter { !$0.isRetired && $0.due > now }.map(\.due).min() ?? now + 86_400_000
    }

    private mutating func advance(_ slot: Int, after instant: UTCInstant) {
        places[slot].isOwed = false
        places[slot].due = UTCInstant(
            milliseconds: Self.multiple(of: slots[slot].interval, notBefore: instant.milliseconds + 1))
    }

    /// Moves a slot that is an interval or more late.
    private mutating func catchUp(_ slot: Int, _ now: UTCInstant, _ monotonic: Int64) -> Overrun? {
        let interval = slots[slot].interval
        let place = places[slot]
        let late = now - place.due
        guard late >= interval, !place.isOwed else { return nil }
        // Held by the back-off of its meter until now: not asked, rather than too slow a bus.
        let isBackedOff = monotonic < meters[slots[slot].meter]?.retryAt ?? .min
        if isBackedOff, late < 2 * interval, !place.isOpening { return nil }
        if place.isOpening {
            if slots[slot].opening == .untilAnswered { return nil }
            places[slot].isOpening = false
        }
        let passed = late / interval
        let lastBoundary = now.milliseconds - Self.remainder(now.milliseconds, boundary)
        if lastBoundary >= place.due.milliseconds, Self.remainder(lastBoundary, interval) == 0 {
            places[slot].due = UTCInstant(milliseconds: lastBoundary)
            places[slot].isOwed = true
        } else {
            let multiple = now.milliseconds - Self.remainder(now.milliseconds, interval)
            places[slot].due = UTCInstant(milliseconds: multiple)
        }
        // Two phases may come close together where the clock was stepped: that is no bus that is too slow.
        if let steppedAt, now - steppedAt < 2 * interval { return nil }
        missed += passed
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
