// A certificate request (PKCS #10, RFC 2986) as an enrolment carries it: read strictly in DER, so that everybody who folds the
// Journal reads the same key and name in it. Checks no signature; makes no certificate.
//
//   CertificationRequest     ::= SEQUENCE { info, AlgorithmIdentifier, signature BIT STRING }
//   CertificationRequestInfo ::= SEQUENCE { version INTEGER (0), subject Name, SubjectPublicKeyInfo, [0] attributes }

/// Key, name and signature of a request. What else stands in it (attributes, other names) is not looked at.
package struct CertificateRequest: Hashable, Sendable {
    /// DER bytes read at most.
    package static let bytesMax = 4096

    package let der: [UInt8]
    /// What is signed: the CertificationRequestInfo's bytes.
    package let signed: [UInt8]
    /// DER SubjectPublicKeyInfo.
    package let spki: [UInt8]
    /// The subject's common name, if it has exactly one.
    package let commonName: String?
    package let algorithm: SignatureAlgorithm
    /// 64 raw bytes: r ‖ s (ES256) or R ‖ S (EdDSA).
    package let signature: [UInt8]

    private enum Tag {
        static let integer: UInt8 = 0x02
        static let bits: UInt8 = 0x03
        static let object: UInt8 = 0x06
        static let utf8: UInt8 = 0x0C
        static let printable: UInt8 = 0x13
        static let sequence: UInt8 = 0x30
        static let set: UInt8 = 0x31
        static let attributes: UInt8 = 0xA0
    }

    /// ecdsa-with-SHA256 (RFC 5758 §3.2) and id-Ed25519 (RFC 8410 §3), as AlgorithmIdentifier without parameters.
    private static let algorithms: [(name: [UInt8], algorithm: SignatureAlgorithm)] = [
        ([Tag.object, 8, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x02], .es256),
        ([Tag.object, 3, 0x2B, 0x65, 0x70], .eddsa),
    ]
    /// id-at-commonName (RFC 5280 appendix A.1).
    private static let commonNameType: [UInt8] = [0x55, 0x04, 0x03]

    /// Nil when it is not one request in DER, or signed with another algorithm than ES256 or EdDSA.
    package init?(der: [UInt8]) {
        guard der.count <= Self.bytesMax else { return nil }
        var file = DERReader(der[...])
        guard var request = file.read(Tag.sequence), file.isAtEnd,
            let info = request.element(Tag.sequence), var name = request.read(Tag.sequence),
            var bits = request.read(Tag.bits), request.isAtEnd, bits.byte() == 0,
            let algorithm = Self.algorithm(name.rest()),
            let signature = Self.raw(bits.rest(), algorithm)
        else { return nil }
        var body = DERReader(info[...])
        guard var fields = body.read(Tag.sequence), let version = fields.element(Tag.integer),
            Array(version) == [Tag.integer, 1, 0], var subject = fields.read(Tag.sequence),
            let spki = fields.element(Tag.sequence), fields.read(Tag.attributes) != nil, fields.isAtEnd,
            let names = Self.commonNames(&subject)
        else { return nil }
        self.der = der
        signed = Array(info)
        self.spki = Array(spki)
        commonName = names.count == 1 ? names[0] : nil
        self.algorithm = algorithm
        self.signature = signature
    }

    private static func algorithm(_ name: ArraySlice<UInt8>) -> SignatureAlgorithm? {
        algorithms.first { $0.name.elementsEqual(name) }?.algorithm
    }

    /// Every common name of a Name; nil when it is none.
    private static func commonNames(_ subject: inout DERReader) -> [String]? {
        var names: [String] = []
        while !subject.isAtEnd {
            guard var set = subject.read(Tag.set), !set.isAtEnd else { return nil }
            while !set.isAtEnd {
                guard var pair = set.read(Tag.sequence), var type = pair.read(Tag.object), let tag = pair.tag,
                    var value = pair.read(tag), pair.isAtEnd
                else { return nil }
                guard type.rest().elementsEqual(commonNameType) else { continue }
                guard tag == Tag.utf8 || tag == Tag.printable else { return nil }
                names.append(String(decoding: value.rest(), as: UTF8.self))
            }
        }
        return names
    }

    /// The signature's 64 bytes; nil when it has another form.
    private static func raw(_ bytes: ArraySlice<UInt8>, _ algorithm: SignatureAlgorithm) -> [UInt8]? {
        guard algorithm == .es256 else { return bytes.count == 64 ? Array(bytes) : nil }
        var reader = DERReader(bytes)
        guard var pair = reader.read(Tag.sequence), reader.isAtEnd, let r = number(&pair), let s = number(&pair),
            pair.isAtEnd
        else { return nil }
        return r + s
    }

    /// An INTEGER of 0 … 2^256 − 1 as 32 bytes.
    private static func number(_ reader: inout DERReader) -> [UInt8]? {
        guard var content = reader.read(Tag.integer) else { return nil }
        var bytes = content.rest()
        guard let first = bytes.first, first < 0x80 else { return nil }
        if first == 0, bytes.count > 1 {
            bytes = bytes.dropFirst()
            // A zero that is not needed for the sign is another spelling of the same number.
            guard bytes.first ?? 0 >= 0x80 else { return nil }
        }
        guard bytes.count <= 32 else { return nil }
        return [UInt8](repeating: 0, count: 32 - bytes.count) + bytes
    }
}

/// Reads DER elements (X.690) one after the other: definite lengths in their shortest form, tags of one byte.
private struct DERReader {
    private var bytes: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { self.bytes = bytes }

    var isAtEnd: Bool { bytes.isEmpty }

    /// Of the next element.
    var tag: UInt8? { bytes.first }

    mutating func byte() -> UInt8? { bytes.popFirst() }

    /// What is left.
    mutating func rest() -> ArraySlice<UInt8> {
        defer { bytes = bytes[bytes.endIndex...] }
        return bytes
    }

    /// The content of the next element, which must have this tag.
    mutating func read(_ tag: UInt8) -> DERReader? {
        guard let (head, count) = header(tag) else { return nil }
        let start = bytes.startIndex + head
        defer { bytes = bytes[(start + count)...] }
        return DERReader(bytes[start..<(start + count)])
    }

    /// The next element with its tag and length.
    mutating func element(_ tag: UInt8) -> ArraySlice<UInt8>? {
        guard let (head, count) = header(tag) else { return nil }
        let end = bytes.startIndex + head + count
        defer { bytes = bytes[end...] }
        return bytes[..<end]
    }

    /// Bytes of tag and length, bytes of content; nil when they are not all there.
    private func header(_ tag: UInt8) -> (head: Int, count: Int)? {
        // Tags 31 and above take more bytes; none of them stands in a request.
        guard bytes.first == tag, tag & 0x1F != 0x1F, let first = bytes.dropFirst().first else { return nil }
        guard first >= 0x80 else { return bytes.count >= 2 + Int(first) ? (2, Int(first)) : nil }
        let digits = bytes.dropFirst(2).prefix(Int(first & 0x7F))
        guard (1...2).contains(first & 0x7F), digits.count == Int(first & 0x7F), digits.first != 0 else { return nil }
        let count = digits.reduce(0) { $0 << 8 | Int($1) }
        guard count >= 0x80, bytes.count >= 2 + digits.count + count else { return nil }
        return (2 + digits.count, count)
    }
}
