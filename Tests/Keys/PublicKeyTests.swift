// Public keys: published vectors, every refused form, junk in place of keys and signatures, many threads.

import COpenSSL
import Evidence
import Keys
import Kit
import Quantities
import Testing

let p256Prefix = "3059301306072a8648ce3d020106082a8648ce3d03010703420004"
let ed25519Prefix = "302a300506032b6570032100"

struct Vector: Sendable, CustomTestStringConvertible {
    let name: String
    /// SubjectPublicKeyInfo, message, raw signature; hexadecimal.
    let spki: String
    let message: String
    let signature: String
    var testDescription: String { name }
}

/// RFC 8032 §7.1 and RFC 6979 §A.2.5 (P-256 with SHA-256: "sample" and "test").
let vectors = [
    Vector(
        name: "RFC 8032 test 1",
        spki: ed25519Prefix + "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", message: "",
        signature: "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
            + "d25bf5f0595bbe24655141438e7a100b"),
    Vector(
        name: "RFC 8032 test 2",
        spki: ed25519Prefix + "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", message: "72",
        signature: "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
            + "387b2eaeb4302aeeb00d291612bb0c00"),
    Vector(
        name: "RFC 8032 test 3",
        spki: ed25519Prefix + "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", message: "af82",
        signature: "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
            + "4a7c15e9716ed28dc027beceea1ec40a"),
    Vector(
        name: "RFC 6979 sample",
        spki: p256Prefix + "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
            + "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299",
        message: Array("sample".utf8).hex,
        signature: "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
            + "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"),
    Vector(
        name: "RFC 6979 test",
        spki: p256Prefix + "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
            + "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299",
        message: Array("test".utf8).hex,
        signature: "f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367"
            + "019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083"),
]

func bytes(_ hex: String) throws -> [UInt8] { try #require([UInt8](hex: hex)) }

struct PublicKeyTests {
    @Test(arguments: vectors) func publishedSignaturesVerify(_ vector: Vector) throws {
        let key = try PublicKey(spki: bytes(vector.spki))
        let message = try bytes(vector.message)
        let signature = try bytes(vector.signature)
        #expect(key.verify(signature: signature, over: message))
        #expect(key.algorithm == (vector.name.hasPrefix("RFC 8032") ? .eddsa : .es256))
        #expect(!key.verify(signature: signature, over: message + [0]))
        for bit in 0..<(signature.count * 8) {
            var other = signature
            other[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(!key.verify(signature: other, over: message), "bit \(bit)")
        }
    }

    @Test func aKeyIsNamedByItsBytes() throws {
        let raw = try bytes("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
        let key = try PublicKey(rawEd25519: raw)
        #expect(key.spki.hex == ed25519Prefix + raw.hex)
        #expect(key.rawEd25519 == raw)
        // printf '%s' SPKI | xxd -r -p | sha256sum
        #expect(key.kid.hex == "06e3fd8fda29bb60")
        #expect(try PublicKey(spki: key.spki) == key)
        #expect(try PublicKey(spki: bytes(vectors[3].spki)).rawEd25519 == nil)
    }

    /// r or s of 0, of the group's order, of all ones; lengths around 64.
    @Test(arguments: [vectors[0], vectors[3]]) func junkIsNoSignature(_ vector: Vector) throws {
        let key = try PublicKey(spki: bytes(vector.spki))
        let good = try bytes(vector.signature)
        let message = try bytes(vector.message)
        let order = try bytes("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551")
        let zero = [UInt8](repeating: 0, count: 32)
        let ones = [UInt8](repeating: 0xff, count: 32)
        for r in [zero, order, ones, Array(good[..<32])] {
            for s in [zero, order, ones] { #expect(!key.verify(signature: r + s, over: message)) }
        }
        for count in [0, 1, 63, 65, 71, 72, 128, 70_000] {
            #expect(
                !key.verify(
                    signature: Array((good + [UInt8](repeating: 0, count: 70_000)).prefix(count)), over: message))
        }
    }

    @Test(arguments: [
        ("nothing", ""), ("one byte", "30"),
        ("Ed25519, a byte short", ed25519Prefix + String(repeating: "ab", count: 31)),
        ("Ed25519, a byte long", ed25519Prefix + "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a00"),
        ("Ed25519 with NULL parameters", "302c300706032b65700500032100" + String(repeating: "ab", count: 32)),
        ("Ed25519 in BER's long length", "30812a300506032b6570032100" + String(repeating: "ab", count: 32)),
        ("X25519", "302a300506032b656e032100" + String(repeating: "ab", count: 32)),
        (
            "P-256, compressed point",
            "3039301306072a8648ce3d020106082a8648ce3d030107032200" + "03"
                + "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
        ),
        (
            "P-256, hybrid point",
            "3059301306072a8648ce3d020106082a8648ce3d03010703420007"
                + "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
                + "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"
        ),
        ("secp256k1", "3056301006072a8648ce3d020106052b8104000a03420004" + String(repeating: "ab", count: 64)),
    ])
    func otherFormsAreRefused(name: String, hex: String) throws {
        let spki = try bytes(hex)
        #expect(throws: KeyError.unsupportedPublicKey, "\(name)") { try PublicKey(spki: spki) }
    }

    @Test(arguments: [
        ("P-256, not on the curve", p256Prefix + String(repeating: "ab", count: 64)),
        ("P-256, x beyond the field", p256Prefix + String(repeating: "ff", count: 64)),
        ("P-256, zeros", p256Prefix + String(repeating: "00", count: 64)),
        ("Ed25519, order 4", ed25519Prefix + String(repeating: "00", count: 32)),
        ("Ed25519, order 4, other sign", ed25519Prefix + String(repeating: "00", count: 31) + "80"),
        ("Ed25519, neutral", ed25519Prefix + "01" + String(repeating: "00", count: 31)),
        ("Ed25519, order 2", ed25519Prefix + "ec" + String(repeating: "ff", count: 30) + "7f"),
        ("Ed25519, y = p", ed25519Prefix + "ed" + String(repeating: "ff", count: 30) + "7f"),
        ("Ed25519, y = 2²⁵⁵ − 1", ed25519Prefix + String(repeating: "ff", count: 32)),
        ("Ed25519, order 8", ed25519Prefix + "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
        ("Ed25519, order 8, other", ed25519Prefix + "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa"),
    ])
    func pointsThatProveNothingAreRefused(name: String, hex: String) throws {
        let spki = try bytes(hex)
        #expect(throws: KeyError.invalidPoint, "\(name)") { try PublicKey(spki: spki) }
    }

    @Test(arguments: [UInt64](1...4)) func mutatedKeysNeverCrashAndNeverVerify(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        for vector in [vectors[0], vectors[1], vectors[3]] {
            let spki = try bytes(vector.spki)
            let message = try bytes(vector.message)
            let signature = try bytes(vector.signature)
            for _ in 0..<2_000 {
                let other = generator.mutated(spki)
                guard other != spki else { continue }
                do throws(KeyError) {
                    let key = try PublicKey(spki: other)
                    #expect(!key.verify(signature: signature, over: message), "seed \(seed): \(other.hex)")
                } catch {
                    #expect(error == .unsupportedPublicKey || error == .invalidPoint, "seed \(seed): \(other.hex)")
                }
            }
            let key = try PublicKey(spki: spki)
            for _ in 0..<500 {
                let other = generator.mutated(signature)
                guard other != signature else { continue }
                #expect(!key.verify(signature: other, over: message), "seed \(seed): \(other.hex)")
            }
        }
    }

    @Test func manyTasksShareOneKey() async throws {
        for vector in [vectors[1], vectors[4]] {
            let key = try PublicKey(spki: bytes(vector.spki))
            let message = try bytes(vector.message)
            let signature = try bytes(vector.signature)
            let wrong = Array(signature.reversed())
            let right = await withTaskGroup(of: Int.self) { group in
                for _ in 0..<8 {
                    group.addTask {
                        (0..<300).count {
                            _ in
                            key.verify(signature: signature, over: message)
                                && !key.verify(signature: wrong, over: message)
                        }
                    }
                }
                return await group.reduce(0, +)
            }
            #expect(right == 2_400)
        }
    }

    @Test func aRefusedSignatureLeavesNoErrorBehind() throws {
        let key = try PublicKey(spki: bytes(vectors[3].spki))
        ERR_clear_error()
        #expect(!key.verify(signature: [UInt8](repeating: 0xff, count: 64), over: []))
        #expect(ERR_peek_error() == 0)
    }
}
