// What must be found out before a meter can be planned: where a SunSpec device has its models, and which version of its
// profile is for the device. The answers are no evidence: the birth says what was found, and the identity reads that
// follow tell it again.

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
    /// What each identity read brought last, of a meter with versions. Only looked up.
    var identityWords: [UInt64: [UInt8]] = [:]
    var isOpened = false
    /// Real milliseconds; never for meters that are planned without a walk, and for others while nothing asks for one.
    var walkAt: Int64
    var walkFailures = 0
    /// Real milliseconds of the last walk that came to its end.
    var walkedAt = Int64.min / 2
    /// It did not answer last time.
    var isAway = false

    init(_ meter: ConfiguredMeter) {
        self.meter = meter
        walkAt = meter.isSought ? .min : .max
    }
}

extension ConfiguredMeter {
    /// Whether it must be asked something before it can be planned.
    var isSought: Bool { profile.sunSpec != nil || !versions.isEmpty }

    /// With its fallback, as configured: where a search for its version begins.
    fileprivate func asConfigured(in plan: BusPlan) -> ConfiguredMeter {
        plan.meters.first { $0.index == index } ?? self
    }
}

extension BusRunner {
    /// What a gateway says of a device that it does not reach.
    private static let gatewayExceptions: ClosedRange<UInt64> = 10...11
    /// A meter that now and then does not answer is not asked for its version each time. Real milliseconds.
    private static let walkAgainAfter: Int64 = 60_000

    mutating func walk(_ index: Int) {
        do throws(WalkFailure) {
            let meter = meters[index].meter.asConfigured(in: plan)
            let chain = try self.chain(index, meter)
            let chosen = meter.versions.isEmpty ? meter : meter.read(with: try version(index, meter, chain))
            let now = clock.now().monotonic
            meters[index].walkedAt = now
            meters[index].walkAt =
                meter.profile.sunSpec == nil ? .max : now + clock.house.realDuration(meter.identityInterval)
            meters[index].walkFailures = 0
            if meters[index].chain == chain, meters[index].meter == chosen { return }
            meters[index].meter = chosen
            adopt(index, chain: chain)
        } catch {
            if let status = error.status { walkFailed(index, status: status) }
        }
    }

    /// Asks a SunSpec device for its models; none for others.
    private mutating func chain(_ index: Int, _ meter: ConfiguredMeter) throws(WalkFailure) -> [SunSpecModel] {
        guard let sunSpec = meter.profile.sunSpec else { return [] }
        var walk = SunSpecWalk(bases: sunSpec.bases)
        while case .read(let request) = walk.step {
            let answer = try answer(index, request)
            walk.answer(answer.status == SampleStatus.good ? answer.bytes : nil)
        }
        guard case .found(let chain) = walk.step else { throw WalkFailure(status: SampleStatus.wrongAnswer) }
        return chain
    }

    /// Asks the device who it is in the words of each version.
    private mutating func version(
        _ index: Int, _ meter: ConfiguredMeter, _ chain: [SunSpecModel]
    ) throws(WalkFailure) -> VersionChoice {
        var search = VersionSearch(meter, chain: chain)
        while true {
            switch search.step {
            case .chosen(let choice): return choice
            case .read(let request):
                let answer = try answer(index, request)
                // Busy, or a gateway that does not reach it: it said nothing about itself.
                guard answer.status != BusSchedule.busy, !Self.gatewayExceptions.contains(answer.status) else {
                    throw WalkFailure(status: answer.status)
                }
                search.answer(answer.status == SampleStatus.good ? answer.bytes : nil)
            }
        }
    }

    /// One question of a walk. An exception is an answer; silence is not: a device half walked is a device not found.
    private mutating func answer(_ index: Int, _ request: ReadRequest) throws(WalkFailure) -> ModbusAnswer {
        let meter = meters[index].meter
        guard stop.isOpen, let asked = ModbusRequest(request, unit: meter.unit) else { throw WalkFailure(status: nil) }
        line.makeRoom(for: asked, stop: stop)
        let from = steadyNanoseconds()
        let answer = line.ask(asked)
        count(meter.index, meter.unit, answer, from: from, to: steadyNanoseconds())
        guard answer.status <= SampleStatus.exceptionMax else { throw WalkFailure(status: answer.status) }
        return answer
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

    /// A meter with versions that says something else of itself, or comes back after a silence in which somebody may have
    /// given it other firmware, is asked again which one is for it.
    mutating func look(_ read: ScheduledRead, _ answer: ModbusAnswer) {
        guard let index = meters.firstIndex(where: { $0.meter.index == read.meter }),
            !meters[index].meter.versions.isEmpty
        else { return }
        guard answer.status < Self.gatewayExceptions.lowerBound else {
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
        if isNews { meters[index].walkAt = now }
    }
}

/// Why a walk ended before its end; nil: the bus ends.
private struct WalkFailure: Error {
    let status: UInt64?
}
