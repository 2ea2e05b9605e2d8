// SHA-256 (FIPS 180-4) through OpenSSL: digests, and a running hash for long inputs.

internal import COpenSSL

/// A SHA-256 digest: 32 bytes.
package struct Digest: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let bytes: [UInt8]

    /// 32 zero bytes: "nothing before", the chain value of a stream's first record.
    package static let zero = Digest(unchecked: [UInt8](repeating: 0, count: 32))

    /// Nil unless exactly 32 bytes.
    package init?(_ bytes: some Collection<UInt8>) {
        guard bytes.count == 32 else { return nil }
        self.bytes = Array(bytes)
    }

    fileprivate init(unchecked bytes: [UInt8]) { self.bytes = bytes }

    /// SHA-256 of the concatenation of `parts`.
    package init(of parts: [UInt8]...) {
        var hash = RunningHash()
        for part in parts { hash.update(part) }
        self = hash.finish()
    }

    package static func < (a: Digest, b: Digest) -> Bool { a.bytes.lexicographicallyPrecedes(b.bytes) }

    /// 64 lower-case hexadecimal digits.
    package var description: String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}

/// SHA-256 over bytes that arrive in pieces.
package struct RunningHash: ~Copyable {
    private let context: OpaquePointer

    package init() {
        // Allocation is the only way this fails; a process without memory for a hash has none for an error either.
        guard let context = EVP_MD_CTX_new(), EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1 else {
            preconditionFailure("OpenSSL has no SHA-256: the installation of libcrypto is broken")
        }
        self.context = context
    }

    deinit { EVP_MD_CTX_free(context) }

    package mutating func update(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { buffer in
            precondition(EVP_DigestUpdate(context, buffer.baseAddress, buffer.count) == 1, "SHA-256 update failed")
        }
    }

    /// The digest of everything so far.
    package consuming func finish() -> Digest {
        var bytes = [UInt8](repeating: 0, count: 32)
        precondition(EVP_DigestFinal_ex(context, &bytes, nil) == 1, "SHA-256 final failed")
        return Digest(unchecked: bytes)
    }
}
