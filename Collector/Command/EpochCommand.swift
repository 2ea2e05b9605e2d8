// Opening the next epoch of a log that was restored from an older copy. Only with the collector stopped.

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
        commandName: "epoch", abstract: "Opens the next epoch of a log that lost its tail.", subcommands: [Open.self])

    struct Open: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Ends the epoch that others know better and begins the next one.",
            discussion: """
                A log that was restored from an older copy appends and signs nothing: somebody holds more of it. Restore a newer copy if there is one.
                If not, this command ends the epoch: the next tree begins with the last checkpoint published of the old one, gateways send their
                tail again, and no ALLOW is given before the lost tail is reconciled. Stop the collector first.
                """)

        @Option(help: "the collector's configuration") var config: String
        @Option(help: "journal or evidence") var log: String
        @Option(name: .customLong("root-key"), help: "root private key that signs the epoch document") var rootKey:
            String
        @Option(
            name: .customLong("checkpoint"), help: "file with the last published checkpoint; default: the witness's")
        var checkpoint: String?

        func run() async throws {
            guard let name = LogName(rawValue: log) else {
                throw ValidationError("--log \(log) is not known; allowed: journal, evidence")
            }
            let configuration = try CollectorConfiguration.load(path: config)
            let keys = try HouseKeys(configuration.keys)
            let stores = try HouseStores.open(
                data: configuration.data, witness: configuration.witness, originBase: configuration.logOrigin,
                logKey: keys.log)
            let target: any TransparencyLog = name == .journal ? stores.journal : stores.evidence
            guard let current = try target.epochs().last else {
                throw ValidationError("the log has no epoch yet: run genesis first")
            }
            let note = try SettingsFile.read(path: checkpoint ?? "\(configuration.witness)/\(name.rawValue).checkpoint")
            let root = try PrivateKey.load(path: rootKey)
            let now = configuration.clock.now(real: SystemClock.realNow())
            let document = EpochDocument(
                log: name == .journal ? .journal : .evidence, endedOrigin: current.origin.description,
                lastCheckpoint: note, openedAt: now)
            let envelope = try Document([try SignedMessage.signing(document.encoded, as: .epoch, with: root)])
            let position = try target.openEpoch(ended: current.origin.description, lastPublished: note)
            // A crash here leaves an opened epoch that the Journal does not name yet; running the command again adds it.
            let draft = Event.epochOpened(Event.EpochOpened(document: envelope.cbor)).draft(commandID: envelope.id)
            _ = try stores.journal.append(
                JournalBatch(stage: .house, after: try stores.journal.sequence(of: .house), drafts: [draft]), now: now)
            _ = try stores.journal.publish()
            print(
                "\(name.rawValue): epoch \(position.epoch) opened; \(current.size) entries of \(current.origin) are held"
            )
        }
    }
}
