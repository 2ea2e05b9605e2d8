// What must be found out before a meter can be planned: where a SunSpec device has its models, and which version of its
// profile is for the device. One question at a time, so that others are asked between; whose turn it is says WalkTurns. The
// answers are no evidence: the birth says what was found, and the identity reads that follow tell it again.

internal import Evidence
package import Metering

/// The walk through one device.
package struct MeterWalk: Sendable {
    package enum Step: Hashable, Sendable {
        /// Ask this and call ``answer(status:_:)``.
        case read(ReadRequest)
        /// Read the meter so.
        case found(chain: [SunSpecModel], ConfiguredMeter)
        /// Begin again later: a device half walked is a device not found.
        case failed(status: UInt64)
    }

    private enum Stage {
        case models(SunSpecWalk)
        case version(VersionSearch, [SunSpecModel])
        case over(Step)
    }

    /// What a gateway says of a device that it does not reach.
    package static let gatewayExceptions: ClosedRange<UInt64> = 10...11
    /// What a device says of registers that it does not have: no such function, address, or number of them.
    private static let refusals: ClosedRange<UInt64> = 1...3

    private let meter: ConfiguredMeter
    private var stage: Stage
    /// It answered an exception that a device in trouble answers, not one without the register: what was found may be half
    /// of what it has.
    package private(set) var isUnsure = false

    /// - Parameter meter: with its fallback, as configured.
    package init(_ meter: ConfiguredMeter) {
        self.meter = meter
        if let sunSpec = meter.profile.sunSpec {
            stage = .models(SunSpecWalk(bases: sunSpec.bases))
        } else {
            stage = Self.stage(after: [], meter)
        }
    }

    package var step: Step {
        switch stage {
        case .models(let walk):
            if case .read(let request) = walk.step { return .read(request) }
            return .failed(status: SampleStatus.wrongAnswer)
        case .version(let search, let chain):
            switch search.step {
            case .read(let request): return .read(request)
            case .chosen(let choice): return .found(chain: chain, meter.read(with: choice))
            }
        case .over(let step): return step
        }
    }

    /// What came of the read of ``step``. An exception is an answer, unless it says that the device is busy or not reached;
    /// silence is not.
    package mutating func answer(status: UInt64, _ bytes: [UInt8]) {
        guard status <= SampleStatus.exceptionMax, status != BusSchedule.busy, !Self.gatewayExceptions.contains(status)
        else { return stage = .over(.failed(status: status)) }
        let words = status == SampleStatus.good ? bytes : nil
        if words == nil, !Self.refusals.contains(status) { isUnsure = true }
        switch stage {
        case .models(var walk):
            walk.answer(words)
            stage = if case .found(let chain) = walk.step { Self.stage(after: chain, meter) } else { .models(walk) }
        case .version(var search, let chain):
            search.answer(words)
            stage = .version(search, chain)
        case .over: return
        }
    }

    private static func stage(after chain: [SunSpecModel], _ meter: ConfiguredMeter) -> Stage {
        if meter.versions.isEmpty { return .over(.found(chain: chain, meter)) }
        return .version(VersionSearch(meter, chain: chain), chain)
    }
}

extension ConfiguredMeter {
    /// Whether it must be asked something before it can be planned.
    package var isSought: Bool { profile.sunSpec != nil || !versions.isEmpty }
}
