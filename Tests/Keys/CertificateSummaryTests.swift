// What a certificate says, against one that openssl made.

internal import Foundation
internal import Keys
internal import Kit
internal import Testing

struct CertificateSummaryTests {
    @Test func nameAndTimes() throws {
        let place = try TemporaryDirectory()
        let openssl = Process()
        openssl.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
        openssl.arguments = [
            "req", "-x509", "-newkey", "ed25519", "-nodes", "-keyout", "\(place.path)/key", "-out",
            "\(place.path)/crt", "-days", "10", "-subj", "/O=x/CN=gw-1",
        ]
        openssl.standardError = FileHandle.nullDevice
        try openssl.run()
        openssl.waitUntilExit()
        let pem = Array(try Data(contentsOf: URL(fileURLWithPath: "\(place.path)/crt")))
        let summary = try #require(CertificateSummary(pem: pem))
        #expect(summary.name == "gw-1")
        #expect(summary.notAfter - summary.notBefore == 864_000_000)
        #expect(abs(Int64(Date().timeIntervalSince1970) * 1000 - summary.notBefore) < 3_600_000)
        #expect(CertificateSummary(pem: Array(pem.dropLast(200))) == nil)
        #expect(CertificateSummary(pem: []) == nil)
    }
}
