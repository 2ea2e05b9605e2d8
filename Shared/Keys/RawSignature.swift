// ECDSA signatures between COSE's fixed r ‖ s (RFC 9053 §2.1) and the DER SEQUENCE that OpenSSL speaks. P-256 only.

internal import COpenSSL
internal import Proofs

/// r ‖ s on P-256, R ‖ S on Ed25519: both are 64 bytes.
let rawSignatureBytes = 64

/// SHA-256 as plain bytes.
func sha256(_ bytes: [UInt8]) -> [UInt8] { Digest(of: bytes).bytes }

/// SEQUENCE { INTEGER r, INTEGER s } of 64 raw bytes. At most 72 bytes, so every length fits the short form.
func derSignature(raw: [UInt8]) -> [UInt8] {
    let r = derInteger(raw[..<32])
    let s = derInteger(raw[32...])
    return [0x30, UInt8(r.count + s.count)] + r + s
}

/// The shortest INTEGER of an unsigned big-endian number of at most 32 bytes.
private func derInteger(_ magnitude: ArraySlice<UInt8>) -> [UInt8] {
    var digits = Array(magnitude.drop { $0 == 0 })
    if digits.first ?? 0x80 >= 0x80 { digits.insert(0, at: 0) }
    return [0x02, UInt8(digits.count)] + digits
}

/// 64 raw bytes of OpenSSL's DER signature; nil when it is none of P-256.
func rawSignature(der: [UInt8]) -> [UInt8]? {
    let parsed = der.withUnsafeBufferPointer { buffer -> OpaquePointer? in
        var cursor = buffer.baseAddress
        return d2i_ECDSA_SIG(nil, &cursor, buffer.count)
    }
    guard let parsed else { return nil }
    defer { ECDSA_SIG_free(parsed) }
    var raw = [UInt8](repeating: 0, count: rawSignatureBytes)
    let padded = raw.withUnsafeMutableBufferPointer { buffer -> Bool in
        guard let base = buffer.baseAddress else { return false }
        return BN_bn2binpad(ECDSA_SIG_get0_r(parsed), base, 32) == 32
            && BN_bn2binpad(ECDSA_SIG_get0_s(parsed), base + 32, 32) == 32
    }
    return padded ? raw : nil
}
