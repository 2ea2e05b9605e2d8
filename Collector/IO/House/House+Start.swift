// Starting: everything is folded again from the two logs. What the logs hold and the fold would have caused, but which is
// not in the Journal because of a crash, is decided again here with the same ids.

internal import CollectorCore
internal import CollectorJournal
internal import CBOR
internal import Evidence
internal import Logging
internal import Proofs
internal import Quantities

extension House {
    private static let pageMax = 1000

    /// Folds both logs. Called once, before anything else.
    func start() throws {
        let missed = try foldEvidence()
        try foldJournal()
        // Journal appends of the last batches may have been lost with the process that decided them.
        try append(try missing(missed))
        for event in registrationsWithoutAccounts() { try append(try missing(event)) }
        try foldSeals()
        try ledger.checkConservation()
        wantAllReceipts()
        let (journalEnd, evidenceEnd) = (try stores.journal.end(), try stores.evidence.end())
        logger.info(
            "house folded",
            metadata: ["journal": "\(journalEnd)", "evidence": "\(evidenceEnd)", "windows": "\(state.windows.count)"])
    }

    private func foldEvidence() throws -> [JournalDraft] {
        var drafts: [JournalDraft] = []
        var position = LogPosition.start
        while true {
            let records = try stores.evidence.records(from: position, limit: Self.pageMax)
            guard let last = records.last else { return drafts }
            for held in records {
                guard let envelope = held.envelope else { continue }
                let message = try SignedMessage(parsing: envelope, as: .record)
                guard let record = TakenRecord(message, receivedAt: held.entry.receivedAt) else { continue }
                drafts += intake.apply(record, position: held.position)
                startRecords.append((record, held.position))
                if startRecords.count >= Self.pageMax { flushStartRecords() }
            }
            position = LogPosition(epoch: last.position.epoch, index: last.position.index + 1)
            flushStartRecords()
        }
    }

    private func flushStartRecords() {
        for (record, position) in startRecords { fold(record, at: position) }
        startRecords = []
    }

    private func foldJournal() throws {
        var position = LogPosition(epoch: 1, index: 1)
        while true {
            let events = try stores.journal.events(from: position, limit: Self.pageMax)
            guard let last = events.last else { return }
            for event in events { try fold(event) }
            position = LogPosition(epoch: last.position.epoch, index: last.position.index + 1)
        }
    }

    /// One event of the Journal into every fold that reads it.
    func fold(_ entry: JournalEvent) throws {
        try state.apply(entry)
        let event = try Event(entry)
        try ledger.apply(event, at: entry.time)
        intake.apply(event)
        switch event {
        case .accountCredited(let credit):
            if let window = state.windows.last(where: { $0.issued.contains { $0.id == credit.transfer.cause } }) {
                state.note(supply: ledger.supply, after: window.window)
            }
        default: break
        }
        try foldGate(event, entry)
    }

    /// Standing after the last sealed window, from the outputs in the object store.
    private func foldSeals() throws {
        for window in state.windows {
            guard let output = window.seal?.body.segments.first(where: { $0.kind == .output }) else { continue }
            guard let bytes = try stores.objects.get(output.digest) else {
                throw HouseFileError(
                    description:
                        "\(window.window.text): output segment \(output.digest) is missing from the object store: restore it"
                )
            }
            standing.settle(try WindowOutput(decoding: bytes))
        }
        forgetSettled()
    }

    /// Accounts that registrations name and that are not open: at genesis, or after a crash between two appends.
    private func registrationsWithoutAccounts() -> [[JournalDraft]] {
        state.registry.documents(ofKind: 3, at: max(now(), state.genesis.anchor)).map { document in
            ledger.opening(
                document.registration, eventID: JournalPayload(commandID: document.id, ordinal: 0, body: .null).eventID)
        }
    }
}
