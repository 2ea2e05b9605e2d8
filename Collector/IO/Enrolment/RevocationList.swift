// A certificate revocation list (RFC 5280 §5), version 2: certificates that count no more before they end. Built from values;
// who stands on it is the house's business, the signature the CA's.

internal import Evidence
internal import Proofs
internal import Quantities
internal import SwiftASN1

struct RevocationList: Sendable {
    struct Entry: Hashable, Sendable {
        /// Lower-case hexadecimal.
        let serial: String
        let at: UTCInstant
    }

    /// Entries of one list: each gateway's certificates that have not ended by themselves.
    static let entriesMax = 100_000

    let entries: [Entry]
    /// Rises with each list.
    let number: Int64
    let made: UTCInstant
    /// Whoever checks it takes no certificate at all after this.
    let until: UTCInstant

    /// PEM, signed.
    ///
    /// - Parameters:
    ///   - issuer: the CA's name.
    ///   - keyIdentifier: of the CA's key.
    ///   - sign: DER of an ECDSA signature with SHA-256.
    func pem(
        issuer: some DERSerializable, keyIdentifier: ArraySlice<UInt8>, sign: ([UInt8]) throws -> [UInt8]
    ) throws -> String {
        var list = DER.Serializer()
        try list.appendConstructedNode(identifier: .sequence) { list in
            // Version 2 is 1.
            try list.serialize(Int64(1))
            try Self.algorithm(&list)
            try list.serialize(issuer)
            try Self.time(made, &list)
            try Self.time(until, &list)
            // An empty list is left out (§5.1.2.6).
            if !entries.isEmpty {
                try list.appendConstructedNode(identifier: .sequence) { list in
                    for entry in entries { try Self.serialize(entry, &list) }
                }
            }
            try list.serialize(explicitlyTaggedWithTagNumber: 0, tagClass: .contextSpecific) { list in
                try list.appendConstructedNode(identifier: .sequence) { list in
                    try Self.authority(keyIdentifier, &list)
                    try serializeNumber(&list)
                }
            }
        }
        let signed = list.serializedBytes
        let signature = try sign(signed)
        var whole = DER.Serializer()
        try whole.appendConstructedNode(identifier: .sequence) { whole in
            whole.serializeRawBytes(signed)
            try Self.algorithm(&whole)
            try whole.serialize(ASN1BitString(bytes: signature[...]))
        }
        let lines = CertificateBag.base64Lines(whole.serializedBytes).replacing("\r\n", with: "\n")
        return "-----BEGIN X509 CRL-----\n\(lines)-----END X509 CRL-----\n"
    }

    /// ecdsa-with-SHA256.
    private static func algorithm(_ list: inout DER.Serializer) throws {
        try list.appendConstructedNode(identifier: .sequence) { list in
            let ecdsaWithSHA256: ASN1ObjectIdentifier = [1, 2, 840, 10045, 4, 3, 2]
            try list.serialize(ecdsaWithSHA256)
        }
    }

    private static func serialize(_ entry: Entry, _ list: inout DER.Serializer) throws {
        guard let bytes = [UInt8](hex: entry.serial) else {
            throw AuthorityError.library("\(entry.serial) is no serial")
        }
        var digits = Array(bytes.drop { $0 == 0 })
        if digits.first ?? 0x80 >= 0x80 { digits.insert(0, at: 0) }
        try list.appendConstructedNode(identifier: .sequence) { list in
            list.appendPrimitiveNode(identifier: .integer) { $0.append(contentsOf: digits) }
            try time(entry.at, &list)
        }
    }

    /// UTCTime through 2049, GeneralizedTime from 2050 (§5.1.2.4).
    private static func time(_ instant: UTCInstant, _ list: inout DER.Serializer) throws {
        let parts = instant.description.prefix(19).split { !$0.isNumber }.compactMap { Int($0) }
        guard parts.count == 6 else { throw AuthorityError.library("\(instant) is no time of a list") }
        if parts[0] < 2050 {
            try list.serialize(
                UTCTime(
                    year: parts[0], month: parts[1], day: parts[2], hours: parts[3], minutes: parts[4],
                    seconds: parts[5])
            )
        } else {
            try list.serialize(
                GeneralizedTime(
                    year: parts[0], month: parts[1], day: parts[2], hours: parts[3], minutes: parts[4],
                    seconds: parts[5], fractionalSeconds: 0))
        }
    }

    private static func authority(_ key: ArraySlice<UInt8>, _ list: inout DER.Serializer) throws {
        var content = DER.Serializer()
        content.appendConstructedNode(identifier: .sequence) { content in
            content.appendPrimitiveNode(identifier: ASN1Identifier(tagWithNumber: 0, tagClass: .contextSpecific)) {
                $0.append(contentsOf: key)
            }
        }
        try append([2, 5, 29, 35], content.serializedBytes, &list)
    }

    private func serializeNumber(_ list: inout DER.Serializer) throws {
        var content = DER.Serializer()
        try content.serialize(number)
        try Self.append([2, 5, 29, 20], content.serializedBytes, &list)
    }

    private static func append(
        _ name: ASN1ObjectIdentifier, _ content: [UInt8], _ list: inout DER.Serializer
    ) throws {
        try list.appendConstructedNode(identifier: .sequence) { list in
            try list.serialize(name)
            try list.serialize(ASN1OctetString(contentBytes: content[...]))
        }
    }
}
