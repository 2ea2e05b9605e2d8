// The signed tree of every log against RFC 6962 as it is written: roots, proofs, tiles, bundles, checkpoints.

import CBOR
import CollectorCore
import CollectorJournal
import Keys
import Kit
import Proofs
import Testing

struct TreeConformanceTests {
    /// Around every place where a tile fills: 256 leaves complete a tile, 65 536 would the next level.
    private static let growth = [1, 1, 2, 3, 1, 248, 1, 255, 1, 44]

    @Test(arguments: Backend.allCases, LogName.allCases)
    func signsAndServesTheTreeOfItsEntries(backend: Backend, name: LogName) throws {
        let rig = try LogRig(backend)
        var log = try rig.log(name)
        #expect(try log.file(epoch: 1, path: "checkpoint") == nil)
        #expect(try log.file(epoch: 1, path: "tile/0/000.p/1") == nil)
        for count in Self.growth {
            try rig.fill(log, count)
            log = try rig.reopened(log)
            let entries = try log.entries(from: .start, limit: 1000)
            let size = UInt64(entries.count)
            #expect(try log.end() == LogPosition(epoch: 1, index: size))
            // Not signed yet, so not shown yet.
            #expect(
                try log.file(
                    epoch: 1, path: Tile(level: 0, index: (size - 1) / 256, hashes: (entries.count - 1) % 256 + 1).path)
                    == nil)

            let published = try log.publish()
            #expect(
                published.checkpoint
                    == Checkpoint(
                        origin: "\(LogRig.base)/\(name.rawValue)/1", size: size, root: NaiveTree.root(entries)))
            #expect(try log.root(epoch: 1, size: size) == published.checkpoint.root)
            #expect(try log.file(epoch: 1, path: "checkpoint") == published.note)
            #expect(try log.published(epoch: nil) == published && log.published(epoch: 1) == published)
            #expect(try rig.isSigned(published))
            try expectTiles(log, entries)
        }
        #expect(try log.audit().entries == UInt64(Self.growth.reduce(0, +)))
    }

    private func expectTiles(_ log: any TransparencyLog, _ entries: [[UInt8]]) throws {
        for level in 0...2 {
            let count = entries.count >> (8 * level)
            for number in 0...(count / 256) {
                let width = min(256, count - number * 256)
                let path = Tile(level: level, index: UInt64(number), hashes: width).path
                guard width > 0 else { continue }
                #expect(try log.file(epoch: 1, path: path) == NaiveTree.tile(level, number, width, entries))
                // One more hash than there is.
                if width < 255 {
                    let more = Tile(level: level, index: UInt64(number), hashes: width + 1)
                    #expect(try log.file(epoch: 1, path: more.path) == nil)
                }
            }
        }
        let last = (entries.count - 1) / 256
        for number in 0...last {
            let slice = entries[(number * 256)..<min(entries.count, number * 256 + 256)]
            let bundle = slice.flatMap { [UInt8($0.count / 256), UInt8($0.count % 256)] + $0 }
            let path = Tile(level: 0, index: UInt64(number), hashes: slice.count).entriesPath
            #expect(try log.file(epoch: 1, path: path) == bundle)
            let records = try CBORValue(decoding: #require(try log.records(epoch: 1, bundle: UInt64(number))))
            #expect(try records.array(count: slice.count, "records").allSatisfy { !$0.isNull })
        }
        #expect(try log.records(epoch: 1, bundle: UInt64(last) + 1) == nil)
    }

    @Test(arguments: Backend.allCases, LogName.allCases)
    func provesInclusionAndConsistency(backend: Backend, name: LogName) throws {
        let rig = try LogRig(backend)
        let log = try rig.log(name)
        let total = 300
        try rig.fill(log, total)
        let entries = try log.entries(from: .start, limit: total)
        var random = SeededGenerator(seed: 6962)
        let sizes = [1, 2, 3, 255, 256, 257, 299, 300] + (0..<6).map { _ in Int.random(in: 1...total, using: &random) }
        for size in sizes {
            let root = NaiveTree.root(entries[..<size])
            #expect(try log.root(epoch: 1, size: UInt64(size)) == root)
            for index in [0, size / 3, size - 1] {
                let place = LogPosition(epoch: 1, index: UInt64(index))
                let proof = try log.inclusionProof(of: place, size: UInt64(size))
                #expect(proof == NaiveTree.path(index, entries[..<size]), "entry \(index) of \(size)")
                #expect(
                    MerkleTree.verifyInclusion(
                        leaf: MerkleTree.leafHash(entries[index]), index: UInt64(index), size: UInt64(size),
                        proof: proof, root: root))
            }
            for old in [0, 1, size / 2, size] {
                let proof = try log.consistencyProof(epoch: 1, old: UInt64(old), new: UInt64(size))
                #expect(proof == NaiveTree.consistency(old, Array(entries[..<size])), "\(old) to \(size)")
            }
        }
    }

    @Test(arguments: Backend.allCases, LogName.allCases)
    func refusesWhatItDoesNotHold(backend: Backend, name: LogName) throws {
        let rig = try LogRig(backend)
        let log = try rig.log(name)
        try rig.fill(log, 3)
        _ = try log.publish()
        #expect(throws: LogError.self) { try log.root(epoch: 1, size: 4) }
        #expect(throws: LogError.self) { try log.root(epoch: 2, size: 1) }
        #expect(throws: LogError.self) { try log.root(epoch: .max, size: .max) }
        #expect(throws: LogError.self) { try log.inclusionProof(of: LogPosition(epoch: 1, index: 3), size: 3) }
        #expect(throws: LogError.self) { try log.inclusionProof(of: .start, size: .max) }
        #expect(throws: LogError.self) { try log.consistencyProof(epoch: 1, old: 3, new: 2) }
        #expect(throws: LogError.self) { try log.consistencyProof(epoch: 1, old: 1, new: 4) }
        #expect(try log.entries(from: LogPosition(epoch: .max, index: .max), limit: 5).isEmpty)
        #expect(try log.published(epoch: 2) == nil)
        #expect(try log.records(epoch: 1, bundle: .max) == nil && log.records(epoch: .max, bundle: 0) == nil)
        let nothing = [
            "", "tile", "tile/", "tile/0", "tile/0/0", "tile/0/000", "tile/0/000.p/4", "tile/1/000.p/1",
            "tile/-1/000.p/1",
            "tile/8/000", "tile/entries/000", "tile/entries/000.p/4", "tile/0/x001/000.p/1", "../checkpoint",
            "checkpoint/",
            "tile/0/x999/x999/x999/x999/x999/x999/999", "tile/7/x999/x999/x999/x999/999.p/1",
        ]
        for path in nothing { #expect(try log.file(epoch: 1, path: path) == nil, "\(path)") }
        for epoch in [0, 2, UInt64.max] { #expect(try log.file(epoch: epoch, path: "tile/0/000.p/1") == nil) }
        #expect(try log.file(epoch: 1, path: "tile/0/000.p/3")?.count == 96)
    }
}

extension LogRig {
    /// Whether the note says what the checkpoint says, and the log key signed it under its origin.
    func isSigned(_ published: PublishedCheckpoint) throws -> Bool {
        let note = try #require(SignedNote(parsing: published.note))
        let verifier = try #require(
            NoteVerifierKey(name: published.checkpoint.origin, ed25519: key.publicKey.rawEd25519 ?? []))
        return note.text == published.checkpoint.text
            && verifier.verifies(note) { key.publicKey.verify(signature: $0, over: $1) }
    }
}
