// Checkpoints (C2SP tlog-checkpoint v1.0.0): origin, size, root. Extension lines are not written and not accepted.

/// The head of a log: what a signed note of it says.
package struct Checkpoint: Hashable, Sendable {
    /// Schema-less URL prefix that ends in the epoch: `kilomint.example/demo/evidence/1`.
    package let origin: String
    package let size: UInt64
    package let root: Digest

    package init(origin: String, size: UInt64, root: Digest) {
        self.origin = origin
        self.size = size
        self.root = root
    }

    /// The text that is signed: three lines.
    package var text: String { "\(origin)\n\(size)\n\(root.bytes.base64)\n" }

    /// Nil unless exactly our three lines in their one spelling.
    package init?(text: String) {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.count == 4, lines[3].isEmpty, !lines[0].isEmpty, let size = UInt64(lines[1]),
            let bytes = [UInt8](base64: String(lines[2])), let root = Digest(bytes)
        else { return nil }
        self.init(origin: String(lines[0]), size: size, root: root)
        guard self.text == text else { return nil }
    }
}

/// An offline proof that an entry is in a log (C2SP tlog-proof@v1).
package struct TlogProof: Hashable, Sendable {
    package let index: UInt64
    package let hashes: [Digest]
    /// The signed checkpoint, verbatim.
    package let checkpoint: SignedNote

    package init(index: UInt64, hashes: [Digest], checkpoint: SignedNote) {
        self.index = index
        self.hashes = hashes
        self.checkpoint = checkpoint
    }

    package var encoded: String {
        "c2sp.org/tlog-proof@v1\nindex \(index)\n" + hashes.map { $0.bytes.base64 + "\n" }.joined() + "\n"
            + checkpoint.encoded
    }

    /// Nil unless well formed. An `extra` line is accepted and ignored.
    package init?(parsing bytes: [UInt8]) {
        guard let text = String(validating: bytes, as: UTF8.self) else { return nil }
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.first == "c2sp.org/tlog-proof@v1" else { return nil }
        lines.removeFirst()
        if lines.first?.hasPrefix("extra ") == true { lines.removeFirst() }
        guard let indexLine = lines.first, indexLine.hasPrefix("index "), let index = UInt64(indexLine.dropFirst(6)),
            indexLine == "index \(index)",
            let blank = lines.firstIndex(of: ""), blank <= 64
        else { return nil }
        var hashes: [Digest] = []
        for line in lines[1..<blank] {
            guard let bytes = [UInt8](base64: String(line)), let hash = Digest(bytes) else { return nil }
            hashes.append(hash)
        }
        let note = lines[(blank + 1)...].joined(separator: "\n")
        guard let checkpoint = SignedNote(parsing: Array(note.utf8)) else { return nil }
        self.init(index: index, hashes: hashes, checkpoint: checkpoint)
    }
}
