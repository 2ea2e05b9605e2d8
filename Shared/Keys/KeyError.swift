// Why a key was refused, and what to do about it. Not for signatures: a bad signature is `false`, not an error.

/// Why bytes or a file are not a key we use.
package enum KeyError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Neither an uncompressed P-256 nor an Ed25519 SubjectPublicKeyInfo in the one DER form.
    case unsupportedPublicKey
    /// The right form, but no point of the curve, or one of the few whose signatures prove nothing.
    case invalidPoint
    /// The file cannot be opened, read or written: what was tried, path, errno in words.
    case file(action: String, path: String, reason: String)
    case notRegularFile(path: String)
    /// Others than the owner may read or write the key file; `mode` is its permission bits.
    case exposed(path: String, mode: UInt32)
    /// Longer than ``PrivateKey/fileBytesMax``.
    case tooLarge(path: String)
    /// No unencrypted PKCS#8 PEM block is in the file.
    case notPKCS8(path: String)
    case unsupportedPrivateKey(path: String)
    /// Private and public half inside the file do not belong together.
    case mismatched(path: String)
    /// There is a file of this name already; a key is never overwritten.
    case exists(path: String)
    /// A token or TPM: where, what is wrong with it, and whether it may end by itself (unplugged, busy) or not (PIN).
    case store(place: String, problem: String, isPassing: Bool)
    /// OpenSSL refused something that cannot fail with sound memory and a sound library.
    case library(call: String)

    package var description: String {
        switch self {
        case .unsupportedPublicKey:
            "not a public key we use: give the DER SubjectPublicKeyInfo of an Ed25519 key or of a P-256 key with an "
                + "uncompressed point (openssl pkey -pubout -outform DER -ec_conv_form uncompressed)"
        case .invalidPoint:
            "the public key is no usable point of its curve: make a new key pair"
        case .file(let action, let path, let reason):
            "cannot \(action) key file \(path): \(reason)"
        case .notRegularFile(let path):
            "\(path) is not a regular file: name the key file itself"
        case .exposed(let path, let mode):
            "key file \(path) has mode 0\(String(mode, radix: 8)), others than its owner may use it: "
                + "run `chmod 600 \(path)`, and replace the key if it was exposed"
        case .tooLarge(let path):
            "\(path) is longer than \(PrivateKey.fileBytesMax) bytes, so it is not a key file"
        case .notPKCS8(let path):
            "\(path) holds no unencrypted PKCS#8 key (-----BEGIN PRIVATE KEY-----): "
                + "convert it with `openssl pkcs8 -topk8 -nocrypt`"
        case .unsupportedPrivateKey(let path):
            "the key in \(path) is neither P-256 nor Ed25519: "
                + "make one with `openssl genpkey -algorithm ed25519` or `-algorithm EC -pkeyopt ec_paramgen_curve:P-256`"
        case .mismatched(let path):
            "private and public half of the key in \(path) do not belong together: restore the file from its backup"
        case .exists(let path):
            "\(path) exists already and a key is never overwritten: move it away first"
        case .store(let place, let problem, _):
            "key \(place) \(problem)"
        case .library(let call):
            "OpenSSL's \(call) failed: check the installation of libcrypto and the free memory"
        }
    }
}
