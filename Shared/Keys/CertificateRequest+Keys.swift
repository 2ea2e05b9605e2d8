// Making a request for a certificate, signed by the key it is for, with any key store. Reading one: Evidence.

internal import COpenSSL
package import Evidence

extension CertificateRequest {
    /// MBSTRING_UTF8, a macro that Swift does not see.
    private static var utf8: Int32 { 0x1000 }

    /// The DER of a request (PKCS#10, RFC 2986).
    ///
    /// - Parameter name: the subject's common name: the gateway's id.
    package static func signing(name: String, with key: PrivateKey) throws(KeyError) -> [UInt8] {
        defer { ERR_clear_error() }
        guard let request = X509_REQ_new() else { throw .library(call: "X509_REQ_new") }
        defer { X509_REQ_free(request) }
        let bytes = Array(name.utf8)
        let subject = X509_REQ_get_subject_name(request)
        guard X509_REQ_set_version(request, 0) == 1,
            X509_NAME_add_entry_by_txt(subject, "CN", utf8, bytes, Int32(bytes.count), -1, 0) == 1,
            X509_REQ_set_pubkey(request, key.handle) == 1
        else { throw .library(call: "X509_REQ_set_pubkey") }
        // Ed25519 hashes by itself.
        let digest = key.algorithm == .es256 ? EVP_sha256() : nil
        guard X509_REQ_sign(request, key.handle, digest) > 0 else { throw .library(call: "X509_REQ_sign") }
        guard let der = encodedDER({ i2d_X509_REQ(request, $0) }) else { throw .library(call: "i2d_X509_REQ") }
        return der
    }
}
