// The one owner of a bus: finds out what its meters are, waits for what is due, asks, records. Decisions are Core's.

package import AgentCore
internal import Evidence
internal import Metering
internal import Quantities

/// A bus as configured: an endpoint and the meters behind it.
package struct BusPlan: Sendable {
    package let number: Int
    package let endpoint: BusEndpoint
    package let timing: BusTiming
    package let meters: [ConfiguredMeter]
    /// House milliseconds.
    package let boundary: Int64
    /// Every read comes once before its first multiple: replay mode.
    package let readsAtOnce: Bool

    package init(
        number: Int, endpoint: BusEndpoint, timing: BusTiming, meters: [ConfiguredMeter], boundary: Int64,
        readsAtOnce: Bool
    ) {
        self.number = number
        self.endpoint = endpoint
        self.timing = timing
        self.meters = meters
        self.boundary = boundary
        self.readsAtOnce = readsAtOnce
    }
}

extension BusPlan {
    /// The same bus, whose reads come once at once: what was due while it was ended is not lost.
    var atOnce: BusPlan {
        BusPlan(
            number: number, endpoint: endpoint, timing: timing, meters: meters, boundary: boundary, readsAtOnce: true)
    }

    /// The same bus with its meters as `change` has them.
    func with(_ change: (ConfiguredMeter) -> ConfiguredMeter) -> BusPlan {
        BusPlan(
            number: number, endpoint: endpoint, timing: timing, meters: meters.map(change), boundary: boundary,
            readsAtOnce: readsAtOnce)
    }
}

/// Runs one bus until `stop` is closed.
package struct BusRunner {
    /// Failures in a row after which a meter is called silent.
    static let silentAfter = 3
    /// Real milliseconds after which a device that answers again is believed who it is.
    private static let awakeAfter: Int64 = 30_000

    let plan: BusPlan
    let recorder: Recorder
    let clock: MachineClock
    /// What people ask for; closing it ends the bus.
    let stop: Mailbox<PersonAsk>
    var schedule: BusSchedule
    var people: PeopleAtBus
    /// By slot of the schedule.
    private var requests: [ModbusRequest] = []
    var meters: [MeterOnBus]
    var walks: WalkTurns
    var line: BusLine
    private var silent: Set<UInt64> = []
    private var cycle = CycleWatch()
    /// What was asked last in a gap was a walk's question: people come first now.
    private var isPeoplesTurn = false
    /// What was last said of the line.
    private var told: String?

    package init(
        plan: BusPlan, recorder: Recorder, clock: MachineClock, stop: Mailbox<PersonAsk>,
        asksPerSecond: Int64 = PersonTurns.perSecondDefault
    ) {
        people = PeopleAtBus(perSecond: asksPerSecond)
        self.plan = plan
        self.recorder = recorder
        self.clock = clock
        self.stop = stop
        schedule = BusSchedule(boundary: plan.boundary, speed: clock.house.speed)
        meters = plan.meters.map { MeterOnBus($0) }
        walks = WalkTurns(isSought: plan.meters.map(\.isSought))
        line = BusLine(plan)
    }

    /// Before ``run()``: numbers of reads that a bus before this one has used are not used again.
    mutating func goOn(from generations: [UInt64]) {
        for (index, generation) in zip(meters.indices, generations) { meters[index].generation = generation }
    }

    package mutating func run() {
        for index in meters.indices where !meters[index].meter.isSought { adopt(index, chain: []) }
        while stop.isOpen {
            recorder.liveness.turned(bus: plan.number, now: clock.now().monotonic)
            if isPeoplesTurn { people.wait(stop, within: 0) }
            if !(isPeoplesTurn && people.wakeAt != .max), walkOn() {
                isPeoplesTurn = true
                continue
            }
            let now = moment()
            let (step, overruns) = schedule.next(now: now.utc, monotonic: now.monotonic)
            for overrun in overruns { recorder.notice(.overrun(overrun, bus: plan.number), bus: plan.number) }
            if cycle.observe(missed: !overruns.isEmpty, monotonic: now.monotonic) {
                recorder.notice(
                    .cycle(isTooShort: cycle.isTooShort, endpoint: plan.endpoint.text), bus: plan.number)
            }
            switch step {
            case .wait(let instant, let monotonic):
                if servePerson() {
                    isPeoplesTurn = false
                } else if walkOn() {
                    isPeoplesTurn = true
                } else {
                    wait(until: instant, orMonotonic: monotonic, now)
                }
            case .backedOff(let slot, _):
                let place = schedule.slots[slot]
                recorder.skipped(bus: plan.number, meter: position(place.meter), read: place.read)
            case .ask(let slot, _): ask(slot)
            }
        }
        line.close()
        dismissPeople()
        recorder.liveness.ended(bus: plan.number)
    }

    /// Reads the clock; the schedule learns first if it was stepped.
    mutating func moment() -> Moment {
        let now = clock.now()
        schedule.observe(now: now.utc, uptime: now.uptime)
        return now
    }

    private mutating func wait(until instant: UTCInstant, orMonotonic monotonic: Int64?, _ now: Moment) {
        let other = min(monotonic ?? .max, walks.wakeAt(after: now.monotonic), people.wakeAt)
        var rest = clock.nanoseconds(until: instant)
        if other != .max { rest = min(rest, max(1, other - now.monotonic) * 1_000_000) }
        line.rest(for: rest)
        people.wait(stop, within: min(rest, MachineClock.sleepMax))
    }

    private func position(_ meter: UInt64) -> Int { meters.firstIndex { $0.meter.index == meter } ?? 0 }

    private mutating func ask(_ slot: Int) {
        let place = schedule.slots[slot]
        line.makeRoom(for: requests[slot], stop: stop)
        let began = recorder.begin(bus: plan.number)
        let from = steadyNanoseconds()
        let answer = line.ask(requests[slot], within: patience(place.meter, requests[slot].unit))
        let to = steadyNanoseconds()
        let now = moment()
        let isAskedAgain = schedule.finished(
            slot: slot, status: answer.status, now: now.utc, monotonic: now.monotonic)
        if isAskedAgain {
            recorder.abandon(bus: plan.number)
        } else {
            recorder.end(
                bus: plan.number, read: place.read, began: began, status: answer.status, words: answer.bytes)
        }
        count(place.meter, requests[slot].unit, answer, from: from, to: to, isAskedAgain: isAskedAgain)
        if isAskedAgain { return }
        look(place, answer)
        if answer.status == SampleStatus.connectFailed { endpointFailed() }
        // An endpoint that is not there yet may only be starting: the first birth waits a little for it.
        if answer.status != SampleStatus.connectFailed,
            let index = meters.firstIndex(where: { $0.meter.index == place.meter })
        {
            meters[index].identityOwed.removeAll { $0 == place.read }
            if meters[index].identityOwed.isEmpty || answer.status > SampleStatus.exceptionMax { opened(index) }
        }
        judge(place.meter, answer.status)
    }

    /// A device that does not answer is waited for no longer than others can wait, and at least as long as at first.
    private func patience(_ meter: UInt64, _ unit: UInt8) -> Int64? {
        guard schedule.failures(ofMeter: meter) > 0, let timeout = line.timeout(of: unit) else { return nil }
        return max(timeout.start, schedule.rest(besides: meter, now: clock.now().utc))
    }

    mutating func count(
        _ meter: UInt64, _ unit: UInt8, _ answer: ModbusAnswer, from: Int64, to: Int64, isAskedAgain: Bool = false
    ) {
        recorder.count(
            bus: plan.number,
            AskedOnBus(
                meter: position(meter), answer: answer, from: from, to: to, timeout: line.timeout(of: unit),
                line: line.figures, isAskedAgain: isAskedAgain))
        let words = line.problem ?? line.remark
        guard words != told else { return }
        told = words
        recorder.line(bus: plan.number, problem: line.problem, remark: line.remark)
        recorder.notice(.line(problem: words, endpoint: plan.endpoint.text), bus: plan.number)
    }

    /// Says once that a meter fell silent, and once that it answers again.
    private mutating func judge(_ meter: UInt64, _ status: UInt64) {
        let failures = schedule.failures(ofMeter: meter)
        if failures >= Self.silentAfter {
            fellSilent(meter, status)
        } else if failures == 0, silent.remove(meter) != nil {
            recorder.notice(.answering(meter: meter), bus: plan.number)
            // Somebody may have exchanged it meanwhile: no reading shall stand under the former one's serial for long. But
            // one that has just got its power back may answer zeros, which would be another serial.
            schedule.hasten(meter: meter, now: moment().utc + Self.awakeAfter * schedule.speed)
        }
    }

    /// A person was answered. Where registers that say who a meter is hold other words than the schedule read last, it
    /// asks for them now: what the person signs next shall not contradict the birth.
    mutating func compare(_ request: ModbusRequest, _ answer: ModbusAnswer) {
        guard answer.status == SampleStatus.good else { return }
        for slot in requests.indices where requests[slot] == request && schedule.isInForce(slot) {
            let place = schedule.slots[slot]
            guard place.opening == .untilAnswered,
                let index = meters.firstIndex(where: { $0.meter.index == place.meter }),
                meters[index].identityWords[place.read] != answer.bytes
            else { continue }
            schedule.hasten(meter: place.meter, now: moment().utc)
        }
    }

    mutating func fellSilent(_ meter: UInt64, _ status: UInt64) {
        guard silent.insert(meter).inserted else { return }
        recorder.notice(.silent(meter: meter, status: status), bus: plan.number)
    }

    /// The first attempt to learn who the meter is has been made, whatever came of it.
    mutating func opened(_ index: Int) {
        guard !meters[index].isOpened else { return }
        meters[index].isOpened = true
        recorder.notice(.opened(meter: meters[index].meter.index), bus: plan.number)
    }

    /// Reads the meter from now on as its profile and chain ask for.
    mutating func adopt(_ index: Int, chain: [SunSpecModel]) {
        let meter = meters[index].meter
        let plan: MeterPlan
        do {
            plan = try MeterPlan(meter, chain: chain, generation: meters[index].generation)
        } catch {
            recorder.notice(.unreadable(meter: meter.index, reason: error.description), bus: self.plan.number)
            return opened(index)
        }
        // Before its first read is recorded: the keeper's births come before the readings they explain.
        recorder.notice(.planned(plan), bus: self.plan.number)
        let now = moment().utc
        // What was due a moment ago, perhaps at a boundary, is asked as the new plan asks for it.
        let wasDue = schedule.retire(meter: meter.index, now: now)
        let slots = schedule.add(plan.schedule(readsAtOnce: self.plan.readsAtOnce || wasDue), now: now)
        let asked = plan.reads.compactMap { ModbusRequest($0.planned.request, unit: meter.unit) }
        line.use(meter.profile.limits, unit: meter.unit, requests: asked)
        for (slot, request) in zip(slots, asked) {
            if slot < requests.count { requests[slot] = request } else { requests.append(request) }
        }
        meters[index].chain = chain
        meters[index].generation += 1
        meters[index].identityWords = [:]
        meters[index].identityOwed = plan.reads.filter(\.isIdentity).map(\.index)
        if meters[index].identityOwed.isEmpty { opened(index) }
    }
}

extension ModbusRequest {
    /// Nil for a function or count that no plan makes.
    init?(_ request: ReadRequest, unit: UInt8) {
        self.init(unit: unit, function: request.function, address: request.address, count: request.count)
    }
}

extension HouseClock {
    /// House milliseconds in a real one.
    fileprivate var speed: Int64 {
        switch self {
        case .real: 1
        case .replayed(_, let speed, _): speed
        }
    }
}
