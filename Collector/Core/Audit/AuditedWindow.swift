// A window as the audit computed it again, to compare each of its later events with. Not a stage of its own.

internal import Proofs
internal import Quantities

/// One window from its cut to its last issuance.
struct AuditedWindow {
    let cut: Event.WindowCut
    let position: LogPosition
    /// Computed from the input segments.
    let outcome: WindowOutcome
    /// What the seal must list.
    let references: [SegmentReference]
    let transcriptRoot: Digest
    var verified: [Identifier] = []
    var isAllocated = false
    var seal: Seal?
    var hasEqualReplay = false
    var proofs: [ReceivedProof] = []
    /// By any decision so far.
    var allowed: [Identifier] = []
    /// By (entity, principal), as issued.
    var issued: [[Identifier]] = []

    func verdict(of entity: Identifier) -> EntityVerdict? { outcome.verdicts.first { $0.entity == entity } }

    func day(_ point: Identifier, _ start: UTCInstant) -> DayVerdict? {
        for verdict in outcome.verdicts {
            if let day = verdict.days.first(where: { $0.meteringPoint == point && $0.dayStart == start }) { return day }
        }
        return nil
    }
}

/// A proof whose signature was checked.
struct ReceivedProof {
    let proof: Proof
    /// Of the envelope.
    let identity: Digest
    let kid: [UInt8]
    let position: LogPosition
}
