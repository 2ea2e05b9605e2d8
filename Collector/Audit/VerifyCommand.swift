// kilomint-audit verify: the whole house, first failure named.

internal import ArgumentParser
internal import CollectorClient
internal import CollectorCore

struct VerifyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Checks everything a house publishes and names the first thing that does not hold.",
        discussion: """
            In this order: both logs' trees, tiles and checkpoints; every Journal payload, event id, number and time; every \
            record's envelope, signature and chain; every document's signatures; each window's inputs against the evidence, \
            byte for byte; its verdicts, allocations, seal and proofs by an own replay; every issuance, transfer and weight.

              kilomint-audit verify --url http://127.0.0.1:8080 --token-file auditor.token --root root.spki
              kilomint-audit verify ./export --house-key 'example.org/journal/1+0a1b2c3d+AQ…'

            Needs memory for both logs' entries, about 300 bytes each; evidence and transcripts pass through.
            """)

    @Argument(help: ArgumentHelp("Directory that `kilomint-collector export` wrote.", valueName: "directory"))
    var directory: String?

    @OptionGroup var source: ArchiveOptions

    @OptionGroup var pinned: PinOptions

    func run() async throws {
        try await reporting {
            let archive = try source.archive(directory: directory)
            let toolbox = Toolbox(archive)
            let pins = try pinned.pins()
            do {
                let summary = try await HouseAudit.verify(pins, toolbox.tools)
                toolbox.progress.end()
                print(SummaryTable(summary, of: archive.name).text)
            } catch {
                toolbox.progress.end()
                if let failure = error as? AuditFailure {
                    print("✗ \(archive.name) does not hold.\n  where  \(failure.place)\n  what   \(failure.finding)")
                }
                throw error
            }
        }
    }
}
