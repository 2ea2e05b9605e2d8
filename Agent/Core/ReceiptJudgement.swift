// What a receipt means for this stream. Its signature was checked before; here it is weighed against our own records.

package import Evidence
package import Proofs
package import Quantities

/// What to do about a receipt.
package enum ReceiptVerdict: Hashable, Sendable {
    /// For another gateway or a stream that is not the one being sent; or it names a record whose identity we do not
    /// hold any more or hold otherwise. Nothing follows from it.
    case ignored(Reason)
    /// The collector holds everything through this number; at or above the one held.
    case holds(through: UInt64)
    /// It holds less than it did: a restored collector. Send again from there, and say so in a signed note. Where the records around
    /// that number are forgotten, from the beginning of what stands for them.
    case wentBack(through: UInt64, held: UInt64)
    /// The stream takes nothing more, or our own copy of it is behind what was receipted: open a new one.
    case newStream(lastKnown: UInt64, reason: String)

    package enum Reason: Hashable, Sendable {
        case otherGateway
        case otherStream
        /// Our record with this number has another identity.
        case otherIdentity
        /// Inside a range whose identities are gone; the skip that stands for it is yet to be sent, and will be receipted by its end.
        case insideForgotten
    }
}

/// Our own record, or forgotten range, that covers a number.
package struct OwnRecord: Hashable, Sendable {
    package let first: UInt64
    package let through: UInt64
    package let link: Digest

    package init(first: UInt64, through: UInt64, link: Digest) {
        self.first = first
        self.through = through
        self.link = link
    }
}

extension Receipt {
    /// - Parameters:
    ///   - chain: head of the stream being sent.
    ///   - held: number through which receipts were held before.
    ///   - own: what the spool has at ``durableThrough``; nil when it has nothing there.
    package func judged(chain: Chain, held: UInt64, own: OwnRecord?) -> ReceiptVerdict {
        guard gateway == chain.gateway else { return .ignored(.otherGateway) }
        guard stream == chain.stream else { return .ignored(.otherStream) }
        if let ended { return .newStream(lastKnown: max(chain.head, ended.lastSequence), reason: ended.reason) }
        if durableThrough > chain.head {
            return .newStream(lastKnown: durableThrough, reason: "the collector holds records this spool has not")
        }
        if durableThrough == 0 {
            guard identity == .zero else { return .ignored(.otherIdentity) }
        } else if let own {
            guard own.through == durableThrough else {
                // What was receipted to its end, and is gone from here: the skip that stands for all of it counts for the rest.
                return durableThrough < held
                    ? .wentBack(through: own.first - 1, held: held) : .ignored(.insideForgotten)
            }
            guard own.link == identity else { return .ignored(.otherIdentity) }
        }
        // Nothing of ours there: the beginning was lost with damaged pages. The signature vouches for it.
        return durableThrough < held
            ? .wentBack(through: durableThrough, held: held) : .holds(through: durableThrough)
    }
}

/// What to do about a refused record, once our own copy was looked at.
package enum RefusalAnswer: Hashable, Sendable {
    /// Send it again right away: it was damaged on its way.
    case resend
    /// Our copy is broken: put a skip at its number.
    case replace
    /// Send it again when the time for that comes: only a person, or the collector's own time, can help.
    case wait
}

extension Receipt.Refusal {
    /// Who signed it counts for nothing there.
    package var isOfKey: Bool {
        switch RefusalCode(rawValue: code) {
        case .unknownKey, .revokedKey, .supersededKey: true
        default: false
        }
    }

    /// What the collector has against the key, for whoever reads log, status and doctor.
    package static func words(ofKey code: UInt64) -> String {
        switch RefusalCode(rawValue: code) {
        case .revokedKey: "this gateway's key is revoked"
        case .supersededKey:
            "another key took this one's place: was this box put back from a copy, or is it a copy of another one?"
        default: "the collector does not know this gateway's key"
        }
    }

    /// - Parameter isSound: our copy still is what was signed.
    package func answered(isSound: Bool) -> RefusalAnswer {
        guard isSound else { return .replace }
        switch RefusalCode(rawValue: code) {
        case .oversized, .malformed, .unprotectedHeader, .wrongContentType, .wrongTopic, .badSignature, .notNext,
            .notBorn:
            return .resend
        case .unknownGateway, .unknownKey, .revokedKey, .forked, .streamEnded, .supersededKey, nil:
            return .wait
        }
    }
}

extension KeyList {
    /// Keys that may sign receipts at `now`.
    package func receiptKeys(at now: UTCInstant) -> [[UInt8]] {
        entries.filter { $0.role == .receipt && $0.validFrom <= now && now < $0.validTo }.map(\.spki)
    }
}
