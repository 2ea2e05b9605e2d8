// The cut: from registry, standing and admitted evidence to a window's inputs. What is computed from them is Verification's.

package import Evidence
package import Proofs
package import Quantities

/// A profile as the house keeps it, an accepted statement, an accepted review: what the cut may draw on beside evidence.
package struct CutSources {
    /// Bytes of meter profiles by digest. Reads of another profile stay out until it is known.
    package var profiles: [Digest: [UInt8]]
    /// Accepted before the cut; any order. Those of other days are left out.
    package var statements: [StatementInput]
    package var reviews: [ReviewInput]
    /// Whether Intake holds the record of this gateway, stream and number.
    package var isHeld: (Identifier, StreamID, UInt64) -> Bool

    package init(
        profiles: [Digest: [UInt8]], statements: [StatementInput], reviews: [ReviewInput],
        isHeld: @escaping (Identifier, StreamID, UInt64) -> Bool
    ) {
        self.isHeld = isHeld
        self.profiles = profiles
        self.statements = statements
        self.reviews = reviews
    }
}

extension WindowInputs {
    /// Gathers the inputs of `window`. The same evidence gives the same inputs whatever its order of arrival.
    package init(
        cutting window: Window, registry: Registry, standing: Standing, admission: Admission, sources: CutSources
    ) {
        let manifest = registry.manifest(at: window.start)
        let grid = WindowGrid(anchor: registry.genesis.anchor, manifest: manifest)
        let plant = registry.plant(at: window.start)
        let later = registry.plant(at: window.end)
        var cut = CutBuilder(window: window, grid: grid, manifest: manifest, sources: sources)
        for site in plant.sites where !site.meteringPoints.isEmpty {
            cut.add(
                site, plant, standing, admission, gatewaysAtEnd: later.gateways(of: site.entity.id),
                asset: registry.genesis.asset)
        }
        self = cut.finish(
            header: WindowHeader(
                window: window.id, start: window.start, end: window.end, tenant: registry.genesis.tenant,
                asset: registry.genesis.asset, mode: registry.genesis.mode),
            manifest: ManifestInput(
                id: registry.genesis.manifest.id, payload: registry.genesis.manifest.payload, manifest: manifest),
            registrations: plant.documents)
    }
}

/// Gathers entity by entity.
private struct CutBuilder {
    let window: Window
    let grid: WindowGrid
    let manifest: Manifest
    /// Decoded on first use; nil: unknown or not a profile.
    private var profiles: [Digest: ProfileInput?] = [:]
    private let sources: CutSources
    private var carries: [Carry] = []
    private var openings: [CounterOpening] = []
    private var spans: [EntitySpan] = []
    private var lifts: [Lift] = []
    private var commissioned: [CommissionedMeter] = []
    private var commissionings: [CommissioningInput] = []
    private var claims: [SerialClaim] = []
    private var points: [(entity: Identifier, point: Identifier, samples: [MeterSamples])] = []
    private var spanByPoint: [Identifier: EntitySpan] = [:]

    init(window: Window, grid: WindowGrid, manifest: Manifest, sources: CutSources) {
        self.window = window
        self.grid = grid
        self.manifest = manifest
        self.sources = sources
    }

    mutating func add(
        _ site: RegisteredPlant.Site, _ plant: RegisteredPlant, _ standing: Standing, _ admission: Admission,
        gatewaysAtEnd: [Gateway], asset: String
    ) {
        let entity = site.entity.id
        let settledFrom = standing.settledThrough(entity) ?? window.start
        let meters = site.meteringPoints.flatMap(\.meters).compactMap { plant.meter($0) }
        var gateways = Set(meters.map(\.gateway))
        gateways.formUnion(gatewaysAtEnd.map(\.id))
        let completeness = Completeness(
            gateways: gateways.sorted().map { ($0, admission.completeThrough($0)) }, settledFrom: settledFrom,
            window: window, grid: grid)
        let span = EntitySpan(
            entity: entity, settledFrom: settledFrom, completeThrough: completeness.through, late: completeness.late)
        spans.append(span)
        carries.append(
            standing.carry(entity)
                ?? Carry(entity: entity, asset: asset, numerator: 0, denominator: manifest.rate.denominator))
        for point in site.meteringPoints {
            spanByPoint[point.id] = span
            let opened = standing.openings(at: point)
            openings += opened
            if let lift = standing.lift(of: point.id) { lifts.append(lift) }
            if let meter = plant.meter(point.revenueMeter) { mark(meter, standing, admission, span) }
            var samples: [MeterSamples] = []
            for meter in point.meters.compactMap({ plant.meter($0) }) {
                // A meter that was settled elsewhere may be further than its new entity.
                let settled = opened.filter { $0.key.meter == meter.id }.map(\.time).max()
                var found = admission.samples(
                    ofMeter: meter.id, gateway: meter.gateway,
                    after: settled.map { max($0, settledFrom) } ?? settledFrom + (0 - manifest.bridgeMax),
                    through: span.completeThrough,
                    isHeld: sources.isHeld)
                let unknown = Set(found.usedReads.filter { profile(found.reads[$0].profile) == nil })
                if !unknown.isEmpty { found.samples.removeAll { unknown.contains($0.read) } }
                samples.append(found)
            }
            points.append((entity, point.id, samples))
        }
    }

    /// What happened to a revenue meter since the commissioning that its settled readings stand under.
    private mutating func mark(_ meter: Meter, _ standing: Standing, _ admission: Admission, _ span: EntitySpan) {
        // Another gateway's commissioning says nothing of what hangs on this one's line.
        let inForce = standing.commissioned(meter.id).flatMap {
            admission.marked.isCommissioning($0.commissioning, of: meter) ? $0 : nil
        }
        if let inForce { commissioned.append(inForce) }
        let after = inForce?.commissioning.time
        commissionings += admission.marked.commissionings(
            of: meter, after: after, through: span.completeThrough, isHeld: sources.isHeld)
        claims += admission.marked.claims(
            on: meter, after: after, through: span.completeThrough, isHeld: sources.isHeld)
    }

    private mutating func profile(_ digest: Digest) -> ProfileInput? {
        if let known = profiles[digest] { return known }
        let input = sources.profiles[digest].flatMap {
            Digest(of: $0) == digest ? ProfileInput(digest: digest, bytes: $0) : nil
        }
        profiles[digest] = .some(input)
        return input
    }

    func finish(
        header: WindowHeader, manifest: ManifestInput, registrations: [RegisteredDocument]
    ) -> WindowInputs {
        let reads = Set(points.flatMap { $0.samples.flatMap { found in found.usedReads.map { found.reads[$0] } } })
            .sorted(by: ReadInput.isOrdered)
        var numbers: [ReadInput: Int] = [:]
        for (number, read) in reads.enumerated() { numbers[read] = number }
        let used = Set(reads.map(\.profile)).sorted()
        return WindowInputs(
            header: header, manifest: manifest, registrations: registrations,
            profiles: used.compactMap { profiles[$0] ?? nil }, carries: carries,
            openings: openings.sorted { $0.key < $1.key }, spans: spans, reads: reads,
            points: points.compactMap { point in
                let readings = point.samples.flatMap { $0.numbered(numbers) }.sorted(by: InputReading.isOrdered)
                return readings.isEmpty
                    ? nil : PointReadings(entity: point.entity, meteringPoint: point.point, readings: readings)
            },
            statements: sources.statements.filter { isWanted($0.statement) }.sorted { $0.identity < $1.identity },
            reviews: sources.reviews.filter { isOpen($0.review.meteringPoint, $0.review.day) }
                .sorted { $0.identity < $1.identity },
            lifts: lifts.sorted { $0.meteringPoint < $1.meteringPoint },
            commissioned: commissioned.sorted { $0.meter < $1.meter },
            commissionings: commissionings.sorted(by: CommissioningInput.isOrdered),
            claims: claims.sorted(by: SerialClaim.isOrdered))
    }

    private func isWanted(_ statement: SourceStatement) -> Bool {
        isOpen(statement.meteringPoint, statement.from) && statement.to - statement.from == grid.dayLength
    }

    /// Whether a day of the metering point that this window judges starts there.
    private func isOpen(_ point: Identifier, _ day: UTCInstant) -> Bool {
        guard let span = spanByPoint[point], day >= span.settledFrom, day < span.completeThrough else { return false }
        return (day - span.settledFrom) % grid.dayLength == 0
    }
}

extension MeterSamples {
    /// As readings under the window's numbers of their reads.
    fileprivate func numbered(_ numbers: [ReadInput: Int]) -> [InputReading] {
        var byRead = [Int](repeating: 0, count: reads.count)
        for read in usedReads { byRead[read] = numbers[reads[read]] ?? 0 }
        return samples.map { sample in
            InputReading(
                time: sample.time, record: sample.record, sampleIndex: sample.sampleIndex, read: byRead[sample.read],
                status: sample.status, words: sample.words)
        }
    }
}

extension RegisteredPlant {
    fileprivate func gateways(of entity: Identifier) -> [Gateway] {
        let index = sites.partitioningIndex { !($0.entity.id < entity) }
        return index < sites.count && sites[index].entity.id == entity ? sites[index].gateways : []
    }
}
