// Every event of the Journal with its body, row by row as docs/formats/journal.md has them. Not the entry around it
// (LogEntry), not what a stage makes of it.

package import CBOR
internal import Proofs

/// What happened. Codec of the body: key 3 of an entry's payload.
package enum Event: Hashable, Sendable {
    /// The genesis itself; `Genesis` decodes it.
    case genesis(CBORValue)
    case registered(Registered)
    case epochOpened(EpochOpened)
    case epochReconciled(EpochReconciled)
    case keyBound(KeyBound)

    case recordRefused(RecordRefused)
    case findingMade(FindingMade)
    case streamForked(StreamForked)
    case streamEnded(StreamEnded)
    case gatewayCloned(GatewayCloned)
    case identityChanged(IdentityChanged)

    case windowCut(WindowCut)

    case statementReceived(Received)
    case reviewReceived(Received)
    case reconciliationComplete(ReconciliationComplete)
    case anomalyDetected(AnomalyDetected)
    case disputeOpened(DisputeOpened)
    case productionVerified(ProductionVerified)

    case allocationCalculated(AllocationCalculated)
    case transcriptSealed(Received)
    case replayCompared(ReplayCompared)
    case proofReceived(Received)
    case authorizationDecided(Received)
    case issuanceComplete(IssuanceComplete)

    case accountOpened(AccountOpened)
    case accountCredited(AccountCredited)
    case transferPosted(Ordered)
    case transferRefused(TransferRefused)
    case holdPlaced(Ordered)
    case holdPosted(HoldResolved)
    case holdVoided(HoldResolved)

    case weightCalculated(WeightCalculated)
}

/// Why an entry's kind and body are not an event of ours.
package enum EventError: Error, Hashable, Sendable, CustomStringConvertible {
    case unknownKind(String)
    case otherStage(kind: Event.Kind, stage: Stage)
    case malformed(kind: Event.Kind, ShapeError)
    /// The payload was erased after its retention: nothing can be folded from it.
    case erased(kind: String)

    package var description: String {
        switch self {
        case .unknownKind(let kind):
            "no event is called \"\(kind)\": this program is older than the Journal; run the version that wrote it or a later one"
        case .otherStage(let kind, let stage):
            "\(kind.rawValue) stands in the stream \(stage.rawValue), it belongs to \(kind.stage.rawValue): check the Journal with kilomint-audit verify"
        case .malformed(let kind, let error):
            "\(kind.rawValue): \(error): check the Journal with kilomint-audit verify"
        case .erased(let kind): "the payload of a \(kind) was erased: this log cannot be folded without it"
        }
    }
}

extension Event {
    /// Kinds by the names that stand in entries. Hashed and signed: never rename.
    package enum Kind: String, CaseIterable, Hashable, Sendable {
        case genesis = "Genesis"
        case registered = "Registered"
        case epochOpened = "EpochOpened"
        case epochReconciled = "EpochReconciled"
        case keyBound = "KeyBound"
        case recordRefused = "RecordRefused"
        case findingMade = "FindingMade"
        case streamForked = "StreamForked"
        case streamEnded = "StreamEnded"
        case gatewayCloned = "GatewayCloned"
        case identityChanged = "IdentityChanged"
        case windowCut = "WindowCut"
        case statementReceived = "StatementReceived"
        case reviewReceived = "ReviewReceived"
        case reconciliationComplete = "ReconciliationComplete"
        case anomalyDetected = "AnomalyDetected"
        case disputeOpened = "DisputeOpened"
        case productionVerified = "ProductionVerified"
        case allocationCalculated = "AllocationCalculated"
        case transcriptSealed = "TranscriptSealed"
        case replayCompared = "ReplayCompared"
        case proofReceived = "ProofReceived"
        case authorizationDecided = "AuthorizationDecided"
        case issuanceComplete = "IssuanceComplete"
        case accountOpened = "AccountOpened"
        case accountCredited = "AccountCredited"
        case transferPosted = "TransferPosted"
        case transferRefused = "TransferRefused"
        case holdPlaced = "HoldPlaced"
        case holdPosted = "HoldPosted"
        case holdVoided = "HoldVoided"
        case weightCalculated = "WeightCalculated"

        /// The stream the kind stands in.
        package var stage: Stage {
            switch self {
            case .genesis, .registered, .epochOpened, .epochReconciled, .keyBound: .house
            case .recordRefused, .findingMade, .streamForked, .streamEnded, .gatewayCloned, .identityChanged: .intake
            case .windowCut: .window
            case .statementReceived, .reviewReceived, .reconciliationComplete, .anomalyDetected, .disputeOpened,
                .productionVerified:
                .verification
            case .allocationCalculated, .transcriptSealed, .replayCompared, .proofReceived, .authorizationDecided,
                .issuanceComplete:
                .issuance
            case .accountOpened, .accountCredited, .transferPosted, .transferRefused, .holdPlaced, .holdPosted,
                .holdVoided:
                .settlement
            case .weightCalculated: .governance
            }
        }
    }

    package var kind: Kind {
        switch self {
        case .genesis: .genesis
        case .registered: .registered
        case .epochOpened: .epochOpened
        case .epochReconciled: .epochReconciled
        case .keyBound: .keyBound
        case .recordRefused: .recordRefused
        case .findingMade: .findingMade
        case .streamForked: .streamForked
        case .streamEnded: .streamEnded
        case .gatewayCloned: .gatewayCloned
        case .identityChanged: .identityChanged
        case .windowCut: .windowCut
        case .statementReceived: .statementReceived
        case .reviewReceived: .reviewReceived
        case .reconciliationComplete: .reconciliationComplete
        case .anomalyDetected: .anomalyDetected
        case .disputeOpened: .disputeOpened
        case .productionVerified: .productionVerified
        case .allocationCalculated: .allocationCalculated
        case .transcriptSealed: .transcriptSealed
        case .replayCompared: .replayCompared
        case .proofReceived: .proofReceived
        case .authorizationDecided: .authorizationDecided
        case .issuanceComplete: .issuanceComplete
        case .accountOpened: .accountOpened
        case .accountCredited: .accountCredited
        case .transferPosted: .transferPosted
        case .transferRefused: .transferRefused
        case .holdPlaced: .holdPlaced
        case .holdPosted: .holdPosted
        case .holdVoided: .holdVoided
        case .weightCalculated: .weightCalculated
        }
    }

    package var stage: Stage { kind.stage }
}
