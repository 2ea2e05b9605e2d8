// What an operator does about a log that was restored from an older copy. Only with the collector stopped.

internal import ArgumentParser
internal import CollectorCore
internal import CollectorIO
internal import CollectorJournal
internal import Evidence
internal import Keys
internal import Proofs
internal import Quantities
internal import Settings

struct EpochCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "epoch", abstract: "Opens and reconciles the next epoch of a log that lost its tail.",
        subcommands: [Open.self, Reconcile.self])

    struct Open: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Ends the epoch that others know better and begins the next one.",
            discussion: """
                A log that was restored from an older copy appends and signs nothing: somebody holds more of it. Restore a newer copy if there is one.
                If not, this command ends the epoch: the next tree begins with the last checkpoint published of the old one, gateways send their
                tail again, and no ALLOW is given before the lost tail is reconciled. Stop the collector first.
                """)

        @Option(help: "the collector's configuration") var config: String
        @Option(help: "journal or evidence") var log: LogName
        @Option(name: .customLong("root-key"), help: "root private key that signs the epoch document")
        var rootKey: String
        @Option(
            name: .customLong("checkpoint"), help: "file with the last published checkpoint; default: the witness's")
        var checkpoint: String?

        func run() async throws { try await withExitStatus(open) }

        private func open() async throws {
            let configuration = try CollectorConfiguration.load(path: config)
            let root = try PrivateKey.load(path: rootKey)
            let stopped = try StoppedHouse(configuration, log)
            // The opening is journalled: that must be possible before anything is begun.
            if log == .evidence, try stopped.stores.journal.standing() != .current {
                throw ValidationError("the Journal lost its tail too: open its epoch first, with --log journal")
            }
            let now = configuration.clock.now(real: SystemClock.realNow())
            let (ended, note, held) = try stopped.unnamedEpoch() ?? current(stopped, configuration)
            let document = EpochDocument(
                log: log == .journal ? .journal : .evidence, endedOrigin: ended, lastCheckpoint: note, openedAt: now)
            let envelope = try Document([try SignedMessage.signing(document.encoded, as: .epoch, with: root)])
            let position = try stopped.target.openEpoch(ended: ended, lastPublished: note)
            // A crash here leaves an opened epoch that the Journal does not name: the collector does not start before
            // this command was run again and has named it.
            try stopped.append(
                Event.epochOpened(Event.EpochOpened(document: envelope.cbor)).draft(commandID: envelope.id), now: now)
            print("\(log.rawValue): epoch \(position.epoch) opened; \(held) entries of \(ended) are held")
        }

        private func current(
            _ stopped: StoppedHouse, _ configuration: CollectorConfiguration
        ) throws -> (ended: String, note: [UInt8], held: UInt64) {
            guard let current = try stopped.target.epochs().last else {
                throw ValidationError("the log has no epoch yet: run genesis first")
            }
            let path = checkpoint ?? "\(configuration.witness)/\(log.rawValue).checkpoint"
            let note = try SettingsFile.read(path: path)
            // The witness may know a later epoch than this copy: that one is ended.
            guard let last = SignedNote(parsing: note).flatMap({ Checkpoint(text: $0.text) }) else {
                throw ValidationError("\(path) is not a signed checkpoint: name the last one published of this log")
            }
            return (last.origin, note, last.origin == current.origin.description ? current.size : 0)
        }
    }

    struct Reconcile: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Says that what a log lost is here again, or is known to be lost for good.",
            discussion: """
                The evidence log is reconciled by the house itself once every gateway has shown the receipt it holds. Use this for the journal, after
                comparing it with the exports others hold, and for a gateway that never comes back. Stop the collector first.
                """)

        @Option(help: "the collector's configuration") var config: String
        @Option(help: "journal or evidence") var log: LogName

        func run() async throws { try await withExitStatus(reconcile) }

        private func reconcile() async throws {
            let configuration = try CollectorConfiguration.load(path: config)
            let stopped = try StoppedHouse(configuration, log)
            guard let origin = try stopped.target.epochs().last?.origin, origin.epoch > 1 else {
                throw ValidationError("\(log.rawValue) is in its first epoch: there is nothing to reconcile")
            }
            try stopped.append(
                epochReconciled(log, origin.description), now: configuration.clock.now(real: SystemClock.realNow()))
            print("\(origin): reconciled")
        }
    }
}

extension LogName: ExpressibleByArgument {}

/// The logs of a house that does not run: they cannot be opened while it does.
private struct StoppedHouse {
    let stores: HouseStores
    let log: LogName
    var target: any TransparencyLog { log == .journal ? stores.journal : stores.evidence }

    init(_ configuration: CollectorConfiguration, _ log: LogName) throws {
        self.log = log
        stores = try HouseStores.open(
            data: configuration.data, witness: configuration.witness, originBase: configuration.logOrigin,
            logKey: try HouseKeys(configuration.keys).log)
    }

    /// An event of the house, once.
    func append(_ draft: JournalDraft, now: UTCInstant) throws {
        guard try stores.journal.position(of: draft.eventID) == nil else { return }
        _ = try stores.journal.append(
            JournalBatch(stage: .house, after: try stores.journal.sequence(of: .house), drafts: [draft]), now: now)
        _ = try stores.journal.publish()
    }

    /// The epoch that an interrupted run of `open` ended, from the entry that begins its successor; nil when there is none.
    func unnamedEpoch() throws -> (ended: String, note: [UInt8], held: UInt64)? {
        guard let newest = try target.epochs().last, newest.origin.epoch > 1 else { return nil }
        let place = LogPosition(epoch: newest.origin.epoch, index: 0)
        guard let bytes = try target.entries(from: place, limit: 1).first else { return nil }
        let entry = try EpochEntry(decoding: bytes)
        return try namedOrigins().contains(entry.ended) ? nil : (entry.ended, entry.lastPublished, entry.held)
    }

    private func namedOrigins() throws -> [String] {
        var (origins, position): ([String], LogPosition) = ([], .start)
        while true {
            let events = try stores.journal.events(from: position, limit: 1000)
            guard let last = events.last else { return origins }
            for case .epochOpened(let opened) in try events.filter({ $0.kind == Event.Kind.epochOpened.rawValue }).map({
                try Event($0)
            }) {
                origins.append(
                    try EpochDocument(decoding: try Document(opened.document, as: .epoch).payload).endedOrigin)
            }
            position = LogPosition(epoch: last.position.epoch, index: last.position.index + 1)
        }
    }
}
