// The house's certificate authority: it says to the broker which gateway a key belongs to, nothing more. What a key may sign
// is decided by the Journal; whether it may have a certificate, by the house.

internal import Evidence
internal import Foundation
internal import Keys
internal import Proofs
package import Quantities
internal import SwiftASN1
internal import X509

// Keys has a type of this name, for what others issued.
private typealias Certificate = X509.Certificate

/// Why there is no certificate authority, or no certificate.
package enum AuthorityError: Error, Hashable, Sendable, CustomStringConvertible {
    case file(path: String, reason: String)
    case notAuthority(path: String)
    case otherKey(path: String)
    case ended(path: String, at: UTCInstant)
    case name(String)
    case library(String)

    package var description: String {
        switch self {
        case .file(let path, let reason): "\(path): \(reason)"
        case .notAuthority(let path):
            "\(path) holds no certificate of a CA: make one with `kilomint-collector ca create --out DIR`"
        case .otherKey(let path): "the key in \(path) is not the CA certificate's: name the two that `ca create` made"
        case .ended(let path, let instant): "the CA certificate in \(path) ended at \(instant): make a new CA"
        case .name(let name): "\"\(name)\" is neither a host name nor an IP address"
        case .library(let text): "the certificate could not be made: \(text)"
        }
    }
}

package struct CertificateAuthority: Sendable {
    /// Times of certificates begin this much earlier: the other side's clock may be behind.
    package static let backdating: Int64 = 5 * 60 * 1000
    /// Of certificates for servers, which are renewed at each start.
    package static let serverLifetime: Int64 = 825 * 86_400_000
    package static let lifetime: Int64 = 20 * 365 * 86_400_000
    package static let certificateFile = "ca.pem"
    package static let keyFile = "ca-key.pem"
    /// 9999-12-31T23:59:59Z.
    private static let instantMax: Int64 = 253_402_300_799_000

    /// DER.
    package let certificate: [UInt8]
    package let pem: String
    private let own: Certificate
    private let key: Certificate.PrivateKey

    // MARK: - Files

    /// Reads both files. The key's must be its owner's alone.
    package static func load(
        certificate: String, key path: String, now: UTCInstant
    ) throws -> CertificateAuthority {
        let text = try read(certificate)
        let own: Certificate
        do { own = try Certificate(pemEncoded: text) } catch { throw AuthorityError.notAuthority(path: certificate) }
        guard case .isCertificateAuthority = try own.extensions.basicConstraints else {
            throw AuthorityError.notAuthority(path: certificate)
        }
        let privateKey = try PrivateKey.load(path: path)
        guard try Array(own.publicKey.derBytes()) == privateKey.publicKey.spki else {
            throw AuthorityError.otherKey(path: path)
        }
        let end = UTCInstant(own.notValidAfter)
        guard now < end else { throw AuthorityError.ended(path: certificate, at: end) }
        return try CertificateAuthority(own, try Certificate.PrivateKey(pemEncoded: read(path)))
    }

    /// Makes a CA: two files in `folder`, neither ever overwritten. A crash between the two leaves a key without a
    /// certificate: nothing trusts it, it may be deleted.
    ///
    /// - Parameter serverNames: when not empty, the only names that servers' certificates of this CA may bear.
    package static func create(
        folder: String, name: String, serverNames: [String], lifetime: Int64 = lifetime, now: UTCInstant
    ) throws -> CertificateAuthority {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let privateKey = try PrivateKey.generate(.es256)
        let place = folder + "/" + keyFile
        let target = folder + "/" + certificateFile
        guard !FileManager.default.fileExists(atPath: target) else { throw KeyError.exists(path: target) }
        try privateKey.save(to: place)
        let key = try Certificate.PrivateKey(pemEncoded: read(place))
        let subject = try DistinguishedName { CommonName(name) }
        let constraints = try nameConstraints(serverNames)
        let own = try Certificate(
            version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: key.publicKey,
            notValidBefore: (now + -backdating).date, notValidAfter: end(now, lifetime).date, issuer: subject,
            subject: subject,
            extensions: try Certificate.Extensions {
                Critical(BasicConstraints.isCertificateAuthority(maxPathLength: 0))
                Critical(KeyUsage(keyCertSign: true, cRLSign: true))
                SubjectKeyIdentifier(hash: key.publicKey)
                if let constraints { Critical(constraints) }
            }, issuerPrivateKey: key)
        let authority = try CertificateAuthority(own, key)
        try write(authority.pem, to: target)
        return authority
    }

    private init(_ own: Certificate, _ key: Certificate.PrivateKey) throws {
        self.own = own
        self.key = key
        var serializer = DER.Serializer()
        try serializer.serialize(own)
        certificate = serializer.serializedBytes
        pem = try own.serializeAsPEM().pemString + "\n"
    }

    private static func read(_ path: String) throws -> String {
        do { return String(decoding: try Data(contentsOf: URL(fileURLWithPath: path)), as: UTF8.self) } catch {
            throw AuthorityError.file(path: path, reason: "cannot be read: make it readable or correct the path")
        }
    }

    package static func write(_ text: String, to path: String) throws {
        do {
            try Data(text.utf8).write(to: URL(fileURLWithPath: path), options: .withoutOverwriting)
        } catch { throw AuthorityError.file(path: path, reason: "cannot be written: \(error.localizedDescription)") }
    }

    /// SHA-256 of the certificate, as tools show it.
    package var fingerprint: String { Digest(of: certificate).description }

    // MARK: - Certificates

    package struct Issued: Hashable, Sendable {
        /// DER.
        package let certificate: [UInt8]
        /// Lower-case hexadecimal.
        package let serial: String
        package let notAfter: UTCInstant

        package var pem: String {
            let lines = certificate.base64.utf8.enumerated().reduce(into: "") { text, next in
                if next.offset > 0, next.offset.isMultiple(of: 64) { text += "\n" }
                text.unicodeScalars.append(Unicode.Scalar(next.element))
            }
            return "-----BEGIN CERTIFICATE-----\n\(lines)\n-----END CERTIFICATE-----\n"
        }
    }

    /// For a client: its common name is what the broker calls it.
    package func issueClient(
        _ name: String, spki: [UInt8], lifetime: Int64, now: UTCInstant
    ) throws -> Issued {
        // Under a CA with name constraints BoringSSL takes a common name alone for a host's, and refuses it.
        let names = SubjectAlternativeNames([.uniformResourceIdentifier("urn:kilomint:client:" + name)])
        return try issue(name, spki: spki, lifetime: lifetime, now: now, usage: .clientAuth, names: names)
    }

    /// For a server with these names, each a host name or an IP address.
    package func issueServer(
        _ names: [String], spki: [UInt8], lifetime: Int64 = serverLifetime, now: UTCInstant
    ) throws -> Issued {
        let alternatives = SubjectAlternativeNames(try names.map(Self.generalName))
        // Under a CA with name constraints OpenSSL takes an address in the common name for a host's name, and refuses it.
        let common = names.first { Self.ipAddress($0) == nil } ?? "server"
        return try issue(common, spki: spki, lifetime: lifetime, now: now, usage: .serverAuth, names: alternatives)
    }

    private func issue(
        _ name: String, spki: [UInt8], lifetime: Int64, now: UTCInstant, usage: ExtendedKeyUsage.Usage,
        names: SubjectAlternativeNames
    ) throws -> Issued {
        let publicKey = try Certificate.PublicKey(derEncoded: spki)
        let notAfter = min(Self.end(now, lifetime), UTCInstant(own.notValidAfter))
        let issued = try Certificate(
            version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: publicKey,
            notValidBefore: max(now + -Self.backdating, UTCInstant(own.notValidBefore)).date,
            notValidAfter: notAfter.date, issuer: own.subject, subject: try DistinguishedName { CommonName(name) },
            extensions: try Certificate.Extensions {
                Critical(BasicConstraints.notCertificateAuthority)
                Critical(KeyUsage(digitalSignature: true))
                try ExtendedKeyUsage([usage])
                AuthorityKeyIdentifier(keyIdentifier: SubjectKeyIdentifier(hash: own.publicKey).keyIdentifier)
                SubjectKeyIdentifier(hash: publicKey)
                names
            }, issuerPrivateKey: key)
        var serializer = DER.Serializer()
        try serializer.serialize(issued)
        return Issued(
            certificate: serializer.serializedBytes, serial: issued.serialNumber.bytes.hex,
            notAfter: UTCInstant(issued.notValidAfter))
    }

    /// PEM of a list of certificates that count no more before they end.
    func pem(_ list: RevocationList) throws -> String {
        let identifier = SubjectKeyIdentifier(hash: own.publicKey).keyIdentifier
        return try list.pem(issuer: own.subject, keyIdentifier: identifier) { bytes in
            try key.sign(bytes: bytes, signatureAlgorithm: .ecdsaWithSHA256).rawRepresentation
        }
    }

    private static func end(_ now: UTCInstant, _ lifetime: Int64) -> UTCInstant {
        UTCInstant(milliseconds: min(now.milliseconds + lifetime, instantMax))
    }

    // MARK: - Names

    private static func generalName(_ name: String) throws -> GeneralName {
        if let address = ipAddress(name) { return .ipAddress(ASN1OctetString(contentBytes: address[...])) }
        guard isHostName(name) else { throw AuthorityError.name(name) }
        return .dnsName(name)
    }

    private static func nameConstraints(_ names: [String]) throws -> NameConstraints? {
        guard !names.isEmpty else { return nil }
        return NameConstraints(
            permittedSubtrees: try names.map { name in
                if let address = ipAddress(name) {
                    let mask = [UInt8](repeating: 0xFF, count: address.count)
                    return .ipAddress(ASN1OctetString(contentBytes: (address + mask)[...]))
                }
                return try generalName(name)
            })
    }

    /// 4 or 16 bytes; nil when it is no address.
    private static func ipAddress(_ text: String) -> [UInt8]? {
        var (four, six) = (in_addr(), in6_addr())
        if inet_pton(AF_INET, text, &four) == 1 { return withUnsafeBytes(of: &four) { Array($0) } }
        if inet_pton(AF_INET6, text, &six) == 1 { return withUnsafeBytes(of: &six) { Array($0) } }
        return nil
    }

    private static func isHostName(_ text: String) -> Bool {
        (1...253).contains(text.utf8.count)
            && text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { label in
                (1...63).contains(label.utf8.count)
                    && label.utf8.allSatisfy { byte in
                        switch byte {
                        case 48...57, 65...90, 97...122, UInt8(ascii: "-"): true
                        default: false
                        }
                    }
            }
    }
}

/// What a certificate of this house's CA says about its holder. Its signature and validity were checked by TLS.
struct PeerCertificate: Hashable, Sendable {
    let commonName: String?
    let spki: [UInt8]

    /// Nil when it is no certificate.
    init?(der: [UInt8]) {
        do {
            let certificate = try Certificate(derEncoded: der)
            let names = certificate.subject.flatMap { $0.filter { $0.type == .RDNAttributeType.commonName } }
            commonName = names.count == 1 ? "\(names[0].value)" : nil
            spki = Array(try certificate.publicKey.derBytes())
        } catch { return nil }
    }
}

extension X509.Certificate.PublicKey {
    fileprivate func derBytes() throws -> [UInt8] {
        var serializer = DER.Serializer()
        try serializer.serialize(self)
        return serializer.serializedBytes
    }
}

extension UTCInstant {
    fileprivate init(_ date: Date) { self.init(milliseconds: Int64(date.timeIntervalSince1970 * 1000)) }

    fileprivate var date: Date { Date(timeIntervalSince1970: Double(milliseconds) / 1000) }
}
