// Governance reads what was verified and says how votes weigh. Preliminary weights after every window; the yearly cycle
// with its challenge, proposals and ballots is not in this file, and nothing votes on preliminary weights.

package import Proofs
package import Quantities

/// Why an event of the Journal does not fit: it was changed, or was written by another version.
package enum GovernanceError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A year's production of an entity leaves 64 bits.
    case outOfRange(entity: String)

    package var description: String {
        switch self {
        case .outOfRange(let entity):
            "the year's production of \(entity) is out of range: check the Journal with kilomint-audit verify"
        }
    }
}

package struct Governance: Sendable {
    private struct Year: Hashable {
        let year: String
        let entity: Identifier
    }

    private struct WindowEntity: Hashable {
        let window: WindowID
        let entity: Identifier
    }

    // Looked up, never iterated.
    private var production: [Year: Int64] = [:]
    private var counted: Set<WindowEntity> = []
    /// Event id of the last ProductionVerified of each window.
    private var causes: [WindowID: Digest] = [:]
    /// The weights calculated last.
    package private(set) var latest: Event.WeightCalculated?

    package init() {}

    /// The entity's weight as calculated last.
    package func weight(of entity: Identifier) -> Event.WeightCalculated.Weight? {
        latest?.weights.first { $0.entity == entity }
    }

    /// Folds an event of the Journal; those governance does not read change nothing. Each entity counts once a window.
    ///
    /// - Parameter id: the event's id.
    package mutating func apply(_ event: Event, id: Digest) throws(GovernanceError) {
        switch event {
        case .productionVerified(let body):
            guard !counted.contains(WindowEntity(window: body.window, entity: body.entity)) else { return }
            let key = Year(year: Self.year(of: body.window), entity: body.entity)
            let (sum, overflowed) = production[key, default: 0].addingReportingOverflow(body.verified.wattHours)
            guard !overflowed else { throw .outOfRange(entity: body.entity.text) }
            counted.insert(WindowEntity(window: body.window, entity: body.entity))
            production[key] = sum
            causes[body.window] = id
        case .weightCalculated(let body): latest = body
        default: break
        }
    }

    /// The preliminary weights after a window: what was verified in the windows that began in its UTC year, and the
    /// population registered at `instant`, of every entity in force then.
    ///
    /// Call it once all of the window's productions are folded. The command comes from the last of them, so a second
    /// call drafts the same event with the same id.
    ///
    /// - Parameter instant: the window's end.
    /// - Returns: nil when nothing was verified in the window, nobody is registered, or the numbers are out of range.
    package func preliminaryWeights(
        after window: WindowID, registry: Registry, manifest: Manifest, at instant: UTCInstant
    ) -> JournalDraft? {
        guard let cause = causes[window] else { return nil }
        let year = Self.year(of: window)
        let bases = registry.documents(ofKind: 3, at: instant).compactMap { document -> WeightBasis? in
            guard case .entity(let entity) = document.registration.body else { return nil }
            // A year of more import than export weighs nothing, never less.
            let produced = max(0, production[Year(year: year, entity: entity.id)] ?? 0)
            return WeightBasis(entity: entity.id, production: produced, population: entity.population)
        }
        guard
            let units = Weights.apportion(bases, a: manifest.productionWeight, b: manifest.populationWeight)
        else { return nil }
        let weights = zip(bases, units).map { basis, units in
            Event.WeightCalculated.Weight(
                entity: basis.entity, production: Energy(wattHours: basis.production), population: basis.population,
                units: units)
        }
        let event = Event.WeightCalculated(window: window, isPreliminary: true, weights: weights)
        return Event.weightCalculated(event).draft(commandID: CommandID.caused(by: cause, purpose: "weights"))
    }

    /// `2016` of `W-2016-07-07-1`.
    private static func year(of window: WindowID) -> String { String(window.text.dropFirst(2).prefix(4)) }
}
