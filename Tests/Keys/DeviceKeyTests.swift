// Keys that never leave a token or a TPM: made, found, asked to sign, refused. The token is SoftHSM2, the TPM is swtpm;
// openssl(1), pkcs11-tool and tpm2-tools check what we made and make what we find.

import Evidence
import Keys
import Kit
import Testing

/// What loading a key fails with.
private func problem(_ store: KeyStore) throws -> (text: String, isPassing: Bool) {
    do {
        _ = try PrivateKey.load(store)
        return ("", false)
    } catch KeyError.store(_, let text, let isPassing) { return (text, isPassing) }
}

private func takesOver(_ place: KeyStore, named name: String) throws {
    let beside = try place.beside()
    #expect(beside.description == name)
    #expect(try PrivateKey.find(place) == nil && PrivateKey.find(beside) == nil)
    let first = try PrivateKey.create(in: place)
    let second = try PrivateKey.createBeside(in: beside)
    #expect(try PrivateKey.find(place)?.publicKey == first.publicKey)
    #expect(try PrivateKey.find(beside)?.publicKey == second.publicKey)
    // Not the key that was meant: nothing is removed.
    #expect(try PrivateKey.retire(second.publicKey, at: place, for: beside) == beside)
    #expect(try PrivateKey.find(place)?.publicKey == first.publicKey)
    for _ in 0..<2 { try PrivateKey.retire(first.publicKey, at: place, for: beside) }
    #expect(try PrivateKey.find(place) == nil)
    #expect(second.publicKey.verify(signature: try second.sign([1]), over: [1]))
    let third = try PrivateKey.createBeside(in: place)
    #expect(third.publicKey != first.publicKey)
    #expect(try PrivateKey.find(place)?.publicKey == third.publicKey)
}

extension PrivateKey {
    fileprivate func satisfiesOpenSSL() async throws -> Bool {
        let message = "what a meter answered"
        return try await opensslAccepts(try sign(Array(message.utf8)), over: message, spki: publicKey.spki)
    }
}

@Suite(.serialized) struct TokenKeyTests {
    private func store(_ token: SoftToken, _ rest: String = "object=gateway") throws -> KeyStore {
        try KeyStore("pkcs11:token=\(token.label);\(rest)", module: SoftToken.module, pinFile: token.pinFile)
    }

    @Test func madeOnTheTokenAndSigns() async throws {
        let token = try SoftToken("made")
        #expect(try problem(store(token)).text.contains("0 private"))
        let made = try PrivateKey.create(in: store(token))
        #expect(throws: KeyError.exists(path: "pkcs11:token=made;object=gateway")) {
            try PrivateKey.create(in: store(token))
        }
        let found = try PrivateKey.load(store(token))
        #expect(found.publicKey == made.publicKey)
        #expect(try await found.satisfiesOpenSSL())
        #expect(found.publicKey.verify(signature: try found.sign([1, 2, 3]), over: [1, 2, 3]))
        #expect(!found.publicKey.verify(signature: try found.sign([1, 2, 3]), over: [1, 2, 4]))
    }

    /// Two keys of one gateway, one after the other: made beside, the former one gone for good, its place used again.
    @Test func takesOverBesideTheFormerOne() throws {
        let token = try SoftToken("rekeyed")
        try takesOver(store(token), named: "pkcs11:token=rekeyed;object=gateway.next")
    }

    @Test func madeByPKCS11Tool() async throws {
        let token = try SoftToken("theirs")
        let output = try await command(
            "pkcs11-tool", "--module", SoftToken.module, "--token-label", "theirs", "--login", "--pin", "4711",
            "--keypairgen", "--key-type", "EC:prime256v1", "--label", "a key", "--id", "0a0b")
        #expect(output.contains("Key pair generated"))
        let byLabel = try PrivateKey.load(store(token, "object=a%20key;type=private"))
        let byID = try PrivateKey.load(store(token, "id=%0A%0b"))
        #expect(byLabel.publicKey == byID.publicKey)
        #expect(try await byID.satisfiesOpenSSL())
    }

    @Test func theirToolSeesThatItCannotBeTakenOut() async throws {
        let token = try SoftToken("kept")
        _ = try PrivateKey.create(in: store(token))
        let output = try await command(
            "pkcs11-tool", "--module", SoftToken.module, "--token-label", "kept", "--login", "--pin", "4711",
            "--list-objects", "--type", "privkey")
        #expect(output.contains("sensitive, always sensitive, never extractable"), "\(output)")
    }

    @Test func aWrongPINIsSaidAndTheFileMustBePrivate() async throws {
        let token = try SoftToken("wrongpin")
        _ = try PrivateKey.create(in: store(token))
        try token.writePIN("1234")
        let wrong = try problem(store(token))
        #expect(wrong.text.contains("refuses the PIN in") && !wrong.isPassing && !wrong.text.contains("1234"))
        token.expose(0o644)
        #expect(throws: KeyError.exposed(path: token.pinFile, mode: 0o644)) { try PrivateKey.load(store(token)) }
        let without = try KeyStore("pkcs11:token=wrongpin;object=gateway", module: SoftToken.module)
        #expect(try problem(without).text.contains("wants a PIN"))
    }

    @Test func whatIsNotThere() async throws {
        let token = try SoftToken("present")
        let absent = try problem(
            KeyStore("pkcs11:token=absent;object=gateway", module: SoftToken.module, pinFile: token.pinFile))
        #expect(absent.isPassing && absent.text.contains("insert the token") && absent.text.contains("present"))
        let module = try KeyStore("pkcs11:token=a;object=b", module: "/nowhere/libnone.so")
        #expect(try problem(module).text.contains("is not a library that can be loaded"))
        let other = try KeyStore("pkcs11:token=a;object=b", module: "/lib/x86_64-linux-gnu/libyaml-0.so.2")
        #expect(try problem(other).text.contains("no C_GetFunctionList"))
    }

    @Test(arguments: [
        "pkcs11:", "pkcs11:token=a", "pkcs11:object=a", "pkcs11:token=a;object=b;color=red", "pkcs11:token=a;object=%4",
        "pkcs11:token=;object=b", "pkcs11:token=a;object=b;type=public", "pkcs11:token=a;object=b?pin-value=1",
    ])
    func aNameThatMeansNothingIsRefused(uri: String) {
        #expect(throws: KeyStoreError.self) { try KeyStore(uri, module: "/module.so") }
    }
}

@Suite(.serialized) struct TPMKeyTests {
    private func store(_ tpm: SoftTPM, _ handle: String = "0x81000001", pinFile: String? = nil) throws -> KeyStore {
        try KeyStore("tpm2:" + handle, pinFile: pinFile, device: tpm.socket)
    }

    @Test func madeInTheTPMAndSigns() async throws {
        let tpm = try SoftTPM()
        let process = try await tpm.start()
        defer { process.kill(9) }
        #expect(try problem(store(tpm)).text.contains("is empty"))
        let made = try PrivateKey.create(in: store(tpm))
        #expect(throws: KeyError.exists(path: "tpm2:0x81000001")) { try PrivateKey.create(in: store(tpm)) }
        let found = try PrivateKey.load(store(tpm))
        #expect(found.publicKey == made.publicKey)
        #expect(try await found.satisfiesOpenSSL())
        // Another key at another handle is another key.
        #expect(try PrivateKey.create(in: store(tpm, "0x81000002")).publicKey != made.publicKey)
        let seen = try await command(
            "tpm2_readpublic", "-c", "0x81000001", "-f", "der", "-o", tpm.place.file("public.der"),
            environment: tpm.environment)
        #expect(seen.contains("fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|sign"))
        #expect(try Workplace.bytes(of: tpm.place.file("public.der")) == made.publicKey.spki)
    }

    @Test func takesOverAtTheNextHandle() async throws {
        let tpm = try SoftTPM()
        let process = try await tpm.start()
        defer { process.kill(9) }
        try takesOver(store(tpm), named: "tpm2:0x81000002")
        #expect(try store(tpm, "0x817fffff").beside() == store(tpm, "0x817ffffe"))
    }

    @Test func madeByTheirTools() async throws {
        let tpm = try SoftTPM()
        let process = try await tpm.start()
        defer { process.kill(9) }
        try await command(
            "tpm2_createprimary", "-Q", "-C", "o", "-G", "ecc256:ecdsa-sha256:null", "-a",
            "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|sign", "-p", "sesame", "-c",
            tpm.place.file("primary"), environment: tpm.environment)
        try await command(
            "tpm2_evictcontrol", "-Q", "-C", "o", "-c", tpm.place.file("primary"), "0x81000005",
            environment: tpm.environment)
        let file = tpm.place.file("pin")
        try Workplace.write("sesame\n", to: file)
        try await command("chmod", "600", file)
        let key = try PrivateKey.load(store(tpm, "0x81000005", pinFile: file))
        #expect(try await key.satisfiesOpenSSL())
        let bare = try PrivateKey.load(store(tpm, "0x81000005"))
        #expect(throws: KeyError.self) { try bare.sign([1]) }
    }

    /// Its private half can decrypt only: no key of ours.
    @Test func aStorageKeyIsRefused() async throws {
        let tpm = try SoftTPM()
        let process = try await tpm.start()
        defer { process.kill(9) }
        try await command(
            "tpm2_createprimary", "-Q", "-C", "o", "-G", "ecc", "-c", tpm.place.file("primary"),
            environment: tpm.environment)
        try await command(
            "tpm2_evictcontrol", "-Q", "-C", "o", "-c", tpm.place.file("primary"), "0x81000001",
            environment: tpm.environment)
        #expect(try problem(store(tpm)).text.contains("no elliptic key for signing"))
    }

    @Test func aTPMThatGoesAndComesBack() async throws {
        let tpm = try SoftTPM()
        #expect(try problem(store(tpm)).isPassing)
        let first = try await tpm.start()
        let key = try PrivateKey.create(in: store(tpm))
        first.kill(9)
        _ = try await first.wait(timeout: .seconds(10))
        do {
            _ = try key.sign([1])
            Issue.record("signed without a TPM")
        } catch KeyError.store(_, _, let isPassing) { #expect(isPassing) }
        let second = try await tpm.start()
        defer { second.kill(9) }
        #expect(try await key.satisfiesOpenSSL())
    }

    @Test(arguments: ["1", "0x80000001", "0x81800000", "81000001", "0x8100001", "0x81000001 "])
    func aHandleThatIsNotPersistentIsRefused(handle: String) {
        #expect(throws: KeyStoreError.self) { try KeyStore("tpm2:" + handle) }
    }
}
