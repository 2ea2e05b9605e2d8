// What earlier windows left behind: the only memory between windows. Rebuilt from their outputs' trailers.

internal import Metering
package import Quantities

/// Per entity: how far it is settled and what it carries; per counter: where its next difference starts; per metering
/// point: which statement lifts it.
package struct Standing: Sendable {
    private var settled: [Identifier: UTCInstant] = [:]
    private var carries: [Identifier: Carry] = [:]
    private var openings: [Identifier: [CounterOpening]] = [:]
    /// The latest of each meter's counter, at whichever metering point it was settled.
    private var latest: [MeterCounter: CounterOpening] = [:]
    private var lifts: [Identifier: Lift] = [:]
    /// By meter, wherever it stands.
    private var commissioned: [Identifier: CommissionedMeter] = [:]

    private struct MeterCounter: Hashable, Sendable {
        let meter: Identifier
        let quantity: ObisCode
    }

    package init() {}

    /// Takes over a window's trailer: lists as they stand in it. Windows in order; the same one twice changes nothing.
    package mutating func settle(
        through: [(entity: Identifier, through: UTCInstant)], openings new: [CounterOpening],
        carries newCarries: [Carry], lifts newLifts: [Lift], commissioned newCommissioned: [CommissionedMeter] = []
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
        for opening in new {
            let counter = MeterCounter(meter: opening.key.meter, quantity: opening.key.quantity)
            if let known = latest[counter], known.time > opening.time { continue }
            latest[counter] = opening
        }
        for lift in newLifts { lifts[lift.meteringPoint] = lift }
        for item in newCommissioned { commissioned[item.meter] = item }
    }

    /// Nil for an entity that no window has had yet: it starts with the window's start.
    package func settledThrough(_ entity: Identifier) -> UTCInstant? { settled[entity] }
    package func carry(_ entity: Identifier) -> Carry? { carries[entity] }

    /// What the metering point's next differences start from, by key. Registers are settled, not metering points: a meter
    /// that was elsewhere meanwhile goes on from where it was settled there, or its energy would count twice.
    package func openings(at point: MeteringPoint) -> [CounterOpening] {
        let gone = (openings[point.id] ?? []).filter { !point.meters.contains($0.key.meter) }
        let own = point.meters.flatMap { meter in
            [ObisCode.activeImport, .activeExport].compactMap { quantity in
                latest[MeterCounter(meter: meter, quantity: quantity)]?.moved(to: point.id)
            }
        }
        return (gone + own).sorted { $0.key < $1.key }
    }

    package func lift(of point: Identifier) -> Lift? { lifts[point] }
    package func commissioned(_ meter: Identifier) -> CommissionedMeter? { commissioned[meter] }
}

extension CounterOpening {
    fileprivate func moved(to point: Identifier) -> CounterOpening {
        CounterOpening(
            key: CounterKey(meteringPoint: point, meter: key.meter, quantity: key.quantity), epoch: epoch, count: count,
            unit: unit, time: time, record: record, sampleIndex: sampleIndex)
    }
}
