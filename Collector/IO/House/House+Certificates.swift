// Certificates that gateways were given, remembered beside the logs: for people, for the year after expiry, and for the list
// of those that count no more. Whether a key counts stands in the Journal alone; what is lost here is asked of the key.

internal import CollectorCore
internal import Evidence
internal import Foundation
internal import Logging
internal import Proofs
internal import Quantities

/// A certificate that a gateway was given.
struct IssuedCertificate: Hashable, Sendable {
    /// Of one key that have not ended: a renewal comes at half of a certificate's life, so there are two or three.
    static let perKeyMax = 64
    /// Of those, before a claim's answer is given no more: secret and request stand in the Journal, where others read them and
    /// could use up what the gateway needs for its renewals.
    static let perClaimMax = 32
    /// Bytes of a gateway's file that are read.
    static let fileBytesMax = 1 << 20

    let serial: String
    let kid: [UInt8]
    let notAfter: UTCInstant
    /// When it was found that its key counts no more; on the machine's clock.
    var revokedAt: UTCInstant?

    fileprivate var line: String {
        "\(serial) \(kid.hex) \(notAfter.milliseconds) \(revokedAt.map { "\($0.milliseconds)" } ?? "-")\n"
    }

    fileprivate init?(line: Substring) {
        let words = line.split(whereSeparator: \.isWhitespace)
        guard (3...4).contains(words.count), [UInt8](hex: String(words[0])) != nil,
            let kid = [UInt8](hex: String(words[1])),
            let end = Int64(words[2])
        else { return nil }
        self.init(serial: String(words[0]), kid: kid, notAfter: UTCInstant(milliseconds: end))
        if words.count == 4 { revokedAt = Int64(words[3]).map { UTCInstant(milliseconds: $0) } }
    }

    init(serial: String, kid: [UInt8], notAfter: UTCInstant) {
        (self.serial, self.kid, self.notAfter) = (serial, kid, notAfter)
    }
}

/// The list as last written.
struct WrittenRevocations: Sendable {
    /// How often the registry is asked, ms.
    static let askedEvery: Int64 = 1_000
    /// After a file could not be written, ms.
    static let triedAgainAfter: Int64 = 30_000

    var entries: [RevocationList.Entry]?
    /// On the machine's clock.
    var renewAt = UTCInstant(milliseconds: 0)
    /// Of the machine's uptime.
    var askAt: Int64 = 0
    var trouble: String?
}

extension House {
    var enrolmentFolder: String { configuration.data + "/enrolment" }

    func note(_ certificate: IssuedCertificate, to gateway: Identifier) {
        let now = realTime()
        keep(certificates(of: gateway).filter { now < $0.notAfter } + [certificate], of: gateway)
    }

    /// The last one.
    func issued(to gateway: Identifier) -> IssuedCertificate? { certificates(of: gateway).last }

    /// A key may not have so many that some would be forgotten before they end.
    ///
    /// - Parameter isClaimed: who asks has shown a claim's secret, and not that it has the key.
    func requireRoom(_ gateway: Identifier, _ kid: [UInt8], isClaimed: Bool) throws(EnrolmentRefusal) {
        let now = realTime()
        let count = certificates(of: gateway).count { $0.kid == kid && now < $0.notAfter }
        let most = isClaimed ? IssuedCertificate.perClaimMax : IssuedCertificate.perKeyMax
        guard count < most else { throw .tooManyCertificates }
    }

    private func certificates(of gateway: Identifier) -> [IssuedCertificate] {
        if let known = certificates[gateway] { return known }
        let bytes = FileManager.default.contents(atPath: "\(enrolmentFolder)/\(gateway).certificate") ?? Data()
        let text = String(decoding: bytes.prefix(IssuedCertificate.fileBytesMax), as: UTF8.self)
        let found = text.split(separator: "\n").compactMap { IssuedCertificate(line: $0) }
        certificates[gateway] = found
        return found
    }

    /// Replaces the gateway's file whole; a crash leaves the one of before.
    private func keep(_ all: [IssuedCertificate], of gateway: Identifier) {
        certificates[gateway] = all
        write(all.map(\.line).joined(), to: "\(gateway).certificate")
    }

    /// Into the folder beside the logs.
    func write(_ text: String, to name: String) {
        do {
            try FileManager.default.createDirectory(
                atPath: enrolmentFolder, withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700])
            try Data(text.utf8).write(to: URL(fileURLWithPath: "\(enrolmentFolder)/\(name)"), options: .atomic)
        } catch { logger.warning("\(name) could not be kept: \(error)") }
    }

    // MARK: - The list of revoked ones

    /// Writes the list when somebody came to it, and before it ends. Called often; costs nothing between two askings.
    func keepRevocationList() {
        guard let (configuration, authority) = enrolment, let path = configuration.revocationFile else { return }
        let uptime = SystemClock.uptime()
        guard uptime >= revocations.askAt else { return }
        revocations.askAt = uptime + WrittenRevocations.askedEvery
        // A copy of before would take off who was revoked since: the list stays as it is.
        guard isWhole else { return }
        let now = realTime()
        let entries = revokedCertificates(now)
        guard entries != revocations.entries || now >= revocations.renewAt else { return }
        let list = RevocationList(
            entries: entries, number: now.milliseconds, made: now, until: now + configuration.revocationLifetime)
        do {
            try Self.replace(path, with: try authority.pem(list))
            logger.info("the list of revoked certificates was written", metadata: ["entries": "\(entries.count)"])
            revocations.entries = entries
            revocations.renewAt = now + configuration.revocationLifetime / 2
            revocations.trouble = nil
        } catch {
            revocations.askAt = uptime + WrittenRevocations.triedAgainAfter
            let text = "enrolment.crl_file \(path) could not be written: \(error)"
            if revocations.trouble != text { logger.error("\(text)") }
            revocations.trouble = text
        }
    }

    /// Replaced whole, readable for the broker whatever our umask is; a crash leaves the list of before, and perhaps a file
    /// beside it that the next one takes the place of.
    private static func replace(_ path: String, with text: String) throws {
        let fresh = path + ".new"
        guard
            FileManager.default.createFile(
                atPath: fresh, contents: Data(text.utf8), attributes: [.posixPermissions: 0o644])
        else { throw HouseFileError(description: "\(fresh) cannot be written: make its folder writable for us") }
        guard rename(fresh, path) == 0 else {
            throw HouseFileError(description: "\(fresh) cannot be renamed: \(String(cString: strerror(errno)))")
        }
    }

    /// Certificates that have not ended and whose key counts no more, by serial.
    private func revokedCertificates(_ now: UTCInstant) -> [RevocationList.Entry] {
        // What a revocation of this very millisecond ends is ended.
        let instant = decisionTime() + 1
        var entries: [RevocationList.Entry] = []
        for gateway in state.registry.gatewayIDs(at: instant) {
            var all = certificates(of: gateway)
            guard !all.isEmpty, let keys = state.registry.gatewayKeys(gateway, at: instant) else { continue }
            let known = intake.gateway(gateway)
            var isChanged = false
            for index in all.indices where now < all[index].notAfter {
                let counts = keys.mayEnrol(kid: all[index].kid, in: known)
                if !counts, all[index].revokedAt == nil { (all[index].revokedAt, isChanged) = (now, true) }
                if counts, all[index].revokedAt != nil { (all[index].revokedAt, isChanged) = (nil, true) }
                if let at = all[index].revokedAt {
                    entries.append(RevocationList.Entry(serial: all[index].serial, at: at))
                }
            }
            if isChanged { keep(all, of: gateway) }
        }
        return Array(entries.sorted { $0.serial < $1.serial }.prefix(RevocationList.entriesMax))
    }
}
