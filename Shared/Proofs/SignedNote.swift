// Signed notes (C2SP signed-note v1.0.0): text, a blank line, signature lines. Only the Ed25519 type (0x01) is verified
// here; other types are carried along, because a checkpoint may bear several kinds of signature.

/// A note as it is published: `text` ends in a newline; signatures follow after a blank line.
package struct SignedNote: Hashable, Sendable {
    /// One signature line: `— <name> <base64(keyID[4] ‖ signature)>`.
    package struct Signature: Hashable, Sendable {
        package let name: String
        /// Four bytes.
        package let keyID: [UInt8]
        package let signature: [UInt8]

        package init(name: String, keyID: [UInt8], signature: [UInt8]) {
            self.name = name
            self.keyID = keyID
            self.signature = signature
        }
    }

    package static let signaturesMax = 100
    package static let bytesMax = 65_536

    package let text: String
    package let signatures: [Signature]

    package init(text: String, signatures: [Signature]) {
        self.text = text
        self.signatures = signatures
    }

    package var encoded: String {
        text + "\n" + signatures.map { "— \($0.name) \(($0.keyID + $0.signature).base64)\n" }.joined()
    }

    /// Nil for anything that is not a well-formed note: control characters, no final newline, a bad signature line.
    package init?(parsing bytes: [UInt8]) {
        guard bytes.count <= Self.bytesMax, let all = String(validating: bytes, as: UTF8.self),
            bytes.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 0x0A }), bytes.last == 0x0A
        else { return nil }
        // The last blank line separates; signature lines never contain one.
        let lines = all.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
        guard let blank = lines.lastIndex(of: ""), blank > 0 else { return nil }
        let signatureLines = lines[(blank + 1)...]
        guard (1...Self.signaturesMax).contains(signatureLines.count) else { return nil }
        var signatures: [Signature] = []
        for line in signatureLines {
            guard let signature = Self.signature(parsing: line) else { return nil }
            signatures.append(signature)
        }
        self.init(text: lines[..<blank].map { $0 + "\n" }.joined(), signatures: signatures)
    }

    private static func signature(parsing line: Substring) -> Signature? {
        let parts = line.split(separator: " ", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == "—", !parts[1].isEmpty, !parts[1].contains("+"),
            let bytes = [UInt8](base64: String(parts[2])), bytes.count > 4
        else { return nil }
        return Signature(name: String(parts[1]), keyID: Array(bytes[..<4]), signature: Array(bytes[4...]))
    }
}

/// A verifier key of a signed note: `name+hex(keyID)+base64(0x01 ‖ 32-byte Ed25519 key)`.
package struct NoteVerifierKey: Hashable, Sendable, CustomStringConvertible {
    package let name: String
    /// The raw 32-byte Ed25519 public key.
    package let ed25519: [UInt8]

    /// Nil for an empty name, a name with a space or `+`, or a key that is not 32 bytes.
    package init?(name: String, ed25519: [UInt8]) {
        guard !name.isEmpty, !name.contains("+"), !name.utf8.contains(where: { $0 <= 0x20 || $0 == 0x7F }),
            ed25519.count == 32
        else { return nil }
        self.name = name
        self.ed25519 = ed25519
    }

    /// SHA-256(name ‖ 0x0A ‖ 0x01 ‖ key), first four bytes.
    package var keyID: [UInt8] { Array(Digest(of: Array(name.utf8), [0x0A, 0x01], ed25519).bytes[..<4]) }

    package var description: String {
        "\(name)+\(keyID.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined())+\(([0x01] + ed25519).base64)"
    }

    /// Nil unless well formed and the key id matches.
    package init?(parsing text: String) {
        let parts = text.split(separator: "+", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, let bytes = [UInt8](base64: String(parts[2])), bytes.count == 33, bytes[0] == 0x01,
            let key = NoteVerifierKey(name: String(parts[0]), ed25519: Array(bytes[1...])), key.description == text
        else { return nil }
        self = key
    }

    /// The signature line of this key on `note` if its signature holds; nil if there is none or it fails. `verify`
    /// checks an Ed25519 signature with this key.
    package func verifies(_ note: SignedNote, verify: (_ signature: [UInt8], _ message: [UInt8]) -> Bool) -> Bool {
        let mine = note.signatures.filter { $0.name == name && $0.keyID == keyID }
        return !mine.isEmpty && mine.allSatisfy { verify($0.signature, Array(note.text.utf8)) }
    }
}
