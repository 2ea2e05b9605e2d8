// kilomint-audit state: an auditor's or grid operator's figure for a day, signed and handed to the house.

internal import ArgumentParser
internal import CollectorClient
internal import CollectorCore
internal import Evidence
internal import Keys
internal import Proofs
internal import Quantities

struct StateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "state",
        abstract: "Signs a source statement - a day's energy of a metering point - and hands it to the house.",
        discussion: """
            Sources: A an auditor's own measurement, D the grid operator's settlement data. --from and --to are the ends of \
            one day of the house's grid; the first accepted statement of a source and day counts.

              kilomint-audit state --url http://127.0.0.1:8080 --token-file auditor.token --key auditor.pem --source A \\
                --metering-point serf-east-pv --from 2016-07-07T06:00:00Z --to 2016-07-08T06:00:00Z \\
                --energy 33750 --resolution 10 --issued-at 2016-07-08T06:00:00Z --method "own reference meter"
            """)

    @OptionGroup var house: HouseOptions

    @Option(help: ArgumentHelp("The source's private key (PKCS#8 PEM).", valueName: "file"))
    var key: String

    @Option(help: ArgumentHelp("A (auditor), D (grid operator) or S (satellite).", valueName: "source"))
    var source: SourceKind

    @Option(help: ArgumentHelp("The metering point.", valueName: "id"))
    var meteringPoint: Identifier

    @Option(help: ArgumentHelp("Start of the day, RFC 3339 with Z.", valueName: "instant"))
    var from: UTCInstant

    @Option(help: ArgumentHelp("End of the day.", valueName: "instant"))
    var to: UTCInstant

    @Option(help: ArgumentHelp("Whole Wh.", valueName: "Wh"))
    var energy: Int64

    @Option(help: ArgumentHelp("Smallest step of the source, whole Wh.", valueName: "Wh"))
    var resolution: Int64

    @Option(help: ArgumentHelp("Instant of the statement; without it the house's now.", valueName: "instant"))
    var issuedAt: UTCInstant?

    @Option(help: ArgumentHelp("How it was measured.", valueName: "text"))
    var method: String

    func validate() throws {
        guard source.role != nil else {
            throw ValidationError("--source: a check meter is read, never stated; give A, D or S")
        }
        guard from < to else { throw ValidationError("--to: give an instant after --from") }
        guard resolution >= 0 else { throw ValidationError("--resolution: give 0 Wh or more") }
        guard method.utf8.count <= HouseBounds.textBytesMax else {
            throw ValidationError("--method: give at most \(HouseBounds.textBytesMax) bytes")
        }
    }

    func run() async throws {
        try await reporting {
            let key = try PrivateKey.load(path: key)
            let client = try house.client()
            let issued: UTCInstant
            if let issuedAt { issued = issuedAt } else { issued = try await HouseState.get(client).now }
            let statement = SourceStatement(
                source: source, meteringPoint: meteringPoint, from: from, to: to, wattHours: energy,
                resolutionWattHours: resolution, inputs: [], issuedAt: issued, method: method)
            let envelope = try SignedMessage.signing(statement.encoded, as: SourceStatement.contentType, with: key)
            _ = try await client.post("/v1/statements", envelope.encoded)
            print("\(source.rawValue) \(meteringPoint) \(from) … \(to): \(energy) Wh, statement \(envelope.identity)")
        }
    }
}

extension SourceKind: ExpressibleByArgument {}
