// The gate between issuance and settlement: what was computed is released only if it is proven. A fold over issuance's
// events; decisions are drafted here and signed by the shell.

internal import CBOR
internal import Evidence
package import Proofs
internal import Quantities

/// Why an event of the Journal does not fit the gate: the Journal was changed, or was written by another version.
package enum GateError: Error, Hashable, Sendable, CustomStringConvertible {
    case unreadable(Event.Kind)
    case windowUnknown(String)
    /// A decision or issuance of another output than the one the window is bound to.
    case otherOutput(String)
    case issuedTwice(window: String, principal: String)
    /// Issued, but never allowed, or not what was allocated.
    case notAllowed(window: String, principal: String)

    package var description: String {
        let what =
            switch self {
            case .unreadable(let kind): "the message in a \(kind.rawValue) cannot be read"
            case .windowUnknown(let window): "window \(window) was decided before it was allocated"
            case .otherOutput(let window): "window \(window) was released with two outputs"
            case .issuedTwice(let window, let principal): "window \(window) was issued to \(principal) twice"
            case .notAllowed(let window, let principal): "window \(window) was issued to \(principal) without an ALLOW"
            }
        return what + ": stop the collector and check the Journal with kilomint-audit verify"
    }
}

package struct Gate: Sendable {
    // Looked up; listed by `order`.
    private var windows: [WindowID: WindowGate] = [:]
    /// In order of allocation.
    package private(set) var order: [WindowID] = []
    /// Logs that lost their tail and are not reconciled.
    package private(set) var unreconciled: [LogName] = []

    package init() {}

    package func window(_ id: WindowID) -> WindowGate? { windows[id] }

    /// No ALLOW and no transfer before every lost tail is reconciled.
    package var isHalted: Bool { !unreconciled.isEmpty }

    /// Folds an event of the Journal; those the gate does not read change nothing.
    ///
    /// - Parameter id: the event's id.
    /// - Throws: ``GateError``; the gate is then as it was.
    package mutating func apply(_ event: Event, id: Digest) throws(GateError) {
        switch event {
        case .epochOpened(let body): try open(body)
        case .epochReconciled(let body): unreconciled.removeAll { $0 == body.log }
        case .allocationCalculated(let body): try allocate(body)
        case .transcriptSealed(let body):
            let seal: Seal = try Self.read(body, .seal, .transcriptSealed)
            try change(seal.window) { $0.isSealed = $0.isSealed || seal.outputDigest == $0.outputDigest }
        case .replayCompared(let body):
            try change(body.window) { window in
                if body.outputDigest == window.outputDigest {
                    window.replayIsEqual = body.isEqual && body.replayDigest == body.outputDigest
                }
            }
        case .proofReceived(let body):
            let message = try Self.parse(body, .proof, .proofReceived)
            let proof: Proof = try Self.read(body, .proof, .proofReceived)
            let held = WindowGate.HeldProof(proof: proof, identity: message.identity, kid: message.kid)
            try change(proof.window) { if !$0.proofs.contains(held) { $0.proofs.append(held) } }
        case .authorizationDecided(let body):
            try decided(try Self.read(body, .decision, .authorizationDecided), id)
        case .issuanceComplete(let body): try issue(body)
        default: break
        }
    }

    private mutating func open(_ body: Event.EpochOpened) throws(GateError) {
        do {
            let document = try EpochDocument(decoding: try Document(body.document, as: .epoch).payload)
            let log: LogName = document.log == .journal ? .journal : .evidence
            if !unreconciled.contains(log) { unreconciled.append(log) }
        } catch { throw .unreadable(.epochOpened) }
    }

    /// A window may be computed again until its first ALLOW; seal, replay and proofs then belong to the output before.
    private mutating func allocate(_ body: Event.AllocationCalculated) throws(GateError) {
        guard var window = windows[body.window] else {
            windows[body.window] = WindowGate(body)
            order.append(body.window)
            return
        }
        guard window.outputDigest != body.outputDigest else { return }
        window.outputDigest = body.outputDigest
        window.allocations = body.allocations
        (window.isSealed, window.replayIsEqual) = (false, nil)
        windows[body.window] = window
    }

    private mutating func decided(_ decision: GateDecision, _ id: Digest) throws(GateError) {
        try change(decision.window) { (window) throws(GateError) in
            let allowed = decision.lines.filter(\.isAllowed)
            if !allowed.isEmpty {
                guard (window.boundDigest ?? decision.outputDigest) == decision.outputDigest else {
                    throw .otherOutput(decision.window.text)
                }
                window.boundDigest = decision.outputDigest
            }
            for line in allowed where !window.isAllowed(line.principal) {
                window.allowed.append(WindowGate.Allowed(principal: line.principal, decision: id))
            }
            window.lastDecision = decision
            window.decisions += 1
        }
    }

    private mutating func issue(_ body: Event.IssuanceComplete) throws(GateError) {
        try change(body.window) { (window) throws(GateError) in
            let key = WindowGate.Issued(entity: body.entity, principal: body.principal)
            guard !window.issued.contains(key) else {
                throw .issuedTwice(window: body.window.text, principal: body.principal.text)
            }
            guard window.boundDigest == body.outputDigest else { throw .otherOutput(body.window.text) }
            let isAllocated = window.allocations.contains {
                $0.entity == body.entity && $0.principal == body.principal && $0.account == body.account
                    && $0.amount == body.amount && body.amount > .zero
            }
            guard isAllocated, window.isAllowed(body.principal) else {
                throw .notAllowed(window: body.window.text, principal: body.principal.text)
            }
            window.issued.append(key)
        }
    }

    private mutating func change(
        _ id: WindowID, _ body: (inout WindowGate) throws(GateError) -> Void
    ) throws(GateError) {
        guard var window = windows[id] else { throw .windowUnknown(id.text) }
        try body(&window)
        windows[id] = window
    }

    private static func parse(
        _ body: Event.Received, _ type: ContentType, _ kind: Event.Kind
    ) throws(GateError) -> SignedMessage {
        do throws(EnvelopeError) {
            return try SignedMessage(parsing: body.envelope, as: type, bytesMax: SignedMessage.documentBytesMax)
        } catch { throw .unreadable(kind) }
    }

    private static func read<Payload: HousePayload>(
        _ body: Event.Received, _ type: ContentType, _ kind: Event.Kind
    ) throws(GateError) -> Payload {
        let message = try parse(body, type, kind)
        do throws(ShapeError) { return try Payload(decoding: message.payload) } catch { throw .unreadable(kind) }
    }
}
