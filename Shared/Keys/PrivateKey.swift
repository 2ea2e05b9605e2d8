// A private key: make, load, save, sign. In a file its bytes are here; in a token or TPM only the way to ask it is.

internal import COpenSSL
package import Evidence

/// A P-256 or Ed25519 key pair. Any number of threads may sign with it at once.
///
// @unchecked Sendable, proven: `handle` is set in init and freed in deinit, nothing writes to it after init, and every
// signature is made with a context of its own (openssl-threads(7): an EVP_PKEY that is only read may be shared).
package final class PrivateKey: @unchecked Sendable {
    /// Longest key file read.
    package static let fileBytesMax = 16_384

    package let publicKey: PublicKey
    package var algorithm: SignatureAlgorithm { publicKey.algorithm }
    package var kid: [UInt8] { publicKey.kid }
    /// EVP_PKEY: only read, never kept beyond this object's life.
    let handle: OpaquePointer
    /// Set when the key lies in a device, which signs.
    private let device: (any KeyDevice)?

    /// Takes ownership of `key` in every case.
    private init(owning key: OpaquePointer, device: (any KeyDevice)? = nil) throws(KeyError) {
        self.device = device
        var encoded: UnsafeMutablePointer<UInt8>?
        let count = i2d_PUBKEY(key, &encoded)
        guard count > 0, let encoded else {
            EVP_PKEY_free(key)
            throw .library(call: "i2d_PUBKEY")
        }
        let spki = Array(UnsafeBufferPointer(start: encoded, count: Int(count)))
        CRYPTO_free(encoded, #file, #line)
        do throws(KeyError) { publicKey = try PublicKey(spki: spki) } catch {
            EVP_PKEY_free(key)
            throw error
        }
        handle = key
    }

    deinit { EVP_PKEY_free(handle) }

    /// A new key pair in memory; ``save(to:before:)`` keeps it.
    package static func generate(_ algorithm: SignatureAlgorithm) throws(KeyError) -> PrivateKey {
        let key =
            switch algorithm {
            case .es256: kilomint_generate_p256()
            case .eddsa: kilomint_generate_ed25519()
            }
        guard let key else { throw .library(call: "EVP_PKEY_Q_keygen") }
        return try PrivateKey(owning: key)
    }

    // MARK: Store

    /// The key at its place, ready to sign. A PKCS#11 library is loaded only for a PKCS#11 key.
    ///
    /// - Throws: ``KeyError``; `.store` with `isPassing` when trying again may help.
    package static func load(_ store: KeyStore) throws(KeyError) -> PrivateKey {
        switch store {
        case .file(let path): try load(path: path)
        case .pkcs11(let place): try PrivateKey(device: try PKCS11Key(place))
        case .tpm2(let place): try PrivateKey(device: try TPMKey(place))
        }
    }

    /// Makes a key where it will stay: a token's or TPM's (P-256) never leaves it. Never replaces one.
    package static func create(in store: KeyStore, _ algorithm: SignatureAlgorithm = .es256) throws -> PrivateKey {
        switch store {
        case .file(let path):
            let key = try generate(algorithm)
            try key.save(to: path)
            return key
        case .pkcs11(let place):
            guard algorithm == .es256 else { throw KeyStoreError("tokens make P-256 keys (es256)") }
            return try PrivateKey(device: try PKCS11Key.create(place))
        case .tpm2(let place):
            guard algorithm == .es256 else { throw KeyStoreError("TPMs make P-256 keys (es256)") }
            return try PrivateKey(device: try TPMKey.create(place))
        }
    }

    private convenience init(device: any KeyDevice) throws(KeyError) {
        try self.init(owning: try evpKey(of: device), device: device)
    }

    // MARK: File

    /// Loads an unencrypted PKCS#8 PEM file (RFC 5958, RFC 7468 §10): the first block of that name counts.
    ///
    /// - Parameter allowingOthers: also accept a file that group or others may read or write.
    /// - Throws: ``KeyError``; `.exposed` names the `chmod` that mends it.
    package static func load(path: String, allowingOthers: Bool = false) throws(KeyError) -> PrivateKey {
        var pem = try KeyFile(path: path).read(bytesMax: fileBytesMax, allowingOthers: allowingOthers)
        defer { wipe(&pem) }
        defer { ERR_clear_error() }
        guard let key = parse(pem) else {
            throw .notPKCS8(path: path)
        }
        // A file may hold a compressed point; the house knows only the uncompressed form. No effect on Ed25519.
        if EVP_PKEY_is_a(key, "EC") == 1 {
            EVP_PKEY_set_utf8_string_param(key, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, "uncompressed")
        }
        guard let context = EVP_PKEY_CTX_new(key, nil) else {
            EVP_PKEY_free(key)
            throw .library(call: "EVP_PKEY_CTX_new")
        }
        defer { EVP_PKEY_CTX_free(context) }
        let result: PrivateKey
        do throws(KeyError) { result = try PrivateKey(owning: key) } catch {
            throw error == .unsupportedPublicKey ? .unsupportedPrivateKey(path: path) : error
        }
        // Signing with a public half that is not ours would give the private half away (EdDSA hashes both).
        guard EVP_PKEY_pairwise_check(context) == 1 else { throw .mismatched(path: path) }
        return result
    }

    /// Saves as PKCS#8 PEM, mode 0600, whole or not at all, durable on return. Never replaces a file.
    ///
    /// - Throws: ``KeyError``; see ``KeyFile/create(_:before:)``.
    package func save(to path: String, before: (KeyFile.Step) throws -> Void = { _ in }) throws {
        var pem = try encodedPEM()
        defer { wipe(&pem) }
        try KeyFile(path: path).create(pem, before: before)
    }

    /// PKCS#8 PEM, for a library that signs with it in this process.
    package func encodedPEM() throws(KeyError) -> [UInt8] {
        guard let memory = BIO_new(BIO_s_secmem()) else { throw .library(call: "BIO_new") }
        defer { BIO_free(memory) }
        guard PEM_write_bio_PKCS8PrivateKey(memory, handle, nil, nil, 0, nil, nil) == 1 else {
            throw .library(call: "PEM_write_bio_PKCS8PrivateKey")
        }
        var pem = [UInt8](repeating: 0, count: Self.fileBytesMax)
        defer { wipe(&pem) }
        let count = BIO_read(memory, &pem, Int32(pem.count))
        guard count > 0 else { throw .library(call: "BIO_read") }
        return Array(pem[..<Int(count)])
    }

    /// The key of the first "PRIVATE KEY" block; nil for anything else, also for encrypted and older forms, so that
    /// OpenSSL never asks for a pass phrase on the terminal.
    private static func parse(_ pem: [UInt8]) -> OpaquePointer? {
        guard let memory = BIO_new_mem_buf(pem, Int32(pem.count)) else { return nil }
        defer { BIO_free(memory) }
        var name: UnsafeMutablePointer<CChar>?
        var header: UnsafeMutablePointer<CChar>?
        var data: UnsafeMutablePointer<UInt8>?
        var count = 0
        while PEM_read_bio(memory, &name, &header, &data, &count) == 1 {
            defer {
                CRYPTO_free(name, #file, #line)
                CRYPTO_free(header, #file, #line)
                CRYPTO_clear_free(data, count, #file, #line)
            }
            guard let name, String(cString: name) == "PRIVATE KEY" else { continue }
            var cursor = UnsafePointer(data)
            guard let info = d2i_PKCS8_PRIV_KEY_INFO(nil, &cursor, count) else { return nil }
            defer { PKCS8_PRIV_KEY_INFO_free(info) }
            return EVP_PKCS82PKEY(info)
        }
        return nil
    }

    // MARK: TLS

    /// Makes a TLS context sign with this key. False when its certificate is for another one.
    func use(in context: OpaquePointer) -> Bool {
        SSL_CTX_use_PrivateKey(context, handle) == 1 && SSL_CTX_check_private_key(context) == 1
    }

    // MARK: Signing

    /// 64 raw bytes over `bytes`: r ‖ s (RFC 9053 §2.1) or R ‖ S (RFC 8032). ES256 signatures differ each time.
    package func sign(_ bytes: [UInt8]) throws(KeyError) -> [UInt8] {
        if let device { return try device.sign(digest: sha256(bytes)) }
        guard let context = EVP_MD_CTX_new() else { throw .library(call: "EVP_MD_CTX_new") }
        defer { EVP_MD_CTX_free(context) }
        let digest = algorithm == .es256 ? EVP_sha256() : nil
        guard EVP_DigestSignInit(context, nil, digest, nil, handle) == 1 else {
            throw .library(call: "EVP_DigestSignInit")
        }
        var signature = [UInt8](repeating: 0, count: 128)
        var count = signature.count
        // OpenSSL 3.0 refuses a null message even when its length is 0.
        let message = bytes.isEmpty ? [0] : bytes
        guard EVP_DigestSign(context, &signature, &count, message, bytes.count) == 1, count <= signature.count else {
            throw .library(call: "EVP_DigestSign")
        }
        signature.removeLast(signature.count - count)
        guard algorithm == .es256 else { return signature }
        guard let raw = rawSignature(der: signature) else { throw .library(call: "d2i_ECDSA_SIG") }
        return raw
    }
}

/// Overwrites bytes that were part of a secret, in a way the optimiser may not drop. Copies elsewhere remain.
func wipe(_ bytes: inout [UInt8]) {
    let count = bytes.count
    OPENSSL_cleanse(&bytes, count)
}
