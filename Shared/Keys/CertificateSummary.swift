// What a certificate says of itself: whose, from when, until when. Trust is not decided here; TLS does that.

internal import COpenSSL
internal import Glibc

/// The first certificate among PEM blocks.
package struct CertificateSummary: Hashable, Sendable {
    /// The subject's common name; empty: it has none.
    package let name: String
    /// UTC milliseconds.
    package let notBefore: Int64
    package let notAfter: Int64

    /// Nil: there is no certificate in `pem`.
    package init?(pem: [UInt8]) {
        guard pem.count <= 1_048_576 else { return nil }
        // OpenSSL reads the buffer within this call only.
        let certificate = pem.withUnsafeBytes { buffer -> OpaquePointer? in
            guard let source = BIO_new_mem_buf(buffer.baseAddress, Int32(buffer.count)) else { return nil }
            defer { BIO_free(source) }
            return PEM_read_bio_X509(source, nil, nil, nil)
        }
        guard let certificate else {
            ERR_clear_error()
            return nil
        }
        defer { X509_free(certificate) }
        guard let from = Self.milliseconds(X509_get0_notBefore(certificate)),
            let to = Self.milliseconds(X509_get0_notAfter(certificate))
        else { return nil }
        (notBefore, notAfter) = (from, to)
        var text = [CChar](repeating: 0, count: 256)
        let length = X509_NAME_get_text_by_NID(
            X509_get_subject_name(certificate), NID_commonName, &text, Int32(text.count))
        name = length > 0 ? String(decoding: text[..<Int(length)].map { UInt8(bitPattern: $0) }, as: UTF8.self) : ""
    }

    private static func milliseconds(_ time: UnsafePointer<ASN1_TIME>?) -> Int64? {
        var parts = tm()
        guard let time, ASN1_TIME_to_tm(time, &parts) == 1 else { return nil }
        return Int64(timegm(&parts)) * 1000
    }
}
