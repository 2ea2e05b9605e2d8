// Merkle trees as in RFC 6962 §2.1 (RFC 9162 for SHA-256): hashes, roots, inclusion and consistency proofs.
// Where hashes are stored is the log's business: proofs are computed from a reader of complete subtrees.

/// A complete subtree: `level` 0 is a leaf hash; node `index` at `level` covers leaves index·2^level ..< (index+1)·2^level.
package struct SubtreeCoordinate: Hashable, Sendable {
    package let level: Int
    package let index: UInt64

    package init(level: Int, index: UInt64) {
        self.level = level
        self.index = index
    }
}

package enum MerkleTree {
    /// SHA-256 of nothing: the root of the empty tree.
    package static var emptyRoot: Digest { Digest(of: []) }

    /// SHA-256(0x00 ‖ entry).
    package static func leafHash(_ entry: [UInt8]) -> Digest { Digest(of: [0x00], entry) }

    /// SHA-256(0x01 ‖ left ‖ right).
    package static func nodeHash(_ left: Digest, _ right: Digest) -> Digest {
        Digest(of: [0x01], left.bytes, right.bytes)
    }

    /// The root over leaf hashes, in order.
    package static func root(ofLeafHashes leaves: [Digest]) -> Digest {
        var frontier = MerkleFrontier()
        for leaf in leaves { frontier.append(leaf) }
        return frontier.root
    }

    /// MTH of leaves `range` out of stored complete subtrees. `range` must start at a multiple of its own largest power
    /// of two, as the ranges of RFC 6962 do.
    private static func hash(
        _ range: Range<UInt64>, _ node: (SubtreeCoordinate) throws -> Digest
    ) rethrows -> Digest {
        let count = range.upperBound - range.lowerBound
        if count & (count - 1) == 0 {
            let level = count.trailingZeroBitCount
            return try node(SubtreeCoordinate(level: level, index: range.lowerBound >> UInt64(level)))
        }
        let split = range.lowerBound + largestPowerOfTwo(below: count)
        return nodeHash(try hash(range.lowerBound..<split, node), try hash(split..<range.upperBound, node))
    }

    /// The root of the first `size` leaves.
    package static func root(
        size: UInt64, node: (SubtreeCoordinate) throws -> Digest
    ) rethrows -> Digest {
        size == 0 ? emptyRoot : try hash(0..<size, node)
    }

    /// PATH(m, D[n]), hashes from leaf to root. Precondition: index < size.
    package static func inclusionProof(
        index: UInt64, size: UInt64, node: (SubtreeCoordinate) throws -> Digest
    ) rethrows -> [Digest] {
        precondition(index < size, "an inclusion proof needs a leaf inside the tree")
        var range: Range<UInt64> = 0..<size
        var path: [Digest] = []
        while range.upperBound - range.lowerBound > 1 {
            let split = range.lowerBound + largestPowerOfTwo(below: range.upperBound - range.lowerBound)
            if index < split {
                path.append(try hash(split..<range.upperBound, node))
                range = range.lowerBound..<split
            } else {
                path.append(try hash(range.lowerBound..<split, node))
                range = split..<range.upperBound
            }
        }
        return path.reversed()
    }

    /// PROOF(m, D[n]): that the tree of `old` leaves is a prefix of the tree of `new`. Precondition: old ≤ new.
    package static func consistencyProof(
        old: UInt64, new: UInt64, node: (SubtreeCoordinate) throws -> Digest
    ) rethrows -> [Digest] {
        precondition(old <= new, "a consistency proof goes from the smaller tree to the larger")
        guard old > 0, old < new else { return [] }
        var range: Range<UInt64> = 0..<new
        var target = old
        var isWhole = true
        var path: [Digest] = []
        while target != range.upperBound - range.lowerBound {
            let power = largestPowerOfTwo(below: range.upperBound - range.lowerBound)
            let split = range.lowerBound + power
            if target <= power {
                path.append(try hash(split..<range.upperBound, node))
                range = range.lowerBound..<split
            } else {
                path.append(try hash(range.lowerBound..<split, node))
                range = split..<range.upperBound
                target -= power
                isWhole = false
            }
        }
        if !isWhole { path.append(try hash(range, node)) }
        return path.reversed()
    }

    /// RFC 9162 §2.1.3.2. False for every malformed proof; never traps.
    package static func verifyInclusion(
        leaf: Digest, index: UInt64, size: UInt64, proof: [Digest], root: Digest
    ) -> Bool {
        guard index < size else { return false }
        var (fn, sn, hash) = (index, size - 1, leaf)
        for step in proof {
            guard sn != 0 else { return false }
            if fn & 1 == 1 || fn == sn {
                hash = nodeHash(step, hash)
                while fn & 1 == 0 && fn != 0 { (fn, sn) = (fn >> 1, sn >> 1) }
            } else {
                hash = nodeHash(hash, step)
            }
            (fn, sn) = (fn >> 1, sn >> 1)
        }
        return sn == 0 && hash == root
    }

    /// RFC 9162 §2.1.4.2. False for every malformed proof; never traps.
    package static func verifyConsistency(
        old: UInt64, oldRoot: Digest, new: UInt64, newRoot: Digest, proof: [Digest]
    ) -> Bool {
        guard old <= new else { return false }
        if old == new { return proof.isEmpty && oldRoot == newRoot }
        if old == 0 { return proof.isEmpty && oldRoot == emptyRoot }
        var path = old & (old - 1) == 0 ? [oldRoot] + proof : proof
        guard !path.isEmpty else { return false }
        let first = path.removeFirst()
        var (fn, sn) = (old - 1, new - 1)
        while fn & 1 == 1 { (fn, sn) = (fn >> 1, sn >> 1) }
        var (fr, sr) = (first, first)
        for step in path {
            guard sn != 0 else { return false }
            if fn & 1 == 1 || fn == sn {
                (fr, sr) = (nodeHash(step, fr), nodeHash(step, sr))
                while fn & 1 == 0 && fn != 0 { (fn, sn) = (fn >> 1, sn >> 1) }
            } else {
                sr = nodeHash(sr, step)
            }
            (fn, sn) = (fn >> 1, sn >> 1)
        }
        return sn == 0 && fr == oldRoot && sr == newRoot
    }

    /// The largest power of two smaller than `count`, which is at least 2.
    private static func largestPowerOfTwo(below count: UInt64) -> UInt64 {
        1 << UInt64(63 - (count - 1).leadingZeroBitCount)
    }
}

/// The right edge of a growing tree: what is needed to append and to know the root.
package struct MerkleFrontier: Hashable, Sendable {
    /// Roots of complete subtrees, largest first; their sizes are the bits of `size`.
    package private(set) var subtrees: [Digest] = []
    package private(set) var size: UInt64 = 0

    package init() {}

    /// The frontier of a tree that exists, from its stored subtrees.
    package init(size: UInt64, node: (SubtreeCoordinate) throws -> Digest) rethrows {
        self.size = size
        var start: UInt64 = 0
        for level in (0..<64).reversed() where size >> UInt64(level) & 1 == 1 {
            subtrees.append(try node(SubtreeCoordinate(level: level, index: start >> UInt64(level))))
            start += 1 << UInt64(level)
        }
    }

    /// Appends a leaf hash and returns every subtree that became complete by it, the leaf first.
    @discardableResult
    package mutating func append(_ leaf: Digest) -> [(coordinate: SubtreeCoordinate, hash: Digest)] {
        var completed = [(coordinate: SubtreeCoordinate(level: 0, index: size), hash: leaf)]
        var hash = leaf
        var level = 0
        while size >> UInt64(level) & 1 == 1 {
            hash = MerkleTree.nodeHash(subtrees.removeLast(), hash)
            level += 1
            completed.append((SubtreeCoordinate(level: level, index: size >> UInt64(level)), hash))
        }
        subtrees.append(hash)
        size += 1
        return completed
    }

    package var root: Digest {
        guard var hash = subtrees.last else { return MerkleTree.emptyRoot }
        for subtree in subtrees.dropLast().reversed() { hash = MerkleTree.nodeHash(subtree, hash) }
        return hash
    }
}
