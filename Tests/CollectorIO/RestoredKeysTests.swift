// A house put back from a copy of before a revocation: it gives nobody a certificate, and leaves the broker's clients and the
// list of revoked certificates as they are, until people opened an epoch.

@testable import CollectorIO
import CollectorCore
import CollectorJournal
import Evidence
import Foundation
import Keys
import Kit
import Proofs
import Quantities
import Testing

struct RestoredKeysTests {
    private static let gateway = id("gw-east")

    private static func copy(_ path: String, to other: String) throws {
        for suffix in ["", "-wal", "-shm"] {
            if FileManager.default.fileExists(atPath: other + suffix) {
                try FileManager.default.removeItem(atPath: other + suffix)
            }
            if suffix != "-shm", FileManager.default.fileExists(atPath: path + suffix) {
                try FileManager.default.copyItem(atPath: path + suffix, toPath: other + suffix)
            }
        }
    }

    private func revoke(_ yard: HouseYard, _ house: House) async throws {
        let payload = Registration(
            number: 1, effectiveFrom: anchor, body: .revocation(Revocation(gateway: Self.gateway, reason: "stolen"))
        ).encoded
        _ = try await house.take(
            registration: Document([
                try SignedMessage.signing(payload, as: .registration, with: yard.key("person-b"))
            ]))
    }

    /// The sample's enrolment with a list, and a CA.
    private func enrolment(_ yard: HouseYard) throws -> EnrolmentConfiguration {
        let text = try HouseYard.collectorText(yard.place).replacing(
            "  claim_lifetime: 7d", with: "  claim_lifetime: 7d\n  crl_file: \(yard.place.file("crl.pem"))")
        try HouseYard.write(text, to: yard.place.file("listed.yaml"))
        return try #require(try CollectorConfiguration.load(path: yard.place.file("listed.yaml")).enrolment)
    }

    @Test func aCopyOfBeforeLetsNobodyIn() async throws {
        let yard = try HouseYard()
        let (key, list) = (yard.key("gateway"), yard.place.file("crl.pem"))
        let enrolment = try enrolment(yard)
        let authority = try CertificateAuthority.create(
            folder: yard.place.file("ca"), name: "test", serverNames: [], now: UTCInstant(milliseconds: 0))
        let request = try RequestMaker.der(
            commonName: Self.gateway.text, spki: key.publicKey.spki, isEdwards: false, sign: { try key.sign($0) })
        let (journal, copy) = (yard.configuration.data + "/journal.sqlite", yard.place.file("copy.sqlite"))

        let house = try await yard.open()
        await house.manage(enrolment, authority)
        _ = try await house.renew(Self.gateway, key: key.publicKey.spki, request: request, isExpired: false)
        await house.note(
            IssuedCertificate(serial: "0a", kid: key.kid, notAfter: await house.realTime() + day), to: Self.gateway)
        try await yard.close(house)
        try Self.copy(journal, to: copy)

        let revoking = try await yard.open()
        await revoking.manage(enrolment, authority)
        try await revoke(yard, revoking)
        await revoking.keepRevocationList()
        let listed = try Workplace.text(of: list)
        _ = try await revoking.stores.journal.publish()
        try await yard.close(revoking)
        try Self.copy(copy, to: journal)

        let restored = try await yard.open()
        await restored.manage(enrolment, authority)
        await #expect(throws: LogError.self) {
            try await restored.renew(Self.gateway, key: key.publicKey.spki, request: request, isExpired: false)
        }
        await restored.keepRevocationList()
        #expect(try Workplace.text(of: list) == listed)
        #expect(await restored.nextBrokerCommand() == nil)
        try await yard.close(restored)
    }
}

extension House {
    fileprivate func manage(_ enrolment: EnrolmentConfiguration, _ authority: CertificateAuthority) {
        prepareEnrolment(enrolment, authority)
        roster = BrokerRoster(own: "collector")
        brokerConnected()
    }
}
