// Drafts: what they hold comes back, foreign signatures do not get in, and asking about one changes nothing.

import CBOR
import CollectorCore
import Evidence
import Kit
import Quantities
import Testing

struct RegistrationDraftTests {
    private static let site: [Registration] = [
        .gateway(Gateway(id: id("gw-new"), entity: id("serf"), clockError: 0)),
        .meter(
            Meter(
                id: id("new"), vendor: "ABB", model: "B23", serial: "9", gateway: id("gw-new"), profileName: "abb/b23",
                meterClass: .midMeter)),
        .meteringPoint(
            MeteringPoint(
                id: id("point-new"), entity: id("serf"), nameplateWatts: 1, direction: .export, revenueMeter: id("new"),
                checkMeters: [], latitude: 0, longitude: 0, performanceRatio: 1)),
    ].map { Registration(number: 1, effectiveFrom: anchor, body: $0) }

    private func signed(by signer: [UInt8]) throws -> RegistrationDraft {
        var draft = RegistrationDraft(Self.site)
        for index in draft.items.indices {
            draft.put(
                try TestSigner.document(draft.items[index].payload, .registration, by: [signer]).envelopes[0], at: index
            )
        }
        return draft
    }

    @Test func whatItHoldsComesBack() throws {
        let draft = try signed(by: TestHouse.root)
        let read = try RegistrationDraft(decoding: draft.encoded)
        #expect(read.registrations == Self.site)
        #expect(read.items.map(\.envelopes) == draft.items.map(\.envelopes))
        #expect(read.encoded == draft.encoded)
    }

    @Test func copiesAreJoinedAndOthersAreNot() throws {
        var draft = try signed(by: TestHouse.root)
        let isJoined = draft.join(try signed(by: TestHouse.persons[0]))
        let isJoinedAgain = draft.join(try signed(by: TestHouse.persons[0]))
        let isOtherJoined = draft.join(RegistrationDraft(Array(Self.site.dropLast())))
        #expect(isJoined && isJoinedAgain && !isOtherJoined)
        #expect(draft.items.allSatisfy { $0.envelopes.count == 2 })
        // Signed once more: in place of the signature of before.
        draft.put(draft.items[0].envelopes[0], at: 0)
        #expect(draft.items[0].envelopes.count == 2)
    }

    @Test func anotherPayloadsSignatureIsRefused() throws {
        let draft = try signed(by: TestHouse.root)
        let first = draft.items[0]
        let second = draft.items[1]
        let forged = CBORValue.fields([
            (1, .int(2)),
            (2, .array([.array([.bytes(first.payload), .array([.bytes(second.envelopes[0].encoded)])])])),
        ]).encoded()
        #expect(throws: ShapeError.self) { try RegistrationDraft(decoding: forged) }
    }

    @Test(arguments: [UInt64(1), 2, 3])
    func damageNeverTraps(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let sound = try signed(by: TestHouse.root).encoded
        for round in 0..<400 {
            let bytes = Bool.random(using: &random) ? random.mutated(sound) : random.bytes(round)
            // Refused, or a draft all the same: what it then says is what its signers see.
            do {
                #expect(try !RegistrationDraft(decoding: bytes).items.isEmpty, "seed \(seed), round \(round)")
            } catch { #expect(!error.path.isEmpty) }
        }
        let none = CBORValue.fields([(1, .int(2)), (2, .array([]))]).encoded()
        #expect(throws: ShapeError.self) { try RegistrationDraft(decoding: none) }
        #expect(throws: ShapeError.self) {
            try RegistrationDraft(decoding: [UInt8](repeating: 0, count: RegistrationDraft.bytesMax + 1))
        }
    }

    @Test func askingChangesNothing() throws {
        let registry = try TestHouse().registry
        #expect(registry.refusals(of: Self.site, at: anchor) == [nil, nil, nil])
        #expect(registry.gateway(id("gw-new"), at: anchor) == nil)
        // Each is judged behind those before it: without its gateway the meter is refused, and so its point.
        #expect(registry.refusals(of: Array(Self.site.dropFirst()), at: anchor) == [.unknownGateway, .unknownMeter])
        #expect(registry.refusals(of: [Self.site[0], Self.site[0]], at: anchor) == [nil, nil])
        #expect(registry.isRegistered(.gateway(Gateway(id: id("gw-1"), entity: id("serf"), clockError: 0))))
    }
}
