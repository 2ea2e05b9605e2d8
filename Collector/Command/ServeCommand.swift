// Serve: opens the house and runs its services until told to stop.

internal import ArgumentParser
internal import CollectorCore
internal import CollectorIO
internal import CollectorJournal
internal import Foundation
internal import Keys
internal import Logging
internal import Settings

struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Runs the collector: intake, windows, gate, ledger, HTTP interface and console."
    )

    @Option(help: "configuration file; every key is documented in docs/collector.md") var config: String

    func run() async throws {
        do {
            try await CollectorService.run(try CollectorConfiguration.load(path: config))
        } catch let error as SettingsError {
            FileHandle.standardError.write(Data("\(error)\n".utf8))
            throw ExitCode(SettingsError.exitCode)
        } catch let error as ServiceStartError {
            FileHandle.standardError.write(Data("\(error)\n".utf8))
            throw ExitCode(error.exitCode)
        }
    }
}
