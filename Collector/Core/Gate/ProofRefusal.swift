// Why a proof is not taken. The order of the cases is the order of the checks; the first that applies is reported.

/// Raw values travel to clients: never renumber, never reuse.
package enum ProofRefusal: UInt64, Error, Hashable, Sendable, CaseIterable {
    /// Not an envelope with a proof.
    case malformed = 1
    /// No key in force of a verifier has this kid.
    case unknownVerifier = 2
    case badSignature = 3
    /// The proof names another verifier than the key's.
    case otherVerifier = 4
    /// A finance verifier signs ACK and SPV, a compliance verifier CT.
    case otherRole = 5
    /// Nothing is allocated for this window yet.
    case windowUnknown = 6
    /// Not the digest the window has now.
    case otherDigest = 7
    /// It says VALID, but the verifier's own replay gave another digest.
    case replayDiffers = 8
    case principalUnknown = 9
    case issuedInFuture = 10
    case expired = 11
    /// Nobody signs two kinds for a window.
    case otherKindSigned = 12
    /// Nobody signs for a principal he is affiliated with.
    case affiliated = 13

    /// Whether the very same proof can be accepted later. No `default`: a new case must decide.
    package var mayRetry: Bool {
        switch self {
        case .windowUnknown, .issuedInFuture: true
        case .malformed, .unknownVerifier, .badSignature, .otherVerifier, .otherRole, .otherDigest, .replayDiffers,
            .principalUnknown, .expired, .otherKindSigned, .affiliated:
            false
        }
    }

    /// What to do next.
    package var advice: String {
        switch self {
        case .malformed: "send one COSE_Sign1 envelope of content type application/vnd.kilomint.proof+cbor"
        case .unknownVerifier:
            "register the verifier's key (a root key and two persons sign), or sign with the one in force"
        case .badSignature: "sign again: the signature does not stand over the proof"
        case .otherVerifier: "name the verifier the key is registered for"
        case .otherRole: "a finance verifier signs ACK and SPV, a compliance verifier CT"
        case .windowUnknown: "wait until the window is sealed, then send the same proof again"
        case .otherDigest: "fetch the window's transcript again, replay it and sign its digest"
        case .replayDiffers: "sign INVALID, and tell the operator where the replays part"
        case .principalUnknown: "name a principal of the window, or none for all"
        case .issuedInFuture: "set the clock, or send the same proof again when its time has come"
        case .expired: "sign a fresh proof"
        case .otherKindSigned: "another verifier must sign this kind"
        case .affiliated: "another verifier must sign for this principal"
        }
    }
}
