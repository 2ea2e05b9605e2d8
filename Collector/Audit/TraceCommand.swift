// kilomint-audit trace: from a K$ to the register words a meter answered.

internal import ArgumentParser
internal import CollectorClient
internal import CollectorCore
internal import Proofs
internal import Quantities

struct TraceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "trace",
        abstract: "Walks from a transaction back to the register words, each step with its check.",
        discussion: """
            The transaction's id is 32 hex digits, as the API and the console show it. K$ that were transferred are followed \
            first in, first out per account; an issuance's credit is exact.

              kilomint-audit trace 6f1f3a0c… --url http://127.0.0.1:8080 --token-file auditor.token
              kilomint-audit trace 6f1f3a0c… ./export
            """)

    @Argument(help: ArgumentHelp("Id of the transaction, in hex.", valueName: "transaction"))
    var transaction: String

    @Argument(help: ArgumentHelp("Directory that `kilomint-collector export` wrote.", valueName: "directory"))
    var directory: String?

    @OptionGroup var source: ArchiveOptions
    @OptionGroup var pinned: PinOptions

    func run() async throws {
        try await reporting {
            guard let id = [UInt8](hex: transaction).flatMap({ TransferID($0) }) else {
                throw ValidationError("<transaction>: give the transaction's id, 32 hex digits")
            }
            let toolbox = Toolbox(try source.archive(directory: directory))
            defer { toolbox.progress.end() }
            let trace = try await Tracer.trace(id, try pinned.pins(), toolbox.tools)
            toolbox.progress.end()
            print(TraceText(trace, colours: Terminal.isTerminal(1)).text)
            if !trace.isHeld { throw Status.checkFailed }
        }
    }
}
