// A new configuration beside the buses that run: which go on untouched, which end, which begin. Decides only.

internal import AgentCore

/// The difference between the plans that run and those that are wanted.
struct BusExchange {
    /// Numbers of buses that end.
    let ended: [Int]
    /// Plans of buses that begin, with numbers and meter indexes that nobody uses.
    let begun: [BusPlan]
    /// All plans that run afterwards, in the order of the configuration.
    let plans: [BusPlan]
    /// Indexes of meters whose bus goes on.
    let kept: Set<UInt64>

    /// A bus goes on with its number and its meters' indexes: numbers of reads that are under way keep their meaning.
    init(running: [BusPlan], wanted: [BusPlan]) {
        let pairs = wanted.map { plan in running.first { $0.asks(as: plan) } }
        let kept = pairs.compactMap { $0 }
        let numbers = Self.free(besides: Set(kept.map(\.number)))
        let used = Set(kept.flatMap { $0.meters.map { Int($0.index) } })
        let indexes = Self.free(besides: used)
        var begun: [BusPlan] = []
        var plans: [BusPlan] = []
        for (plan, same) in zip(wanted, pairs) {
            if let same {
                plans.append(same)
                continue
            }
            let new = plan.renumbered(numbers.next() ?? 0) { UInt64(indexes.next() ?? 0) }
            begun.append(new)
            plans.append(new)
        }
        self.kept = Set(used.map { UInt64($0) })
        self.begun = begun
        self.plans = plans
        ended = running.map(\.number).filter { number in !kept.contains { $0.number == number } }
    }

    /// Numbers from 0 that are not `used`.
    private static func free(besides used: Set<Int>) -> AnyIterator<Int> {
        var next = 0
        return AnyIterator {
            while used.contains(next) { next += 1 }
            defer { next += 1 }
            return next
        }
    }

    var meters: [ConfiguredMeter] { plans.flatMap(\.meters).sorted { $0.index < $1.index } }
}

extension BusPlan {
    /// Whether another plan would ask the same devices the same things at the same times.
    fileprivate func asks(as other: BusPlan) -> Bool {
        endpoint == other.endpoint && timing == other.timing && boundary == other.boundary
            && meters.map { $0.numbered(0) } == other.meters.map { $0.numbered(0) }
    }

    /// A bus that begins while others run reads everything at once: what its predecessor was about to read is not lost.
    fileprivate func renumbered(_ number: Int, _ index: () -> UInt64) -> BusPlan {
        BusPlan(
            number: number, endpoint: endpoint, timing: timing, meters: meters.map { $0.numbered(index()) },
            boundary: boundary, readsAtOnce: true)
    }
}

extension ConfiguredMeter {
    fileprivate func numbered(_ index: UInt64) -> ConfiguredMeter {
        var meter = self
        meter.index = index
        return meter
    }
}
