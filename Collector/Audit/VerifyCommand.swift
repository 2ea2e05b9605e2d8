// kilomint-audit verify: the whole house, first failure named.

internal import ArgumentParser
internal import CollectorClient
internal import CollectorCore
internal import Keys
internal import Proofs
internal import Quantities

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

    @Option(help: ArgumentHelp("Verifier key of the Journal's first epoch that this house must have.", valueName: "vkey"))
    var houseKey: String?

    @Option(help: ArgumentHelp("A root key that genesis must name: SubjectPublicKeyInfo (DER) in hex or base64.", valueName: "spki"))
    var root: String?

    private func pins() throws -> AuditPins {
        var pins = AuditPins()
        if let houseKey {
            guard let key = NoteVerifierKey(parsing: houseKey) else {
                throw ValidationError("--house-key: give a verifier key as in name+8 hex digits+base64")
            }
            pins.houseKey = key
        }
        if let root {
            guard let spki = [UInt8](hex: root) ?? [UInt8](base64: root) else {
                throw ValidationError("--root: give the key's SubjectPublicKeyInfo (DER) in hex or base64")
            }
            pins.root = try PublicKey(spki: spki).spki
        }
        return pins
    }

    func run() async throws {
        try await reporting {
            let archive = try source.archive(directory: directory)
            let toolbox = Toolbox(archive)
            let pins = try pins()
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
