// Export: everything an outsider needs, as files in the layout of docs/formats/logs.md.

internal import ArgumentParser
internal import CBOR
internal import CollectorClient
internal import CollectorCore
internal import Evidence
internal import Foundation
internal import Proofs
internal import Quantities

struct ExportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Writes logs, records, transcripts and sources of a running house into a folder.",
        discussion:
            "`kilomint-audit verify FOLDER` checks it without the house. What a checkpoint covers is exported; what comes later is not."
    )

    @Option(help: "the house, e.g. http://127.0.0.1:8080") var url: String
    @Option(name: .customLong("token-file"), help: "bearer token of role auditor or operator") var tokenFile: String
    @Option(help: "folder to make; refused if it exists") var out: String

    func run() async throws {
        guard !FileManager.default.fileExists(atPath: out) else {
            throw ValidationError(
                "\(out) exists: name a folder that does not, so that no old file is taken for a new one")
        }
        var export = Export(house: try HouseClient(url: url, tokenFile: tokenFile), folder: out)
        try await export.run()
        print("\(out): \(export.files) files, \(export.bytes) bytes")
    }
}

/// An export on its way.
private struct Export {
    let house: HouseClient
    let folder: String
    private(set) var files = 0
    private(set) var bytes = 0

    init(house: HouseClient, folder: String) {
        self.house = house
        self.folder = folder
    }

    mutating func run() async throws {
        let house = try await need("house")
        let fields = try CBORValue(decoding: house).fields(1...3, "house")
        // The Journal first: it names segments and evidence that stand already when it is read.
        for (log, epochs) in [("journal", try fields.uint(1)), ("evidence", try fields.uint(2))] where epochs > 0 {
            // From the last back: each says how much is held of the one before.
            var held: UInt64?
            for epoch in (1...epochs).reversed() { held = try await export(log: log, epoch: epoch, held: held) }
        }
        try await exportTranscripts()
    }

    /// - Parameter held: entries held of an ended epoch; nil for what the checkpoint covers.
    /// - Returns: how many are held of the epoch before.
    private mutating func export(log: String, epoch: UInt64, held: UInt64?) async throws -> UInt64? {
        let prefix = "log/\(log)/\(epoch)/"
        guard let note = try await take(prefix + "checkpoint") else { return nil }
        guard let parsed = SignedNote(parsing: note), let checkpoint = Checkpoint(text: parsed.text) else {
            throw ValidationError("\(prefix)checkpoint is not a signed checkpoint")
        }
        let size = held ?? checkpoint.size
        var before: UInt64?
        for level in 0..<8 {
            let hashes = size >> UInt64(8 * level)
            guard hashes > 0 else { break }
            for index in 0...((hashes - 1) / 256) {
                let width = Int(min(256, hashes - index * 256))
                let tile = Tile(level: level, index: index, hashes: width)
                _ = try await need(prefix + tile.path)
                if level == 0 {
                    let entries = try await need(prefix + tile.entriesPath)
                    if epoch > 1, index == 0 { before = try Self.heldBefore(entries) }
                    let path = "records/\(log)/\(epoch)/\(index)"
                    let records = try await need(path)
                    if log == "journal" { try await exportSources(records, path) }
                }
            }
        }
        return before
    }

    /// The first entry of an epoch after the first, with its length before it.
    private static func heldBefore(_ bundle: [UInt8]) throws -> UInt64 {
        guard bundle.count > 2, case let end = 2 + (Int(bundle[0]) << 8 | Int(bundle[1])), end <= bundle.count else {
            throw ValidationError("an entries tile ends within its first entry")
        }
        return try EpochEntry(decoding: Array(bundle[2..<end])).held
    }

    /// Raw inputs named by the statements among these payloads.
    private mutating func exportSources(_ records: [UInt8], _ path: String) async throws {
        for item in try CBORValue(decoding: records).array(path) {
            for input in Self.statement(in: item, path)?.inputs ?? [] { _ = try await need("sources/\(input)") }
        }
    }

    /// The statement that lies beside a `StatementReceived`; nil for every other event and for what was erased.
    private static func statement(in item: CBORValue, _ path: String) -> SourceStatement? {
        do {
            let payload = try JournalPayload(decoding: try item.array(count: 2, path)[1].bytes(path))
            let message = try SignedMessage(parsing: try payload.body.fields(1...1, path).bytes(1), as: .statement)
            return try SourceStatement(decoding: message.payload)
        } catch { return nil }  // Another event: its body is not an envelope with a statement.
    }

    /// Segments that seals name, found in the windows' own lists.
    private mutating func exportTranscripts() async throws {
        struct Page: Decodable {
            struct Item: Decodable { let window_id: String }
            let items: [Item]
            let next: String?
        }
        struct Transcript: Decodable {
            struct Segment: Decodable { let digest: String }
            let segments: [Segment]
        }
        var cursor: String? = "0"
        while let now = cursor {
            let answer = try await house.get("v1/windows?limit=500&cursor=\(now)") ?? []
            let page = try JSONDecoder().decode(Page.self, from: Data(answer))
            for item in page.items {
                guard let transcript = try await house.get("audit/transcript/\(item.window_id)") else { continue }
                for segment in try JSONDecoder().decode(Transcript.self, from: Data(transcript)).segments {
                    _ = try await need("segments/\(segment.digest)")
                }
            }
            cursor = page.next
        }
    }

    private mutating func need(_ path: String) async throws -> [UInt8] {
        guard let file = try await take(path) else { throw ValidationError("\(path) is not served by the house") }
        return file
    }

    private mutating func take(_ path: String) async throws -> [UInt8]? {
        guard let file = try await house.get(path) else { return nil }
        let url = URL(fileURLWithPath: folder + "/" + path)
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(file).write(to: url)
        files += 1
        bytes += file.count
        return file
    }
}
