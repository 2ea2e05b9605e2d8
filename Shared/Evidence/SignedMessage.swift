// The one envelope of everything signed: COSE_Sign1 (RFC 9052 §4.2), tagged, its unprotected header the empty map.
//
//   envelope  = 18([protected: bstr, {}, payload: bstr, signature: bstr .size 64])
//   protected = bstr .cbor { 1: alg (−7 ES256 / −8 EdDSA), 3: content type tstr, 4: kid bstr .size 8 }
//   identity  = SHA-256(Sig_structure), Sig_structure = ["Signature1", protected, h'', payload]
//
// Chain, receipts, log entries, duplicate and fork tests use the identity, never the envelope's bytes: an ES256
// signature can be altered and stay valid. Messages are verified and stored as received, never encoded again.

package import CBOR
package import Proofs

/// Signature algorithms by their COSE number (RFC 9053 §2). The raw value goes into the protected header.
package enum SignatureAlgorithm: Int64, Hashable, Sendable {
    /// ECDSA on P-256 with SHA-256; signature r ‖ s, 64 bytes. Works with every key store.
    case es256 = -7
    /// Ed25519; 64 bytes.
    case eddsa = -8
}

/// What kind of message an envelope carries. A receiver fixes the type it expects; it never follows the message's word.
package enum ContentType: String, Hashable, Sendable, CaseIterable {
    case record = "application/vnd.kilomint.record+cbor"
    case receipt = "application/vnd.kilomint.receipt+cbor"
    case keyList = "application/vnd.kilomint.key-list+cbor"
    case manifest = "application/vnd.kilomint.manifest+cbor"
    case registration = "application/vnd.kilomint.registration+cbor"
    case statement = "application/vnd.kilomint.statement+cbor"
    case review = "application/vnd.kilomint.review+cbor"
    case attestation = "application/vnd.kilomint.attestation+cbor"
    case seal = "application/vnd.kilomint.seal+cbor"
    case proof = "application/vnd.kilomint.proof+cbor"
    case decision = "application/vnd.kilomint.decision+cbor"
    case order = "application/vnd.kilomint.order+cbor"
    case ballot = "application/vnd.kilomint.ballot+cbor"
    case epoch = "application/vnd.kilomint.epoch+cbor"
    /// A gateway whose certificate has ended asks for another.
    case reenrol = "application/vnd.kilomint.reenrol+cbor"
    /// An operator tells a gateway something from afar.
    case command = "application/vnd.kilomint.command+cbor"
}

/// Why bytes are not an envelope of ours.
package enum EnvelopeError: Error, Hashable, Sendable {
    case tooLarge
    case notCBOR(CBORError)
    /// Not tag 18 with four elements of the right types, or a protected header with other keys than 1, 3, 4.
    case notCOSESign1
    /// Something stands in the unprotected header, which nobody signed.
    case unprotectedHeaderNotEmpty
    case unknownAlgorithm
    case otherContentType
}

/// A parsed envelope whose signature nobody has checked yet.
package struct SignedMessage: Hashable, Sendable {
    /// Envelopes we write are at most this long.
    package static let writtenBytesMax = 32_768
    /// Envelopes we accept are at most this long.
    package static let acceptedBytesMax = 131_072
    /// The two documents that carry others, and seals and order batches stay below it too.
    package static let documentBytesMax = 1_048_576

    package let algorithm: SignatureAlgorithm
    package let contentType: ContentType
    /// First 8 bytes of SHA-256 over the signing key's SubjectPublicKeyInfo.
    package let kid: [UInt8]
    package let payload: [UInt8]
    /// 64 bytes.
    package let signature: [UInt8]
    private let protected: [UInt8]

    /// Parses `bytes` and fixes the content type.
    package init(
        parsing bytes: [UInt8], as expected: ContentType, bytesMax: Int = acceptedBytesMax
    ) throws(EnvelopeError) {
        guard bytes.count <= bytesMax else { throw .tooLarge }
        let item: CBORValue
        do { item = try CBORValue(decoding: bytes) } catch { throw .notCBOR(error) }
        guard case .tagged(18, .array(let parts)) = item, parts.count == 4, case .bytes(let protected) = parts[0],
            case .map(let unprotected) = parts[1], case .bytes(let payload) = parts[2],
            case .bytes(let signature) = parts[3], signature.count == 64
        else { throw .notCOSESign1 }
        guard unprotected.isEmpty else { throw .unprotectedHeaderNotEmpty }
        let header: CBORValue
        do { header = try CBORValue(decoding: protected) } catch { throw .notCBOR(error) }
        guard case .map(let pairs) = header, pairs.count == 3, case .text(let type) = pairs[1].value,
            pairs.map(\.key) == [.unsigned(1), .unsigned(3), .unsigned(4)], case .bytes(let kid) = pairs[2].value,
            kid.count == 8
        else { throw .notCOSESign1 }
        guard case .negative(let number) = pairs[0].value, number < 64,
            let algorithm = SignatureAlgorithm(rawValue: ~Int64(number))
        else { throw .unknownAlgorithm }
        guard let contentType = ContentType(rawValue: type), contentType == expected else { throw .otherContentType }
        self.init(algorithm, contentType, kid, payload, signature, protected)
    }

    private init(
        _ algorithm: SignatureAlgorithm, _ contentType: ContentType, _ kid: [UInt8], _ payload: [UInt8],
        _ signature: [UInt8], _ protected: [UInt8]
    ) {
        self.algorithm = algorithm
        self.contentType = contentType
        self.kid = kid
        self.payload = payload
        self.signature = signature
        self.protected = protected
    }

    /// Signs `payload` (already deterministic CBOR) and returns the envelope. Signed once, stored, then sent.
    ///
    /// - Parameter sign: signs bytes with the key that `kid` names; 64 raw bytes.
    package static func signing(
        _ payload: [UInt8], as contentType: ContentType, algorithm: SignatureAlgorithm, kid: [UInt8],
        with sign: ([UInt8]) throws -> [UInt8]
    ) rethrows -> SignedMessage {
        let protected = CBORValue.fields([
            (1, .int(algorithm.rawValue)), (3, .text(contentType.rawValue)), (4, .bytes(kid)),
        ]).encoded()
        let signature = try sign(signatureInput(protected, payload))
        return SignedMessage(algorithm, contentType, kid, payload, signature, protected)
    }

    /// The envelope's bytes.
    package var encoded: [UInt8] {
        CBORValue.tagged(18, .array([.bytes(protected), .map([]), .bytes(payload), .bytes(signature)])).encoded()
    }

    /// Sig_structure (RFC 9052 §4.4): the bytes that are signed.
    package var signatureInput: [UInt8] { Self.signatureInput(protected, payload) }

    /// SHA-256 of the Sig_structure: what this message is, whatever its signature's bytes.
    package var identity: Digest { Digest(of: signatureInput) }

    private static func signatureInput(_ protected: [UInt8], _ payload: [UInt8]) -> [UInt8] {
        CBORValue.array([.text("Signature1"), .bytes(protected), .bytes([]), .bytes(payload)]).encoded()
    }
}
