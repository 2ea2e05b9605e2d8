// From an event to the body in its payload and back: which codec belongs to which kind. The codecs stand with the bodies.

package import CBOR
package import Proofs

/// A body with its one codec.
protocol EventBody: Hashable, Sendable {
    var cbor: CBORValue { get }
    /// - Throws: where the item departs from docs/formats/journal.md.
    init(_ value: CBORValue) throws(ShapeError)
}

extension Event {
    /// Elements of a list in a body: lines of an allocation, entities of a cut. A window has fewer.
    package static let listMax = 1_000_000

    /// Key 3 of the payload.
    package var body: CBORValue {
        switch self {
        case .genesis(let body): body
        case .registered(let body): body.cbor
        case .epochOpened(let body): body.cbor
        case .epochReconciled(let body): body.cbor
        case .keyBound(let body): body.cbor
        case .recordRefused(let body): body.cbor
        case .findingMade(let body): body.cbor
        case .streamForked(let body): body.cbor
        case .streamEnded(let body): body.cbor
        case .gatewayCloned(let body): body.cbor
        case .identityChanged(let body): body.cbor
        case .windowCut(let body): body.cbor
        case .statementReceived(let body), .reviewReceived(let body), .transcriptSealed(let body),
            .proofReceived(let body), .authorizationDecided(let body):
            body.cbor
        case .reconciliationComplete(let body): body.cbor
        case .anomalyDetected(let body): body.cbor
        case .disputeOpened(let body): body.cbor
        case .productionVerified(let body): body.cbor
        case .allocationCalculated(let body): body.cbor
        case .replayCompared(let body): body.cbor
        case .issuanceComplete(let body): body.cbor
        case .accountOpened(let body): body.cbor
        case .accountCredited(let body): body.cbor
        case .transferPosted(let body), .holdPlaced(let body): body.cbor
        case .transferRefused(let body): body.cbor
        case .holdPosted(let body), .holdVoided(let body): body.cbor
        case .weightCalculated(let body): body.cbor
        }
    }

    /// The event of an entry's kind and body.
    package init(kind name: String, body: CBORValue) throws(EventError) {
        guard let kind = Kind(rawValue: name) else { throw .unknownKind(name) }
        do throws(ShapeError) { self = try Self.decoded(kind, body) } catch { throw .malformed(kind: kind, error) }
    }

    /// The event of a Journal entry, which must stand in its kind's stream.
    package init(_ entry: JournalEvent) throws(EventError) {
        guard let body = entry.body else { throw .erased(kind: entry.kind) }
        try self.init(kind: entry.kind, body: body)
        guard stage == entry.stage else { throw .otherStage(kind: kind, stage: entry.stage) }
    }

    /// To be appended to the stream of its stage.
    package func draft(commandID: Digest, ordinal: UInt64 = 0) -> JournalDraft {
        JournalDraft(kind: kind.rawValue, stage: stage, commandID: commandID, ordinal: ordinal, body: body)
    }

    private static func decoded(_ kind: Kind, _ body: CBORValue) throws(ShapeError) -> Event {
        switch kind {
        case .genesis: .genesis(body)
        case .registered: .registered(try Registered(body))
        case .epochOpened: .epochOpened(try EpochOpened(body))
        case .epochReconciled: .epochReconciled(try EpochReconciled(body))
        case .keyBound: .keyBound(try KeyBound(body))
        case .recordRefused: .recordRefused(try RecordRefused(body))
        case .findingMade: .findingMade(try FindingMade(body))
        case .streamForked: .streamForked(try StreamForked(body))
        case .streamEnded: .streamEnded(try StreamEnded(body))
        case .gatewayCloned: .gatewayCloned(try GatewayCloned(body))
        case .identityChanged: .identityChanged(try IdentityChanged(body))
        case .windowCut: .windowCut(try WindowCut(body))
        case .statementReceived: .statementReceived(try Received(body))
        case .reviewReceived: .reviewReceived(try Received(body))
        case .reconciliationComplete: .reconciliationComplete(try ReconciliationComplete(body))
        case .anomalyDetected: .anomalyDetected(try AnomalyDetected(body))
        case .disputeOpened: .disputeOpened(try DisputeOpened(body))
        case .productionVerified: .productionVerified(try ProductionVerified(body))
        case .allocationCalculated: .allocationCalculated(try AllocationCalculated(body))
        case .transcriptSealed: .transcriptSealed(try Received(body))
        case .replayCompared: .replayCompared(try ReplayCompared(body))
        case .proofReceived: .proofReceived(try Received(body))
        case .authorizationDecided: .authorizationDecided(try Received(body))
        case .issuanceComplete: .issuanceComplete(try IssuanceComplete(body))
        case .accountOpened: .accountOpened(try AccountOpened(body))
        case .accountCredited: .accountCredited(try AccountCredited(body))
        case .transferPosted: .transferPosted(try Ordered(body))
        case .transferRefused: .transferRefused(try TransferRefused(body))
        case .holdPlaced: .holdPlaced(try Ordered(body))
        case .holdPosted: .holdPosted(try HoldResolved(body))
        case .holdVoided: .holdVoided(try HoldResolved(body))
        case .weightCalculated: .weightCalculated(try WeightCalculated(body))
        }
    }
}
