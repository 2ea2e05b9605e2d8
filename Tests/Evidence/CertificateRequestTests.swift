// Certificate requests: what OpenSSL writes is read, what is damaged never traps. Who may ask is tested elsewhere.

import Evidence
import Foundation
import Keys
import Kit
import Testing

/// Requests as OpenSSL makes them, and as nobody should.
struct CertificateRequestTests {
    private static func made(
        _ key: PrivateKey, name: String? = "gw-1", attributes: [UInt8] = []
    ) throws -> [UInt8] {
        try RequestMaker.der(
            commonName: name, spki: key.publicKey.spki, isEdwards: key.algorithm == .eddsa, attributes: attributes,
            sign: { try key.sign($0) })
    }

    @Test(arguments: [SignatureAlgorithm.es256, .eddsa])
    func isReadWithKeyNameAndSignature(algorithm: SignatureAlgorithm) throws {
        let key = try PrivateKey.generate(algorithm)
        let request = try #require(CertificateRequest(der: try Self.made(key)))
        #expect(request.spki == key.publicKey.spki)
        #expect(request.commonName == "gw-1")
        #expect(request.algorithm == algorithm)
        #expect(key.publicKey.verify(signature: request.signature, over: request.signed))
    }

    @Test(
        "openssl(1) writes what is read here",
        arguments: [["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"], ["-newkey", "ed25519"]])
    func opensslsRequestIsRead(options: [String]) throws {
        let folder = try TemporaryDirectory()
        let file = folder.path + "/request.der"
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
        process.arguments =
            ["req", "-new", "-nodes", "-subj", "/O=Owners/CN=gw-east", "-keyout", folder.path + "/key.pem"]
            + ["-outform", "DER", "-out", file, "-addext", "subjectAltName=DNS:gw-east"] + options
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        let request = try #require(CertificateRequest(der: Array(try Data(contentsOf: URL(fileURLWithPath: file)))))
        #expect(request.commonName == "gw-east")
        let key = try PublicKey(spki: request.spki)
        #expect(key.verify(signature: request.signature, over: request.signed))
        #expect(!key.verify(signature: request.signature, over: request.signed + [0]))
    }

    @Test func anotherFormIsNone() throws {
        let key = try PrivateKey.generate(.es256)
        let good = try Self.made(key)
        #expect(CertificateRequest(der: []) == nil)
        #expect(CertificateRequest(der: good + [0]) == nil)
        #expect(CertificateRequest(der: Array(good.dropLast())) == nil)
        // A length in more bytes than needed is another spelling.
        #expect(CertificateRequest(der: [0x30, 0x83, 0, good[2], good[3]] + good.dropFirst(3)) == nil)
        let large = try Self.made(key, attributes: [UInt8](repeating: 0, count: CertificateRequest.bytesMax))
        #expect(CertificateRequest(der: large) == nil)
        #expect(CertificateRequest(der: try Self.made(key, name: nil))?.commonName == nil)
    }

    @Test func damageNeverTraps() throws {
        var random = SeededGenerator(seed: 8)
        let good = try Self.made(try PrivateKey.generate(.es256))
        var read = 0
        for _ in 0..<20_000 {
            let damaged = random.mutated(good)
            guard let request = CertificateRequest(der: damaged) else { continue }
            read += 1
            #expect(request.signature.count == 64 && request.der == damaged)
        }
        #expect(read > 0, "seed \(random.seed)")
    }
}
