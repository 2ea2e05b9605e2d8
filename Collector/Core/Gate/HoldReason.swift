// Why a principal's amount is held, by the predicate that failed, and what clears it.

/// The order of the cases is the order of the predicates; the first that fails is told. The raw value is the code that
/// decisions carry: never rename.
package enum HoldReason: String, Hashable, Sendable, CaseIterable {
    case epochUnreconciled = "EPOCH_UNRECONCILED"
    /// Another output of this window was released before.
    case windowBound = "WINDOW_BOUND"
    case watermarkStall = "WATERMARK_STALL"
    case policyVersionConflict = "POLICY_VERSION_CONFLICT"
    case streamForked = "STREAM_FORKED"
    case notSealed = "NOT_SEALED"
    case replayPending = "REPLAY_PENDING"
    case digestMismatch = "DIGEST_MISMATCH"
    case proofInvalid = "PROOF_INVALID"
    case providerTotalsMismatch = "PROVIDER_TOTALS_MISMATCH"
    case missingACK = "MISSING_ACK"
    case missingCT = "MISSING_CT"
    case missingSPV = "MISSING_SPV"
    case staleProof = "STALE_PROOF"
    case insufficientQuorum = "INSUFFICIENT_QUORUM"
    case outsideReplayMissing = "OUTSIDE_REPLAY_MISSING"

    static func missing(_ kind: ProofKind) -> HoldReason {
        switch kind {
        case .acknowledged: .missingACK
        case .complianceTested: .missingCT
        case .payoutReconciled: .missingSPV
        }
    }

    /// What clears it.
    package var action: String {
        switch self {
        case .epochUnreconciled: "reconcile the lost tail: kilomint-collector epoch reconcile"
        case .windowBound: "dispute the released output; a correction is a line of a later window"
        case .watermarkStall: "bring the entity's late gateways up to date; its days settle in a later window"
        case .policyVersionConflict: "cut the window again under the manifest in force at its start"
        case .streamForked:
            "find the copy of the gateway; the right box gets another `key`: kilomint-agent init, device claim, kilomint-agent enroll"
        case .notSealed: "wait for the seal, or look at the collector's log"
        case .replayPending: "replay the window: POST /replay/{window}"
        case .digestMismatch: "compare the replays' checkpoint segments, repair, recompute and seal again"
        case .proofInvalid: "clear what the verifier found; he then signs VALID"
        case .providerTotalsMismatch: "reconcile the provider's payout batch; the verifier then signs SPV"
        case .missingACK: "a finance verifier signs ACK: kilomint-audit prove"
        case .missingCT: "a compliance verifier signs CT: kilomint-audit prove"
        case .missingSPV: "a finance verifier signs SPV: kilomint-audit prove"
        case .staleProof: "the verifier signs a fresh proof"
        case .insufficientQuorum: "a verifier of another organisation signs too"
        case .outsideReplayMissing: "a verifier of another organisation than the entity's replays and signs"
        }
    }
}
