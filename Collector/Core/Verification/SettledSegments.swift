// Between which readings a counter's settled energy was measured: what a walk from K$ back to registers goes along.

internal import Metering
internal import Proofs
internal import Quantities

/// A reading that a difference starts or ends with.
struct SettledCount: Hashable, Sendable {
    let time: UTCInstant
    /// Carried on past rollovers.
    let count: UInt64
    let record: Digest
    let sampleIndex: UInt64
}

/// One counter under one commissioning.
struct SettledSegment: Sendable {
    let key: CounterKey
    let unit: Rational
    let from: SettledCount
    let to: SettledCount
    /// Nil for check meters.
    let commissioning: CommissioningInput?
}

extension Verification {
    /// The segments of a metering point's counters through `instant`, by key, then time. Their differences add up to what
    /// the settled days came to.
    static func segments(
        of point: MeteringPoint, _ inputs: WindowInputs, _ span: EntitySpan, through instant: UTCInstant
    ) -> [SettledSegment] {
        let plant = InputPlant(inputs)
        let context = VerificationContext(inputs, plant: plant)
        let readings = inputs.points.first { $0.meteringPoint == point.id }?.readings ?? []
        let made = PointVerification(
            point, readings: readings, span: DaySpan(span, inputs.manifest.manifest), context)
        return made.counters.flatMap { key, walk in
            walk.segments(from: span.settledFrom, through: instant).compactMap { segment in
                guard let from = made.settled(segment.from, key, plant), let to = made.settled(segment.to, key, plant)
                else { return nil }
                return SettledSegment(
                    key: key, unit: segment.epoch.unit, from: from, to: to,
                    commissioning: key.meter == point.revenueMeter
                        ? made.epochs?.commissioning(ordinal: segment.to.ordinal) : nil)
            }
        }
    }
}

extension PointVerification {
    fileprivate func settled(_ good: GoodCount, _ key: CounterKey, _ plant: InputPlant) -> SettledCount? {
        if let index = good.reading {
            let reading = readings[index]
            return SettledCount(
                time: good.time, count: good.count, record: reading.record, sampleIndex: reading.sampleIndex)
        }
        return plant.opening(key).map {
            SettledCount(time: $0.time, count: $0.count, record: $0.record, sampleIndex: $0.sampleIndex)
        }
    }
}
