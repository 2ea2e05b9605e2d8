// kilomint-audit replay: one window, computed again from its transcript alone.

internal import ArgumentParser
internal import CollectorClient
internal import CollectorCore
internal import Proofs
internal import Quantities

struct ReplayCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay",
        abstract: "Computes a window again from its transcript and compares the output digest with the seal.",
        discussion: """
            Reads the window's seal and segments, checks each segment against its digest and the seal's root, recomputes \
            every rule from the register words up, and prints both digests.

              kilomint-audit replay --window W-2016-07-07-1 --url http://127.0.0.1:8080 --token-file auditor.token
              kilomint-audit replay --window W-2016-07-07-1 ./export
            """)

    @Argument(help: ArgumentHelp("Directory that `kilomint-collector export` wrote.", valueName: "directory"))
    var directory: String?

    @OptionGroup var source: ArchiveOptions

    @Option(help: ArgumentHelp("The window, as in W-2016-07-07-1.", valueName: "window"))
    var window: WindowID

    func run() async throws {
        try await reporting {
            let tools = Toolbox(try source.archive(directory: directory)).tools
            let transcript = try await SealedWindow.find(window, tools)
            let outcome = try transcript.replayed()
            let isEqual = outcome.outputDigest == transcript.seal.outputDigest
            print(
                """
                \(window): \(transcript.inputs.count) input segments, evidence \(transcript.seal.evidence.origin) at \
                \(transcript.seal.evidence.size) records
                sealed   \(transcript.seal.outputDigest)
                replayed \(outcome.outputDigest)
                \(isEqual ? "✓ equal" : "✗ different: the sealed output does not follow from these inputs")
                """)
            if !isEqual { throw Status.checkFailed }
        }
    }
}

/// Finds a window's seal in the Journal, without taking the whole house apart.
enum SealedWindow {
    static func find(_ window: WindowID, _ tools: AuditTools) async throws -> SealedTranscript {
        let images = try await HouseImages.load(AuditPins(), tools)
        var reader = JournalReader(images.journal)
        while let (event, body) = try await reader.next(tools) {
            guard case .transcriptSealed(let received) = body else { continue }
            let place = AuditPlace.event(event.position, kind: event.kind)
            let (seal, identity) = try SealedTranscript.seal(
                received.envelope, sealKey: images.genesis.keys.seal, at: place, tools)
            if seal.window == window { return try await SealedTranscript.load(seal, identity: identity, tools) }
        }
        throw AuditFailure(.window(window), "is not sealed in this house (yet)")
    }
}
