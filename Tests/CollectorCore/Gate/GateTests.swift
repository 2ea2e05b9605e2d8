// The gate in the notation of GateScript: who is let through, who is held and why, and what is never issued twice.

import CollectorCore
import Evidence
import Foundation
import Proofs
import Quantities
import Testing

struct GateTests {
    static let ready = "alloc A=ok; seal A=ok; replay A; "
    static let both = "fin1 ACK A=ok; com1 CT A=ok; "

    static let decisions: [String] = [
        // All that is required, step by step: the first thing missing is told.
        "gate=nothing; alloc A=ok; gate=alice:NOT_SEALED bob:NOT_SEALED news; seal A=ok; "
            + "gate=alice:REPLAY_PENDING bob:REPLAY_PENDING news; replay A; gate=alice:MISSING_ACK bob:MISSING_ACK news; "
            + "fin1 ACK A=ok; gate=alice:MISSING_CT bob:MISSING_CT news; com1 CT A=ok; "
            + "gate=alice:ALLOW bob:ALLOW news +alice +bob; gate=alice:ALLOW bob:ALLOW",
        // A seal, a replay and proofs of another output are none of this one.
        "alloc A=ok; seal B=ok; gate=alice:NOT_SEALED bob:NOT_SEALED news",
        "alloc A=ok; seal A=ok; replay B; gate=alice:REPLAY_PENDING bob:REPLAY_PENDING news",
        "alloc A=ok; seal A=ok; replay A!=B; " + both + "gate=alice:DIGEST_MISMATCH bob:DIGEST_MISMATCH news",
        // One principal alone.
        ready + "fin1 ACK A=ok; com1 CT A for:alice=ok; gate=alice:ALLOW bob:MISSING_CT news +alice; "
            + "com1 CT A for:bob=ok; gate=alice:ALLOW bob:ALLOW news +bob",
        // Fresh for min(expires, issued + 24 h); at that instant no more.
        ready + "fin1 ACK A=ok; com1 CT A exp:3=ok; @3=ok; gate=alice:STALE_PROOF bob:STALE_PROOF news",
        ready + "fin1 ACK A=ok; com1 CT A exp:3=ok; @2=ok; gate=alice:ALLOW bob:ALLOW news +alice +bob",
        ready + both + "@23=ok; gate=alice:ALLOW bob:ALLOW news +alice +bob",
        ready + both + "@24=ok; gate=alice:STALE_PROOF bob:STALE_PROOF news; fin1 ACK A=ok; "
            + "gate=alice:STALE_PROOF bob:STALE_PROOF; com1 CT A=ok; gate=alice:ALLOW bob:ALLOW news +alice +bob",
        // ALLOW is remembered, when proofs have become stale and when the log has lost its tail.
        ready + both + "gate=alice:ALLOW bob:ALLOW news +alice +bob; @999=ok; gate=alice:ALLOW bob:ALLOW; epoch=ok; "
            + "gate=alice:ALLOW bob:ALLOW",
        // INVALID holds and does not become stale; only the same verifier's later VALID clears it.
        ready + both + "fin1 ACK A no=ok; gate=alice:PROOF_INVALID bob:PROOF_INVALID news; @1=ok; fin3 ACK A=ok; "
            + "gate=alice:PROOF_INVALID bob:PROOF_INVALID; @200=ok; gate=alice:PROOF_INVALID bob:PROOF_INVALID; "
            + "fin1 ACK A=ok; com1 CT A=ok; gate=alice:ALLOW bob:ALLOW news +alice +bob",
        ready + both + "com1 CT A no for:bob at:0=ok; gate=alice:ALLOW bob:PROOF_INVALID news +alice",
        ready + both + "fin3 ACK A no own:B=ok; gate=alice:DIGEST_MISMATCH bob:DIGEST_MISMATCH news",
        // Whoever is affiliated with a principal does not count for him.
        ready + "aff ACK A=ok; com1 CT A=ok; gate=alice:MISSING_ACK bob:ALLOW news +bob",
        // Nothing moves before a lost tail is reconciled.
        ready + both + "epoch=ok; gate=alice:EPOCH_UNRECONCILED bob:EPOCH_UNRECONCILED news; whole=ok; "
            + "gate=alice:ALLOW bob:ALLOW news +alice +bob",
        // What the shell tells.
        ready + both + "gate policy=alice:POLICY_VERSION_CONFLICT bob:POLICY_VERSION_CONFLICT news",
        ready + both
            + "gate forked=alice:STREAM_FORKED bob:STREAM_FORKED news; gate=alice:ALLOW bob:ALLOW news +alice +bob",
        ready + both + "gate stalled:carol stalled:alice=alice:ALLOW bob:ALLOW carol:WATERMARK_STALL news +alice +bob",
        // Computed again before the first ALLOW: everything anew. After it the window is bound for ever.
        ready + "fin1 ACK A=ok; alloc B=ok; gate=alice:NOT_SEALED bob:NOT_SEALED news; seal B=ok; replay B; "
            + "gate=alice:MISSING_ACK bob:MISSING_ACK news; fin1 ACK B=ok; com1 CT B=ok; "
            + "gate=alice:ALLOW bob:ALLOW news +alice +bob",
        ready
            + "fin1 ACK A=ok; com1 CT A for:alice=ok; gate=alice:ALLOW bob:MISSING_CT news +alice; alloc B=ok; seal B=ok; "
            + "replay B; fin1 ACK B=ok; com1 CT B=ok; gate=alice:WINDOW_BOUND bob:WINDOW_BOUND news; alloc A=ok; seal A=ok; "
            + "replay A; com1 CT A=ok; gate=alice:ALLOW bob:ALLOW news +bob",
    ]

    @Test(arguments: decisions)
    func decides(line: String) throws {
        var script = try GateScript()
        #expect(try script.run(line) == line)
    }

    @Test(arguments: [
        GateTests.ready + "fin1 ACK A=ok; fin1 ACK A=known",
        "fin1 ACK A=windowUnknown; " + GateTests.ready + "fin1 ACK A=ok",
        GateTests.ready + "fin1 ACK A bytes=malformed; stranger ACK A=unknownVerifier; fin1 ACK A broken=badSignature",
        GateTests.ready
            + "fin1 ACK A as:fin2=otherVerifier; fin1 CT A finance=otherRole; com1 ACK A compliance=otherRole",
        GateTests.ready + "fin1 ACK B=otherDigest; fin1 ACK A own:B=replayDiffers; fin1 ACK A own:B no=ok",
        GateTests.ready + "fin1 ACK A for:carol=principalUnknown; fin1 ACK A for:zoe=ok",
        GateTests.ready + "fin1 ACK A at:1=issuedInFuture; fin1 ACK A at:-3 exp:3=expired; fin1 ACK A at:-3 exp:4=ok",
        GateTests.ready + "both ACK A=ok; both CT A=otherKindSigned; fin1 SPV A=ok; fin1 ACK A=otherKindSigned",
        GateTests.ready + "aff ACK A for:alice=affiliated; aff ACK A for:bob=ok; aff ACK A=ok",
    ])
    func takesProofs(line: String) throws {
        var script = try GateScript()
        #expect(try script.run(line) == line)
    }

    @Test(arguments: [
        // Quorum 2 counts organisations, not verifiers.
        "fin1 ACK A=ok; fin2 ACK A=ok; com1 CT A=ok; gate=alice:INSUFFICIENT_QUORUM bob:INSUFFICIENT_QUORUM news; "
            + "fin3 ACK A=ok; gate=alice:INSUFFICIENT_QUORUM bob:INSUFFICIENT_QUORUM; both CT A=ok; "
            + "gate=alice:ALLOW bob:ALLOW news +alice +bob"
    ])
    func countsOrganisations(line: String) throws {
        var script = try GateScript(.init(freshness: day, quorum: 2, kinds: [.acknowledged, .complianceTested]))
        #expect(try script.run(Self.ready + line) == Self.ready + line)
    }

    @Test(arguments: [
        "fin1 ACK A=ok; gate=alice:MISSING_SPV bob:MISSING_SPV news; fin3 SPV A no=ok; "
            + "gate=alice:PROVIDER_TOTALS_MISMATCH bob:PROVIDER_TOTALS_MISMATCH news; @1=ok; fin3 SPV A=ok; "
            + "gate=alice:ALLOW bob:ALLOW news +alice +bob"
    ])
    func asksForTheProvidersTotals(line: String) throws {
        var script = try GateScript(.init(freshness: day, quorum: 1, kinds: [.acknowledged, .payoutReconciled]))
        #expect(try script.run(Self.ready + line) == Self.ready + line)
    }

    /// Above 599 minor units, which alice is and bob is not, somebody outside the entity's organisation must replay.
    @Test(arguments: [
        (
            599,
            "own ACK A=ok; gate=alice:OUTSIDE_REPLAY_MISSING bob:ALLOW news +bob; fin1 ACK A=ok; gate=alice:ALLOW bob:ALLOW news +alice"
        ),
        (600, "own ACK A=ok; gate=alice:ALLOW bob:ALLOW news +alice +bob"),
    ])
    func asksForAnOutsideReplay(above: UInt64, line: String) throws {
        var script = try GateScript(.init(freshness: day, quorum: 1, kinds: [.acknowledged]), outsideReplayAbove: above)
        #expect(try script.run(Self.ready + line) == Self.ready + line)
    }

    @Test func everyReasonAndRefusalIsReached() throws {
        let lines = try #require(Self.source)
        for reason in HoldReason.allCases {
            #expect(lines.contains(":\(reason.rawValue)"), "\(reason) stands in no case")
        }
        for refusal in ProofRefusal.allCases { #expect(lines.contains("=\(refusal)"), "\(refusal) stands in no case") }
    }

    private static let source: String? = {
        do { return try String(contentsOf: URL(filePath: #filePath), encoding: .utf8) } catch { return nil }
    }()

    /// A verifier whose key was revoked after he signed counts no more.
    @Test func revokedVerifiersDoNotCount() throws {
        var script = try GateScript()
        _ = try script.run(Self.ready + Self.both)
        try script.register("com1", .complianceVerifier, "law", number: 2, validTo: anchor)
        #expect(try script.run("gate") == "gate=alice:MISSING_CT bob:MISSING_CT news")
    }

    /// The decision is appended, the issuances are lost: they are drafted again with the same ids, once.
    @Test func issuesAfterACrashWhatItHadNoTimeFor() throws {
        var script = try GateScript()
        _ = try script.run(Self.ready + Self.both + "gate")
        var gate = Gate()
        let lost = script.journal.filter { $0.kind == "IssuanceComplete" }
        for draft in script.journal where draft.kind != "IssuanceComplete" {
            try gate.apply(try Event(kind: draft.kind, body: draft.payload.body), id: draft.eventID)
        }
        #expect(gate.pendingIssuances(of: GateScript.window) == lost)
        #expect(lost.count == 2)
        for draft in lost { try gate.apply(try Event(kind: draft.kind, body: draft.payload.body), id: draft.eventID) }
        #expect(gate.pendingIssuances(of: GateScript.window).isEmpty)
    }

    /// Sorted identities of what is considered: the order of arrival does not matter, staleness does.
    @Test func acceptanceDigestIsOfWhatIsConsidered() throws {
        func digest(_ line: String) throws -> Digest? {
            var script = try GateScript()
            _ = try script.run(Self.ready + line)
            return script.gate.decision(
                GateScript.window, registry: script.house.registry,
                conditions: GateConditions(manifest: script.manifest),
                at: script.now)?.acceptanceDigest
        }
        let none = try digest("@1")
        #expect(none == Digest(of: []))
        #expect(try digest("fin1 ACK A; com1 CT A") == digest("com1 CT A; fin1 ACK A"))
        #expect(try digest("fin1 ACK A; com1 CT A") != digest("fin1 ACK A"))
        #expect(try digest("fin1 ACK A exp:2; @2") == none)
        #expect(try digest("fin1 ACK A no exp:2; @2") != none)
    }

    /// A Journal that was changed does not fold.
    @Test func refusesEventsThatCannotBe() throws {
        func issuance(_ principal: String, _ amount: Int64, _ digest: String = "A") -> Event {
            .issuanceComplete(
                Event.IssuanceComplete(
                    window: GateScript.window, entity: id("serf"), principal: id(principal),
                    account: id("serf-\(principal)"),
                    amount: Amount(minorUnits: amount), outputDigest: .test(digest)))
        }
        var script = try GateScript()
        _ = try script.run(Self.ready + "fin1 ACK A; com1 CT A for:alice; gate")
        let window = GateScript.window.text
        let decision = GateDecision(
            window: GateScript.window, outputDigest: .test("B"), acceptanceDigest: .zero,
            lines: [.init(principal: id("bob"), isAllowed: true)], decidedAt: anchor)
        let cases: [(Event, GateError)] = [
            (issuance("alice", 600), .issuedTwice(window: window, principal: "alice")),
            (issuance("bob", 400), .notAllowed(window: window, principal: "bob")),
            (issuance("bob", 400, "B"), .otherOutput(window)),
            (issuance("carol", 1), .notAllowed(window: window, principal: "carol")),
            (.authorizationDecided(GateScript.received(decision.encoded, .decision)), .otherOutput(window)),
            (.proofReceived(Event.Received(envelope: [1])), .unreadable(.proofReceived)),
        ]
        for (event, error) in cases { #expect(throws: error) { try script.gate.apply(event, id: .zero) } }
        var empty = Gate()
        #expect(throws: GateError.windowUnknown(window)) { try empty.apply(issuance("alice", 600), id: .zero) }
    }
}
