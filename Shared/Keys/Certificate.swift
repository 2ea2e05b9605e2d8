// An X.509 certificate as TLS and enrolment need it: whose, whose word, from when to when. Verifying is TLSContext's.

internal import COpenSSL
internal import Glibc
package import Quantities

/// A parsed certificate. Values compare by their DER bytes.
package struct Certificate: Hashable, Sendable, CustomStringConvertible {
    /// Most certificates read from one file, and most bytes of it.
    package static let countMax = 16
    package static let bytesMax = 131_072

    package let der: [UInt8]
    /// Distinguished names as RFC 2253 writes them, such as `CN=gw-east-1`.
    package let subject: String
    package let issuer: String
    package let notBefore: UTCInstant
    package let notAfter: UTCInstant
    /// Subject alternative names as OpenSSL prints them; empty without any.
    package let names: String

    /// Nil unless `der` is one certificate and nothing else.
    package init?(der: [UInt8]) {
        let parsed = der.withUnsafeBufferPointer { buffer -> OpaquePointer? in
            var cursor = buffer.baseAddress
            guard let certificate = d2i_X509(nil, &cursor, buffer.count) else { return nil }
            guard cursor == buffer.baseAddress.map({ $0 + buffer.count }) else {
                X509_free(certificate)
                return nil
            }
            return certificate
        }
        defer { ERR_clear_error() }
        guard let parsed else { return nil }
        defer { X509_free(parsed) }
        self.init(parsed)
    }

    /// Borrows `certificate`.
    init?(_ certificate: OpaquePointer) {
        guard let der = Self.encoded(certificate), let from = Self.instant(X509_get0_notBefore(certificate)),
            let to = Self.instant(X509_get0_notAfter(certificate))
        else { return nil }
        self.der = der
        subject = Self.text(X509_get_subject_name(certificate))
        issuer = Self.text(X509_get_issuer_name(certificate))
        (notBefore, notAfter) = (from, to)
        names = Self.alternativeNames(certificate)
    }

    /// The certificates of a PEM text in their order (RFC 7468 §5); blocks of other kinds are passed over.
    ///
    /// - Throws: ``TLSProblem/file(path:problem:)`` naming `path` when there is none, one is broken, or there are too
    ///   many.
    package static func all(pem: [UInt8], path: String) throws(TLSProblem) -> [Certificate] {
        guard let memory = BIO_new_mem_buf(pem, Int32(clamping: pem.count)) else {
            throw .library(call: "BIO_new_mem_buf")
        }
        defer {
            BIO_free(memory)
            ERR_clear_error()
        }
        var found: [Certificate] = []
        var (name, header): (UnsafeMutablePointer<CChar>?, UnsafeMutablePointer<CChar>?) = (nil, nil)
        var data: UnsafeMutablePointer<UInt8>?
        var count = 0
        while PEM_read_bio(memory, &name, &header, &data, &count) == 1 {
            defer {
                CRYPTO_free(name, #file, #line)
                CRYPTO_free(header, #file, #line)
                CRYPTO_clear_free(data, count, #file, #line)
            }
            guard let name, String(cString: name) == "CERTIFICATE" else { continue }
            guard let certificate = Certificate(der: Array(UnsafeBufferPointer(start: data, count: count))) else {
                throw .file(path: path, problem: "holds a certificate that cannot be read: fetch it again")
            }
            found.append(certificate)
            guard found.count <= countMax else {
                throw .file(path: path, problem: "holds more than \(countMax) certificates")
            }
        }
        guard !found.isEmpty else {
            throw .file(path: path, problem: "holds no certificate (-----BEGIN CERTIFICATE-----)")
        }
        return found
    }

    /// The certificates of a PEM file.
    package static func all(path: String) throws(TLSProblem) -> [Certificate] {
        let bytes: [UInt8]
        do throws(KeyError) {
            bytes = try KeyFile(path: path).read(bytesMax: bytesMax, allowingOthers: true)
        } catch {
            switch error {
            case .file(let action, _, let reason): throw .file(path: path, problem: "cannot \(action) it: \(reason)")
            case .notRegularFile: throw .file(path: path, problem: "is not a regular file")
            default: throw .file(path: path, problem: "is longer than \(bytesMax) bytes")
            }
        }
        return try all(pem: bytes, path: path)
    }

    package var description: String { "\(subject) (issued by \(issuer), valid \(notBefore) to \(notAfter))" }

    /// SHA-256 over the DER bytes: what a claim code carries the beginning of.
    package var fingerprint: [UInt8] { sha256(der) }

    /// The certificate for OpenSSL; the caller frees it.
    func parsed() -> OpaquePointer? {
        der.withUnsafeBufferPointer { buffer in
            var cursor = buffer.baseAddress
            return d2i_X509(nil, &cursor, buffer.count)
        }
    }

    // MARK: Fields

    private static func encoded(_ certificate: OpaquePointer) -> [UInt8]? {
        var bytes: UnsafeMutablePointer<UInt8>?
        let count = i2d_X509(certificate, &bytes)
        guard count > 0, let bytes else { return nil }
        defer { CRYPTO_free(bytes, #file, #line) }
        return Array(UnsafeBufferPointer(start: bytes, count: Int(count)))
    }

    /// Nil for a time that no calendar knows.
    private static func instant(_ time: UnsafePointer<ASN1_TIME>?) -> UTCInstant? {
        var parts = tm()
        guard let time, ASN1_TIME_to_tm(time, &parts) == 1 else { return nil }
        return UTCInstant(milliseconds: Int64(timegm(&parts)) * 1000)
    }

    private static func text(_ name: OpaquePointer?) -> String {
        guard let name else { return "" }
        return printed { kilomint_print_name($0, name) >= 0 }
    }

    private static func alternativeNames(_ certificate: OpaquePointer) -> String {
        let place = X509_get_ext_by_NID(certificate, NID_subject_alt_name, -1)
        guard place >= 0, let field = X509_get_ext(certificate, place) else { return "" }
        return printed { X509V3_EXT_print($0, field, 0, 0) == 1 }
    }

    /// Printable ASCII of what OpenSSL writes, at most ``textMax`` bytes: names are the sender's words.
    private static func printed(_ write: (OpaquePointer) -> Bool) -> String {
        guard let memory = BIO_new(BIO_s_mem()) else { return "" }
        defer { BIO_free(memory) }
        guard write(memory) else { return "" }
        var bytes = [UInt8](repeating: 0, count: textMax)
        let count = BIO_read(memory, &bytes, Int32(bytes.count))
        guard count > 0 else { return "" }
        return String(decoding: bytes[..<Int(count)].map { 0x20...0x7E ~= $0 ? $0 : 0x3F }, as: UTF8.self)
    }

    private static let textMax = 1024
}
