// Registrations that wait for signatures: made in one place, signed by persons in others, handed in by whoever has them all.
// Holds no private key and no secret. Files and signing are the shell's.

package import CBOR
package import Evidence

/// `{1: 2, 2: [+ [payload bstr, [* envelope bstr]]]}`, in the order in which they are to be taken.
package struct RegistrationDraft: Sendable {
    /// Bytes of a draft that are read.
    package static let bytesMax = 1 << 20
    /// A site with its devices, and each gateway's claim.
    package static let registrationsMax = 256

    package struct Item: Sendable {
        /// Decodes to `registration`, exactly.
        package let payload: [UInt8]
        package let registration: Registration
        package var envelopes: [SignedMessage]
    }

    package var items: [Item]

    /// - Parameter registrations: 1 … ``registrationsMax``.
    package init(_ registrations: [Registration]) {
        precondition((1...Self.registrationsMax).contains(registrations.count), "the caller bounds what it drafts")
        items = registrations.map { Item(payload: $0.encoded, registration: $0, envelopes: []) }
    }

    /// - Throws: where the bytes are no draft. Whose the signatures are is not looked at.
    package init(decoding bytes: [UInt8]) throws(ShapeError) {
        guard bytes.count <= Self.bytesMax else {
            throw ShapeError("draft", expected: "at most \(Self.bytesMax) bytes")
        }
        let fields = try CBORValue.item(bytes, "draft").fields(1...2, "draft")
        guard try fields.uint(1) == 2 else { throw ShapeError("draft.1", expected: "version 2") }
        items = try fields.value(2).list("draft.2", min: 1, max: Self.registrationsMax) {
            (value, path) throws(ShapeError) in
            let parts = try value.array(count: 2, path)
            let payload = try parts[0].bytes(path + "[0]")
            let envelopes = try parts[1].list(path + "[1]", max: HouseBounds.envelopesMax) {
                (value, path) throws(ShapeError) in
                let message: SignedMessage
                let bytes = try value.bytes(path)
                do throws(EnvelopeError) { message = try SignedMessage(parsing: bytes, as: .registration) } catch {
                    throw ShapeError(path, expected: "a registration's envelope (\(error))")
                }
                guard message.payload == payload else {
                    throw ShapeError(path, expected: "an envelope of this payload")
                }
                return message
            }
            return Item(payload: payload, registration: try Registration(decoding: payload), envelopes: envelopes)
        }
    }

    package var encoded: [UInt8] {
        CBORValue.fields([
            (1, .int(2)),
            (2, .array(items.map { .array([.bytes($0.payload), .array($0.envelopes.map { .bytes($0.encoded) })]) })),
        ]).encoded()
    }

    package var registrations: [Registration] { items.map(\.registration) }

    /// Takes over the signatures of a copy that somebody else has signed.
    ///
    /// - Returns: false when it is a copy of another draft.
    package mutating func join(_ copy: RegistrationDraft) -> Bool {
        guard copy.items.map(\.payload) == items.map(\.payload) else { return false }
        for (index, item) in copy.items.enumerated() {
            for envelope in item.envelopes where !items[index].envelopes.contains(where: { $0.kid == envelope.kid }) {
                items[index].envelopes.append(envelope)
            }
        }
        return true
    }

    /// In place of what this key has signed before.
    package mutating func put(_ envelope: SignedMessage, at index: Int) {
        items[index].envelopes.removeAll { $0.kid == envelope.kid }
        items[index].envelopes.append(envelope)
    }
}
