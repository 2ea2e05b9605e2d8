// Folding: everything in memory comes from the two logs. At start all of it is read; after an append whose outcome is not
// known, what came since. What the logs would have caused and the Journal lacks is decided again here with the same ids.

internal import CBOR
internal import CollectorCore
internal import CollectorJournal
internal import Evidence
internal import Logging
internal import Proofs
internal import Quantities

extension House {
    private static let pageMax = 1000

    /// Folds both logs. Called once, before anything else.
    func start() throws {
        try readOn()
        try requireNamedEpochs()
        // A log that lost its tail keeps nobody from looking; it appends nothing.
        if try isWritable() {
            // Journal appends of the last batches may have been lost with the process that decided them.
            try payOwed()
            for drafts in registrationsWithoutAccounts() { try append(try missing(drafts)) }
        } else {
            logger.error("the house appends and signs nothing: \(troubles.last ?? "")")
        }
        forgetSettled()
        try ledger.checkConservation()
        wantAllReceipts()
        try loadCommands()
        let (journalEnd, evidenceEnd) = (try stores.journal.end(), try stores.evidence.end())
        logger.info(
            "house folded",
            metadata: ["journal": "\(journalEnd)", "evidence": "\(evidenceEnd)", "windows": "\(state.windows.count)"])
    }

    /// Reads on in both logs after an append whose outcome is not known. Costs nothing when there is nothing to find out.
    func catchUp() throws {
        guard isUncertain else { return }
        try readOn()
        isUncertain = false
    }

    /// The Journal first: what a gateway's records mean depends on its registration. Intake's own events come last,
    /// because they speak of records.
    private func readOn() throws {
        try foldJournal()
        try foldEvidence()
        for event in waitingForRecords { intake.apply(event) }
        waitingForRecords = []
    }

    private func foldEvidence() throws {
        while true {
            let records = try stores.evidence.records(from: foldedEvidence, limit: Self.pageMax)
            guard let last = records.last else { return }
            for held in records {
                guard let envelope = held.envelope else { continue }
                let message = try SignedMessage(parsing: envelope, as: .record)
                guard let record = TakenRecord(message, receivedAt: held.entry.receivedAt) else { continue }
                owed.events += intake.apply(record, position: held.position)
                fold(record)
            }
            foldedEvidence = LogPosition(epoch: last.position.epoch, index: last.position.index + 1)
        }
    }

    private func foldJournal() throws {
        while true {
            let events = try stores.journal.events(from: foldedJournal, limit: Self.pageMax)
            if events.isEmpty { return }
            for event in events {
                let folded = try foldNext(event)
                if event.stage == .intake { waitingForRecords.append(folded) }
            }
        }
    }

    /// The next event of the Journal into all folds but intake's.
    private func foldNext(_ entry: JournalEvent) throws -> Event {
        let event = try fold(entry)
        sequences[entry.stage] = entry.sequence
        foldedJournal = LogPosition(epoch: entry.position.epoch, index: entry.position.index + 1)
        return event
    }

    /// An event that was appended just now; one that was folded before changes nothing.
    func foldAppended(_ entry: JournalEvent) throws {
        guard entry.position >= foldedJournal else { return }
        intake.apply(try foldNext(entry))
    }

    /// Appends what intake decided and the Journal does not hold. A fork stands in the Journal before its stream is
    /// closed in the Evidence log: after a crash in between intake refuses the stream all the same.
    func payOwed() throws {
        guard !owed.events.isEmpty || !owed.closings.isEmpty else { return }
        try append(try missing(owed.events))
        owed.events = []
        if !owed.closings.isEmpty { _ = try stores.evidence.append([], closing: owed.closings) }
        owed.closings = []
    }

    /// One event of the Journal into every fold that reads it.
    private func fold(_ entry: JournalEvent) throws -> Event {
        let event = try Event(entry)
        try state.apply(entry)
        try ledger.apply(event, at: entry.time)
        switch event {
        case .transcriptSealed(let sealed): try settleStanding(sealed)
        case .epochOpened(let opened):
            endedOrigins.append(
                try EpochDocument(decoding: try Document(opened.document, as: .epoch).payload).endedOrigin)
        case .accountCredited(let credit):
            if let window = state.windows.last(where: { $0.issued.contains { $0.id == credit.transfer.cause } }) {
                state.note(supply: ledger.supply, after: window.window)
            }
        default: break
        }
        try foldGate(event, entry)
        return event
    }

    /// An epoch that was opened while its event got lost: without the event nobody would wait for the lost tail.
    private func requireNamedEpochs() throws {
        for (log, epochs) in [
            (LogName.journal, try stores.journal.epochs()), (.evidence, try stores.evidence.epochs()),
        ] {
            for epoch in epochs.dropLast() where !endedOrigins.contains(epoch.origin.description) {
                throw HouseStartError.epochUnnamed(log, epoch.origin.description)
            }
        }
    }

    /// Standing after a sealed window, from its output in the object store.
    private func settleStanding(_ sealed: Event.Received) throws {
        let message = try SignedMessage(parsing: sealed.envelope, as: .seal, bytesMax: SignedMessage.documentBytesMax)
        let seal = try Seal(decoding: message.payload)
        guard let output = seal.segments.first(where: { $0.kind == .output }) else { return }
        guard let bytes = try stores.objects.get(output.digest) else {
            throw HouseFileError(
                description:
                    "\(seal.window.text): output segment \(output.digest) is missing from the object store: restore it")
        }
        standing.settle(try WindowOutput(decoding: bytes))
    }

    /// Accounts that registrations name and that are not open: at genesis, or after a crash between two appends.
    private func registrationsWithoutAccounts() -> [[JournalDraft]] {
        state.registry.documents(ofKind: 3, at: max(now(), state.genesis.anchor)).map { document in
            ledger.opening(
                document.registration, eventID: JournalPayload(commandID: document.id, ordinal: 0, body: .null).eventID)
        }
    }
}
