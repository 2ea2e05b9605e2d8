// What earlier windows left behind: the only memory between windows. Rebuilt from their outputs' trailers.

package import Quantities

/// Per entity: how far it is settled and what it carries; per counter: where its next difference starts; per metering
/// point: which statement lifts it.
package struct Standing: Sendable {
    private var settled: [Identifier: UTCInstant] = [:]
    private var carries: [Identifier: Carry] = [:]
    private var openings: [Identifier: [CounterOpening]] = [:]
    private var lifts: [Identifier: Lift] = [:]

    package init() {}

    /// Takes over a window's trailer: lists as they stand in it. Windows in order; the same one twice changes nothing.
    package mutating func settle(
        through: [(entity: Identifier, through: UTCInstant)], openings new: [CounterOpening],
        carries newCarries: [Carry],
        lifts newLifts: [Lift]
    ) {
        for line in through { settled[line.entity] = line.through }
        for carry in newCarries { carries[carry.entity] = carry }
        var start = 0
        while start < new.count {
            let point = new[start].key.meteringPoint
            let end = new[start...].firstIndex { $0.key.meteringPoint != point } ?? new.count
            openings[point] = Array(new[start..<end])
            start = end
        }
        for lift in newLifts { lifts[lift.meteringPoint] = lift }
    }

    /// Nil for an entity that no window has had yet: it starts with the window's start.
    package func settledThrough(_ entity: Identifier) -> UTCInstant? { settled[entity] }
    package func carry(_ entity: Identifier) -> Carry? { carries[entity] }
    /// By key.
    package func openings(at point: Identifier) -> [CounterOpening] { openings[point] ?? [] }
    package func lift(of point: Identifier) -> Lift? { lifts[point] }
}
