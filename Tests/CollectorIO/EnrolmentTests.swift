// Enrolment in the house: an answer that got lost, a write that failed, who is slowed. TLS and HTTP are tested with real clients
// in Tests/System.

@testable import CollectorIO
import CBOR
import CollectorCore
import CollectorJournal
import Evidence
import Keys
import Kit
import Proofs
import Quantities
import Testing

struct EnrolmentTests {
    private static let secret = "0123456789ABCDEFGHJK"
    private static let gateway = id("gw-east")

    private func document(_ yard: HouseYard, _ body: Registration.Body, by signers: [String]) throws -> Document {
        let payload = Registration(number: 1, effectiveFrom: anchor, body: body).encoded
        return try Document(
            signers.map { try SignedMessage.signing(payload, as: .registration, with: yard.key($0)) })
    }

    private func claim(_ yard: HouseYard, _ house: House) async throws {
        let claim = Claim(
            gateway: Self.gateway, organisation: id("owners"), secret: ClaimCode.digest(ofSecret: Self.secret),
            expires: anchor + day)
        _ = try await house.take(
            registration: try document(yard, .claim(claim), by: ["root", "person-a", "person-b"]))
    }

    private func request(_ key: PrivateKey) throws -> [UInt8] {
        try RequestMaker.der(
            commonName: Self.gateway.text, spki: key.publicKey.spki, isEdwards: false, sign: { try key.sign($0) })
    }

    /// The write fails, or stands and nobody is told; the gateway asks again, also of the process that comes after.
    @Test(arguments: [LogStep.commit, .answer])
    func aLostAnswerIsGivenAgain(step: LogStep) async throws {
        let yard = try HouseYard()
        let (key, house) = (yard.key("stranger"), try await yard.open())
        try await claim(yard, house)
        let before = try await house.stores.journal.end()
        let fault = FaultOnce(step, at: 0)
        yard.fail(fault.strike)
        do { _ = try await house.enrol(Self.gateway, secret: Self.secret, request: request(key)) } catch is LogError {}
        yard.fail(nil)
        #expect(fault.hasStruck)
        #expect(
            try await house.enrol(Self.gateway, secret: Self.secret, request: request(key)) == key.publicKey.spki)
        #expect(try await house.stores.journal.end().index == before.index + 1)
        try await yard.close(house)

        let again = try await yard.open()
        #expect(try await again.enrol(Self.gateway, secret: Self.secret, request: request(key)) == key.publicKey.spki)
        #expect(try await again.stores.journal.end().index == before.index + 1)
        await #expect(throws: EnrolmentRefusal(.claimUsed)) {
            try await again.enrol(Self.gateway, secret: Self.secret, request: request(yard.key("auditor")))
        }
        try await yard.close(again)
    }

    @Test func aRevokedKeyGetsNoCertificate() async throws {
        let yard = try HouseYard()
        let (key, house) = (yard.key("stranger"), try await yard.open())
        try await claim(yard, house)
        let spki = try await house.enrol(Self.gateway, secret: Self.secret, request: request(key))
        _ = try await house.renew(Self.gateway, key: spki, request: request(key), isExpired: false)
        _ = try await house.take(
            registration: try document(
                yard, .revocation(Revocation(gateway: Self.gateway, reason: "stolen")), by: ["person-b"]))
        await #expect(throws: EnrolmentRefusal.revoked) {
            try await house.renew(Self.gateway, key: spki, request: request(key), isExpired: false)
        }
        // The key it replaced is revoked as well, and one that nobody knows is told so.
        await #expect(throws: EnrolmentRefusal.revoked) {
            try await house.requireKey(yard.key("gateway").publicKey.spki, of: Self.gateway)
        }
        await #expect(throws: EnrolmentRefusal.unknownKey) {
            try await house.requireKey(yard.key("owner").publicKey.spki, of: Self.gateway)
        }
        try await yard.close(house)
    }

    /// A key that a key record named stands in no registration: it does not come back either.
    @Test func aRevokedKeyThatARecordNamedIsNotBoundAgain() async throws {
        let yard = try HouseYard()
        let (key, house) = (yard.key("stranger"), try await yard.open())
        var gateway = YardGateway(yard)
        _ = await house.deliver(try gateway.bear() + [gateway.sign(.key(key.publicKey.spki), at: anchor)])
        try await house.requireKey(key.publicKey.spki, of: Self.gateway)
        _ = try await house.take(
            registration: try document(
                yard, .revocation(Revocation(gateway: Self.gateway, reason: "stolen")), by: ["person-b"]))
        yard.set(anchor + hour)
        try await claim(yard, house)
        await #expect(throws: EnrolmentRefusal(.keyRevoked)) {
            try await house.enrol(Self.gateway, secret: Self.secret, request: request(key))
        }
        let fresh = try PrivateKey.generate(.es256)
        #expect(
            try await house.enrol(Self.gateway, secret: Self.secret, request: request(fresh)) == fresh.publicKey.spki)
        try await yard.close(house)
    }

    @Test func aCertificateThatExpiredLongAgoDoesNotComeBack() async throws {
        let yard = try HouseYard()
        let (key, house) = (yard.key("gateway"), try await yard.open())
        let year = House.renewalAfterExpiry
        for (age, isTaken) in [(year - hour, true), (year + hour, false)] {
            let end = await house.realTime() + -age
            await house.note(IssuedCertificate(serial: "1", kid: key.kid, notAfter: end), to: Self.gateway)
            let answer = try? await house.renew(
                Self.gateway, key: key.publicKey.spki, request: request(key), isExpired: true)
            #expect((answer != nil) == isTaken)
        }
        // The same key only: another one needs a certificate that TLS takes.
        await house.note(
            IssuedCertificate(serial: "1", kid: key.kid, notAfter: await house.realTime()), to: Self.gateway)
        await #expect(throws: EnrolmentRefusal.unknownKey) {
            try await house.renew(
                Self.gateway, key: key.publicKey.spki, request: request(yard.key("stranger")), isExpired: true)
        }
        try await yard.close(house)
    }

    /// Secret and request of a used claim stand in the Journal: who sends them again does not use up the key's renewals.
    @Test func aClaimsAnswerIsNotGivenForEver() async throws {
        let yard = try HouseYard()
        let (kid, house) = (yard.key("gateway").kid, try await yard.open())
        let end = await house.realTime() + day
        for number in 1...IssuedCertificate.perClaimMax {
            try await house.requireRoom(Self.gateway, kid, isClaimed: true)
            await house.note(
                IssuedCertificate(serial: String(number + 15, radix: 16), kid: kid, notAfter: end), to: Self.gateway)
        }
        await #expect(throws: EnrolmentRefusal.tooManyCertificates) {
            try await house.requireRoom(Self.gateway, kid, isClaimed: true)
        }
        try await house.requireRoom(Self.gateway, kid, isClaimed: false)
        try await yard.close(house)
    }

    // MARK: - Attempts

    @Test func whoTriesIsSlowed() {
        var attempts = EnrolmentAttempts()
        let taken = (0..<200).count { _ in attempts.admit(Self.gateway, uptime: 1000) }
        let other = attempts.admit(id("gw-west"), uptime: 1000)
        let later = [
            EnrolmentAttempts.gatewayRefillMilliseconds - 1, EnrolmentAttempts.gatewayRefillMilliseconds,
        ].map { attempts.admit(Self.gateway, uptime: 1000 + $0) }
        #expect(taken == Int(EnrolmentAttempts.gatewayMax))
        #expect(other)
        #expect(later == [false, true])
    }

    @Test func strangersShareOneBucketAndCertificatesNone() {
        var attempts = EnrolmentAttempts()
        let strangers = (0..<1000).count { _ in attempts.admit(nil, uptime: 5) }
        for number in 0..<300 { _ = attempts.admit(id("gw-\(number)"), uptime: 5) }
        let isTaken = attempts.admit(Self.gateway, uptime: 5)
        let isCertifiedTaken = attempts.admit(Self.gateway, uptime: 5, isCertified: true)
        let isLaterTaken = attempts.admit(Self.gateway, uptime: 1005)
        #expect(strangers == Int(EnrolmentAttempts.gatewayMax))
        #expect(!isTaken && isCertifiedTaken && isLaterTaken)
    }

    /// Whoever names a gateway, as often as it is heard, keeps that gateway's certificate from nothing.
    @Test func aStrangerWhoNamesAGatewayDoesNotKeepItFromRenewing() {
        var attempts = EnrolmentAttempts()
        let named = (0..<1_000).count { _ in attempts.admit(Self.gateway, uptime: 5) }
        let certified = (0..<1_000).count { _ in attempts.admit(Self.gateway, uptime: 5, isCertified: true) }
        #expect(named == Int(EnrolmentAttempts.gatewayMax) && certified == named)
    }

    @Test func tenWrongSecretsLockAClaimUntilAPersonUnlocksIt() {
        var attempts = EnrolmentAttempts()
        let (claim, gateway) = (Digest(of: [1]), Self.gateway)
        for time in 0..<10 as Range<Int64> {
            #expect(!attempts.isLocked(gateway, claim: claim))
            attempts.noteWrongSecret(gateway, claim: claim, uptime: time * 60_000)
        }
        #expect(attempts.isLocked(gateway, claim: claim) && !attempts.isLocked(gateway, claim: Digest(of: [2])))
        #expect(!attempts.isLocked(id("gw-west"), claim: claim))
        attempts.unlock(gateway)
        #expect(!attempts.isLocked(gateway, claim: claim))
    }

    @Test func aLockOutlivesTheProcess() async throws {
        let yard = try HouseYard()
        let house = try await yard.open()
        try await claim(yard, house)
        let standing = try #require(await house.state.registry.claim(of: Self.gateway, at: house.decisionTime()))
        // As ten wrong secrets leave it; the buckets would slow a test that tried.
        for _ in 0..<9 { await house.tryWrongly(Self.gateway, claim: standing.id) }
        try await yard.close(house)

        let again = try await yard.open()
        await #expect(throws: EnrolmentRefusal.unauthorised) {
            try await again.authenticate(Self.gateway, secret: "00000000000000000000")
        }
        await #expect(throws: EnrolmentRefusal.locked) {
            try await again.authenticate(Self.gateway, secret: Self.secret)
        }
        try await yard.close(again)

        let third = try await yard.open()
        #expect(await third.deviceModel().devices.first?.stage == .claimLocked)
        #expect(await third.unlock(Self.gateway))
        try await yard.close(third)

        let last = try await yard.open()
        try await last.authenticate(Self.gateway, secret: Self.secret)
        try await yard.close(last)
    }

    @Test(arguments: ["", "x", "00 1", "\(Digest(of: [1])) 0", "\(Digest(of: [1])) 1000001", "\(Digest(of: [1])) 1 2"])
    func aDamagedCountIsNone(line: String) {
        #expect(WrongSecrets(line: line) == nil)
        let sound = WrongSecrets(claim: Digest(of: [1]), count: 10)
        #expect(WrongSecrets(line: sound.line) == sound)
    }
}

extension House {
    fileprivate func tryWrongly(_ gateway: Identifier, claim: Digest) {
        attempts.noteWrongSecret(gateway, claim: claim, uptime: 0)
        keepAttempts(of: gateway)
    }
}
