// A growing tree in memory: its frontier and the tile at the right edge of each level, as they are stored. No storage.

internal import Proofs

/// A row of the tile table: the hashes of one tile, as many as there are.
struct TileRow: Hashable, Sendable {
    /// Of the tile: its hashes are the roots of 256^level leaves.
    let level: Int
    let number: UInt64
    /// 32 bytes each, 1 … 256 of them.
    let hashes: [UInt8]
}

/// What appending needs to know of a tree.
struct TreeEdge: Sendable {
    /// Entries of one epoch: a position is one SQLite integer, epoch · 2^40 + index.
    static let sizeMax: UInt64 = 1 << 40
    private static let tileBytes = Tile.width * 32

    private(set) var frontier: MerkleFrontier
    /// The incomplete tile of each level; empty where the last one is full.
    private var tiles: [[UInt8]]
    /// Filled up since the last `takeChanges`.
    private var filled: [TileRow] = []
    private var isTouched: [Bool]

    var size: UInt64 { frontier.size }

    init() {
        frontier = MerkleFrontier()
        (tiles, isTouched) = ([], [])
    }

    /// The edge of a stored tree.
    ///
    /// - Parameter tile: the stored row; only its hashes inside the tree are used.
    init(size: UInt64, tile: (_ level: Int, _ number: UInt64) throws -> [UInt8]) throws {
        frontier = try MerkleFrontier(size: size) { coordinate in
            try Self.node(coordinate) { level, number in try tile(level, number) }
        }
        (tiles, isTouched) = ([], [])
        var count = size
        var level = 0
        while count > 0 {
            let partial = Int(count % UInt64(Tile.width))
            let row = partial == 0 ? [] : try tile(level, count / UInt64(Tile.width))
            guard row.count >= partial * 32 else { throw Self.damage(level, count / 256) }
            tiles.append(Array(row[..<(partial * 32)]))
            isTouched.append(false)
            count /= UInt64(Tile.width)
            level += 1
        }
    }

    mutating func append(_ leaf: Digest) {
        for (coordinate, hash) in frontier.append(leaf) where coordinate.level.isMultiple(of: 8) {
            let level = coordinate.level / 8
            if level == tiles.count {
                tiles.append([])
                isTouched.append(false)
            }
            tiles[level].append(contentsOf: hash.bytes)
            isTouched[level] = true
            guard tiles[level].count == Self.tileBytes else { continue }
            filled.append(TileRow(level: level, number: coordinate.index / UInt64(Tile.width), hashes: tiles[level]))
            tiles[level].removeAll(keepingCapacity: true)
        }
    }

    /// The rows that must be stored for everything appended since the last call.
    mutating func takeChanges() -> [TileRow] {
        var rows = filled
        filled.removeAll()
        for level in tiles.indices where isTouched[level] {
            isTouched[level] = false
            guard !tiles[level].isEmpty else { continue }
            rows.append(TileRow(level: level, number: size >> UInt64(8 * (level + 1)), hashes: tiles[level]))
        }
        return rows
    }

    /// The hash of a complete subtree out of stored tiles.
    static func node(
        _ coordinate: SubtreeCoordinate, tile: (_ level: Int, _ number: UInt64) throws -> [UInt8]
    ) throws -> Digest {
        let (level, below) = (coordinate.level / 8, coordinate.level % 8)
        // Inside one tile: 2^below ≤ 128 neighbours, starting at a multiple of their count.
        let first = coordinate.index << UInt64(below)
        let row = try tile(level, first / UInt64(Tile.width))
        let start = Int(first % UInt64(Tile.width)) * 32
        let end = start + (32 << below)
        guard row.count >= end else {
            throw damage(level, first / 256)
        }
        let hashes = stride(from: start, to: end, by: 32).map { Digest(row[$0..<($0 + 32)]) ?? .zero }
        return MerkleTree.root(ofLeafHashes: hashes)
    }

    private static func damage(_ level: Int, _ number: UInt64) -> LogError {
        .damaged(
            "tile \(level)/\(number) is missing or too short: stop the collector and restore the log's newest copy")
    }
}
