// Certificates as EST sends them: a certs-only CMS (RFC 5272 §4.1), DER in base64. Not for reading any.

internal import Proofs

enum CertificateBag {
    private static let signedData: [UInt8] = [0x06, 9, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07, 0x02]
    private static let data: [UInt8] = [0x06, 9, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07, 0x01]

    /// ContentInfo { id-signedData, SignedData { version 1, no digests, id-data without content, certificates, no signers } }.
    static func der(_ certificates: [[UInt8]]) -> [UInt8] {
        let sorted = certificates.sorted { $0.lexicographicallyPrecedes($1) }
        let content =
            [0x02, 1, 1] + element(0x31, []) + element(0x30, data) + element(0xA0, sorted.flatMap { $0 })
            + element(0x31, [])
        return element(0x30, signedData + element(0xA0, element(0x30, content)))
    }

    /// Lines of 64 characters, as everybody's base64 reader takes them.
    static func base64Lines(_ bytes: [UInt8]) -> String {
        var rest = Substring(bytes.base64)
        var lines = ""
        while !rest.isEmpty {
            lines += rest.prefix(64) + "\r\n"
            rest = rest.dropFirst(64)
        }
        return lines
    }

    private static func element(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] {
        guard content.count >= 0x80 else { return [tag, UInt8(content.count)] + content }
        var digits: [UInt8] = []
        var rest = content.count
        while rest > 0 {
            digits.insert(UInt8(rest & 0xFF), at: 0)
            rest >>= 8
        }
        return [tag, 0x80 | UInt8(digits.count)] + digits + content
    }
}
