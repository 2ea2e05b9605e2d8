// A log's files as we write them, checked by a stranger's Python: tiles, bundles, checkpoint, inclusion.

import Evidence
import Foundation
import Keys
import Kit
import Proofs
import Testing

/// A directory with everything a log serves, written with Proofs alone.
private struct ServedLog {
    let place: TemporaryDirectory
    let key: NoteVerifierKey

    init(size: Int) throws {
        place = try TemporaryDirectory()
        let signer = try PrivateKey.generate(.eddsa)
        let origin = "kilomint.example/test/evidence/1"
        key = try #require(NoteVerifierKey(name: origin, ed25519: signer.publicKey.rawEd25519 ?? []))
        let tree = StoredTree(size: size)
        var level = 0
        while size >> (8 * level) > 0 {
            let count = size >> (8 * level)
            for index in 0...(count - 1) / 256 {
                let tile = Tile(level: level, index: UInt64(index), hashes: min(256, count - 256 * index))
                let hashes = try (0..<tile.hashes).flatMap { try tree.node(tile.coordinate($0)).bytes }
                try write(hashes, tile.path)
                guard level == 0 else { continue }
                let entries = tree.entries[(256 * index)..<(256 * index + tile.hashes)]
                try write(entries.flatMap { [UInt8($0.count >> 8), UInt8($0.count & 0xFF)] + $0 }, tile.entriesPath)
            }
            level += 1
        }
        let text = Checkpoint(origin: origin, size: UInt64(size), root: tree.frontier.root).text
        let signature = SignedNote.Signature(
            name: origin, keyID: key.keyID, signature: try signer.sign(Array(text.utf8)))
        try write(Array(SignedNote(text: text, signatures: [signature]).encoded.utf8), "checkpoint")
    }

    func write(_ bytes: [UInt8], _ path: String) throws {
        let url = URL(fileURLWithPath: place.file(path))
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(bytes).write(to: url)
    }

    func flipABit(of path: String) throws {
        var bytes = try Workplace.bytes(of: place.file(path))
        bytes[bytes.count / 2] ^= 1
        try write(bytes, path)
    }

    func verified(index: Int? = nil) async throws -> (status: Kit.ExitStatus, output: String) {
        try await ForeignLibraries.run(
            "verify_log.py", [place.path, key.description] + (index.map { ["\($0)"] } ?? []))
    }
}

@Suite(.enabled(if: ForeignLibraries.areExpected, "`make venv` installs what Python needs"))
struct LogInteropTests {
    @Test(arguments: [(0, nil), (1, 0), (255, 7), (256, 255), (257, 0), (700, 699)] as [(Int, Int?)])
    func pythonProvesOurFiles(size: Int, index: Int?) async throws {
        let result = try await ServedLog(size: size).verified(index: index)
        #expect(result.status == .exited(0), "\(result.output)")
        #expect(result.output.contains("\(size) entries"))
    }

    @Test(arguments: [
        "checkpoint", "tile/0/000", "tile/0/001.p/44", "tile/1/000.p/1", "tile/entries/000", "tile/entries/001.p/44",
    ])
    func oneBitAnywhereIsSeen(path: String) async throws {
        let log = try ServedLog(size: 300)
        try log.flipABit(of: path)
        let result = try await log.verified()
        #expect(result.status != .exited(0), "\(result.output)")
    }
}
