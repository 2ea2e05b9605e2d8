// OpenSSL's parsed form of one public key, made once and used for every signature: parsing costs as much as verifying.

internal import COpenSSL
internal import Evidence

/// A parsed EVP_PKEY and the operation prepared for it.
///
// @unchecked Sendable, proven: both pointers are set in init and freed in deinit, no field ever changes, and every
// `verify` works on its own duplicate of the prepared context. Duplicating only reads the original; the reference
// counts it raises are atomic (openssl-threads(7)).
final class VerifyingKey: @unchecked Sendable {
    private enum Prepared {
        /// EVP_PKEY_CTX after EVP_PKEY_verify_init: takes the SHA-256 digest and a DER signature.
        case ecdsa(OpaquePointer)
        /// EVP_MD_CTX after EVP_DigestVerifyInit: takes message and raw signature in one call (RFC 8032 hashes twice).
        case ed25519(OpaquePointer)
    }

    private let key: OpaquePointer
    private let prepared: Prepared

    /// - Parameter spki: already checked to be one of our two forms.
    init(spki: [UInt8], algorithm: SignatureAlgorithm) throws(KeyError) {
        let parsed = spki.withUnsafeBufferPointer { buffer -> OpaquePointer? in
            var cursor = buffer.baseAddress
            return d2i_PUBKEY(nil, &cursor, buffer.count)
        }
        // d2i_PUBKEY refuses a P-256 point that is not on the curve.
        guard let parsed else {
            ERR_clear_error()
            throw .invalidPoint
        }
        let prepared: Prepared?
        switch algorithm {
        case .es256: prepared = Self.prepareECDSA(parsed)
        case .eddsa: prepared = Self.prepareEd25519(parsed)
        }
        guard let prepared else {
            EVP_PKEY_free(parsed)
            ERR_clear_error()
            throw .library(call: "EVP_PKEY_verify_init")
        }
        key = parsed
        self.prepared = prepared
    }

    deinit {
        switch prepared {
        case .ecdsa(let context): EVP_PKEY_CTX_free(context)
        case .ed25519(let context): EVP_MD_CTX_free(context)
        }
        EVP_PKEY_free(key)
    }

    private static func prepareECDSA(_ key: OpaquePointer) -> Prepared? {
        guard let context = EVP_PKEY_CTX_new(key, nil) else { return nil }
        guard EVP_PKEY_verify_init(context) == 1, EVP_PKEY_CTX_set_signature_md(context, EVP_sha256()) == 1 else {
            EVP_PKEY_CTX_free(context)
            return nil
        }
        return .ecdsa(context)
    }

    private static func prepareEd25519(_ key: OpaquePointer) -> Prepared? {
        guard let context = EVP_MD_CTX_new() else { return nil }
        guard EVP_DigestVerifyInit(context, nil, nil, nil, key) == 1 else {
            EVP_MD_CTX_free(context)
            return nil
        }
        return .ed25519(context)
    }

    /// Whether `signature` (64 raw bytes) was made over `bytes` by this key's owner. False for anything else.
    func verify(_ signature: [UInt8], over bytes: [UInt8]) -> Bool {
        guard signature.count == rawSignatureBytes else { return false }
        let valid =
            switch prepared {
            case .ecdsa(let context): Self.verifyECDSA(context, signature, bytes)
            case .ed25519(let context): Self.verifyEd25519(context, signature, bytes)
            }
        // Refused signatures leave entries in this thread's error queue.
        if !valid { ERR_clear_error() }
        return valid
    }

    private static func verifyECDSA(_ prepared: OpaquePointer, _ signature: [UInt8], _ bytes: [UInt8]) -> Bool {
        guard let context = EVP_PKEY_CTX_dup(prepared) else { return false }
        defer { EVP_PKEY_CTX_free(context) }
        let encoded = derSignature(raw: signature)
        let digest = sha256(bytes)
        return EVP_PKEY_verify(context, encoded, encoded.count, digest, digest.count) == 1
    }

    private static func verifyEd25519(_ prepared: OpaquePointer, _ signature: [UInt8], _ bytes: [UInt8]) -> Bool {
        guard let context = EVP_MD_CTX_new() else { return false }
        defer { EVP_MD_CTX_free(context) }
        guard EVP_MD_CTX_copy_ex(context, prepared) == 1 else { return false }
        // OpenSSL 3.0 refuses a null message even when its length is 0.
        return bytes.isEmpty
            ? EVP_DigestVerify(context, signature, signature.count, [0], 0) == 1
            : EVP_DigestVerify(context, signature, signature.count, bytes, bytes.count) == 1
    }
}
