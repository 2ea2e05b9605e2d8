// Bytes nobody can guess: salts, stream ids, session numbers. Never inside a fold.

internal import COpenSSL

/// Most bytes one call returns.
package let secureRandomBytesMax = 65_536

/// `count` (0 … ``secureRandomBytesMax``) bytes of OpenSSL's generator, which the kernel seeds.
package func secureRandom(count: Int) -> [UInt8] {
    precondition(0...secureRandomBytesMax ~= count, "secureRandom(count:) takes 0 to \(secureRandomBytesMax)")
    var bytes = [UInt8](repeating: 0, count: count)
    // Without a generator there is no salt and no key worth having: going on with zeros would be silent and worse.
    precondition(RAND_bytes(&bytes, Int32(count)) == 1, "OpenSSL's random generator failed: libcrypto is broken")
    return bytes
}
