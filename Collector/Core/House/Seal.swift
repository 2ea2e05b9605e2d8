// What is signed when a window is done: its seal, the proofs verifiers give, the gate's decision.

package import CBOR
package import Evidence
package import Proofs
package import Quantities

/// A content-addressed piece of a transcript.
package struct SegmentReference: Hashable, Sendable {
    package enum Kind: Int64, Hashable, Sendable {
        case inputs = 1
        case checkpoints = 2
        case output = 3
    }

    package let kind: Kind
    /// Bytes.
    package let size: UInt64
    package let digest: Digest

    package init(kind: Kind, size: UInt64, digest: Digest) {
        self.kind = kind
        self.size = size
        self.digest = digest
    }

    fileprivate var cbor: CBORValue { .array([.int(kind.rawValue), .unsigned(size), .digest(digest)]) }

    fileprivate init(_ value: CBORValue, _ path: String) throws(ShapeError) {
        let parts = try value.array(count: 3, path)
        guard let kind = Kind(rawValue: try parts[0].int(path + "[0]")) else {
            throw ShapeError(path + "[0]", expected: "1, 2 or 3")
        }
        self.init(kind: kind, size: try parts[1].uint(path + "[1]"), digest: try parts[2].digest(path + "[2]"))
    }
}

/// Binds a window's output to its transcript and to the evidence it was computed from.
package struct Seal: HousePayload {
    package static let contentType = ContentType.seal
    /// A window of 10^9 items.
    package static let segmentsMax = 262_144

    package let window: WindowID
    package let outputDigest: Digest
    /// RFC 6962 root over the segments' digests in order.
    package let transcriptRoot: Digest
    package let evidence: Checkpoint
    package let segments: [SegmentReference]
    package let sealedAt: UTCInstant

    package init(
        window: WindowID, outputDigest: Digest, transcriptRoot: Digest, evidence: Checkpoint,
        segments: [SegmentReference],
        sealedAt: UTCInstant
    ) {
        self.window = window
        self.outputDigest = outputDigest
        self.transcriptRoot = transcriptRoot
        self.evidence = evidence
        self.segments = segments
        self.sealedAt = sealedAt
    }

    package var cbor: CBORValue {
        .numbered([
            .int(1), .text(window.text), .digest(outputDigest), .digest(transcriptRoot),
            evidence.cbor, .array(segments.map(\.cbor)), .ms(sealedAt),
        ])
    }

    package init(_ value: CBORValue) throws(ShapeError) {
        let fields = try value.fields(1...7, "seal")
        try fields.requireVersion()
        let segments = try fields.value(6).list("seal.6", min: 1, max: Self.segmentsMax) {
            (value, path) throws(ShapeError) in
            try SegmentReference(value, path)
        }
        self.init(
            window: try WindowID(try fields.value(2), "seal.2"), outputDigest: try fields.digest(3),
            transcriptRoot: try fields.digest(4), evidence: try Checkpoint(try fields.value(5), "seal.5"),
            segments: segments, sealedAt: try fields.instant(7))
    }
}

extension Checkpoint {
    /// `[origin, size, root]`, as seals and window cuts name a log's state.
    package var cbor: CBORValue { .array([.text(origin), .unsigned(size), .digest(root)]) }

    package init(_ value: CBORValue, _ path: String) throws(ShapeError) {
        let parts = try value.array(count: 3, path)
        self.init(
            origin: try parts[0].shortText(path + "[0]"), size: try parts[1].uint(path + "[1]"),
            root: try parts[2].digest(path + "[2]"))
    }
}

/// What a verifier vouches for.
package enum ProofKind: String, Hashable, Sendable, CaseIterable {
    /// Finance.
    case acknowledged = "ACK"
    /// Compliance.
    case complianceTested = "CT"
    /// A provider's previous payout batch is reconciled.
    case payoutReconciled = "SPV"

    init(_ value: CBORValue, _ path: String) throws(ShapeError) {
        guard let kind = Self(rawValue: try value.text(path)) else {
            throw ShapeError(path, expected: "ACK, CT or SPV")
        }
        self = kind
    }
}

/// A verifier's word on a window's output.
package struct Proof: HousePayload {
    package static let contentType = ContentType.proof

    package let kind: ProofKind
    package let window: WindowID
    package let outputDigest: Digest
    /// Nil: for all principals.
    package let principal: Identifier?
    package let isValid: Bool
    package let issuedAt: UTCInstant
    package let expiresAt: UTCInstant
    package let verifier: Identifier
    /// The output digest the verifier computed itself.
    package let replayDigest: Digest

    package init(
        kind: ProofKind, window: WindowID, outputDigest: Digest, principal: Identifier?, isValid: Bool,
        issuedAt: UTCInstant,
        expiresAt: UTCInstant, verifier: Identifier, replayDigest: Digest
    ) {
        self.kind = kind
        self.window = window
        self.outputDigest = outputDigest
        self.principal = principal
        self.isValid = isValid
        self.issuedAt = issuedAt
        self.expiresAt = expiresAt
        self.verifier = verifier
        self.replayDigest = replayDigest
    }

    package var cbor: CBORValue {
        .numbered([
            .int(1), .text(kind.rawValue), .text(window.text), .digest(outputDigest),
            principal.map { .id($0) } ?? .null, .text(isValid ? "VALID" : "INVALID"), .ms(issuedAt),
            .ms(expiresAt), .id(verifier), .digest(replayDigest),
        ])
    }

    package init(_ value: CBORValue) throws(ShapeError) {
        let fields = try value.fields(1...10, "proof")
        try fields.requireVersion()
        let principal = try fields.value(5)
        let verdict = try fields.text(6)
        guard verdict == "VALID" || verdict == "INVALID" else {
            throw ShapeError("proof.6", expected: "VALID or INVALID")
        }
        self.init(
            kind: try ProofKind(try fields.value(2), "proof.2"), window: try WindowID(try fields.value(3), "proof.3"),
            outputDigest: try fields.digest(4), principal: principal.isNull ? nil : try principal.identifier("proof.5"),
            isValid: verdict == "VALID", issuedAt: try fields.instant(7), expiresAt: try fields.instant(8),
            verifier: try fields.identifier(9), replayDigest: try fields.digest(10))
    }
}

/// The gate's word for each principal of a window.
package struct GateDecision: HousePayload {
    package static let contentType = ContentType.decision

    package struct Line: Hashable, Sendable {
        package let principal: Identifier
        package let isAllowed: Bool
        /// Why it is held: the failing predicate's name. Nil exactly when allowed.
        package let reason: String?
        /// What clears it.
        package let action: String?

        package init(principal: Identifier, isAllowed: Bool, reason: String? = nil, action: String? = nil) {
            self.principal = principal
            self.isAllowed = isAllowed
            self.reason = reason
            self.action = action
        }
    }

    package let window: WindowID
    package let outputDigest: Digest
    /// SHA-256 over the sorted identities of the proofs considered.
    package let acceptanceDigest: Digest
    /// By principal.
    package let lines: [Line]
    package let decidedAt: UTCInstant

    package init(
        window: WindowID, outputDigest: Digest, acceptanceDigest: Digest, lines: [Line], decidedAt: UTCInstant
    ) {
        self.window = window
        self.outputDigest = outputDigest
        self.acceptanceDigest = acceptanceDigest
        self.lines = lines.sorted { $0.principal < $1.principal }
        self.decidedAt = decidedAt
    }

    package var cbor: CBORValue {
        let lines = lines.map { line in
            CBORValue.array([
                .id(line.principal), .text(line.isAllowed ? "ALLOW" : "HOLD"), line.reason.map { .text($0) } ?? .null,
                line.action.map { .text($0) } ?? .null,
            ])
        }
        return .numbered([
            .int(1), .text(window.text), .digest(outputDigest), .digest(acceptanceDigest),
            .array(lines), .ms(decidedAt),
        ])
    }

    package init(_ value: CBORValue) throws(ShapeError) {
        let fields = try value.fields(1...6, "decision")
        try fields.requireVersion()
        let lines = try fields.value(5).list("decision.5", min: 1, max: 1_000_000) { (value, path) throws(ShapeError) in
            try Line(value, path)
        }
        guard lines.map(\.principal).isStrictlyAscending else {
            throw ShapeError("decision.5", expected: "principals in order, none twice")
        }
        self.init(
            window: try WindowID(try fields.value(2), "decision.2"), outputDigest: try fields.digest(3),
            acceptanceDigest: try fields.digest(4), lines: lines, decidedAt: try fields.instant(6))
    }
}

extension GateDecision.Line {
    fileprivate init(_ value: CBORValue, _ path: String) throws(ShapeError) {
        let parts = try value.array(count: 4, path)
        let word = try parts[1].text(path + "[1]")
        guard word == "ALLOW" || word == "HOLD" else { throw ShapeError(path + "[1]", expected: "ALLOW or HOLD") }
        guard (word == "ALLOW") == parts[2].isNull else {
            throw ShapeError(path + "[2]", expected: "a reason exactly for HOLD")
        }
        self.init(
            principal: try parts[0].identifier(path + "[0]"), isAllowed: word == "ALLOW",
            reason: parts[2].isNull ? nil : try parts[2].shortText(path + "[2]"),
            action: parts[3].isNull ? nil : try parts[3].shortText(path + "[3]"))
    }
}
