// The notation of the gate's tests, one step after the other separated by ";":
//
//   alloc A        output A is allocated: 600 to alice, 400 to bob, 0 to zoe       seal A   replay A   replay A!=B
//   fin1 ACK A     fin1 signs ACK over A; then, where wanted:  for:alice  no (INVALID)  own:B (his replay)  exp:3 (hours)
//                  at:-1 (hours)  as:com1 (names another)  broken (signature)
//   @5             it is 5 hours after the start
//   epoch / whole  the evidence log lost its tail / it is reconciled
//   gate           decides; then, where wanted:  policy  forked  stalled:carol
//
//   =ok taken or folded   =known   =NAME refused so; a decision is written alice:ALLOW bob:MISSING_CT, "news" when it is
//   journalled, and +alice for each amount it issues.
//
// fin1 (bank), fin2 (bank), fin3 (fund) sign ACK; com1 (law) signs CT; aff (law) signs ACK and is affiliated with alice;
// both holds a finance and a compliance key; own is of the entity's own organisation.

import CBOR
import CollectorCore
import Evidence
import Proofs
import Quantities

struct GateScript {
    static let window = WindowID("W-2016-07-07-1")!

    struct ScriptError: Error { let text: String }

    var gate = Gate()
    var house: TestHouse
    let manifest: Manifest
    private(set) var now = anchor
    /// In the order they would stand in the Journal.
    private(set) var journal: [JournalDraft] = []
    private var folded: UInt64 = 0

    init(_ parameters: Manifest.Gate = .standard, outsideReplayAbove: UInt64? = nil) throws {
        house = try TestHouse(shares: [("alice", 600_000), ("bob", 400_000)])
        manifest = Manifest(
            number: 1, effectiveFrom: anchor, cadence: day, grace: day, gate: parameters, billingGrade: [],
            outsideReplayAbove: outsideReplayAbove)
        for name in ["bank", "fund", "law"] {
            try house.register(.organisation(Organisation(id: id(name), name: name)))
        }
        for (name, role, organisation) in [
            ("fin1", KeyRole.financeVerifier, "bank"), ("fin2", .financeVerifier, "bank"),
            ("fin3", .financeVerifier, "fund"),
            ("com1", .complianceVerifier, "law"), ("aff", .financeVerifier, "law"), ("both", .financeVerifier, "fund"),
            ("both", .complianceVerifier, "fund"), ("own", .financeVerifier, "operator"),
        ] {
            try register(name, role, organisation)
        }
    }

    mutating func register(
        _ name: String, _ role: KeyRole, _ organisation: String, number: UInt64 = 1,
        validTo: UTCInstant = anchor + 365 * day
    ) throws {
        try house.register(
            .key(
                RegisteredKey(
                    spki: Self.key(name, role), role: role, subject: id(name), organisation: id(organisation),
                    affiliated: name == "aff" ? [id("alice")] : [], validTo: validTo)), number: number)
    }

    static func key(_ name: String, _ role: KeyRole) -> [UInt8] { Array("\(name) \(role.rawValue)".utf8) }

    mutating func run(_ line: String) throws -> String {
        try line.split(separator: ";").filter { $0.contains { $0 != " " } }.map { text in
            let parts = text.split(separator: "=")[0].split(separator: " ").map(String.init)
            // "replay A!=B" contains the mark of results.
            if parts[0] == "replay" { return try replay(text) }
            return parts.joined(separator: " ") + "=" + (try step(parts))
        }.joined(separator: "; ")
    }

    private mutating func replay(_ text: Substring) throws -> String {
        let digests = text.split(separator: " ")[1].components(of: "!=")
        let own = Digest.test(digests.count > 1 ? digests[1] : digests[0])
        let output = Digest.test(digests[0])
        try fold(
            .replayCompared(
                Event.ReplayCompared(
                    window: Self.window, outputDigest: output, replayDigest: own, isEqual: output == own, text: "")))
        return text.trimmed
    }

    private mutating func step(_ parts: [String]) throws -> String {
        switch parts[0] {
        case "alloc": try fold(Self.allocation(parts[1]))
        case "seal": try fold(.transcriptSealed(Self.received(Self.seal(parts[1]).encoded, .seal)))
        case "epoch":
            let document = EpochDocument(log: .evidence, endedOrigin: "x/evidence/1", lastCheckpoint: [], openedAt: now)
            let signed = try TestSigner.document(document.encoded, .epoch, by: [TestHouse.root])
            try fold(.epochOpened(Event.EpochOpened(document: signed.cbor)))
        case "whole": try fold(.epochReconciled(Event.EpochReconciled(log: .evidence, origin: "x/evidence/2")))
        case "gate": return try decide(parts)
        default:
            if let hours = parts[0].dropping("@") {
                now = anchor + Int64(hours)! * hour
                return "ok"
            }
            return try prove(parts)
        }
        return "ok"
    }

    private mutating func fold(_ event: Event) throws {
        folded += 1
        try fold(event.draft(commandID: Digest.test("\(folded)")))
    }

    private mutating func fold(_ draft: JournalDraft) throws {
        guard !journal.contains(where: { $0.eventID == draft.eventID }) else { throw ScriptError(text: "an id twice") }
        try gate.apply(try Event(kind: draft.kind, body: draft.payload.body), id: draft.eventID)
        journal.append(draft)
    }

    static func allocation(_ name: String) -> Event {
        .allocationCalculated(
            Event.AllocationCalculated(
                window: window, outputDigest: .test(name),
                allocations: [("alice", 600), ("bob", 400), ("zoe", 0)].map { name, amount in
                    Allocation(
                        entity: id("serf"), principal: id(name), account: id("serf-\(name)"), ppm: amount * 1000,
                        amount: Amount(minorUnits: amount), verifiedWattHours: 1)
                }, carries: []))
    }

    static func seal(_ name: String) -> Seal {
        Seal(
            window: window, outputDigest: .test(name), transcriptRoot: .zero,
            evidence: Checkpoint(origin: "x/evidence/1", size: 1, root: .zero),
            segments: [SegmentReference(kind: .inputs, size: 1, digest: .zero)], sealedAt: anchor)
    }

    static func received(_ payload: [UInt8], _ type: ContentType) -> Event.Received {
        Event.Received(envelope: TestSigner.envelope(payload, type, by: [4]).encoded)
    }

    private mutating func prove(_ parts: [String]) throws -> String {
        func option(_ name: String) -> String? { parts.compactMap { $0.dropping(name + ":") }.last }
        let kind = ProofKind(rawValue: parts[1])!
        let issuedAt = now + Int64(option("at") ?? "0")! * hour
        let proof = Proof(
            kind: kind, window: Self.window, outputDigest: .test(parts[2]), principal: option("for").map { id($0) },
            isValid: !parts.contains("no"), issuedAt: issuedAt,
            expiresAt: issuedAt + Int64(option("exp") ?? "100")! * hour,
            verifier: id(option("as") ?? parts[0]), replayDigest: .test(option("own") ?? parts[2]))
        let role: KeyRole =
            parts.contains("finance")
            ? .financeVerifier : parts.contains("compliance") ? .complianceVerifier : kind.role
        let envelope = TestSigner.envelope(proof.encoded, .proof, by: Self.key(parts[0], role)).encoded
        let outcome = gate.decide(
            proof: parts.contains("bytes") ? Array(envelope.dropLast()) : envelope, registry: house.registry, at: now,
            isSigned: { parts.contains("broken") ? false : TestSigner.check($0, $1) })
        switch outcome {
        case .accepted(let draft):
            try fold(draft)
            return "ok"
        case .known: return "known"
        case .refused(let refusal): return "\(refusal)"
        }
    }

    private mutating func decide(_ parts: [String]) throws -> String {
        var conditions = GateConditions(manifest: manifest)
        conditions.hasPolicyConflict = parts.contains("policy")
        if parts.contains("forked") { conditions.forked = [id("serf")] }
        conditions.stalled = parts.compactMap { $0.dropping("stalled:") }.map { id($0) }
        guard let decision = gate.decision(Self.window, registry: house.registry, conditions: conditions, at: now)
        else {
            return "nothing"
        }
        let reasons = decision.lines.filter { $0.principal != id("zoe") }.map {
            "\($0.principal):\($0.reason ?? "ALLOW")"
        }
        guard gate.isNews(decision) else { return reasons.joined(separator: " ") }
        let envelope = TestSigner.envelope(decision.encoded, .decision, by: [4]).encoded
        let drafts = try gate.drafts(of: decision, envelope: envelope)
        var issued: [String] = []
        for draft in drafts {
            try fold(draft)
            if case .issuanceComplete(let event) = try Event(kind: draft.kind, body: draft.payload.body) {
                issued.append("+\(event.principal)")
            }
        }
        guard gate.pendingIssuances(of: Self.window).isEmpty else { throw ScriptError(text: "issued too little") }
        return (reasons + ["news"] + issued).joined(separator: " ")
    }
}

extension StringProtocol {
    /// What follows `prefix`; nil when it does not begin so.
    func dropping(_ prefix: String) -> String? { hasPrefix(prefix) ? String(dropFirst(prefix.count)) : nil }

    var trimmed: String { String(drop { $0 == " " }) }

    func components(of separator: String) -> [String] {
        guard let range = firstRange(of: separator) else { return [String(self)] }
        return [String(self[..<range.lowerBound]), String(self[range.upperBound...])]
    }
}
