// A certificate that was issued to us: for which key and name, whether it leads to our CA, and how it comes and is kept:
// certs-only PKCS#7 (RFC 7030 §4.2.3) and PEM.

internal import COpenSSL
internal import Proofs
internal import Quantities

/// Why a certificate is not taken.
package struct CertificateRefusal: Error, Hashable, Sendable, CustomStringConvertible {
    package let description: String

    package init(description: String) { self.description = description }
}

extension Certificate {
    /// Its SubjectPublicKeyInfo, DER; empty when OpenSSL cannot encode it.
    package var spki: [UInt8] {
        guard let parsed = parsed() else { return [] }
        defer { X509_free(parsed) }
        return encodedDER { i2d_X509_PUBKEY(X509_get_X509_PUBKEY(parsed), $0) } ?? []
    }

    /// The subject's common name, if it has exactly one.
    package var commonName: String? {
        guard let parsed = parsed() else { return nil }
        defer { X509_free(parsed) }
        let name = X509_get_subject_name(parsed)
        let position = X509_NAME_get_index_by_NID(name, NID_commonName, -1)
        guard position >= 0, X509_NAME_get_index_by_NID(name, NID_commonName, position) == -1 else { return nil }
        var text: UnsafeMutablePointer<UInt8>?
        let count = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, position)))
        guard count >= 0, let text else { return nil }
        defer { CRYPTO_free(text, #file, #line) }
        return String(decoding: UnsafeBufferPointer(start: text, count: Int(count)), as: UTF8.self)
    }

    /// In lines of 64 characters (RFC 7468 §5).
    package var pem: String {
        let text = Array(der.base64.utf8)
        let lines = stride(from: 0, to: text.count, by: 64).map { start in
            String(decoding: text[start..<min(start + 64, text.count)], as: UTF8.self)
        }
        return (["-----BEGIN CERTIFICATE-----"] + lines + ["-----END CERTIFICATE-----"]).joined(separator: "\n") + "\n"
    }

    /// The certificates of a PKCS#7, DER; none of it is believed.
    package static func all(pkcs7 der: [UInt8]) throws(CertificateRefusal) -> [Certificate] {
        let refusal = CertificateRefusal(description: "not a PKCS#7 with certificates")
        defer { ERR_clear_error() }
        let message = der.withUnsafeBufferPointer { bytes in
            var cursor = bytes.baseAddress
            return d2i_PKCS7(nil, &cursor, bytes.count)
        }
        guard let message else { throw refusal }
        defer { PKCS7_free(message) }
        let stack = kilomint_pkcs7_certificates(message)
        let count = kilomint_certificate_count(stack)
        guard (1...Int32(countMax)).contains(count) else { throw refusal }
        var certificates: [Certificate] = []
        for index in 0..<count {
            guard let parsed = kilomint_certificate_at(stack, index), let certificate = Certificate(parsed) else {
                throw refusal
            }
            certificates.append(certificate)
        }
        return certificates
    }

    /// Throws unless this is a client's certificate that leads to one of `cas`, directly or through `between`.
    package func check(
        leadsTo cas: [Certificate], through between: [Certificate] = [], at time: TLSClient.Time
    ) throws(CertificateRefusal) {
        defer { ERR_clear_error() }
        let library = CertificateRefusal(description: "OpenSSL could not check it: is there memory?")
        guard let own = parsed() else { throw library }
        defer { X509_free(own) }
        guard let context = X509_STORE_CTX_new() else { throw library }
        defer { X509_STORE_CTX_free(context) }
        guard let trusted = CertificateStack(cas), let others = CertificateStack(between),
            X509_STORE_CTX_init(context, nil, own, others.handle) == 1
        else { throw library }
        X509_STORE_CTX_set0_trusted_stack(context, trusted.handle)
        guard X509_STORE_CTX_set_purpose(context, X509_PURPOSE_SSL_CLIENT) == 1 else { throw library }
        X509_VERIFY_PARAM_set_time(
            X509_STORE_CTX_get0_param(context), time_t(time.instant.milliseconds / 1000))
        if case .atLeast = time {
            // As in a handshake: a beginning after the floor may have passed long ago.
            X509_STORE_CTX_set_verify_cb(context) { holds, context in
                X509_STORE_CTX_get_error(context) == X509_V_ERR_CERT_NOT_YET_VALID ? 1 : holds
            }
        }
        guard X509_verify_cert(context) == 1 else {
            let reason = String(cString: X509_verify_cert_error_string(Int(X509_STORE_CTX_get_error(context))))
            throw CertificateRefusal(description: "the certificate does not lead to the CA: \(reason)")
        }
    }
}

/// What an i2d function writes; nil when it fails.
func encodedDER(_ encode: (UnsafeMutablePointer<UnsafeMutablePointer<UInt8>?>) -> Int32) -> [UInt8]? {
    var bytes: UnsafeMutablePointer<UInt8>?
    let count = encode(&bytes)
    guard count > 0, let bytes else { return nil }
    defer { CRYPTO_free(bytes, #file, #line) }
    return Array(UnsafeBufferPointer(start: bytes, count: Int(count)))
}

/// A stack of OpenSSL's, with references of its own. Must outlive what uses it.
private final class CertificateStack {
    let handle: OpaquePointer

    init?(_ certificates: [Certificate]) {
        guard let stack = kilomint_certificate_stack() else { return nil }
        handle = stack
        for certificate in certificates {
            guard let parsed = certificate.parsed() else { return nil }
            defer { X509_free(parsed) }
            guard kilomint_certificate_push(stack, parsed) == 1 else { return nil }
        }
    }

    deinit { kilomint_certificate_stack_free(handle) }
}
