// Replays a window from its transcript alone, as another process: what the gate compares with the seal.

internal import ArgumentParser
internal import CollectorCore
internal import CollectorJournal
internal import Proofs
internal import Quantities

struct ReplayCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay",
        abstract: "Computes a window again from its input segments and prints the output digest.",
        discussion: "Reads nothing but the segments named. `kilomint-audit replay` does the same for outsiders.")

    @Option(help: "folder of the object store") var objects: String
    @Argument(help: "digests of the input segments, in order") var segments: [String]

    func run() async throws {
        let store = try DirectoryObjectStore(root: objects)
        var inputs: [[UInt8]] = []
        for text in segments {
            guard let bytes = [UInt8](hex: text), let digest = Digest(bytes) else {
                throw ValidationError("\(text) is not a digest: 64 hexadecimal digits are expected")
            }
            guard let segment = try store.get(digest) else {
                throw ValidationError("segment \(text) is not in \(objects)")
            }
            inputs.append(segment)
        }
        print(try replay(segments: inputs).outputDigest)
    }
}
