// A document: one payload under one or more signatures. Whose signatures it needs is the registry's business.

package import CBOR
package import Evidence
package import Proofs

/// Why bytes are not a document, in the order the checks run.
package enum DocumentError: Error, Hashable, Sendable {
    /// Neither an envelope nor an array of 1 … ``HouseBounds/envelopesMax`` byte strings.
    case notDocument(ShapeError)
    case envelope(EnvelopeError)
    /// Envelopes over different payloads, unsorted by kid, or two of one kid.
    case envelopesDisagree
}

/// Envelopes over the same payload, sorted by kid, none twice. Nobody has checked the signatures yet.
package struct Document: Hashable, Sendable {
    /// At least one.
    package let envelopes: [SignedMessage]
    /// SHA-256 of the payload: the same document signed by more people keeps its id.
    package let id: Digest

    package var payload: [UInt8] { envelopes[0].payload }
    package var contentType: ContentType { envelopes[0].contentType }

    /// Sorts by kid. Two signatures of one key or different payloads are refused.
    package init(_ envelopes: [SignedMessage]) throws(DocumentError) {
        guard let first = envelopes.first, envelopes.count <= HouseBounds.envelopesMax else {
            throw .notDocument(ShapeError("document", expected: "1 … \(HouseBounds.envelopesMax) envelopes"))
        }
        let sorted = envelopes.sorted { $0.kid.lexicographicallyPrecedes($1.kid) }
        let areTogether = envelopes.allSatisfy { $0.payload == first.payload && $0.contentType == first.contentType }
        guard areTogether, zip(sorted, sorted.dropFirst()).allSatisfy({ $0.kid != $1.kid }) else {
            throw .envelopesDisagree
        }
        self.envelopes = sorted
        id = Digest(of: first.payload)
    }

    /// An array of envelopes in its one order.
    package init(_ value: CBORValue, as type: ContentType) throws(DocumentError) {
        let items: [[UInt8]]
        do throws(ShapeError) {
            items = try value.list("document", min: 1, max: HouseBounds.envelopesMax) {
                (value, path) throws(ShapeError) in
                try value.bytes(path)
            }
        } catch { throw .notDocument(error) }
        var envelopes: [SignedMessage] = []
        for bytes in items {
            do throws(EnvelopeError) { envelopes.append(try SignedMessage(parsing: bytes, as: type)) } catch {
                throw .envelope(error)
            }
        }
        try self.init(envelopes)
        guard self.envelopes == envelopes else { throw .envelopesDisagree }
    }

    /// The array's bytes, or one envelope by itself: a document of one.
    package init(decoding bytes: [UInt8], as type: ContentType) throws(DocumentError) {
        // 0xD2 is tag 18, the first byte of every envelope; an array never begins with it.
        if bytes.first == 0xD2 {
            let envelope: SignedMessage
            do throws(EnvelopeError) { envelope = try SignedMessage(parsing: bytes, as: type) } catch {
                throw .envelope(error)
            }
            try self.init([envelope])
            return
        }
        let item: CBORValue
        do throws(ShapeError) { item = try CBORValue.item(bytes, "document") } catch { throw .notDocument(error) }
        try self.init(item, as: type)
    }

    package var cbor: CBORValue { .array(envelopes.map { .bytes($0.encoded) }) }
    package var encoded: [UInt8] { cbor.encoded() }
}
