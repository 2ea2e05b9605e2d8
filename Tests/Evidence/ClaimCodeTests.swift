// Claim codes: tolerant reading, exact bounds, one meaning a text. Claims themselves are tested with the registry.

import Evidence
import Kit
import Proofs
import Testing

/// What the installer types and the collector prints are one thing. The vectors were computed with Python
/// (`base32` with Crockford's alphabet), not with the code they test.
struct ClaimCodeTests {
    /// Random bytes 0, 1, 2 … 12 and the "certificate" `ca`.
    static let text = "KM1-000G40R40M30E209185G-D5CGJW01T42G3B3XAK0BVE6VC4"
    static let code = ClaimCode(random: Array(0...12), certificate: Array("ca".utf8))

    @Test func hasTheVectorsText() throws {
        #expect(Self.code.text == Self.text)
        #expect(Self.code.secret == "000G40R40M30E209185G")
        #expect(Self.code.fingerprint == Array(Digest(of: Array("ca".utf8)).bytes.prefix(16)))
        #expect(Self.code.secretDigest == Digest(of: Array("000G40R40M30E209185G".utf8)))
    }

    @Test(
        "one code, however it is typed",
        arguments: [
            text, text.lowercased(), "  " + text + "\n",
            "km1 000g4 0r40m 30e20 9185g d5cgj w01t4 2g3b3 xak0b ve6vc 4",
            "KMI-OOOG4OR4OM3OE2O9I85G-D5CGJWOLT42G3B3XAKOBVE6VC4", "KM1000G40R40M30E209185GD5CGJW01T42G3B3XAK0BVE6VC4",
            "K-M-1-000G40R40M30E209185G-D5CGJW01T42G3B3XAK0BVE6VC4-",
        ])
    func readsTolerantly(typed: String) throws {
        let read = try ClaimCode(reading: typed)
        #expect(read == Self.code)
        #expect(read.text == Self.text)
    }

    static let wrong: [(String, ClaimCodeError)] = [
        ("", .otherKind), ("KM", .otherKind), ("KM2-000G", .otherKind), ("ＫM1-000G", .otherKind),
        ("KM1", .length(0)), (String(text.dropLast()), .length(45)), (text + "0", .length(47)),
        ("KM1-000G40R40M30E209185U-D5CGJW01T42G3B3XAK0BVE6VC4", .character("U", place: 23)),
        ("KM1-00é", .character("é", place: 6)), ("KM1_000", .character("_", place: 4)),
        (String(text.dropLast()) + "5", .lastCharacter), (String(text.dropLast()) + "6", .lastCharacter),
        (text + String(repeating: " ", count: 256), .tooLong),
    ]

    @Test(arguments: wrong)
    func refuses(typed: String, error: ClaimCodeError) {
        #expect(throws: error) { try ClaimCode(reading: typed) }
        #expect(!error.description.isEmpty)
    }

    @Test func namesOneCertificate() {
        #expect(Self.code.names(certificate: Array("ca".utf8)))
        #expect(!Self.code.names(certificate: Array("cb".utf8)))
    }

    /// Any other character at any place is another code or none: nothing is read as something else.
    @Test func everyCharacterCounts() {
        let characters = Array(Self.text)
        for place in characters.indices.dropFirst(4) where characters[place] != "-" {
            for other in "0123456789ABCDEFGHJKMNPQRSTVWXYZ" where other != characters[place] {
                var changed = characters
                changed[place] = other
                let read = try? ClaimCode(reading: String(changed))
                #expect(read == nil || (read != Self.code && read?.text == String(changed)))
            }
        }
    }

    @Test func whatIsPrintedIsReadAgain() throws {
        var random = SeededGenerator(seed: 46)
        for _ in 0..<200 {
            let code = ClaimCode(random: random.bytes(ClaimCode.randomBytes), certificate: random.bytes(40))
            #expect(try ClaimCode(reading: code.text) == code)
            #expect(code.text.count == 51)
        }
    }

    @Test func thePasswordIsReadAsTolerantly() {
        #expect(ClaimCode.secret(reading: "oooG4 0r40m-30e20 9l85g") == Self.code.secret)
        #expect(ClaimCode.secret(reading: "000G40R40M30E209185") == nil)
        #expect(ClaimCode.secret(reading: "000G40R40M30E209185G0") == nil)
        #expect(ClaimCode.secret(reading: "000G40R40M30E209185U") == nil)
        #expect(ClaimCode.secret(reading: String(repeating: "0", count: 300)) == nil)
    }
}
