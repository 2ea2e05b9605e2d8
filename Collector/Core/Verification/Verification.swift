// Rules 1 to 8 over a window's inputs: a verdict for each entity. What K$ follow is Issuance's.

internal import Metering
package import Quantities

/// What an entity's window came to.
package struct EntityVerdict: Hashable, Sendable {
    package let entity: Identifier
    package let settledFrom: UTCInstant
    package let completeThrough: UTCInstant
    /// End of the last day up to which everything is verified; `settledFrom` when nothing settles.
    package let settledThrough: UTCInstant
    /// All days judged, settled or not, by (metering point, day).
    package let days: [DayVerdict]
    /// Σ over the settled days.
    package let verifiedWattHours: Int64
    /// Of the settled days; nil when nothing settles.
    package let lowestConfidence: Int64?
    /// Where the next differences start, by key; unchanged when nothing settles.
    package let openings: [CounterOpening]
    /// At most one a metering point, by metering point.
    package let lifts: [Lift]
    /// What the settled readings of its revenue meters stood under, by metering point.
    package let commissioned: [CommissionedMeter]

    package var isSettled: Bool { settledThrough > settledFrom }

    /// Days of the metering point that settle.
    package var settledDays: [DayVerdict] { days.filter { $0.dayEnd <= settledThrough } }
}

package enum Verification {
    /// Judges every entity of the window, in order of their ids. Pure; linear in the readings.
    package static func verify(_ inputs: WindowInputs) -> [EntityVerdict] {
        let plant = InputPlant(inputs)
        let context = VerificationContext(inputs, plant: plant)
        var readings: [Identifier: [InputReading]] = [:]
        for point in inputs.points { readings[point.meteringPoint] = point.readings }
        return inputs.spans.map { span in
            let days = DaySpan(span, context.manifest)
            let points = plant.points(of: span.entity).map { point in
                PointVerification(point, readings: readings[point.id] ?? [], span: days, context)
            }
            return EntityVerdict(span, points, days, context)
        }
    }
}

extension EntityVerdict {
    init(_ span: EntitySpan, _ points: [PointVerification], _ days: DaySpan, _ context: VerificationContext) {
        var settled = SettledThrough.days(points, count: days.count)
        var total = SettledThrough.energy(points, days: settled)
        if total == nil {
            // Beyond what an entity can produce: nothing settles, a person looks.
            settled = 0
            total = 0
        }
        let through = settled == 0 ? span.settledFrom : days.end(of: settled - 1)
        let isSettled = settled > 0
        self.init(
            entity: span.entity, settledFrom: span.settledFrom, completeThrough: span.completeThrough,
            settledThrough: through, days: points.flatMap(\.days), verifiedWattHours: total ?? 0,
            lowestConfidence: points.flatMap { $0.days.prefix(settled) }.map(\.confidence).min(),
            openings: points.flatMap { point in
                isSettled ? point.openings(through: through, context) : context.inputs.openings(at: point.point.id)
            },
            lifts: points.compactMap { point in
                point.agreed.prefix(settled).last { $0 != nil } ?? context.sources.lift(of: point.point.id)
            },
            commissioned: points.compactMap { point in
                (isSettled ? point.epochs?.inForce(at: through) : nil)
                    ?? context.plant.commissioned(point.point.revenueMeter)
            })
    }

    /// The same verdicts, nothing settled: what remains when an allocation cannot be expressed.
    package func withoutSettlement(_ inputs: WindowInputs) -> EntityVerdict {
        let plant = InputPlant(inputs)
        let points = plant.points(of: entity)
        let sources = SourceTable(inputs)
        return EntityVerdict(
            entity: entity, settledFrom: settledFrom, completeThrough: completeThrough, settledThrough: settledFrom,
            days: days, verifiedWattHours: 0, lowestConfidence: nil,
            openings: points.flatMap { inputs.openings(at: $0.id) },
            lifts: points.compactMap { sources.lift(of: $0.id) },
            commissioned: points.compactMap { plant.commissioned($0.revenueMeter) })
    }
}

extension WindowInputs {
    /// The openings of one metering point; they stand together.
    fileprivate func openings(at point: Identifier) -> [CounterOpening] {
        let from = openings.partitioningIndex { !($0.key.meteringPoint < point) }
        let to = openings.partitioningIndex { point < $0.key.meteringPoint }
        return Array(openings[from..<to])
    }
}

extension PointVerification {
    /// Each counter's last good count at or before `instant`. A counter that no registration names any more keeps its
    /// opening; one not opened yet has none.
    fileprivate func openings(through instant: UTCInstant, _ context: VerificationContext) -> [CounterOpening] {
        var byKey = context.inputs.openings(at: point.id).filter { opening in
            !counters.contains { $0.key == opening.key }
        }
        for (key, walk) in counters {
            guard let (good, epoch) = walk.last(through: instant) else { continue }
            if let index = good.reading {
                let reading = readings[index]
                byKey.append(
                    CounterOpening(
                        key: key, epoch: epoch.number, count: good.count, unit: epoch.unit, time: good.time,
                        record: reading.record,
                        sampleIndex: reading.sampleIndex))
            } else if let opening = context.plant.opening(key) {
                byKey.append(opening)
            }
        }
        return byKey.sorted { $0.key < $1.key }
    }
}
