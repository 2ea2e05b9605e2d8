// Voting weights, computed again from what was verified.

internal import CBOR
internal import Proofs
internal import Quantities

extension HouseAudit {
    /// What governance remembers of each event.
    func remember(_ body: Event, _ event: JournalEvent, _ place: AuditPlace) throws {
        guard let id = event.id else { return }
        do throws(GovernanceError) { try governance.apply(body, id: id) } catch {
            throw AuditFailure(place, "\(error)")
        }
    }

    func compare(_ body: Event.WeightCalculated, _ event: JournalEvent, _ place: AuditPlace) throws {
        let cut = windows[try window(body.window, place)].cut
        let draft = governance.preliminaryWeights(
            after: body.window, registry: registry, manifest: registry.manifest(at: cut.start), at: cut.end)
        guard let draft, draft.eventID == event.id else {
            throw AuditFailure(place, "follows from no production verified in \(body.window)")
        }
        guard draft.payload.body == event.body else {
            throw AuditFailure(place, "weighs otherwise than verified production and registered population give")
        }
    }
}
