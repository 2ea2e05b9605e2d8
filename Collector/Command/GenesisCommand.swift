// Genesis: begins a house. Entry 0 of the Journal, the registrations, the first checkpoints, the key list for gateways.

internal import ArgumentParser
internal import CollectorCore
internal import CollectorIO
internal import CollectorJournal
internal import Evidence
internal import Foundation
internal import Keys
internal import Proofs
internal import Quantities

struct GenesisCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "genesis",
        abstract: "Begins a house: fixes mode, asset, grid, keys and first manifest, and registers who takes part.",
        discussion: """
            What genesis fixes can never be changed. A house that has begun is refused. The clock stands in the collector's configuration; every
            process of the house must have the same. Writes the signed key list that gateways pin (`key_list` in the configuration).
            """)

    @Option(help: "the collector's configuration") var config: String
    @Option(help: "the house file: organisations, keys, entities, metering points, meters, gateways, manifest")
    var house: String
    @Option(
        name: .customLong("key-list"), help: "where to write the key list; default: `key_list` of the configuration")
    var keyList: String?

    func run() async throws {
        let configuration = try CollectorConfiguration.load(path: config)
        let keys = try HouseKeys(configuration.keys)
        let profiles = try ProfileShelf.load(folder: configuration.profiles)
        let file = try HouseFile.load(
            path: house, clock: configuration.clock, logOrigin: configuration.logOrigin,
            receipt: keys.receipt.publicKey, log: keys.log.publicKey, seal: keys.seal.publicKey,
            profileDigest: { profiles.digest(named: $0) })
        try FileManager.default.createDirectory(atPath: configuration.data, withIntermediateDirectories: true)
        let stores = try HouseStores.open(
            data: configuration.data, witness: configuration.witness, originBase: file.genesis.originBase,
            logKey: keys.log)
        guard try stores.journal.sequence(of: .house) == 0 else {
            throw ValidationError(
                "\(configuration.data) holds a house already: genesis happens once; point `data` to an empty folder for another"
            )
        }
        try append(file, to: stores.journal, at: configuration.clock.now(real: SystemClock.realNow()))
        _ = try stores.journal.publish()
        _ = try stores.evidence.publish()
        let list = try file.keyList(receipt: keys.receipt.publicKey, log: keys.log.publicKey)
        try Data(list).write(to: URL(fileURLWithPath: keyList ?? configuration.keyList), options: .atomic)
        print(
            "house \(file.genesis.tenant) begun: \(file.registrations.count) registrations, manifest \(file.genesis.manifest.id)"
        )
    }

    /// A crash between the appends leaves a house without some registrations; they are refused as known when genesis'
    /// documents are sent again through the interface, so nothing has to start anew.
    private func append(_ file: HouseFile, to journal: any Journal, at now: UTCInstant) throws {
        var drafts = [Event.genesis(file.genesis.cbor).draft(commandID: file.genesis.commandID)]
        var state = try Registry(file.genesis, check: isSigned)
        for document in file.registrations {
            try state.register(document, at: max(now, file.genesis.anchor), check: isSigned)
            drafts.append(Event.registered(Event.Registered(document: document.cbor)).draft(commandID: document.id))
        }
        _ = try journal.append(
            JournalBatch(stage: .house, after: 0, drafts: drafts), now: max(now, file.genesis.anchor))
    }
}
