// Serve: opens the house and runs its services until told to stop.

internal import ArgumentParser
internal import CollectorIO

struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Runs the collector: intake, windows, gate, ledger, HTTP interface and console."
    )

    @Option(help: "configuration file; every key is documented in docs/collector.md") var config: String
    @Flag(
        help: "start although the witness's files are gone for good: nobody can tell any more how far the logs were")
    var acceptMissingWitness = false

    func run() async throws {
        try await withExitStatus {
            try await CollectorService.run(
                try CollectorConfiguration.load(path: config), acceptsMissingWitness: acceptMissingWitness)
        }
    }
}
