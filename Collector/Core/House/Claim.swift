// Enrolment in the registry's words: a claim lets a gateway bind a key once; a revocation ends all it has. Who may sign either
// is the registry's business; certificates are not known here.

internal import CBOR
internal import Evidence
package import Proofs
package import Quantities

/// The permission to bind one key to a gateway with a secret, until it expires. A later claim replaces an earlier one.
package struct Claim: Hashable, Sendable {
    package let gateway: Identifier
    /// Of the key that will be bound.
    package let organisation: Identifier
    /// SHA-256 of the secret's 20 characters (``ClaimCode/secretDigest``).
    package let secret: Digest
    /// Exclusive.
    package let expires: UTCInstant

    package init(gateway: Identifier, organisation: Identifier, secret: Digest, expires: UTCInstant) {
        self.gateway = gateway
        self.organisation = organisation
        self.secret = secret
        self.expires = expires
    }

    var cbor: CBORValue { .numbered([.id(gateway), .id(organisation), .digest(secret), .ms(expires)]) }

    init(_ value: CBORValue) throws(ShapeError) {
        let fields = try value.fields(1...4, "claim")
        self.init(
            gateway: try fields.identifier(1), organisation: try fields.identifier(2), secret: try fields.digest(3),
            expires: try fields.instant(4))
    }
}

/// Ends every key and claim that a gateway has at that time. One person may: what it takes away, two give back.
package struct Revocation: Hashable, Sendable {
    package let gateway: Identifier
    package let reason: String

    package init(gateway: Identifier, reason: String) {
        self.gateway = gateway
        self.reason = reason
    }

    var cbor: CBORValue { .numbered([.id(gateway), .text(reason)]) }

    init(_ value: CBORValue) throws(ShapeError) {
        let fields = try value.fields(1...2, "revocation")
        self.init(gateway: try fields.identifier(1), reason: try fields.shortText(2))
    }
}

/// Why a key is not bound. In the order the checks run: who does not know the secret learns nothing else. Never renumber.
package enum BindingRefusal: UInt64, Error, Hashable, Sendable, CaseIterable {
    case unknownGateway = 1
    case noClaim = 2
    case secretWrong = 3
    case claimExpired = 4
    case claimUsed = 5
    case requestNotUnderstood = 6
    case requestOfOtherGateway = 7
    case requestSignatureWrong = 8
    case keyTaken = 9
    case keyRevoked = 10
    /// The event names another key, or another cause, than its request and claim give: made by nobody's enrolment.
    case eventWrong = 11
}

extension BindingRefusal: CustomStringConvertible {
    /// What to do next.
    package var description: String {
        switch self {
        case .unknownGateway: "this gateway is not registered: register it first"
        case .noClaim: "this gateway has no claim: make one on the collector's page /devices"
        case .secretWrong: "the secret is not that of the gateway's claim: type the claim code again"
        case .claimExpired: "the claim has expired: make a new one on the collector's page /devices"
        case .claimUsed: "the claim was used with another key: make a new one on the collector's page /devices"
        case .requestNotUnderstood:
            "the request is no PKCS #10 in DER of at most \(CertificateRequest.bytesMax) bytes, signed with ES256 or Ed25519"
        case .requestOfOtherGateway: "the request's common name is not the gateway's id: make it for this gateway"
        case .requestSignatureWrong: "the request is not signed by its own P-256 or Ed25519 key: make it again"
        case .keyTaken: "this key belongs to somebody else: make a new key"
        case .keyRevoked:
            "this key is revoked for ever: name another `key` in the gateway's configuration, then kilomint-agent init and enroll with this code"
        case .eventWrong: "it does not follow from its claim and request"
        }
    }
}
