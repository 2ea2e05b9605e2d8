// Rule 4: which of a day's intervals the revenue meter's good counts cover, and q.

internal import Quantities

/// Covered intervals of a day.
struct Coverage: Hashable, Sendable {
    let covered: Int64
    /// Without those in which the meter was not commissioned.
    let intervals: Int64
    /// Whether there are such.
    let isPartial: Bool

    /// q, ppm, rounded down. Nothing is missing where nothing counts.
    var share: Int64 { intervals == 0 ? 1_000_000 : covered * 1_000_000 / intervals }
    var uncovered: UInt64 { UInt64(intervals - covered) }

    /// One for each day of the walk's span, in one pass over its good counts.
    static func days(
        _ goods: [GoodCount], _ days: DaySpan, interval: Int64, bridgeMax: Int64, leftOut: [LeftOutTime] = []
    ) -> [Coverage] {
        var edge = CoverageEdge(goods)
        var rest = leftOut[...]
        return (0..<days.count).map { day in
            var covered: Int64 = 0
            var intervals: Int64 = 0
            let count = days.length / interval
            for number in 0..<count {
                let start = days.start(of: day) + number * interval
                let end = start + interval
                while let first = rest.first, first.to <= start { rest = rest.dropFirst() }
                if let first = rest.first, first.from.map({ $0 < end }) ?? true { continue }
                intervals += 1
                if edge.isCovered(from: start, to: end, bridgeMax: bridgeMax) { covered += 1 }
            }
            return Coverage(covered: covered, intervals: intervals, isPartial: intervals < count)
        }
    }
}

/// Moves along the good counts as intervals are asked for in time order.
private struct CoverageEdge {
    private let goods: [GoodCount]
    /// Good counts at or before the last start, and before the last end, asked for.
    private var throughStart = 0
    private var beforeEnd = 0

    init(_ goods: [GoodCount]) { self.goods = goods }

    mutating func isCovered(from start: UTCInstant, to end: UTCInstant, bridgeMax: Int64) -> Bool {
        while throughStart < goods.count, goods[throughStart].time <= start { throughStart += 1 }
        while beforeEnd < goods.count, goods[beforeEnd].time < end { beforeEnd += 1 }
        guard throughStart > 0 else { return false }
        let before = goods[throughStart - 1]
        // A bridge stands on one commissioning.
        if beforeEnd < goods.count, goods[beforeEnd].ordinal == before.ordinal,
            goods[beforeEnd].time - before.time <= bridgeMax
        {
            return true
        }
        // The last good count at or before the end: one that stands exactly there was found above, if bridgeMax let it.
        var throughEnd = beforeEnd
        while throughEnd < goods.count, goods[throughEnd].time <= end { throughEnd += 1 }
        return isFresh(before, at: start) && isFresh(goods[throughEnd - 1], at: end)
    }

    private func isFresh(_ good: GoodCount, at instant: UTCInstant) -> Bool { instant - good.time <= 2 * good.interval }
}
