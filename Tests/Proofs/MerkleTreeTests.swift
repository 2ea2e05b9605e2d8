// RFC 6962 trees against a naive implementation written from the standard's recursion, and against Python's.

import Kit
import Proofs
import Testing

/// Section 2.1 word for word, with no stored subtrees: slow, obvious, and nothing of the room under test but SHA-256.
enum NaiveTree {
    static func root(_ entries: ArraySlice<[UInt8]>) -> Digest {
        switch entries.count {
        case 0: return Digest(of: [])
        case 1: return Digest(of: [0] + entries[entries.startIndex])
        default:
            let split = entries.startIndex + power(below: entries.count)
            return Digest(of: [1] + root(entries[..<split]).bytes + root(entries[split...]).bytes)
        }
    }

    static func inclusion(_ index: Int, _ entries: ArraySlice<[UInt8]>) -> [Digest] {
        guard entries.count > 1 else { return [] }
        let k = power(below: entries.count)
        let split = entries.startIndex + k
        return index < k
            ? inclusion(index, entries[..<split]) + [root(entries[split...])]
            : inclusion(index - k, entries[split...]) + [root(entries[..<split])]
    }

    static func consistency(_ old: Int, _ entries: ArraySlice<[UInt8]>, isWhole: Bool = true) -> [Digest] {
        guard old != entries.count else { return isWhole ? [] : [root(entries)] }
        let k = power(below: entries.count)
        let split = entries.startIndex + k
        return old <= k
            ? consistency(old, entries[..<split], isWhole: isWhole) + [root(entries[split...])]
            : consistency(old - k, entries[split...], isWhole: false) + [root(entries[..<split])]
    }

    private static func power(below count: Int) -> Int {
        var power = 1
        while power * 2 < count { power *= 2 }
        return power
    }
}

/// A tree of the entries `L0`, `L1`, … with its stored subtrees, as a log has them.
struct StoredTree {
    var subtrees: [SubtreeCoordinate: Digest] = [:]
    var frontier = MerkleFrontier()
    var roots = [MerkleTree.emptyRoot]
    let entries: [[UInt8]]

    init(size: Int) {
        entries = (0..<size).map { Array("L\($0)".utf8) }
        for entry in entries {
            for (coordinate, hash) in frontier.append(MerkleTree.leafHash(entry)) { subtrees[coordinate] = hash }
            roots.append(frontier.root)
        }
    }

    func node(_ coordinate: SubtreeCoordinate) throws -> Digest {
        guard let hash = subtrees[coordinate] else { throw KitError("\(coordinate) is not stored") }
        return hash
    }
}

struct MerkleTreeTests {
    static let size = 130
    let tree = StoredTree(size: size)

    @Test func knownRoots() throws {
        #expect(MerkleTree.emptyRoot.description == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        #expect(
            MerkleTree.leafHash([]).description == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d")
        let known = [
            "12403899e10d73557e1d37c2d1c3dc1686a9512034479aa25d06f1d80fc46069",
            "926054f28bc88651ef446709206587f183c49ae5b0f1393caaeb104e54fcc50f",
            "49b3ac37087cacbed8e89716b70f93b0440b87e22a573e8fefe5a4d15e827862",
            "11170c8d45f48eb6ec89abd8dd8b6e07d153db5e70f8083841d6bb5e00f3f9f0",
            "0f3371a238bdf07106b23d9bf71b21e0d71bb0595c46c90ca919093ae22da7ef",
            "f2287294adfc2d2bfb00639cfe2c55d169b193800ddfc7405d012c965df0ef89",
            "9a01afc3a2f698368e6143b81124c362459916ce16f62ca7b96933fc862735ed",
        ]
        #expect(tree.roots[1...7].map(\.description) == known)
    }

    @Test func everyRootAgreesInEveryWayToComputeIt() throws {
        for size in 0...Self.size {
            let root = NaiveTree.root(tree.entries[..<size])
            #expect(tree.roots[size] == root, "\(size)")
            #expect(try MerkleTree.root(size: UInt64(size), node: tree.node) == root, "\(size)")
            #expect(MerkleTree.root(ofLeafHashes: tree.entries[..<size].map(MerkleTree.leafHash)) == root, "\(size)")
            let restored = try MerkleFrontier(size: UInt64(size), node: tree.node)
            #expect(restored.root == root && restored.size == UInt64(size), "\(size)")
        }
    }

    @Test func everyInclusionProofHolds() throws {
        for size in 1...Self.size {
            for index in 0..<size {
                let proof = try MerkleTree.inclusionProof(index: UInt64(index), size: UInt64(size), node: tree.node)
                if size <= 40 || size > 125 { #expect(proof == NaiveTree.inclusion(index, tree.entries[..<size])) }
                let holds = MerkleTree.verifyInclusion(
                    leaf: MerkleTree.leafHash(tree.entries[index]), index: UInt64(index), size: UInt64(size),
                    proof: proof,
                    root: tree.roots[size])
                #expect(holds, "\(index) of \(size)")
            }
        }
    }

    @Test func everyConsistencyProofHolds() throws {
        for new in 1...Self.size {
            for old in 1...new {
                let proof = try MerkleTree.consistencyProof(old: UInt64(old), new: UInt64(new), node: tree.node)
                if new <= 40 || new > 125 { #expect(proof == NaiveTree.consistency(old, tree.entries[..<new])) }
                let holds = MerkleTree.verifyConsistency(
                    old: UInt64(old), oldRoot: tree.roots[old], new: UInt64(new), newRoot: tree.roots[new], proof: proof
                )
                #expect(holds, "\(old) in \(new)")
            }
        }
    }

    struct Vector: Decodable {
        let size: Int
        let root: String
        let inclusion: [[String]]
        let indexes: [Int]
        let consistency: [String: [String]]
    }

    @Test func agreesWithPython() throws {
        let all = try vectors("merkle.json", as: [Vector].self)
        #expect(all.count == 22)
        for vector in all {
            #expect(tree.roots[vector.size].description == vector.root)
            for (index, hashes) in zip(vector.indexes, vector.inclusion) {
                let proof = try MerkleTree.inclusionProof(
                    index: UInt64(index), size: UInt64(vector.size), node: tree.node)
                #expect(proof.map(\.description) == hashes, "\(index) of \(vector.size)")
            }
            for (old, hashes) in vector.consistency {
                let proof = try MerkleTree.consistencyProof(
                    old: UInt64(old)!, new: UInt64(vector.size), node: tree.node)
                #expect(proof.map(\.description) == hashes, "\(old) in \(vector.size)")
            }
        }
    }

    @Test func aMissingSubtreeIsTheReadersError() {
        #expect(throws: KitError.self) { try MerkleTree.root(size: 200, node: tree.node) }
        #expect(throws: KitError.self) { try MerkleTree.inclusionProof(index: 0, size: 200, node: tree.node) }
        // The largest tree there can be: computed without overflow, refused by the reader.
        #expect(throws: KitError.self) { try MerkleTree.inclusionProof(index: .max - 1, size: .max, node: tree.node) }
        #expect(throws: KitError.self) { try MerkleTree.consistencyProof(old: .max - 1, new: .max, node: tree.node) }
    }
}

/// Damage of each kind must be seen. A proof that still holds after damage would prove anything.
struct MerkleMutationTests {
    let tree = StoredTree(size: 70)

    private func inclusionHolds(
        _ index: UInt64, _ size: UInt64, _ proof: [Digest], leaf: Digest? = nil, root: Digest? = nil
    ) -> Bool {
        MerkleTree.verifyInclusion(
            leaf: leaf ?? MerkleTree.leafHash(tree.entries[Int(index % 70)]), index: index, size: size, proof: proof,
            root: root ?? tree.roots[Int(size)])
    }

    @Test func damagedInclusionProofsFail() throws {
        for size in [1, 2, 3, 7, 8, 33, 64, 70] as [UInt64] {
            for index in Set([0, size / 2, size - 1]) {
                let proof = try MerkleTree.inclusionProof(index: index, size: size, node: tree.node)
                #expect(inclusionHolds(index, size, proof))
                for place in proof.indices {
                    var damaged = proof
                    damaged[place] = .zero
                    #expect(!inclusionHolds(index, size, damaged))
                    damaged.remove(at: place)
                    #expect(!inclusionHolds(index, size, damaged))
                }
                #expect(!inclusionHolds(index, size, proof + [.zero]))
                #expect(!inclusionHolds(index, size, proof, leaf: .zero))
                #expect(!inclusionHolds(index, size, proof, root: .zero))
                // Position is authenticated: no other index takes this leaf and this proof.
                for other in 0..<size where other != index {
                    #expect(!inclusionHolds(other, size, proof, leaf: MerkleTree.leafHash(tree.entries[Int(index)])))
                }
            }
        }
    }

    @Test func aLeafOutsideTheTreeIsNeverIn() {
        for (index, size) in [(0, 0), (1, 1), (70, 70), (.max, 70), (.max, .max)] as [(UInt64, UInt64)] {
            #expect(!MerkleTree.verifyInclusion(leaf: .zero, index: index, size: size, proof: [], root: .zero))
        }
        // A node cannot pass for a leaf: their hashes begin with different bytes.
        let children = (
            tree.subtrees[SubtreeCoordinate(level: 0, index: 0)]!, tree.subtrees[SubtreeCoordinate(level: 0, index: 1)]!
        )
        let forged = MerkleTree.leafHash(children.0.bytes + children.1.bytes)
        #expect(!MerkleTree.verifyInclusion(leaf: forged, index: 0, size: 1, proof: [], root: tree.roots[2]))
    }

    @Test func damagedConsistencyProofsFail() throws {
        for (old, new) in [(1, 2), (2, 3), (3, 7), (4, 8), (6, 70), (33, 70), (64, 70), (69, 70)] as [(UInt64, UInt64)]
        {
            let proof = try MerkleTree.consistencyProof(old: old, new: new, node: tree.node)
            func holds(_ old: UInt64, _ new: UInt64, _ proof: [Digest], oldRoot: Digest? = nil, newRoot: Digest? = nil)
                -> Bool
            {
                MerkleTree.verifyConsistency(
                    old: old, oldRoot: oldRoot ?? tree.roots[Int(old)], new: new,
                    newRoot: newRoot ?? tree.roots[Int(new)],
                    proof: proof)
            }
            #expect(holds(old, new, proof))
            for place in proof.indices {
                var damaged = proof
                damaged[place] = .zero
                #expect(!holds(old, new, damaged))
                damaged.remove(at: place)
                #expect(!holds(old, new, damaged))
            }
            #expect(!holds(old, new, proof + [.zero]))
            #expect(!holds(old, new, [], oldRoot: tree.roots[Int(new)]))
            #expect(!holds(old, new, proof, oldRoot: .zero))
            #expect(!holds(old, new, proof, newRoot: .zero))
            #expect(!holds(new, old, proof))
        }
    }

    @Test func theEdgesOfConsistency() {
        func holds(_ old: UInt64, _ oldRoot: Digest, _ new: UInt64, _ newRoot: Digest, _ proof: [Digest] = []) -> Bool {
            MerkleTree.verifyConsistency(old: old, oldRoot: oldRoot, new: new, newRoot: newRoot, proof: proof)
        }
        #expect(holds(0, tree.roots[0], 0, tree.roots[0]))
        #expect(holds(5, tree.roots[5], 5, tree.roots[5]))
        #expect(!holds(5, tree.roots[5], 5, tree.roots[6]))
        #expect(!holds(5, tree.roots[5], 5, tree.roots[5], [.zero]))
        #expect(holds(0, tree.roots[0], 5, tree.roots[5]))
        #expect(!holds(0, tree.roots[1], 5, tree.roots[5]))
        #expect(!holds(0, tree.roots[0], 5, tree.roots[5], [.zero]))
        #expect(!holds(.max, .zero, .max - 1, .zero))
        #expect(!holds(1, .zero, .max, .zero, [Digest](repeating: .zero, count: 64)))
        #expect(!holds(.max - 1, .zero, .max, .zero, [Digest](repeating: .zero, count: 100)))
    }
}

struct DigestTests {
    /// FIPS 180-4 examples (NIST CSRC, SHA256.pdf).
    @Test(arguments: [
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
    ])
    func knownDigests(text: String, hex: String) {
        #expect(Digest(of: Array(text.utf8)).description == hex)
        var running = RunningHash()
        for byte in text.utf8 { running.update([byte]) }
        #expect(running.finish().description == hex)
    }

    @Test func partsAreConcatenated() {
        #expect(Digest(of: [1], [], [2, 3]) == Digest(of: [1, 2, 3]))
        #expect(Digest(of: [1], [2]) != Digest(of: [2], [1]))
    }

    @Test(arguments: [0, 31, 33, 64])
    func otherLengthsAreNoDigest(count: Int) {
        #expect(Digest([UInt8](repeating: 0, count: count)) == nil)
    }

    @Test func orderIsThatOfBytes() {
        let low = Digest([UInt8](repeating: 0, count: 31) + [0xFF])!
        let high = Digest([1] + [UInt8](repeating: 0, count: 31))!
        #expect(low < high && Digest.zero < low)
    }
}
