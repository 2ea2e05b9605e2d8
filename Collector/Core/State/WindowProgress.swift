// How far a window has come, as the Journal tells it. What it is computed to be stands in its transcript.

package import Proofs
package import Quantities

/// A window that was cut, with everything decided about it since.
package struct WindowProgress: Sendable {
    package enum Step: String, Hashable, Sendable {
        case cut
        case verified
        case sealed
        case replayed
        case settled
    }

    /// An event with its id: what later events are caused by.
    package struct Caused<Body: Sendable>: Sendable {
        package let id: Digest
        package let body: Body
    }

    package let cut: Event.WindowCut
    package let cutID: Digest
    package let cutAt: UTCInstant
    package internal(set) var reconciliations: [Event.ReconciliationComplete] = []
    package internal(set) var verified: [Caused<Event.ProductionVerified>] = []
    package internal(set) var allocation: Caused<Event.AllocationCalculated>?
    package internal(set) var seal: Caused<Seal>?
    /// As it stands in the Journal.
    package internal(set) var sealEnvelope: [UInt8] = []
    package internal(set) var replay: Caused<Event.ReplayCompared>?
    package internal(set) var decision: Caused<GateDecision>?
    package internal(set) var issued: [Caused<Event.IssuanceComplete>] = []
    /// Supply after this window's last credit; nil before the first.
    package internal(set) var supplyAfter: Int128?
    package internal(set) var isWeighed = false

    package var window: WindowID { cut.window }

    /// Allocations with something to issue.
    package var due: [Allocation] { allocation?.body.allocations.filter { $0.amount > .zero } ?? [] }

    package var isSettled: Bool {
        replay?.body.isEqual == true
            && due.allSatisfy { line in
                issued.contains { $0.body.entity == line.entity && $0.body.principal == line.principal }
            }
    }

    package var step: Step {
        if isSettled { return .settled }
        if replay?.body.isEqual == true { return .replayed }
        if seal != nil { return .sealed }
        return reconciliations.isEmpty ? .cut : .verified
    }
}
