// The house as a fold over its Journal: what it wrote itself it must be able to read again.

import CBOR
import CollectorCore
import Evidence
import Proofs
import Quantities
import Testing

struct HouseStateTests {
    /// A decision has a line for each principal: a large house's is longer than any envelope taken from others.
    @Test func readsALargeHousesDecision() throws {
        let genesis = try TestHouse().registry.genesis
        func event(_ event: Event, _ index: UInt64) -> JournalEvent {
            let draft = event.draft(commandID: .test("\(index)"))
            return JournalEvent(
                position: LogPosition(epoch: 1, index: index),
                entry: JournalEntry(kind: draft.kind, stage: draft.stage, sequence: 1, time: anchor, digest: .zero),
                payload: draft.payload)
        }
        let body = try CBORValue(decoding: genesis.encoded)
        var state = try HouseState(genesis: event(.genesis(body), 0)) { TestSigner.check($0, $1) }
        let window = try #require(WindowID("W-2016-07-07-1"))
        let cut = Event.WindowCut(
            window: window, start: anchor, end: anchor + day, manifest: .zero,
            evidence: Checkpoint(origin: "o", size: 0, root: .zero), entities: [],
            segments: [Digest](repeating: .zero, count: 5000), inputDigest: .zero)
        // More segments than other lists have elements.
        let read = try Event(kind: Event.Kind.windowCut.rawValue, body: Event.windowCut(cut).body)
        #expect(read == .windowCut(cut))
        try state.apply(event(.windowCut(cut), 1))
        let lines = (0..<2000).map { number in
            GateDecision.Line(
                principal: id("principal-\(10_000 + number)"), isAllowed: false,
                reason: HoldReason.missingACK.rawValue, action: HoldReason.missingACK.action)
        }
        let decision = GateDecision(
            window: window, outputDigest: .zero, acceptanceDigest: .zero, lines: lines, decidedAt: anchor)
        let envelope = TestSigner.envelope(decision.encoded, .decision, by: [4]).encoded
        #expect(envelope.count > SignedMessage.acceptedBytesMax)
        try state.apply(event(.authorizationDecided(Event.Received(envelope: envelope)), 2))
        #expect(state.window(window)?.decision?.body.lines.count == 2000)
    }
}
