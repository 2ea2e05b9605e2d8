// Private keys: signing, the key file with its modes, its failing and its dying halves, and openssl(1) as the stranger.

import Evidence
import Glibc
import Keys
import Kit
import Quantities
import Testing

private let algorithms: [SignatureAlgorithm] = [.es256, .eddsa]

/// Permission bits.
private func mode(_ path: String) throws -> UInt32 {
    var status = stat()
    try #require(stat(path, &status) == 0, "\(path) is missing")
    return UInt32(status.st_mode & 0o777)
}

private func names(in directory: String) throws -> [String] {
    let stream = try #require(opendir(directory))
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
        names.append(
            withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            })
    }
    return names.filter { $0 != "." && $0 != ".." }
}

private func put(_ text: String, _ path: String, mode: mode_t = 0o600) throws {
    let bytes = Array(text.utf8)
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    defer { close(descriptor) }
    try #require(write(descriptor, bytes, bytes.count) == bytes.count && fchmod(descriptor, mode) == 0)
}

/// Standard Base64 in lines of 64, as PEM wants.
private func pem(_ label: String, _ der: [UInt8]) -> String {
    let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    var text: [UInt8] = []
    for start in stride(from: 0, to: der.count, by: 3) {
        let group = (0..<3).map { start + $0 < der.count ? der[start + $0] : 0 }
        let word = Int(group[0]) << 16 | Int(group[1]) << 8 | Int(group[2])
        for place in 0..<4 {
            text.append(start + place <= der.count ? digits[word >> (18 - 6 * place) & 63] : UInt8(ascii: "="))
        }
        if text.count % 65 == 64, start + 3 < der.count { text.append(10) }
    }
    return "-----BEGIN \(label)-----\n" + String(decoding: text, as: UTF8.self) + "\n-----END \(label)-----\n"
}

struct PrivateKeyTests {
    @Test(arguments: algorithms) func whatItSignsVerifies(_ algorithm: SignatureAlgorithm) throws {
        let key = try PrivateKey.generate(algorithm)
        let other = try PrivateKey.generate(algorithm)
        #expect(key.algorithm == algorithm && key.publicKey.algorithm == algorithm)
        for message in [[], [0], Array("ordinary".utf8), [UInt8](repeating: 7, count: 131_072)] {
            let signature = try key.sign(message)
            #expect(signature.count == 64)
            #expect(key.publicKey.verify(signature: signature, over: message))
            #expect(!other.publicKey.verify(signature: signature, over: message))
        }
    }

    /// r and s shorter than 32 bytes come up once in 128 signatures: the padding must hold.
    @Test func shortNumbersAreFilledUp() throws {
        let key = try PrivateKey.generate(.es256)
        var short = 0
        for number in 0..<2_000 {
            let message = [UInt8(number & 255), UInt8(number >> 8)]
            let signature = try key.sign(message)
            if signature[0] == 0 || signature[32] == 0 { short += 1 }
            #expect(key.publicKey.verify(signature: signature, over: message))
        }
        #expect(short > 0, "none of 2 000 pairs was short: one chance in six million")
    }

    /// RFC 8032 §7.1 test 3: the seed as a PKCS#8 file, and the signature it must give.
    @Test func theFileOfThePublishedSeedSignsAsPublished() throws {
        let place = try TemporaryDirectory()
        let seed = "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7"
        try put(pem("PRIVATE KEY", bytes("302e020100300506032b657004220420" + seed)), place.file("key.pem"))
        let key = try PrivateKey.load(path: place.file("key.pem"))
        #expect(key.publicKey.spki.hex == vectors[2].spki)
        #expect(try key.sign([0xaf, 0x82]).hex == vectors[2].signature)
    }

    @Test(arguments: algorithms) func envelopesAreSignedAndChecked(_ algorithm: SignatureAlgorithm) throws {
        let key = try PrivateKey.generate(algorithm)
        let message = try SignedMessage.signing([0xa0], as: .record, with: key)
        let received = try SignedMessage(parsing: message.encoded, as: .record)
        #expect(received.isSigned(by: key.publicKey))
        #expect(try !received.isSigned(by: PrivateKey.generate(algorithm).publicKey))
        var bytes = message.encoded
        bytes[bytes.count - 1] ^= 1
        #expect(try !SignedMessage(parsing: bytes, as: .record).isSigned(by: key.publicKey))
    }

    @Test func randomBytesDiffer() {
        #expect(secureRandom(count: 0).isEmpty)
        #expect(Set((0..<100).map { _ in secureRandom(count: 16) }).count == 100)
    }
}

/// openssl(1) shares only its library with us, not our encodings.
struct ForeignKeyTests {
    @Test(arguments: algorithms) func opensslVerifiesOurs(_ algorithm: SignatureAlgorithm) async throws {
        let place = try TemporaryDirectory()
        let key = try PrivateKey.generate(algorithm)
        let message = Array("what the meter answered".utf8)
        let signature = try key.sign(message)
        try put(String(decoding: message, as: UTF8.self), place.file("message"))
        try put(pem("PUBLIC KEY", key.publicKey.spki), place.file("public.pem"))
        try putBytes(algorithm == .es256 ? der(signature) : signature, place.file("signature"))
        let result = try await run("openssl", verifyArguments(algorithm, place))
        #expect(result.status == .exited(0), "\(result.output)")
        try putBytes(algorithm == .es256 ? der(key.sign([1])) : key.sign([1]), place.file("signature"))
        #expect(try await run("openssl", verifyArguments(algorithm, place)).status != .exited(0))
    }

    @Test(arguments: algorithms) func weUseOpenSSLs(_ algorithm: SignatureAlgorithm) async throws {
        let place = try TemporaryDirectory()
        let kind = algorithm == .es256 ? ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"] : ["ed25519"]
        _ = try await run("openssl", ["genpkey", "-algorithm"] + kind + ["-out", place.file("key.pem")])
        chmod(place.file("key.pem"), 0o600)
        let key = try PrivateKey.load(path: place.file("key.pem"))
        let written = try await run(
            "openssl", ["pkey", "-in", place.file("key.pem"), "-pubout", "-outform", "DER", "-out", place.file("spki")])
        #expect(written.status == .exited(0))
        #expect(try Workplace.bytes(of: place.file("spki")) == key.publicKey.spki)

        try put("what the meter answered", place.file("message"))
        let sign =
            algorithm == .es256
            ? [
                "dgst", "-sha256", "-sign", place.file("key.pem"), "-out", place.file("signature"),
                place.file("message"),
            ]
            : [
                "pkeyutl", "-sign", "-rawin", "-inkey", place.file("key.pem"), "-in", place.file("message"), "-out",
                place.file("signature"),
            ]
        #expect(try await run("openssl", sign).status == .exited(0))
        let signature = try Workplace.bytes(of: place.file("signature"))
        let plain = try algorithm == .es256 ? #require(raw(signature)) : signature
        #expect(key.publicKey.verify(signature: plain, over: Array("what the meter answered".utf8)))
    }

    @Test(arguments: algorithms) func opensslReadsOurFile(_ algorithm: SignatureAlgorithm) async throws {
        let place = try TemporaryDirectory()
        let key = try PrivateKey.generate(algorithm)
        try key.save(to: place.file("key.pem"))
        let spki = try await run(
            "openssl", ["pkey", "-in", place.file("key.pem"), "-pubout", "-outform", "DER", "-out", place.file("spki")])
        #expect(spki.status == .exited(0), "\(spki.output)")
        #expect(try Workplace.bytes(of: place.file("spki")) == key.publicKey.spki)
    }

    @Test(arguments: [
        ("RSA", ["genpkey", "-algorithm", "RSA"]), ("X25519", ["genpkey", "-algorithm", "x25519"]),
        ("P-384", ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"]),
        (
            "explicit parameters",
            [
                "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-pkeyopt",
                "ec_param_enc:explicit",
            ]
        ),
        ("encrypted", ["genpkey", "-algorithm", "ed25519", "-aes-128-cbc", "-pass", "pass:secret"]),
        ("SEC 1", ["ecparam", "-name", "prime256v1", "-genkey", "-noout"]),
    ])
    func otherKeysAreRefused(name: String, arguments: [String]) async throws {
        let place = try TemporaryDirectory()
        let path = place.file("key.pem")
        #expect(try await run("openssl", arguments + ["-out", path]).status == .exited(0))
        chmod(path, 0o600)
        let expected: KeyError =
            ["encrypted", "SEC 1"].contains(name) ? .notPKCS8(path: path) : .unsupportedPrivateKey(path: path)
        #expect(throws: expected, "\(name)") { try PrivateKey.load(path: path) }
    }

    private func verifyArguments(_ algorithm: SignatureAlgorithm, _ place: TemporaryDirectory) -> [String] {
        algorithm == .es256
            ? [
                "dgst", "-sha256", "-verify", place.file("public.pem"), "-signature", place.file("signature"),
                place.file("message"),
            ]
            : [
                "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", place.file("public.pem"), "-sigfile",
                place.file("signature"), "-in", place.file("message"),
            ]
    }

    private func putBytes(_ bytes: [UInt8], _ path: String) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        defer { close(descriptor) }
        try #require(write(descriptor, bytes, bytes.count) == bytes.count)
    }

    /// SEQUENCE of two INTEGERs, written out here a second time so that a fault of ours shows.
    private func der(_ raw: [UInt8]) -> [UInt8] {
        let numbers = [raw[..<32], raw[32...]].map { part -> [UInt8] in
            var digits = Array(part)
            while digits.count > 1, digits[0] == 0 { digits.removeFirst() }
            return digits[0] > 127 ? [0] + digits : digits
        }
        let body = numbers.flatMap { number -> [UInt8] in [2, UInt8(number.count)] + number }
        return [0x30, UInt8(body.count)] + body
    }

    private func raw(_ der: [UInt8]) -> [UInt8]? {
        guard der.count > 8, der[0] == 0x30, der[2] == 2 else { return nil }
        let end = 4 + Int(der[3])
        let numbers = [der[4..<end], der[(end + 2)...]]
        var raw: [UInt8] = []
        for number in numbers {
            let digits = number.drop { $0 == 0 }
            raw += [UInt8](repeating: 0, count: 32 - digits.count) + digits
        }
        return raw
    }
}

struct KeyFileTests {
    @Test(arguments: algorithms) func aSavedKeyComesBack(_ algorithm: SignatureAlgorithm) throws {
        let place = try TemporaryDirectory()
        let key = try PrivateKey.generate(algorithm)
        try key.save(to: place.file("gateway.pem"))
        #expect(try mode(place.file("gateway.pem")) == 0o600)
        #expect(try names(in: place.path) == ["gateway.pem"])
        #expect(try PrivateKey.load(path: place.file("gateway.pem")).publicKey == key.publicKey)
    }

    @Test func aKeyIsNeverOverwritten() throws {
        let place = try TemporaryDirectory()
        let first = try PrivateKey.generate(.eddsa)
        let path = place.file("gateway.pem")
        try first.save(to: path)
        #expect(throws: KeyError.exists(path: path)) { try PrivateKey.generate(.es256).save(to: path) }
        #expect(try PrivateKey.load(path: path).publicKey == first.publicKey)
        #expect(try names(in: place.path) == ["gateway.pem"])
    }

    @Test(
        arguments: [
            (0o600, true), (0o400, true), (0o700, true), (0o640, false), (0o604, false), (0o620, false), (0o602, false),
            (0o610, false), (0o601, false), (0o644, false), (0o777, false),
        ] as [(UInt32, Bool)])
    func othersMayNotTouchTheFile(bits: UInt32, accepted: Bool) throws {
        let place = try TemporaryDirectory()
        let path = place.file("gateway.pem")
        try PrivateKey.generate(.es256).save(to: path)
        chmod(path, bits)
        _ = try PrivateKey.load(path: path, allowingOthers: true)
        if accepted {
            _ = try PrivateKey.load(path: path)
        } else {
            let error = #expect(throws: KeyError.self) { try PrivateKey.load(path: path) }
            #expect(error == .exposed(path: path, mode: bits))
            #expect(error?.description.contains("chmod 600 \(path)") == true)
        }
    }

    @Test func whatIsNoKeyFileIsRefused() throws {
        let place = try TemporaryDirectory()
        #expect(throws: KeyError.notRegularFile(path: place.path)) { try PrivateKey.load(path: place.path) }
        let fifo = place.file("fifo")
        #expect(mkfifo(fifo, 0o600) == 0)
        #expect(throws: KeyError.notRegularFile(path: fifo), "nobody writes to it, and it must not wait") {
            try PrivateKey.load(path: fifo)
        }
        let missing = place.file("missing")
        #expect(throws: KeyError.file(action: "open", path: missing, reason: "No such file or directory")) {
            try PrivateKey.load(path: missing)
        }
        try put(String(repeating: "x", count: PrivateKey.fileBytesMax + 1), place.file("large"))
        #expect(throws: KeyError.tooLarge(path: place.file("large"))) { try PrivateKey.load(path: place.file("large")) }
        for text in ["", "no key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"] {
            try put(text, place.file("other"))
            #expect(throws: KeyError.notPKCS8(path: place.file("other"))) {
                try PrivateKey.load(path: place.file("other"))
            }
        }
    }

    /// RFC 8410 allows the public half beside the private one; a wrong one would leak the key with a few signatures.
    @Test func halvesThatDoNotMatchAreRefused() throws {
        let place = try TemporaryDirectory()
        let d = "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721"
        let right =
            "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
            + "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"
        let other = try PrivateKey.generate(.es256).publicKey.spki.suffix(64).hex
        for (point, matches) in [(right, true), (other, false)] {
            let path = place.file("key\(matches).pem")
            let der = "308187020100301306072a8648ce3d020106082a8648ce3d030107046d306b0201010420\(d)a14403420004\(point)"
            try put(pem("PRIVATE KEY", bytes(der)), path)
            if matches {
                #expect(try PrivateKey.load(path: path).publicKey.spki.hex == vectors[3].spki)
            } else {
                #expect(throws: KeyError.mismatched(path: path)) { try PrivateKey.load(path: path) }
            }
        }
    }

    @Test(arguments: [UInt64](1...3)) func mutatedFilesNeverCrash(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let place = try TemporaryDirectory()
        let path = place.file("gateway.pem")
        try PrivateKey.generate(seed == 1 ? .eddsa : .es256).save(to: path)
        let text = try Workplace.bytes(of: path)
        for _ in 0..<300 {
            try put(String(decoding: generator.mutated(text), as: UTF8.self), path)
            do throws(KeyError) { _ = try PrivateKey.load(path: path) } catch { #expect(!error.description.isEmpty) }
        }
    }

    private struct Fault: Error, Equatable {}

    /// Refused: nothing is there afterwards, and the next try succeeds.
    @Test(arguments: KeyFile.Step.allCases) func aFailedSaveLeavesNoHalfKey(at fatal: KeyFile.Step) throws {
        let place = try TemporaryDirectory()
        let path = place.file("gateway.pem")
        let key = try PrivateKey.generate(.es256)
        #expect(throws: Fault()) { try key.save(to: path) { if $0 == fatal { throw Fault() } } }
        switch fatal {
        case .createTemporary, .write, .syncFile, .link:
            #expect(try names(in: place.path) == [])
            try key.save(to: path)
        case .unlinkTemporary, .syncDirectory:
            // Applied, but the answer was lost: the second try finds the key of the first.
            #expect(try names(in: place.path) == ["gateway.pem"])
            #expect(throws: KeyError.exists(path: path)) { try key.save(to: path) }
        }
        #expect(try PrivateKey.load(path: path).publicKey == key.publicKey)
    }

    /// Killed before each step: under the key's name there is the whole key or nothing.
    @Test(arguments: Array(KeyFile.Step.allCases.indices)) func dyingLeavesNoHalfKey(at index: Int) async throws {
        let place = try TemporaryDirectory()
        let path = place.file("gateway.pem")
        await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String, index = index as Int] in
            try PrivateKey.generate(.eddsa).save(to: path) { step in
                if step == KeyFile.Step.allCases[index] { kill(getpid(), SIGKILL) }
            }
        }
        let named = try names(in: place.path).contains("gateway.pem")
        let step = KeyFile.Step.allCases[index]
        #expect(named == [.unlinkTemporary, .syncDirectory].contains(step))
        if named { _ = try PrivateKey.load(path: path) }
        for name in try names(in: place.path) { #expect(try mode(place.file(name)) == 0o600) }
        // What lies there stops nobody from trying again.
        if !named { try PrivateKey.generate(.eddsa).save(to: path) }
    }
}
