// Signed notes, checkpoints, tlog-proofs, tiles and base64 in the exact spelling of their specifications.

import Evidence
import Keys
import Kit
import Proofs
import Testing

struct SignedNoteTests {
    /// The example key of C2SP signed-note.
    private let specKey = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"

    private func signed(_ text: String, name: String, with key: PrivateKey) throws -> (SignedNote, NoteVerifierKey) {
        let verifier = try #require(NoteVerifierKey(name: name, ed25519: key.publicKey.rawEd25519 ?? []))
        let signature = SignedNote.Signature(
            name: name, keyID: verifier.keyID, signature: try key.sign(Array(text.utf8)))
        return (SignedNote(text: text, signatures: [signature]), verifier)
    }

    private func holds(_ note: SignedNote, _ key: NoteVerifierKey) throws -> Bool {
        let ed25519 = try PublicKey(rawEd25519: key.ed25519)
        return key.verifies(note) { ed25519.verify(signature: $0, over: $1) }
    }

    @Test func theKeyOfTheSpecification() throws {
        let key = try #require(NoteVerifierKey(parsing: specKey))
        #expect(key.name == "example.com/foo")
        #expect(key.keyID == [0x53, 0x0D, 0x90, 0x3A])
        #expect(key.description == specKey)
    }

    @Test(arguments: [
        "", "example.com/foo", "example.com/foo+530d903a", "+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/foo+530d903b+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/bar+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/foo+530D903A+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/foo+530d903a+AukyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3Q==",
        "example com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
    ])
    func otherTextIsNoKey(text: String) {
        #expect(NoteVerifierKey(parsing: text) == nil)
    }

    @Test func aNoteComesBackAndHolds() throws {
        let (note, key) = try signed("first\n\nthird — line\n", name: "example.com/log", with: .generate(.eddsa))
        #expect(SignedNote(parsing: Array(note.encoded.utf8)) == note)
        #expect(try holds(note, key))
        let other = try signed(note.text, name: "example.com/log", with: .generate(.eddsa))
        #expect(try !holds(note, other.1))
        // Unknown signatures are carried along; a known key that fails spoils the note, even beside a good one.
        let both = SignedNote(text: note.text, signatures: note.signatures + other.0.signatures)
        #expect(try holds(both, key) && holds(both, other.1))
        let broken = SignedNote.Signature(name: key.name, keyID: key.keyID, signature: [UInt8](repeating: 7, count: 64))
        #expect(try !holds(SignedNote(text: note.text, signatures: note.signatures + [broken]), key))
        #expect(try !holds(SignedNote(text: note.text + "more\n", signatures: note.signatures), key))
        #expect(try !holds(SignedNote(text: note.text, signatures: []), key))
        #expect(NoteVerifierKey(name: "a b", ed25519: key.ed25519) == nil)
        #expect(NoteVerifierKey(name: key.name, ed25519: Array(key.ed25519.dropLast())) == nil)
    }

    static let line = "— example.com/foo Uw2QOgAA\n"

    @Test(arguments: [
        "", "\n", "text\n", "text\n\n", "\n\(line)", "text\n\(line)", "text\n\n\(line.dropLast())", "text\n\n\(line)\n",
        "text\n\n- example.com/foo Uw2QOgAA\n", "text\n\n—example.com/foo Uw2QOgAA\n",
        "text\n\n— example.com/foo  Uw2QOgAA\n",
        "text\n\n— a+b Uw2QOgAA\n", "text\n\n—  Uw2QOgAA\n", "text\n\n— a Uw2QOg==\n", "text\n\n— a Uw2QOgA\n",
        "text\n\n— a\n",
        "te\u{1}xt\n\n\(line)", "te\rxt\n\n\(line)", "te\u{7F}xt\n\n\(line)", "te\txt\n\n\(line)",
    ])
    func otherTextIsNoNote(text: String) {
        #expect(SignedNote(parsing: Array(text.utf8)) == nil)
    }

    @Test func bounds() {
        func note(_ lines: Int) -> SignedNote? {
            SignedNote(parsing: Array(("text\n\n" + String(repeating: Self.line, count: lines)).utf8))
        }
        #expect(note(1)?.signatures.count == 1)
        #expect(note(SignedNote.signaturesMax)?.signatures.count == SignedNote.signaturesMax)
        #expect(note(SignedNote.signaturesMax + 1) == nil)
        #expect(SignedNote(parsing: [UInt8](repeating: UInt8(ascii: "a"), count: SignedNote.bytesMax + 1)) == nil)
        #expect(SignedNote(parsing: [0xFF, 0x0A]) == nil)
    }
}

struct CheckpointTests {
    private let root = Digest(of: [])

    @Test func isThreeLines() {
        let checkpoint = Checkpoint(origin: "kilomint.example/demo/evidence/1", size: 20_852_163, root: root)
        #expect(
            checkpoint.text
                == "kilomint.example/demo/evidence/1\n20852163\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n")
        #expect(Checkpoint(text: checkpoint.text) == checkpoint)
        let largest = Checkpoint(origin: "o", size: .max, root: .zero)
        #expect(Checkpoint(text: largest.text) == largest)
    }

    static let hash = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="

    @Test(arguments: [
        "", "o\n1\n\(hash)", "\n1\n\(hash)\n", "o\n01\n\(hash)\n", "o\n+1\n\(hash)\n", "o\n-1\n\(hash)\n",
        "o\n 1\n\(hash)\n", "o\n\n\(hash)\n",
        "o\n18446744073709551616\n\(hash)\n", "o\n1\n\(hash)\nextension\n", "o\n1\n\(hash)\n\n",
        "o\n1\n\(hash.dropLast())\n",
        "o\n1\nAAAA\n", "o\r\n1\n\(hash)\n", "o\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFV=\n",
    ])
    func otherTextIsNoCheckpoint(text: String) {
        #expect(Checkpoint(text: text) == nil)
    }
}

struct TlogProofTests {
    private let note = SignedNote(
        text: Checkpoint(origin: "o", size: 3, root: .zero).text,
        signatures: [SignedNote.Signature(name: "o", keyID: [1, 2, 3, 4], signature: [5])])

    @Test(arguments: [0, 1, 63])
    func comesBack(hashes: Int) {
        let proof = TlogProof(index: 1, hashes: (0..<hashes).map { Digest(of: [UInt8($0)]) }, checkpoint: note)
        #expect(TlogProof(parsing: Array(proof.encoded.utf8)) == proof)
    }

    @Test func hasTheFormOfTheSpecification() {
        let proof = TlogProof(index: 7, hashes: [.zero], checkpoint: note)
        let hash = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
        #expect(proof.encoded == "c2sp.org/tlog-proof@v1\nindex 7\n\(hash)\n\no\n3\n\(hash)\n\n— o AQIDBAU=\n")
        let extra = proof.encoded.replacing("index", with: "extra AAAA\nindex")
        #expect(TlogProof(parsing: Array(extra.utf8)) == proof)
    }

    @Test(arguments: [
        ("c2sp.org/tlog-proof@v1", "c2sp.org/tlog-proof@v2"), ("index 7", "index 07"), ("index 7", "index +7"),
        ("index 7", "index -7"),
        ("index 7", "index"), ("index 7", "Index 7"), ("index 7\n", ""), ("index 7\n", "index 18446744073709551616\n"),
        ("index 7\nAAAA", "index 7\nAAA"), ("index 7\nAAAA", "index 7\n"), ("index 7\n", "index 7\nAAAA\n"),
        ("— o", "- o"),
        ("\n\no\n3", "\no\n3"),
    ])
    func otherTextIsNoProof(part: String, with other: String) {
        let proof = TlogProof(index: 7, hashes: [.zero], checkpoint: note)
        let text = proof.encoded.replacing(part, with: other, maxReplacements: 1)
        #expect(text != proof.encoded)
        #expect(TlogProof(parsing: Array(text.utf8)) == nil)
    }

    @Test(arguments: [31, 32] as [UInt64])
    func damageNeverTraps(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let proof = Array(TlogProof(index: 7, hashes: [.zero, Digest(of: [1])], checkpoint: note).encoded.utf8)
        for _ in 0..<3000 {
            let bytes = generator.mutated(proof)
            if let read = TlogProof(parsing: bytes), !read.encoded.utf8.elementsEqual(bytes) {
                #expect(
                    String(decoding: bytes, as: UTF8.self).contains("\nextra "),
                    "seed \(seed): a second spelling of a proof")
            }
            _ = SignedNote(parsing: bytes).map { Checkpoint(text: $0.text) }
        }
    }
}

struct TileTests {
    @Test(arguments: [
        (Tile(level: 0, index: 0, hashes: 256), "tile/0/000"),
        (Tile(level: 0, index: 273, hashes: 112), "tile/0/273.p/112"),
        (Tile(level: 1, index: 1, hashes: 17), "tile/1/001.p/17"),
        (Tile(level: 2, index: 0, hashes: 1), "tile/2/000.p/1"),
        (Tile(level: 0, index: 1000, hashes: 256), "tile/0/x001/000"),
        (Tile(level: 7, index: 1_234_067, hashes: 255), "tile/7/x001/x234/067.p/255"),
    ])
    func pathsOfTheSpecification(tile: Tile, path: String) throws {
        #expect(tile.path == path)
        let parsed = try #require(Tile.parse(path: String(path.dropFirst(5))))
        #expect(parsed.level == tile.level && parsed.index == tile.index && parsed.width == tile.hashes)
        let entries = try #require(Tile.parse(path: String(tile.entriesPath.dropFirst(5))))
        #expect(entries.level == nil && entries.index == tile.index && entries.width == tile.hashes)
    }

    @Test(arguments: [
        "", "0", "0/", "/000", "00/000", "8/000", "-1/000", "+1/000", "a/000", "0/00", "0/0000", "0/0a0", "0/x000",
        "0/x000/000", "0/001/000",
        "0/000.p", "0/000.p/", "0/000.p/0", "0/000.p/256", "0/000.p/01", "0/000.p/+1", "0/000.p/-1", "0/000.p/1/1",
        "0/.p/1", "0/000/.p/1",
        "entries", "entries/0", "Entries/000", "0/../000", "0/x072/x057/x594/x037/x927/936",
        "0/x999/x999/x999/x999/x999/x999/999",
        "0/x001/x001/x001/x001/x001/x001/x001/x001/x001/x001/x001/001", "0/٠٠٠",
    ])
    func otherTextIsNoTile(path: String) {
        #expect(Tile.parse(path: path) == nil)
    }

    @Test func theLastTileThatCanBeIsOne() throws {
        let last = try #require(Tile.parse(path: "0/x072/x057/x594/x037/x927/935"))
        #expect(last.index == (1 << 56) - 1)
        #expect(Tile(level: 0, index: last.index, hashes: 256).coordinate(255).index == .max)
    }

    /// Hash i of tile n at level l is the root of leaves (n·256 + i)·256^l ….
    @Test func coordinates() {
        #expect(Tile(level: 0, index: 2, hashes: 256).coordinate(3) == SubtreeCoordinate(level: 0, index: 515))
        #expect(Tile(level: 1, index: 0, hashes: 2).coordinate(1) == SubtreeCoordinate(level: 8, index: 1))
        let tree = StoredTree(size: 600)
        let coordinate = Tile(level: 1, index: 0, hashes: 2).coordinate(1)
        #expect(tree.subtrees[coordinate] == NaiveTree.root(tree.entries[256..<512]))
    }
}

struct Base64Tests {
    /// RFC 4648 §10.
    @Test(arguments: [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ])
    func knownTexts(text: String, base64: String) {
        #expect(Array(text.utf8).base64 == base64)
        #expect([UInt8](base64: base64) == Array(text.utf8))
    }

    @Test(arguments: [
        "Z", "Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "Zm9v\n", " Zm9v", "Zm-v", "Zm_v", "=Zm8", "Zm=8", "====", "Zm9vé",
        "Zg==Zg==",
    ])
    func otherTextIsNone(base64: String) {
        #expect([UInt8](base64: base64) == nil)
    }

    @Test(arguments: [41] as [UInt64])
    func everythingComesBack(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        for count in 0..<300 {
            let bytes = generator.bytes(count)
            #expect([UInt8](base64: bytes.base64) == bytes, "seed \(seed)")
        }
    }
}
