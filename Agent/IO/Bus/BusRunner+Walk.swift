// Asks meters what they are, one question a turn, while the others are read: whose turn it is and what to ask is Core's
// (WalkTurns, MeterWalk).

internal import AgentCore
internal import Evidence
internal import Metering
internal import Quantities

/// What the bus knows of one of its meters.
struct MeterOnBus {
    /// Read with the version of its profile that was chosen last.
    var meter: ConfiguredMeter
    /// Nil while nothing is planned.
    var chain: [SunSpecModel]?
    var generation: UInt64 = 0
    /// Identity reads not asked yet.
    var identityOwed: [UInt64] = []
    /// What each identity read brought last. Only looked up.
    var identityWords: [UInt64: [UInt8]] = [:]
    var isOpened = false
    /// The walk under way.
    var walk: MeterWalk?
    /// Real milliseconds of the last walk that came to its end.
    var walkedAt = Int64.min / 2
    /// It did not answer last time.
    var isAway = false

    init(_ meter: ConfiguredMeter) { self.meter = meter }
}

extension ConfiguredMeter {
    /// With its fallback, as configured: where a search for its version begins.
    fileprivate func asConfigured(in plan: BusPlan) -> ConfiguredMeter {
        plan.meters.first { $0.index == index } ?? self
    }
}

extension BusRunner {
    /// A meter that now and then does not answer is not asked for its version each time. Real milliseconds.
    private static let walkAgainAfter: Int64 = 60_000

    /// Asks one question of a walk, if one may be asked now.
    ///
    /// - Returns: whether something was done: the schedule is looked at again before anything else.
    mutating func walkOn() -> Bool {
        let now = moment()
        guard walks.isReady(now.monotonic) else { return false }
        for index in walks.ready(now.monotonic) where meters[index].walk == nil {
            let walk = MeterWalk(meters[index].meter.asConfigured(in: plan))
            // One that needs no question is over at once.
            guard case .read = walk.step else {
                settle(index, walk.step)
                return true
            }
            meters[index].walk = walk
        }
        // While a replayed clock stands nothing comes due.
        let room = min(schedule.room(now: now.utc, monotonic: now.monotonic), .max / 2) + clock.standstill
        let turn = walks.turn(room: room, shortest: schedule.shortest, monotonic: now.monotonic) { cost($0) }
        guard let turn, case .read(let request) = meters[turn.meter].walk?.step else { return false }
        ask(request, turn, room)
        return true
    }

    private func cost(_ index: Int) -> WalkTurns.Cost {
        let unit = meters[index].meter.unit
        guard case .read(let read) = meters[index].walk?.step, let request = ModbusRequest(read, unit: unit),
            let timeout = line.timeout(of: unit)
        else { return WalkTurns.Cost(line: 0, least: 0, need: 0, most: 0) }
        // Who did not answer last time is waited for longer only where there is room for it.
        let need = walks.failures(of: index) > 0 ? timeout.start : timeout.milliseconds
        let least = timeout.latency.map { 4 * $0 / 1_000 } ?? PersonTurns.leastUnknownMilliseconds
        return WalkTurns.Cost(
            line: line.cost(of: request) + line.renewal, least: min(need, least), need: need,
            most: max(need, timeout.milliseconds))
    }

    private mutating func ask(_ read: ReadRequest, _ turn: WalkTurns.Turn, _ room: Int64) {
        let (index, meter) = (turn.meter, meters[turn.meter].meter)
        guard let request = ModbusRequest(read, unit: meter.unit) else {
            return settle(index, .failed(status: SampleStatus.wrongAnswer))
        }
        let began = clock.now().monotonic
        line.makeRoom(for: request, stop: stop)
        let from = steadyNanoseconds()
        let answer = line.ask(request, within: turn.within)
        count(meter.index, meter.unit, answer, from: from, to: steadyNanoseconds())
        let now = moment().monotonic
        walks.asked(
            index, isAnswered: answer.status <= SampleStatus.exceptionMax, took: now - began, room: room,
            monotonic: now)
        meters[index].walk?.answer(status: answer.status, answer.bytes)
        if let step = meters[index].walk?.step { settle(index, step) }
    }

    /// What came of a walk, if it is over.
    private mutating func settle(_ index: Int, _ step: MeterWalk.Step) {
        switch step {
        case .read: return
        case .failed(let status): walkFailed(index, status: status)
        case .found(let chain, let meter):
            let now = clock.now().monotonic
            let isUnsure = meters[index].walk?.isUnsure ?? false
            meters[index].walk = nil
            meters[index].walkedAt = now
            if meters[index].chain != chain || meters[index].meter != meter {
                meters[index].meter = meter
                adopt(index, chain: chain)
            }
            let again = WalkTurns.again(
                isSunSpec: meter.profile.sunSpec != nil,
                isSettled: meters[index].chain == chain && !isUnsure && !meter.isReadWithFallback,
                identityInterval: clock.house.realDuration(meter.identityInterval))
            walks.found(index, next: again.map { now + $0 } ?? .max)
        }
    }

    private mutating func walkFailed(_ index: Int, status: UInt64) {
        meters[index].walk = nil
        if status == SampleStatus.connectFailed {
            endpointFailed()
        } else {
            walks.failed(index, monotonic: clock.now().monotonic)
            opened(index)
        }
        // A planned meter that cannot be walked any more is judged by its reads.
        for other in meters.indices where meters[other].chain == nil && walks.failures(of: other) >= Self.silentAfter {
            fellSilent(meters[other].meter.index, status)
        }
    }

    /// There is no way to any meter of the bus: nobody tries again for a while.
    mutating func endpointFailed() {
        let now = clock.now().monotonic
        schedule.endpointFailed(monotonic: now)
        walks.endpointFailed(monotonic: now)
        for index in meters.indices { meters[index].walk = nil }
    }

    /// A meter with versions that says something else of itself, or comes back after a silence in which somebody may have
    /// given it other firmware, is asked again which one is for it.
    mutating func look(_ read: ScheduledRead, _ answer: ModbusAnswer) {
        guard let index = meters.firstIndex(where: { $0.meter.index == read.meter }) else { return }
        guard answer.status < MeterWalk.gatewayExceptions.lowerBound else {
            meters[index].isAway = true
            return
        }
        let now = clock.now().monotonic
        var isNews = meters[index].isAway && now - meters[index].walkedAt >= Self.walkAgainAfter
        meters[index].isAway = false
        if read.opening == .untilAnswered, answer.status == SampleStatus.good {
            let before = meters[index].identityWords.updateValue(answer.bytes, forKey: read.read)
            if let before, before != answer.bytes { isNews = true }
        }
        if isNews, !meters[index].meter.versions.isEmpty { walks.want(index, at: now) }
    }
}
