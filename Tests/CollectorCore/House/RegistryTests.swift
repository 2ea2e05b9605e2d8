// The registry: refusals in their order, history by effective instant, claims that must not overlap.

import CollectorCore
import Evidence
import Quantities
import Testing

struct RegistryTests {
    private func refusal(
        _ house: TestHouse, _ body: Registration.Body, number: UInt64 = 1, from: UTCInstant = anchor,
        by signers: [[UInt8]] = [TestHouse.root] + TestHouse.persons
    ) -> RegistrationRefusal? {
        var registry = house.registry
        do {
            let payload = Registration(number: number, effectiveFrom: from, body: body).encoded
            let document = try TestSigner.document(payload, .registration, by: signers)
            try registry.register(document, at: anchor, check: TestSigner.check)
            return nil
        } catch let error as RegistrationRefusal { return error } catch { preconditionFailure("no document: \(error)") }
    }

    private func meter(_ name: String, serial: String? = nil, gateway: String = "gw-1") -> Registration.Body {
        .meter(
            Meter(
                id: id(name), vendor: "ABB", model: "B23", serial: serial ?? "serial-\(name)", gateway: id(gateway),
                profileName: "", meterClass: .midMeter))
    }

    private func point(_ name: String, meters: [String], entity: String = "serf") -> Registration.Body {
        .meteringPoint(
            MeteringPoint(
                id: id(name), entity: id(entity), nameplateWatts: 1, direction: .export, revenueMeter: id(meters[0]),
                checkMeters: meters.dropFirst().map { id($0) }, latitude: 0, longitude: 0, performanceRatio: 1))
    }

    private func key(_ role: KeyRole, _ subject: String, spki: [UInt8] = [9], organisation: String = "operator")
        -> Registration.Body
    {
        .key(
            RegisteredKey(
                spki: spki, role: role, subject: id(subject), organisation: id(organisation), validTo: anchor + day))
    }

    private func revocation(_ gateway: String) -> Registration.Body {
        .revocation(Revocation(gateway: id(gateway), reason: "stolen"))
    }

    private func entity(_ name: String, account: String = "other", organisation: String = "operator")
        -> Registration.Body
    {
        .entity(
            Entity(
                id: id(name), organisation: id(organisation), population: 1,
                shares: [Entity.Share(principal: id("alice"), account: id(account), ppm: 1_000_000)]))
    }

    @Test func eachRefusalHasACase() throws {
        let house = try TestHouse()
        let root = [TestHouse.root]
        let onePerson = [TestHouse.root, TestHouse.persons[0]]
        let cases: [(RegistrationRefusal?, RegistrationRefusal?)] = [
            (nil, refusal(house, meter("new"))),
            (nil, refusal(house, entity("new"), by: root)),
            (.signatureWrong, refusal(house, meter("new"), by: [TestHouse.root, [77]])),
            (.rootSignatureMissing, refusal(house, entity("new"), by: TestHouse.persons)),
            (.personSignaturesMissing, refusal(house, meter("new"), by: onePerson)),
            (.personSignaturesMissing, refusal(house, point("new", meters: ["main"]), by: root)),
            (.personSignaturesMissing, refusal(house, key(.auditor, "a"), by: onePerson)),
            (nil, refusal(house, key(.person, "a"), by: root)),
            (.roleNotRegistrable, refusal(house, key(.root, "a"))),
            (.roleNotRegistrable, refusal(house, key(.seal, "a"))),
            (.numberTooLow, refusal(house, meter("main"), number: 0)),
            (.numberTaken, refusal(house, meter("main", serial: "x"))),
            (.effectiveWentBack, refusal(house, meter("main"), number: 2, from: anchor + -1)),
            (.unknownOrganisation, refusal(house, entity("new", organisation: "nobody"))),
            (.unknownOrganisation, refusal(house, key(.auditor, "a", organisation: "nobody"))),
            (.unknownEntity, refusal(house, key(.owner, "nobody"))), (nil, refusal(house, key(.owner, "serf"))),
            (.unknownEntity, refusal(house, point("new", meters: ["main"], entity: "nobody"))),
            (.unknownGateway, refusal(house, meter("new", gateway: "gw-9"))),
            (.unknownGateway, refusal(house, key(.gateway, "gw-9"))),
            (.unknownMeter, refusal(house, point("new", meters: ["m-9"]))),
            (.keyTaken, refusal(house, key(.auditor, "a", spki: TestHouse.persons[0]))),
            (.keyTaken, refusal(house, key(.auditor, "a", spki: [4]))),
            (.meterClaimedTwice, refusal(house, meter("new", serial: "serial-main"))),
            (.meterUsedTwice, refusal(house, point("new", meters: ["main"]))),
            (.meterUsedTwice, refusal(house, point("new", meters: ["check"]))),
            (.accountTaken, refusal(house, entity("new", account: "serf-alice"))),
            (.accountTaken, refusal(house, entity("new", account: "issuance"))),
            (.nameOfHouse, refusal(house, entity("issuance", account: "new"))),
            (.unknownGateway, refusal(house, revocation("gw-9"), by: root)),
            (.numberSkipped, refusal(house, revocation("gw-1"), number: 2, by: root)),
            (.revocationLater, refusal(house, revocation("gw-1"), from: anchor + 1, by: root)),
            (nil, refusal(house, revocation("gw-1"), by: [TestHouse.persons[1]])),
        ]
        for (index, (expected, found)) in cases.enumerated() { #expect(found == expected, "case \(index)") }
        let met = Set(cases.compactMap(\.0))
        #expect(met.union([.notUnderstood]) == Set(RegistrationRefusal.allCases))
    }

    @Test func whatIsNoRegistrationIsNotUnderstood() throws {
        var registry = try TestHouse().registry
        let document = try TestSigner.document([0xA0], .registration, by: [TestHouse.root])
        #expect(throws: RegistrationRefusal.notUnderstood) {
            try registry.register(document, at: anchor, check: TestSigner.check)
        }
    }

    @Test func theSameAgainChangesNothing() throws {
        var registry = try TestHouse().registry
        let payload = Registration(number: 1, effectiveFrom: anchor, body: entity("new")).encoded
        let document = try TestSigner.document(payload, .registration, by: [TestHouse.root])
        #expect(try registry.register(document, at: anchor, check: TestSigner.check))
        #expect(try !registry.register(document, at: anchor, check: TestSigner.check))
        #expect(registry.entity(id("new"), at: anchor)?.id == id("new"))
        #expect(registry.entity(id("new"), at: anchor + -1) == nil)
    }

    @Test func aWrongSignatureIsNotCounted() throws {
        var registry = try TestHouse().registry
        let payload = Registration(number: 1, effectiveFrom: anchor, body: entity("new")).encoded
        let document = try TestSigner.document(payload, .registration, by: [TestHouse.root])
        #expect(throws: RegistrationRefusal.signatureWrong) {
            try registry.register(document, at: anchor) { _, _ in false }
        }
    }

    @Test func aLaterVersionCountsFromItsInstant() throws {
        var house = try TestHouse()
        try house.register(point("serf-1", meters: ["main"]), number: 2, from: anchor + day)
        let registry = house.registry
        #expect(registry.meteringPoint(id("serf-1"), at: anchor + day + -1)?.checkMeters == [id("check")])
        #expect(registry.meteringPoint(id("serf-1"), at: anchor + day)?.checkMeters == [])
        // The meter is free from then on, not before.
        #expect(refusal(house, point("other", meters: ["check"]), from: anchor + day + -1) == .meterUsedTwice)
        #expect(refusal(house, point("other", meters: ["check"]), from: anchor + day) == nil)
        #expect(registry.plant(at: anchor).documents.count == 4)
        #expect(registry.plant(at: anchor + day).documents.count == 3)
    }

    @Test func aKeyCountsWhileItIsInForce() throws {
        var house = try TestHouse()
        try house.register(key(.auditor, "audit", spki: [1, 1]), from: anchor)
        try house.register(key(.auditor, "audit", spki: [2, 2]), number: 2, from: anchor + hour)
        let (first, second) = (KeyID.kid(ofSPKI: [1, 1]), KeyID.kid(ofSPKI: [2, 2]))
        let registry = house.registry
        #expect(registry.key(kid: first, role: .auditor, at: anchor)?.spki == [1, 1])
        #expect(registry.key(kid: first, role: .gridOperator, at: anchor) == nil)
        #expect(registry.key(kid: first, role: .auditor, at: anchor + hour) == nil)
        #expect(registry.key(kid: second, role: .auditor, at: anchor) == nil)
        #expect(registry.key(kid: second, role: .auditor, at: anchor + hour)?.spki == [2, 2])
        #expect(registry.key(kid: second, role: .auditor, at: anchor + day) == nil)
        #expect(registry.key(of: id("audit"), role: .auditor, at: anchor + hour)?.spki == [2, 2])
    }

    /// A new key of a gateway that says it was in force before it was registered: what the old key signed until then was
    /// taken, and is found in order by whoever folds it again. Others' keys are asked for at their events only.
    @Test(arguments: [(KeyRole.gateway, "gw-1", hour), (.auditor, "audit", -1)])
    func whatWasTakenIsNotJudgedAgain(role: KeyRole, subject: String, firstMoment: Int64) throws {
        var registry = try TestHouse().registry
        for (number, spki, at) in [(1, [1, 1], anchor), (2, [2, 2], anchor + hour)] as [(UInt64, [UInt8], UTCInstant)] {
            let payload = Registration(number: number, effectiveFrom: anchor, body: key(role, subject, spki: spki))
                .encoded
            try registry.register(
                try TestSigner.document(payload, .registration, by: [TestHouse.root] + TestHouse.persons), at: at,
                check: TestSigner.check)
        }
        #expect(
            registry.key(of: id(subject), role: role, at: anchor + firstMoment)?.spki
                == (firstMoment < 0 ? nil : [1, 1]))
        #expect(registry.key(of: id(subject), role: role, at: anchor + firstMoment + 1)?.spki == [2, 2])
        let keys = registry.gatewayKeys(id("gw-1"), at: anchor + hour)?.keys.map(\.spki)
        #expect(role != .gateway || keys == [[1, 1]])
    }

    @Test func genesisNeedsARootUnderItsManifest() throws {
        let genesis = try TestHouse().registry.genesis
        #expect(try Genesis(decoding: genesis.encoded) == genesis)
        #expect(throws: RegistrationRefusal.signatureWrong) { try Registry(genesis) { _, _ in false } }
    }
}
