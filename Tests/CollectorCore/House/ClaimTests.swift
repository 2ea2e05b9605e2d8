// Claims, bound keys and revocations in the registry: refusals in their order, and what counts when. No certificates here.

import CollectorCore
import Evidence
import Keys
import Kit
import Proofs
import Quantities
import Testing

/// What an enrolment does to the registry: each refusal in its order, keys before and after, and who may end them.
struct ClaimTests {
    static let secret = "0123456789ABCDEFGHJK"
    static let key = makeKey()
    static let otherKey = makeKey()
    static let claim = Claim(
        gateway: id("gw-1"), organisation: id("operator"), secret: ClaimCode.digest(ofSecret: secret),
        expires: anchor + day)

    private static func makeKey() -> PrivateKey {
        do { return try PrivateKey.generate(.es256) } catch { preconditionFailure("no key: \(error)") }
    }

    static func check(_ message: [UInt8], _ signature: [UInt8], _ spki: [UInt8]) -> Bool {
        do { return try PublicKey(spki: spki).verify(signature: signature, over: message) } catch { return false }
    }

    static func request(_ key: PrivateKey, name: String = "gw-1", signedBy signer: PrivateKey? = nil) throws -> [UInt8]
    {
        try RequestMaker.der(commonName: name, spki: key.publicKey.spki, isEdwards: false) {
            try (signer ?? key).sign($0)
        }
    }

    /// Registers at `instant`.
    @discardableResult
    private static func register(
        _ registry: inout Registry, _ body: Registration.Body, number: UInt64 = 1, from: UTCInstant = anchor,
        at instant: UTCInstant = anchor, by signers: [[UInt8]] = [TestHouse.root] + TestHouse.persons
    ) throws -> Digest {
        let payload = Registration(number: number, effectiveFrom: from, body: body).encoded
        let document = try TestSigner.document(payload, .registration, by: signers)
        try registry.register(document, at: instant, check: TestSigner.check)
        return document.id
    }

    private static func bind(
        _ registry: inout Registry, _ key: PrivateKey, secret: String = secret, at instant: UTCInstant
    ) throws {
        let id = Identifier("gw-1")!
        let bound = try registry.binding(id, secret: secret, request: request(key), at: instant, check: check)
        let standing = try #require(registry.claim(of: id, at: instant))
        try registry.bind(
            #require(bound), commandID: Registry.bindingCommand(claim: standing.id), at: instant, check: check)
    }

    private static func claimed() throws -> Registry {
        var registry = try TestHouse().registry
        try register(&registry, .claim(claim))
        return registry
    }

    // MARK: - Refusals

    @Test func eachRefusalHasACase() throws {
        let open = try Self.claimed()
        var used = open
        try Self.bind(&used, Self.otherKey, at: anchor + hour)
        var revoked = used
        try Self.register(
            &revoked, .revocation(Revocation(gateway: id("gw-1"), reason: "stolen")), at: anchor + 2 * hour,
            by: [TestHouse.persons[0]])
        try Self.register(&revoked, .claim(Self.claim), number: 2, at: anchor + 3 * hour)
        func refusal(
            _ registry: Registry, _ gateway: String = "gw-1", secret: String = Self.secret, request: [UInt8]? = nil,
            at instant: UTCInstant = anchor + 4 * hour
        ) throws -> BindingRefusal? {
            let der = try request ?? Self.request(Self.key)
            do throws(BindingRefusal) {
                _ = try registry.binding(id(gateway), secret: secret, request: der, at: instant, check: Self.check)
                return nil
            } catch { return error }
        }
        var taken = open
        try Self.register(
            &taken,
            .key(
                RegisteredKey(
                    spki: Self.key.publicKey.spki, role: .auditor, subject: id("audit"), organisation: id("operator"),
                    validTo: anchor + day)))
        let cases: [(BindingRefusal?, BindingRefusal?)] = [
            (nil, try refusal(open)), (nil, try refusal(open, at: anchor + day + -1)),
            (.unknownGateway, try refusal(open, "gw-9")),
            (.noClaim, try refusal(try TestHouse().registry)),
            (.secretWrong, try refusal(open, secret: "0123456789ABCDEFGHJM")),
            (.secretWrong, try refusal(open, secret: "0123456789ABCDEFGHJM", at: anchor + day)),
            (.claimExpired, try refusal(open, at: anchor + day)),
            (.claimUsed, try refusal(used)), (nil, try refusal(used, request: try Self.request(Self.otherKey))),
            (.requestNotUnderstood, try refusal(open, request: [1])),
            (.requestOfOtherGateway, try refusal(open, request: try Self.request(Self.key, name: "gw-2"))),
            (
                .requestSignatureWrong,
                try refusal(open, request: try Self.request(Self.key, signedBy: Self.otherKey))
            ), (.keyTaken, try refusal(taken)),
            (.keyRevoked, try refusal(revoked, request: try Self.request(Self.otherKey))), (nil, try refusal(revoked)),
        ]
        for (index, (expected, found)) in cases.enumerated() { #expect(found == expected, "case \(index)") }
        #expect(Set(cases.compactMap(\.0)).union([.eventWrong]) == Set(BindingRefusal.allCases))
    }

    @Test func anEventFromNothingIsNotFolded() throws {
        let request = try Self.request(Self.key)
        let event = Event.KeyBound(
            gateway: id("gw-1"), spki: Self.key.publicKey.spki, secret: Self.secret, request: request)
        let open = try Self.claimed()
        let claim = try #require(open.claim(of: id("gw-1"), at: anchor)).id
        func refusal(_ registry: Registry, _ event: Event.KeyBound, _ command: Digest?) -> BindingRefusal? {
            var registry = registry
            do throws(BindingRefusal) {
                try registry.bind(event, commandID: command, at: anchor + hour, check: Self.check)
                return nil
            } catch { return error }
        }
        let right = Registry.bindingCommand(claim: claim)
        #expect(refusal(open, event, right) == nil)
        #expect(refusal(try TestHouse().registry, event, right) == .noClaim)
        #expect(refusal(open, event, .test("another cause")) == .eventWrong)
        #expect(refusal(open, event, nil) == .eventWrong)
        let other = Event.KeyBound(
            gateway: id("gw-1"), spki: Self.otherKey.publicKey.spki, secret: Self.secret, request: request)
        #expect(refusal(open, other, right) == .eventWrong)
        var used = open
        try Self.bind(&used, Self.key, at: anchor + hour)
        #expect(refusal(used, event, right) == .claimUsed)
    }

    // MARK: - Keys

    @Test func aBoundKeyCountsFromItsEventOn() throws {
        var registry = try Self.claimed()
        try Self.bind(&registry, Self.key, at: anchor + hour)
        let spki = Self.key.publicKey.spki
        #expect(registry.gatewayKeys(id("gw-1"), at: anchor + hour + -1)?.keys.isEmpty == true)
        #expect(registry.gatewayKeys(id("gw-1"), at: anchor + hour)?.keys == [GatewayKeys.Key(spki: spki)])
        #expect(registry.key(of: id("gw-1"), role: .gateway, at: anchor + hour)?.organisation == id("operator"))
        // The answer was lost: the same again gives no second event, and no refusal.
        let again = try registry.binding(
            id("gw-1"), secret: Self.secret, request: Self.request(Self.key), at: anchor + 2 * hour, check: Self.check)
        #expect(again == nil)
    }

    @Test func aSecondClaimReplacesTheKey() throws {
        var registry = try Self.claimed()
        try Self.bind(&registry, Self.key, at: anchor + hour)
        try Self.register(&registry, .claim(Self.claim), number: 2, from: anchor + hour, at: anchor + 2 * hour)
        try Self.bind(&registry, Self.otherKey, at: anchor + 3 * hour)
        let (old, new) = (Self.key.publicKey.spki, Self.otherKey.publicKey.spki)
        let before = try #require(registry.gatewayKeys(id("gw-1"), at: anchor + 3 * hour))
        #expect(before.keys == [GatewayKeys.Key(spki: old)])
        let after = try #require(registry.gatewayKeys(id("gw-1"), at: anchor + 3 * hour + 1))
        #expect(after.keys.map(\.spki) == [old, new])
        #expect(after.keys.map(\.isRevoked) == [true, false])
        #expect(after.keys.map(\.mayOpen) == [false, true])
        #expect(after.vouchedFrom == anchor + 3 * hour + 1)
        // The very same key may be bound again: then nothing ends.
        try Self.register(&registry, .claim(Self.claim), number: 3, from: anchor + hour, at: anchor + 4 * hour)
        try Self.bind(&registry, Self.otherKey, at: anchor + 5 * hour)
        let last = try #require(registry.gatewayKeys(id("gw-1"), at: anchor + 6 * hour))
        #expect(last.keys.last == GatewayKeys.Key(spki: new))
    }

    // MARK: - Revocation

    @Test func onePersonEndsKeysAndClaims() throws {
        var registry = try Self.claimed()
        try Self.bind(&registry, Self.key, at: anchor + hour)
        try Self.register(&registry, .claim(Self.claim), number: 2, at: anchor + 2 * hour)
        try Self.register(
            &registry, .revocation(Revocation(gateway: id("gw-1"), reason: "stolen")), at: anchor + 3 * hour,
            by: [TestHouse.persons[1]])
        let gateway = id("gw-1")
        #expect(registry.gatewayKeys(gateway, at: anchor + 3 * hour)?.keys.first?.isRevoked == false)
        #expect(registry.gatewayKeys(gateway, at: anchor + 3 * hour + 1)?.keys.first?.isRevoked == true)
        #expect(registry.claim(of: gateway, at: anchor + 3 * hour) == nil)
        // Two persons and the root give back what one took.
        try Self.register(&registry, .claim(Self.claim), number: 3, at: anchor + 4 * hour)
        try Self.bind(&registry, Self.otherKey, at: anchor + 5 * hour)
        #expect(registry.gatewayKeys(gateway, at: anchor + 6 * hour)?.keys.map(\.isRevoked) == [true, false])
    }

    /// A key registered for later does not come back after a revocation.
    @Test func whatWaitsIsEndedToo() throws {
        var registry = try TestHouse().registry
        let later = RegisteredKey(
            spki: [9, 9], role: .gateway, subject: id("gw-1"), organisation: id("operator"), validTo: anchor + day)
        try Self.register(&registry, .key(later), from: anchor + 5 * hour)
        try Self.register(
            &registry, .revocation(Revocation(gateway: id("gw-1"), reason: "r")), at: anchor + hour,
            by: [TestHouse.root])
        #expect(registry.gatewayKeys(id("gw-1"), at: anchor + 6 * hour)?.keys.map(\.mayOpen) == [false])
    }

    @Test func aRevocationIsOneAfterTheOtherAndNow() throws {
        var registry = try TestHouse().registry
        let body = Registration.Body.revocation(Revocation(gateway: id("gw-1"), reason: "r"))
        #expect(throws: RegistrationRefusal.numberSkipped) {
            try Self.register(&registry, body, number: 2, by: [TestHouse.root])
        }
        #expect(throws: RegistrationRefusal.numberSkipped) {
            try Self.register(&registry, body, number: .max, by: [TestHouse.root])
        }
        #expect(throws: RegistrationRefusal.revocationLater) {
            try Self.register(&registry, body, from: anchor + 1, by: [TestHouse.root])
        }
        #expect(throws: RegistrationRefusal.signatureWrong) { try Self.register(&registry, body, by: [[77]]) }
        #expect(throws: RegistrationRefusal.personSignaturesMissing) {
            try Self.register(&registry, .claim(Self.claim), by: [TestHouse.root, TestHouse.persons[0]])
        }
        #expect(registry.gatewayKeys(id("gw-1"), at: anchor + 1)?.vouchedFrom == nil)
        try Self.register(&registry, body, by: [TestHouse.persons[0]])
        #expect(registry.gatewayKeys(id("gw-1"), at: anchor + 1)?.vouchedFrom == anchor + 1)
    }
}
