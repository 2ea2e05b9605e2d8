// After an epoch was opened: when the lost tail of the Evidence log is here again. The Journal's is a person's to judge.

package import CollectorCore
internal import CollectorJournal
internal import Evidence
internal import Logging
internal import Proofs
internal import Quantities

extension House {
    /// Says that the Evidence log is reconciled once every gateway has told which receipt it holds and the log holds again
    /// everything receipted. Until then nothing is allowed and no order is taken.
    func reconcileEvidence() throws {
        guard gate.unreconciled.contains(.evidence), areReceiptsHonoured() else { return }
        guard let origin = try stores.evidence.epochs().last?.origin.description else { return }
        try append(try missing([epochReconciled(.evidence, origin)]))
        logger.info("the Evidence log is reconciled", metadata: ["origin": "\(origin)"])
    }

    /// A gateway that never says anything is not heard: then a person decides with `kilomint-collector epoch reconcile`.
    private func areReceiptsHonoured() -> Bool {
        state.registry.documents(ofKind: 6, at: now()).allSatisfy { document in
            guard case .gateway(let gateway) = document.registration.body, let held = heldReceipts[gateway.id] else {
                return false
            }
            guard let receipt = held, receipt.durableThrough > 0 else { return true }
            guard let stream = intake.gateway(gateway.id)?.stream(receipt.stream),
                stream.head.through >= receipt.durableThrough
            else {
                return false
            }
            if stream.head.through == receipt.durableThrough { return stream.head.identity == receipt.identity }
            if stream.isSkipped(receipt.durableThrough) { return true }
            return Self.held(stores, gateway.id, receipt.stream, receipt.durableThrough) == receipt.identity
        }
    }
}

/// The event, with the id it has whoever says it: the same epoch of a log is reconciled once.
package func epochReconciled(_ log: LogName, _ origin: String) -> JournalDraft {
    Event.epochReconciled(Event.EpochReconciled(log: log, origin: origin))
        .draft(commandID: CommandID.time(purpose: "epoch-reconciled", window: origin))
}
