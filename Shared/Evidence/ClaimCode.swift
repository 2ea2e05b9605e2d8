// The claim code that an installer types once: `KM1-` secret `-` fingerprint of the CA. Says nothing about who may use it:
// the claim is a registration, and only the secret's hash stands there.
//
//   code        = "KM1-" secret "-" fingerprint, in Crockford's base32: 0-9 A-Z without I L O U, 5 bits a character
//   secret      = 20 characters: 100 random bits
//   fingerprint = 26 characters: the first 16 bytes of SHA-256 over the CA certificate's DER, then two zero bits

package import Proofs

/// Why a text is not a claim code. In the order of the checks; each says what to look at.
package enum ClaimCodeError: Error, Hashable, Sendable, CustomStringConvertible {
    case tooLong
    /// It does not begin with KM1.
    case otherKind
    /// Not a letter or digit of a code; the place counts letters and digits from 1, with KM1.
    case character(Character, place: Int)
    /// Letters and digits after KM1.
    case length(Int)
    /// The last character stands for bits that no code has.
    case lastCharacter

    package var description: String {
        switch self {
        case .tooLong: "a claim code has at most \(ClaimCode.textBytesMax) bytes: type it again"
        case .otherKind: "a claim code begins with KM1-: look for it on the collector's page /devices"
        case .character(let character, let place):
            "character \(place) of the claim code, \"\(character)\", stands in no code "
                + "(0-9 and A-Z without I, L, O, U): read it again"
        case .length(let count):
            "the claim code has \(count) characters after KM1, it must have "
                + "\(ClaimCode.secretCharacters + ClaimCode.fingerprintCharacters): type all of it"
        case .lastCharacter: "the claim code's last character cannot stand there: read it again"
        }
    }
}

/// A claim code as read. Two texts that mean the same code are equal here, and print alike.
package struct ClaimCode: Hashable, Sendable {
    package static let secretCharacters = 20
    package static let fingerprintCharacters = 26
    /// Bytes of ``fingerprint``.
    package static let fingerprintBytes = 16
    /// Random bytes that a secret is made from; the last four bits are not used.
    package static let randomBytes = 13
    /// What is read at most: room for spaces and hyphens between the 49 characters.
    package static let textBytesMax = 256

    /// 20 characters, upper case: the password of an enrolment, and what the claim has the hash of.
    package let secret: String
    /// First 16 bytes of SHA-256 over the CA certificate's DER.
    package let fingerprint: [UInt8]

    private static let alphabet = Array("0123456789ABCDEFGHJKMNPQRSTVWXYZ".utf8)

    /// A new code.
    ///
    /// - Parameters:
    ///   - random: 13 bytes nobody can guess.
    ///   - certificate: the CA's, DER.
    package init(random: [UInt8], certificate: [UInt8]) {
        precondition(random.count == Self.randomBytes, "a secret is made from \(Self.randomBytes) bytes")
        secret = String(Self.characters(of: random).prefix(Self.secretCharacters))
        fingerprint = Self.fingerprint(of: certificate)
    }

    /// Reads what a person typed: any case, spaces and hyphens anywhere, I and L for 1, O for 0.
    package init(reading text: String) throws(ClaimCodeError) {
        guard text.utf8.count <= Self.textBytesMax else { throw .tooLong }
        let typed = Self.withoutSeparators(text)
        guard Self.isKind(typed.prefix(3)) else { throw .otherKind }
        var values: [UInt8] = []
        for (index, character) in typed.enumerated().dropFirst(3) {
            guard let value = Self.value(of: character) else { throw .character(character, place: index + 1) }
            values.append(value)
        }
        guard values.count == Self.secretCharacters + Self.fingerprintCharacters else { throw .length(values.count) }
        secret = Self.text(values.prefix(Self.secretCharacters))
        guard let bytes = Self.bytes(values.dropFirst(Self.secretCharacters)) else { throw .lastCharacter }
        fingerprint = bytes
    }

    /// `KM1-secret-fingerprint`: one spelling a code.
    package var text: String { "KM1-" + secret + "-" + Self.characters(of: fingerprint) }

    /// SHA-256 of the secret's 20 characters: what the claim has.
    package var secretDigest: Digest { Self.digest(ofSecret: secret) }

    /// Whether this is the CA that the code was made for. `certificate` is DER.
    package func names(certificate: [UInt8]) -> Bool { Self.fingerprint(of: certificate) == fingerprint }

    package static func digest(ofSecret secret: String) -> Digest { Digest(of: Array(secret.utf8)) }

    /// The secret as an enrolment's password spells it, however it was typed; nil when it is none.
    package static func secret(reading text: String) -> String? {
        guard text.utf8.count <= textBytesMax else { return nil }
        let typed = withoutSeparators(text)
        let values = typed.compactMap(value)
        guard typed.count == secretCharacters, values.count == secretCharacters else { return nil }
        return Self.text(values)
    }

    private static func fingerprint(of certificate: [UInt8]) -> [UInt8] {
        Array(Digest(of: certificate).bytes.prefix(fingerprintBytes))
    }

    private static func withoutSeparators(_ text: String) -> [Character] {
        text.filter { $0 != "-" && !$0.isWhitespace }
    }

    /// KM1, where the 1 may be an I or L too.
    private static func isKind(_ characters: ArraySlice<Character>) -> Bool {
        let values = characters.map(value)
        return values == [value(of: "K"), value(of: "M"), 1]
    }

    /// 0 … 31; nil outside the alphabet.
    private static func value(of character: Character) -> UInt8? {
        guard var ascii = character.asciiValue else { return nil }
        if (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(ascii) { ascii -= 32 }
        switch ascii {
        case UInt8(ascii: "I"), UInt8(ascii: "L"): return 1
        case UInt8(ascii: "O"): return 0
        default: return alphabet.firstIndex(of: ascii).map { UInt8($0) }
        }
    }

    private static func text(_ values: some Sequence<UInt8>) -> String {
        String(decoding: values.map { alphabet[Int($0)] }, as: UTF8.self)
    }

    /// Five bits a character, the highest first; what is missing at the end is zero.
    private static func characters(of bytes: [UInt8]) -> String {
        let count = (bytes.count * 8 + 4) / 5
        return text(
            (0..<count).map { index in
                (0..<5).reduce(0) { value, offset in
                    let bit = index * 5 + offset
                    let isSet = bit / 8 < bytes.count && bytes[bit / 8] & (0x80 >> UInt8(bit % 8)) != 0
                    return value << 1 | (isSet ? 1 : 0)
                }
            })
    }

    /// Whole bytes; nil when a bit beyond them is set, so that each code has one spelling.
    private static func bytes(_ values: some Sequence<UInt8>) -> [UInt8]? {
        var bytes: [UInt8] = []
        var (word, bits): (UInt16, UInt16) = (0, 0)
        for value in values {
            word = word << 5 | UInt16(value)
            bits += 5
            guard bits >= 8 else { continue }
            bits -= 8
            bytes.append(UInt8(truncatingIfNeeded: word >> bits))
            word &= (1 << bits) - 1
        }
        return word == 0 ? bytes : nil
    }
}
