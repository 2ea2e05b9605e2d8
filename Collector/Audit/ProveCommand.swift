// kilomint-audit prove: a verifier's word on a window, given after the verifier computed it again.

internal import ArgumentParser
internal import CollectorClient
internal import CollectorCore
internal import Evidence
internal import Keys
internal import Proofs
internal import Quantities

struct ProveCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "prove",
        abstract: "Replays a window, signs a proof with the digest it came to itself, and hands it to the house.",
        discussion: """
            The proof says VALID exactly when this replay equals the seal; otherwise INVALID, and the exit status is 70.

              kilomint-audit prove --url http://127.0.0.1:8080 --token-file verifier.token --key finance.pem \\
                --verifier finance --kind ACK --window W-2016-07-07-1
            """)

    @OptionGroup var house: HouseOptions

    @Option(help: ArgumentHelp("The verifier's private key (PKCS#8 PEM).", valueName: "file"))
    var key: String

    @Option(help: ArgumentHelp("The verifier's registered id.", valueName: "id"))
    var verifier: Identifier

    @Option(help: ArgumentHelp("ACK (finance), CT (compliance) or SPV (payout reconciled).", valueName: "kind"))
    var kind: ProofKind

    @Option(help: ArgumentHelp("The window, as in W-2016-07-07-1.", valueName: "window"))
    var window: WindowID

    @Option(help: ArgumentHelp("For this principal only; without it for all.", valueName: "id"))
    var principal: Identifier?

    @Option(help: ArgumentHelp("Instant of the proof; without it the house's now.", valueName: "instant"))
    var issuedAt: UTCInstant?

    @Option(
        help: ArgumentHelp(
            "End of the proof; without it the manifest's freshness after its instant.", valueName: "instant"))
    var expiresAt: UTCInstant?

    func run() async throws {
        try await reporting {
            let key = try PrivateKey.load(path: key)
            let client = try house.client()
            let tools = Toolbox(try house.archive()).tools
            let transcript = try await Self.transcript(window, client, tools)
            let outcome = try transcript.replayed()
            let isValid = outcome.outputDigest == transcript.seal.outputDigest
            // Read after the replay: a proof is not older than what it vouches for.
            let state = try await HouseState.get(client)
            let issued = issuedAt ?? state.now
            let proof = Proof(
                kind: kind, window: window, outputDigest: transcript.seal.outputDigest, principal: principal,
                isValid: isValid,
                issuedAt: issued, expiresAt: expiresAt ?? issued + state.freshness, verifier: verifier,
                replayDigest: outcome.outputDigest)
            let envelope = try SignedMessage.signing(proof.encoded, as: Proof.contentType, with: key)
            _ = try await client.post("/acceptance/proof", envelope.encoded)
            print(
                "\(window): \(kind.rawValue) \(isValid ? "VALID" : "INVALID") by \(verifier), replayed \(outcome.outputDigest)"
            )
            guard isValid else {
                throw AuditFailure(.window(window), "the replay differs from the seal, \(transcript.seal.outputDigest)")
            }
        }
    }

    /// The sealed transcript, its seal checked with the key in genesis.
    private static func transcript(
        _ window: WindowID, _ client: HouseClient, _ tools: AuditTools
    ) async throws -> SealedTranscript {
        let place = AuditPlace.window(window)
        let genesis = try await HouseImages.genesis(tools)
        guard let envelope = [UInt8](base64: try await TranscriptAnswer.get(window, client).seal) else {
            throw AuditFailure(place, "its seal was not answered in base64")
        }
        let (seal, identity) = try SealedTranscript.seal(envelope, sealKey: genesis.keys.seal, at: place, tools)
        guard seal.window == window else { throw AuditFailure(place, "was answered with the seal of \(seal.window)") }
        return try await SealedTranscript.load(seal, identity: identity, tools)
    }
}

extension ProofKind: ExpressibleByArgument {}
