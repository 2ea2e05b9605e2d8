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

/// Runs one bus until `stop` is closed.
package struct BusRunner {
    /// Failures in a row after which a meter is called silent.
    private static let silentAfter = 3

    private let plan: BusPlan
    private let recorder: Recorder
    private let clock: MachineClock
    private let stop: Mailbox<Never>
    private var schedule: BusSchedule
    /// By slot of the schedule.
    private var requests: [ModbusRequest] = []
    private var meters: [MeterOnBus]
    private var line: BusLine
    private var silent: Set<UInt64> = []

    package init(plan: BusPlan, recorder: Recorder, clock: MachineClock, stop: Mailbox<Never>) {
        self.plan = plan
        self.recorder = recorder
        self.clock = clock
        self.stop = stop
        schedule = BusSchedule(boundary: plan.boundary)
        meters = plan.meters.map { MeterOnBus($0) }
        line = BusLine(plan)
    }

    package mutating func run() {
        for index in meters.indices where meters[index].meter.profile.sunSpec == nil { adopt(index, chain: []) }
        while stop.isOpen {
            for index in meters.indices where meters[index].walkAt <= clock.now().monotonic { walk(index) }
            let now = clock.now()
            let (step, overruns) = schedule.next(now: now.utc, monotonic: now.monotonic)
            for overrun in overruns { recorder.notice(.overrun(overrun, bus: plan.number), bus: plan.number) }
            switch step {
            case .wait(let instant, let monotonic): wait(until: instant, orMonotonic: monotonic, now)
            case .backedOff(let slot, _): recorder.skipped(bus: plan.number, read: schedule.slots[slot].read)
            case .ask(let slot, _): ask(slot)
            }
        }
        line.close()
    }

    private func wait(until instant: UTCInstant, orMonotonic monotonic: Int64?, _ now: Moment) {
        let other = min(monotonic ?? .max, meters.map(\.walkAt).min() ?? .max)
        var wait = clock.nanoseconds(until: instant)
        if other != .max { wait = min(wait, max(1, other - now.monotonic) * 1_000_000) }
        _ = stop.take(within: wait)
    }

    private mutating func ask(_ slot: Int) {
        let place = schedule.slots[slot]
        line.makeRoom(for: requests[slot], stop: stop)
        let began = recorder.begin(bus: plan.number)
        let answer = line.ask(requests[slot])
        recorder.end(
            bus: plan.number, read: place.read, began: began, status: answer.status, words: answer.bytes,
            connects: line.figures.connects)
        let now = clock.now()
        schedule.finished(slot: slot, status: answer.status, now: now.utc, monotonic: now.monotonic)
        // An endpoint that is not there yet may only be starting: the first birth waits a little for it.
        if answer.status != SampleStatus.connectFailed,
            let index = meters.firstIndex(where: { $0.meter.index == place.meter })
        {
            meters[index].identityOwed.removeAll { $0 == place.read }
            if meters[index].identityOwed.isEmpty || answer.status > SampleStatus.exceptionMax { opened(index) }
        }
        judge(place.meter, answer.status)
    }

    /// Says once that a meter fell silent, and once that it answers again.
    private mutating func judge(_ meter: UInt64, _ status: UInt64) {
        let failures = schedule.failures(ofMeter: meter)
        if failures >= Self.silentAfter, silent.insert(meter).inserted {
            recorder.notice(.silent(meter: meter, status: status), bus: plan.number)
        } else if failures == 0, silent.remove(meter) != nil {
            recorder.notice(.answering(meter: meter), bus: plan.number)
        }
    }

    /// The first attempt to learn who the meter is has been made, whatever came of it.
    private mutating func opened(_ index: Int) {
        guard !meters[index].isOpened else { return }
        meters[index].isOpened = true
        recorder.notice(.opened(meter: meters[index].meter.index), bus: plan.number)
    }

    /// Asks a SunSpec device for its models. Its answers are no evidence: the birth says what was found, and the
    /// identity reads that follow lie inside it.
    private mutating func walk(_ index: Int) {
        let meter = meters[index].meter
        guard let sunSpec = meter.profile.sunSpec else { return }
        var walk = SunSpecWalk(bases: sunSpec.bases)
        while case .read(let request) = walk.step {
            guard stop.isOpen, let asked = ModbusRequest(request, unit: meter.unit) else { return }
            line.makeRoom(for: asked, stop: stop)
            let answer = line.ask(asked)
            // An exception is an answer of the walk; silence is not: a device half walked is a device not found.
            guard answer.status <= SampleStatus.exceptionMax else { return walkFailed(index, status: answer.status) }
            walk.answer(answer.status == SampleStatus.good ? answer.bytes : nil)
        }
        guard case .found(let chain) = walk.step else { return walkFailed(index, status: SampleStatus.wrongAnswer) }
        meters[index].walkAt = clock.now().monotonic + clock.house.realDuration(meter.identityInterval)
        meters[index].walkFailures = 0
        if meters[index].chain != chain { adopt(index, chain: chain) }
    }

    private mutating func walkFailed(_ index: Int, status: UInt64) {
        meters[index].walkFailures = min(meters[index].walkFailures + 1, 8)
        let backoff = min(Int64(2_000) << (meters[index].walkFailures - 1), 300_000)
        meters[index].walkAt = clock.now().monotonic + backoff
        if status != SampleStatus.connectFailed { opened(index) }
        // A planned meter that cannot be walked any more is judged by its reads.
        guard meters[index].chain == nil, meters[index].walkFailures == Self.silentAfter else { return }
        recorder.notice(.silent(meter: meters[index].meter.index, status: status), bus: plan.number)
    }

    /// Reads the meter from now on as its chain asks for.
    private mutating func adopt(_ index: Int, chain: [SunSpecModel]) {
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
        schedule.retire(meter: meter.index)
        schedule.add(plan.schedule(readsAtOnce: self.plan.readsAtOnce), now: clock.now().utc)
        requests += plan.reads.compactMap { ModbusRequest($0.planned.request, unit: meter.unit) }
        meters[index].chain = chain
        meters[index].generation += 1
        meters[index].identityOwed = plan.reads.filter(\.isIdentity).map(\.index)
        if meters[index].identityOwed.isEmpty { opened(index) }
    }
}

/// What the bus knows of one of its meters.
private struct MeterOnBus {
    let meter: ConfiguredMeter
    /// Nil while nothing is planned.
    var chain: [SunSpecModel]?
    var generation: UInt64 = 0
    /// Identity reads not asked yet.
    var identityOwed: [UInt64] = []
    var isOpened = false
    /// Real milliseconds; never for meters without SunSpec.
    var walkAt: Int64
    var walkFailures = 0

    init(_ meter: ConfiguredMeter) {
        self.meter = meter
        walkAt = meter.profile.sunSpec == nil ? .max : .min
    }
}

extension ModbusRequest {
    /// Nil for a function or count that no plan makes.
    init?(_ request: ReadRequest, unit: UInt8) {
        self.init(unit: unit, function: request.function, address: request.address, count: request.count)
    }
}
