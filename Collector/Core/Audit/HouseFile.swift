// The file `house`: how many epochs there are, under which keys. A list of contents; everything in it is checked elsewhere.

package import CBOR
package import Proofs

/// `{1: journal epochs, 2: evidence epochs, 3: [* vkey]}`.
package struct HouseContents: Hashable, Sendable {
    /// Epochs of a log; each takes a person to open.
    static let epochsMax: Int64 = 100_000

    package let journalEpochs: UInt64
    package let evidenceEpochs: UInt64
    package let keys: [NoteVerifierKey]

    package init(journalEpochs: UInt64, evidenceEpochs: UInt64, keys: [NoteVerifierKey]) {
        self.journalEpochs = journalEpochs
        self.evidenceEpochs = evidenceEpochs
        self.keys = keys
    }

    package var encoded: [UInt8] {
        CBORValue.numbered([
            .unsigned(journalEpochs), .unsigned(evidenceEpochs), .array(keys.map { .text($0.description) }),
        ]).encoded()
    }

    package init(decoding bytes: [UInt8]) throws(ShapeError) {
        let fields = try CBORValue.item(bytes, "house").fields(1...3, "house")
        journalEpochs = UInt64(try fields.number(1...Self.epochsMax, 1))
        evidenceEpochs = UInt64(try fields.number(1...Self.epochsMax, 2))
        keys = try fields.value(3).list("house.3") { (value, path) throws(ShapeError) in
            guard let key = NoteVerifierKey(parsing: try value.text(path)) else {
                throw ShapeError(path, expected: "a verifier key of a signed note")
            }
            return key
        }
    }
}
