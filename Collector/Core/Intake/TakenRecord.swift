// A record as intake sees it: where it stands and what it says, from the envelope alone. No decision here.

internal import CBOR
package import Evidence
package import Proofs
package import Quantities

/// A record whose place could be read. Made the same way from a message that just came and from one read back from the
/// Evidence log, so that recovery runs the normal path.
package struct TakenRecord: Sendable {
    package let message: SignedMessage
    /// The message's identity.
    package let identity: Digest
    package let place: RecordPlace
    /// Nil unless a skip: the last number it stands for, and that record's identity.
    package let skip: (to: UInt64, identity: Digest)?
    /// What it says, or why it is not understood.
    package let content: Result<Record, RecordError>
    /// By the collector's clock, in the house's time.
    package let receivedAt: UTCInstant

    /// The last number it stands for: its own, or a skip's `to`.
    package var through: UInt64 { skip?.to ?? place.sequence }
    /// What the next record's `previous` must be.
    package var throughIdentity: Digest { skip?.identity ?? identity }

    /// Nil when the place cannot be read in any spelling: such a payload is nowhere next.
    package init?(_ message: SignedMessage, receivedAt: UTCInstant) {
        self.message = message
        identity = message.identity
        self.receivedAt = receivedAt
        do throws(RecordError) {
            let record = try Record(decoding: message.payload)
            (place, content) = (record.place, .success(record))
            // A skip that ends before it begins stands for itself only.
            if case .skip(let body) = record.body, body.to >= place.sequence, body.to < UInt64(Int64.max) {
                skip = (body.to, body.identity)
            } else {
                skip = nil
            }
        } catch {
            guard let lenient = RecordPlace.lenient(message.payload) else { return nil }
            (place, content) = (lenient.place, .failure(error))
            let identity = Self.skipIdentity(message.payload)
            skip =
                lenient.through > lenient.place.sequence && lenient.through < UInt64(Int64.max)
                ? identity.map { (lenient.through, $0) } : nil
        }
    }

    /// Field 2 of a skip's body in any spelling. Without it nobody could tell what follows: the record then stands for
    /// its own number only.
    private static func skipIdentity(_ payload: [UInt8]) -> Digest? {
        do throws(CBORError) {
            guard case .map(let record) = try CBORValue(lenientlyDecoding: payload),
                case .map(let body) = record.first(where: { $0.key == .unsigned(9) })?.value,
                case .bytes(let bytes) = body.first(where: { $0.key == .unsigned(2) })?.value
            else { return nil }
            return Digest(bytes)
        } catch { return nil }  // Not readable in any spelling either: no skip.
    }
}
