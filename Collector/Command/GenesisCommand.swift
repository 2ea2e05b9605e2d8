// Genesis: begins a house. Entry 0 of the Journal, the registrations, the first checkpoints, the key list for gateways.

internal import ArgumentParser
internal import CollectorCore
internal import CollectorIO
internal import CollectorJournal
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

    func run() async throws { try await withExitStatus(begin) }

    private func begin() async throws {
        let configuration = try CollectorConfiguration.load(path: config)
        let keys = try HouseKeys(configuration.keys)
        let profiles = try ProfileShelf.load(folder: configuration.profiles)
        let file = try HouseFile.load(
            path: house, clock: configuration.clock, logOrigin: configuration.logOrigin,
            receipt: keys.receipt.publicKey, log: keys.log.publicKey, seal: keys.seal.publicKey,
            profile: { profiles.profile(named: $0) })
        try FileManager.default.createDirectory(atPath: configuration.data, withIntermediateDirectories: true)
        let stores = try HouseStores.open(
            data: configuration.data, witness: configuration.witness, originBase: file.genesis.originBase,
            logKey: keys.log)
        guard try stores.journal.sequence(of: .house) == 0 else {
            throw ValidationError(
                "\(configuration.data) holds a house already: genesis happens once; point `data` to an empty folder for another"
            )
        }
        // The list first: a crash here leaves a list of a house that never began, and this command writes it anew.
        let list = try file.keyList(
            receipt: keys.receipt.publicKey, log: keys.log.publicKey, command: keys.command?.publicKey)
        try Data(list).write(to: URL(fileURLWithPath: keyList ?? configuration.keyList), options: .atomic)
        try file.begin(in: stores, at: configuration.clock.now(real: SystemClock.realNow()))
        print(
            "house \(file.genesis.tenant) begun: \(file.registrations.count) registrations, manifest \(file.genesis.manifest.id)"
        )
    }
}
