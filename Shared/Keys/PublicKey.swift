// A public key as the house names and uses it: its SubjectPublicKeyInfo bytes, ready to verify. Not certificates, not trust.

package import Evidence
internal import Proofs

/// A P-256 or Ed25519 public key.
///
/// Equality, hash and ``kid`` go by the DER bytes, of which each key has exactly one accepted form. Copies share one
/// parsed key: keep a `PublicKey` per signer and verify with it from any number of threads.
package struct PublicKey: Hashable, Sendable, CustomStringConvertible {
    /// DER SubjectPublicKeyInfo (RFC 5280 §4.1; RFC 5480 for P-256: 91 bytes, RFC 8410 for Ed25519: 44 bytes).
    package let spki: [UInt8]
    package let algorithm: SignatureAlgorithm
    /// First 8 bytes of SHA-256 over ``spki``.
    package let kid: [UInt8]
    private let handle: VerifyingKey

    /// SubjectPublicKeyInfo of id-ecPublicKey with prime256v1, up to and with the tag of an uncompressed point.
    private static let p256Prefix: [UInt8] = [
        0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
        0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
    ]
    /// SubjectPublicKeyInfo of id-Ed25519.
    private static let ed25519Prefix: [UInt8] = [
        0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
    ]

    /// Accepts the one canonical form of each of the two kinds, compared byte for byte before OpenSSL sees it, so no
    /// other curve, parameter form, compressed point or BER variant gets as far as a parser.
    ///
    /// - Throws: ``KeyError/unsupportedPublicKey``, ``KeyError/invalidPoint``.
    package init(spki: [UInt8]) throws(KeyError) {
        if spki.count == 91, spki.starts(with: Self.p256Prefix) {
            algorithm = .es256
        } else if spki.count == 44, spki.starts(with: Self.ed25519Prefix) {
            guard Self.isUsableEd25519(spki.suffix(32)) else { throw .invalidPoint }
            algorithm = .eddsa
        } else {
            throw .unsupportedPublicKey
        }
        handle = try VerifyingKey(spki: spki, algorithm: algorithm)
        self.spki = spki
        kid = Array(sha256(spki).prefix(8))
    }

    /// From the raw 32 bytes of RFC 8032, as signed notes carry them.
    package init(rawEd25519: [UInt8]) throws(KeyError) {
        guard rawEd25519.count == 32 else { throw .unsupportedPublicKey }
        try self.init(spki: Self.ed25519Prefix + rawEd25519)
    }

    /// The raw 32 bytes of RFC 8032 §5.1.2, nil for P-256.
    package var rawEd25519: [UInt8]? { algorithm == .eddsa ? Array(spki.suffix(32)) : nil }

    /// Whether `signature` (64 raw bytes: r ‖ s for ES256, RFC 9053 §2.1; R ‖ S for EdDSA) stands over `bytes`.
    /// False for anything else, whatever its length or content.
    package func verify(signature: [UInt8], over bytes: [UInt8]) -> Bool { handle.verify(signature, over: bytes) }

    package static func == (a: PublicKey, b: PublicKey) -> Bool { a.spki == b.spki }

    package func hash(into hasher: inout Hasher) { hasher.combine(spki) }

    /// Algorithm and kid, for logs.
    package var description: String {
        let name = algorithm == .es256 ? "ES256" : "EdDSA"
        return name + " " + kid.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    /// False for a y ≥ 2²⁵⁵ − 19 (a second encoding of the same point) and for the eight points of small order, with
    /// which one signature can be made to stand over any message.
    private static func isUsableEd25519(_ encoded: ArraySlice<UInt8>) -> Bool {
        var y = Array(encoded)
        y[31] &= 0x7f
        if y[31] == 0x7f, y[0] >= 0xec, y[1..<31].allSatisfy({ $0 == 0xff }) { return false }  // p − 1 and above
        return !smallOrder.contains(y)
    }

    /// y of the points of order 4, 1, 8 and 8 (little-endian); p − 1, of order 2, is refused with what lies above it.
    private static let smallOrder: [[UInt8]] = [
        [UInt8](repeating: 0, count: 32),
        [1] + [UInt8](repeating: 0, count: 31),
        [
            0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf,
            0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
        ],
        [
            0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20,
            0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
        ],
    ]
}
