// A gateway whose key signed two histories: its site waits for a person, and settles again once the key is replaced.

@testable import CollectorIO
import CollectorCore
import CollectorJournal
import Evidence
import Keys
import Kit
import Proofs
import Quantities
import Testing

struct DisputeTests {
    private static let secret = "0123456789ABCDEFGHJK"
    private static let gateway = id("gw-east")

    /// Born and read, then another record at number 2.
    private func fork(_ yard: HouseYard, _ house: House) async throws {
        var first = YardGateway(yard)
        let born = try first.bear()
        _ = await house.deliver(born)
        let other = try YardGateway.signed(
            place: RecordPlace(
                gateway: first.gateway, stream: first.stream, sequence: 2, previous: born[0].identity),
            .readings(Readings(base: 0, samples: [])), at: anchor, by: first.key)
        _ = await house.deliver([other])
    }

    /// What `device claim` and `enroll` with another key do.
    private func replace(_ yard: HouseYard, _ house: House, by key: PrivateKey) async throws {
        let claim = Claim(
            gateway: Self.gateway, organisation: id("owners"), secret: ClaimCode.digest(ofSecret: Self.secret),
            expires: anchor + day)
        let payload = Registration(number: 1, effectiveFrom: anchor, body: .claim(claim)).encoded
        _ = try await house.take(
            registration: Document(
                ["root", "person-a", "person-b"].map {
                    try SignedMessage.signing(payload, as: .registration, with: yard.key($0))
                }))
        let request = try RequestMaker.der(
            commonName: Self.gateway.text, spki: key.publicKey.spki, isEdwards: false, sign: { try key.sign($0) })
        _ = try await house.enrol(Self.gateway, secret: Self.secret, request: request)
    }

    private func settleFirstDay(_ yard: HouseYard, _ house: House, by key: PrivateKey) async throws {
        var gateway = YardGateway(yard, stream: 2)
        gateway.key = key
        _ = await house.deliver(try gateway.bear())
        _ = try await house.take(statement: try YardDesk(yard: yard).statement())
        yard.set(anchor + day)
        _ = await house.deliver(try gateway.produceDay())
        yard.set(anchor + 2 * day)
        try await house.work()
        try await yard.prove(house)
    }

    @Test(arguments: [false, true])
    func aSiteSettlesAgainWhenTheKeyIsReplaced(isReplaced: Bool) async throws {
        let yard = try HouseYard()
        let house = try await yard.open()
        try await fork(yard, house)
        #expect(await house.isDisputed(Self.gateway, at: yard.now))
        #expect(await house.deviceModel().devices.first?.reason?.contains("two boxes") == true)
        yard.set(anchor + hour)
        let key = yard.key(isReplaced ? "stranger" : "gateway")
        if isReplaced { try await replace(yard, house, by: key) }
        yard.set(anchor + 2 * hour)
        try await settleFirstDay(yard, house, by: key)

        let window = try #require(await house.state.windows.last)
        #expect(window.isSettled == isReplaced)
        #expect(window.issued.isEmpty != isReplaced)
        let reasons = Set(window.decision?.body.lines.compactMap(\.reason) ?? [])
        #expect(reasons == (isReplaced ? [] : ["STREAM_FORKED"]))
        #expect(await house.deviceModel().devices.first?.reason == nil || !isReplaced)
        // A window that ended before the key was replaced may have readings of either history.
        #expect(await house.isDisputed(Self.gateway, at: anchor + hour))
        #expect(await house.isDisputed(Self.gateway, at: anchor + day) == !isReplaced)
        try await yard.close(house)

        let again = try await yard.open()
        #expect(await again.isDisputed(Self.gateway, at: yard.now) == !isReplaced)
        try await yard.close(again)
    }

    /// Its gateway may be another entity's: what it reads is in dispute all the same.
    @Test func aSiteWaitsForTheGatewayThatReadsItsMeters() async throws {
        let yard = try HouseYard()
        let house = try await yard.open()
        let shares = [Entity.Share(principal: id("west"), account: id("west"), ppm: 1_000_000)]
        for (number, body) in [
            (1, .entity(Entity(id: id("solar-west"), organisation: id("owners"), population: 1, shares: shares))),
            (2, .gateway(Gateway(id: Self.gateway, entity: id("solar-west"), clockError: 1000))),
        ] as [(UInt64, Registration.Body)] {
            let payload = Registration(number: number, effectiveFrom: anchor, body: body).encoded
            _ = try await house.take(
                registration: Document([
                    try SignedMessage.signing(payload, as: .registration, with: yard.key("root"))
                ]))
        }
        var gateway = YardGateway(yard)
        let born = try gateway.bear()
        _ = await house.deliver(born)
        _ = try await house.take(statement: try YardDesk(yard: yard).statement())
        for number in 1...2 as ClosedRange<Int64> {
            yard.set(anchor + number * day)
            _ = await house.deliver(try gateway.produceDay())
        }
        yard.set(anchor + 3 * day)
        try await house.work()
        // Sealed before anybody saw that there are two.
        let other = try YardGateway.signed(
            place: RecordPlace(
                gateway: gateway.gateway, stream: gateway.stream, sequence: 2, previous: born[0].identity),
            .readings(Readings(base: 0, samples: [])), at: anchor, by: gateway.key)
        _ = await house.deliver([other])
        try await yard.prove(house)
        let window = try #require(await house.state.windows.last)
        #expect(window.due.isEmpty == false && window.issued.isEmpty)
        #expect(Set(window.decision?.body.lines.compactMap(\.reason) ?? []) == ["STREAM_FORKED"])
        try await yard.close(house)
    }
}
