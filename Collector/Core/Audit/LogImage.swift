// One tree of a log as published: entries, leaf hashes, checkpoint; every hash computed again. Knows no entry's meaning.

package import Proofs

/// One epoch of one log, its tree computed from its entries.
package struct LogImage: Sendable {
    package let origin: LogOrigin
    package let note: SignedNote
    package let checkpoint: Checkpoint
    /// As hashed. As many as the checkpoint says, or as are held of an epoch that ended with a lost tail.
    package let entries: [[UInt8]]
    package let leaves: [Digest]

    package var size: UInt64 { UInt64(entries.count) }
    package var path: String { Self.path(origin.log, origin.epoch) }

    static func path(_ log: LogName, _ epoch: UInt64) -> String { "log/\(log.rawValue)/\(epoch)/" }

    /// Root of the first `size` entries. Precondition: no more than there are.
    package func root(size: UInt64) -> Digest { MerkleTree.root(ofLeafHashes: Array(leaves[..<Int(size)])) }

    /// RFC 6962 §2.1.1 in the tree of the first `size` entries. Precondition: index < size ≤ entries.
    package func inclusionProof(index: UInt64, size: UInt64) -> [Digest] {
        MerkleTree.inclusionProof(index: index, size: size) { coordinate in
            let width = 1 << coordinate.level
            let start = Int(coordinate.index) * width
            return MerkleTree.root(ofLeafHashes: Array(leaves[start..<start + width]))
        }
    }

    /// Whether the note is signed by the log key under the log's origin (Ed25519, name = origin).
    package func isSigned(byKey spki: [UInt8], _ tools: AuditTools) -> Bool {
        guard spki.count == Self.ed25519SPKIBytes,
            let key = NoteVerifierKey(name: origin.description, ed25519: Array(spki.suffix(32)))
        else { return false }
        return key.verifies(note) { signature, message in tools.isRawSigned(message, signature, spki) }
    }

    /// RFC 8410: a prefix of 12 bytes and the key.
    static let ed25519SPKIBytes = 44
}

extension LogImage {
    /// Reads checkpoint, entries and tiles of an epoch and compares: entries = tiles, entries' root = checkpoint's root.
    ///
    /// - Parameter held: entries held of an epoch that ended, fewer than its checkpoint says or more; nil for all that the
    ///   checkpoint says.
    package static func load(
        _ log: LogName, epoch: UInt64, held: UInt64? = nil, _ tools: AuditTools
    ) async throws -> LogImage {
        let path = path(log, epoch)
        let place = AuditPlace.file(path + "checkpoint")
        guard let note = SignedNote(parsing: try await tools.file(path + "checkpoint")),
            let checkpoint = Checkpoint(text: note.text)
        else { throw AuditFailure(place, "is no signed note of a checkpoint") }
        guard let origin = LogOrigin(checkpoint.origin), origin.log == log, origin.epoch == epoch else {
            throw AuditFailure(place, "says it is of \(checkpoint.origin), it stands under \(path)")
        }
        let size = held ?? checkpoint.size
        var reader = TreeReader(path: path, log: log, epoch: epoch, size: size)
        try await reader.readEntries(tools)
        if size == checkpoint.size, reader.frontier.root != checkpoint.root {
            throw await reader.explain(checkpoint, tools)
        }
        // What was appended to an ended epoch after its last checkpoint is signed by the next one's first entry.
        if size > checkpoint.size, reader.root(size: checkpoint.size) != checkpoint.root {
            throw AuditFailure(place, "its root is not that of the first \(checkpoint.size) entries")
        }
        try await reader.compareTiles(tools)
        return LogImage(
            origin: origin, note: note, checkpoint: checkpoint, entries: reader.entries,
            leaves: reader.hashes.first ?? [])
    }
}

/// Builds the tree while it reads.
struct TreeReader {
    let path: String
    let log: LogName
    let epoch: UInt64
    let size: UInt64
    var entries: [[UInt8]] = []
    /// Hashes of the tiles by tile level.
    var hashes: [[Digest]] = []
    var frontier = MerkleFrontier()

    init(path: String, log: LogName, epoch: UInt64, size: UInt64) {
        self.path = path
        self.log = log
        self.epoch = epoch
        self.size = size
    }

    /// A tile that covers what this tree has of it; a log may have dropped a partial one when the whole came.
    private func bytes(
        _ tile: Tile, _ path: KeyPath<Tile, String>, _ tools: AuditTools
    ) async throws -> (bytes: [UInt8], path: String) {
        let own = self.path + tile[keyPath: path]
        if let bytes = try await tools.read(own) { return (bytes, own) }
        let whole = self.path + Tile(level: tile.level, index: tile.index, hashes: Tile.width)[keyPath: path]
        if tile.hashes < Tile.width, let bytes = try await tools.read(whole) { return (bytes, whole) }
        throw AuditFailure(.file(own), "is missing: without it nothing behind it can be checked")
    }

    private func tiles(_ count: UInt64, level: Int) -> [Tile] {
        stride(from: 0, to: count, by: Tile.width).map { start in
            Tile(level: level, index: start / UInt64(Tile.width), hashes: Int(min(count - start, UInt64(Tile.width))))
        }
    }

    /// Of the first `size` entries. Precondition: no more than were read.
    func root(size: UInt64) -> Digest {
        MerkleTree.root(ofLeafHashes: Array((hashes.first ?? []).prefix(Int(clamping: size))))
    }

    mutating func readEntries(_ tools: AuditTools) async throws {
        // Tile by tile, so that an absurd size in a checkpoint ends at the first file that is not there.
        var start: UInt64 = 0
        while start < size {
            tools.progress("reading the \(log.rawValue) log", start, size)
            let count = Int(min(size - start, UInt64(Tile.width)))
            let tile = Tile(level: 0, index: start / UInt64(Tile.width), hashes: count)
            let (bytes, path) = try await bytes(tile, \.entriesPath, tools)
            guard let bundle = Self.bundle(bytes), bundle.count >= count else {
                throw AuditFailure(.file(path), "holds no \(count) entries with their lengths before them")
            }
            for entry in bundle.prefix(count) { append(entry) }
            start += UInt64(count)
        }
    }

    private mutating func append(_ entry: [UInt8]) {
        entries.append(entry)
        for (coordinate, hash) in frontier.append(MerkleTree.leafHash(entry)) where coordinate.level % 8 == 0 {
            let level = coordinate.level / 8
            if level == hashes.count { hashes.append([]) }
            hashes[level].append(hash)
        }
    }

    /// Big-endian uint16 length ‖ entry. Nil when a length leads out of the bytes.
    private static func bundle(_ bytes: [UInt8]) -> [[UInt8]]? {
        var entries: [[UInt8]] = []
        var offset = 0
        while offset < bytes.count {
            guard bytes.count - offset >= 2 else { return nil }
            let length = Int(bytes[offset]) << 8 | Int(bytes[offset + 1])
            offset += 2
            guard bytes.count - offset >= length else { return nil }
            entries.append(Array(bytes[offset..<offset + length]))
            offset += length
        }
        return entries
    }

    /// The hashes a tile file holds, at least `count`.
    private static func hashes(_ bytes: [UInt8], count: Int) -> [Digest]? {
        guard bytes.count.isMultiple(of: 32), bytes.count / 32 >= count else { return nil }
        return stride(from: 0, to: count * 32, by: 32).compactMap { Digest(bytes[$0..<$0 + 32]) }
    }

    func compareTiles(_ tools: AuditTools) async throws {
        for (level, own) in hashes.enumerated() {
            for tile in tiles(UInt64(own.count), level: level) {
                let (bytes, path) = try await bytes(tile, \.path, tools)
                guard let published = Self.hashes(bytes, count: tile.hashes) else {
                    throw AuditFailure(.file(path), "holds no \(tile.hashes) hashes of 32 bytes")
                }
                let start = Int(tile.index) * Tile.width
                if let index = (0..<tile.hashes).first(where: { published[$0] != own[start + $0] }) {
                    throw AuditFailure(
                        .file(path), "hash \(index) is \(published[index]), the entries give \(own[start + index])")
                }
            }
        }
    }

    /// Why the entries do not give the checkpoint's root: the entry that its tile contradicts, if the tiles do give it.
    func explain(_ checkpoint: Checkpoint, _ tools: AuditTools) async -> any Error {
        let own = hashes.first ?? []
        var published: [Digest] = []
        do {
            for tile in tiles(UInt64(own.count), level: 0) {
                published += Self.hashes(try await bytes(tile, \.path, tools).bytes, count: tile.hashes) ?? []
            }
        } catch { return error }
        if published.count == own.count, MerkleTree.root(ofLeafHashes: published) == checkpoint.root,
            let index = own.indices.first(where: { own[$0] != published[$0] })
        {
            return AuditFailure(
                .entry(log, LogPosition(epoch: epoch, index: UInt64(index))),
                "is not the entry that was hashed: the signed tree has \(published[index]) there, this entry gives \(own[index])"
            )
        }
        return AuditFailure(
            .file(path + "checkpoint"),
            "root \(checkpoint.root.bytes.base64) over \(checkpoint.size) entries, the entries give \(frontier.root.bytes.base64)"
        )
    }
}
