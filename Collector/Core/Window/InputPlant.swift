// The plant as a window's inputs have it: lookups built once, so that no rule scans a list for each metering point.

package import Quantities

/// Lookups over ``WindowInputs``. Dictionaries answer questions; none is iterated.
package struct InputPlant: Sendable {
    private var entities: [Identifier: Entity] = [:]
    private var points: [Identifier: MeteringPoint] = [:]
    private var meters: [Identifier: Meter] = [:]
    private var spans: [Identifier: EntitySpan] = [:]
    private var openings: [CounterKey: CounterOpening] = [:]
    private var opened: [[Identifier]: UTCInstant] = [:]
    private var revenueMeters: Set<Identifier> = []
    private var commissioned: [Identifier: CommissionedMeter] = [:]
    private var commissionings: [Identifier: [CommissioningInput]] = [:]
    private var claims: [Identifier: [SerialClaim]] = [:]
    private var pointsByEntity: [Identifier: [MeteringPoint]] = [:]

    package init(_ inputs: WindowInputs) {
        for document in inputs.registrations {
            switch document.registration.body {
            case .entity(let entity): entities[entity.id] = entity
            case .meteringPoint(let point):
                points[point.id] = point
                revenueMeters.insert(point.revenueMeter)
                pointsByEntity[point.entity, default: []].append(point)
            case .meter(let meter): meters[meter.id] = meter
            case .organisation, .key, .gateway, .claim, .revocation: break
            }
        }
        for entity in pointsByEntity.keys { pointsByEntity[entity]?.sort { $0.id < $1.id } }
        for span in inputs.spans { spans[span.entity] = span }
        for item in inputs.commissioned { commissioned[item.meter] = item }
        for item in inputs.commissionings { commissionings[item.meter, default: []].append(item) }
        for item in inputs.claims { claims[item.meter, default: []].append(item) }
        for opening in inputs.openings {
            openings[opening.key] = opening
            let meter = [opening.key.meteringPoint, opening.key.meter]
            opened[meter] = max(opened[meter] ?? opening.time, opening.time)
        }
    }

    package func entity(_ id: Identifier) -> Entity? { entities[id] }
    package func point(_ id: Identifier) -> MeteringPoint? { points[id] }
    package func meter(_ id: Identifier) -> Meter? { meters[id] }
    package func commissioned(_ meter: Identifier) -> CommissionedMeter? { commissioned[meter] }

    /// In time order.
    package func commissionings(of meter: Identifier) -> [CommissioningInput] { commissionings[meter] ?? [] }
    package func claims(on meter: Identifier) -> [SerialClaim] { claims[meter] ?? [] }
    package func isRevenueMeter(_ id: Identifier) -> Bool { revenueMeters.contains(id) }
    package func span(of entity: Identifier) -> EntitySpan? { spans[entity] }
    package func opening(_ key: CounterKey) -> CounterOpening? { openings[key] }

    /// The latest opening of the meter's counters there; nil without any.
    package func opened(meter: Identifier, at point: Identifier) -> UTCInstant? { opened[[point, meter]] }

    /// By id.
    package func points(of entity: Identifier) -> [MeteringPoint] { pointsByEntity[entity] ?? [] }
}
