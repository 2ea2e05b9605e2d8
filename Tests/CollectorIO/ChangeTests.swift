// Changing what is registered: what stands is answered, the next version takes its place from its instant on, and no other way.

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

struct ChangeTests {
    private func next(_ meter: Meter, _ number: UInt64, from instant: UTCInstant) -> Registration {
        Registration(
            number: number, effectiveFrom: instant,
            body: .meter(
                Meter(
                    id: meter.id, vendor: meter.vendor, model: meter.model, serial: meter.serial,
                    gateway: meter.gateway, profileName: meter.profileName, ratioNumerator: 200, ratioDenominator: 5,
                    meterClass: meter.meterClass)))
    }

    private func document(_ registration: Registration, by names: [String], _ yard: HouseYard) throws -> [UInt8] {
        try Document(
            names.map { try SignedMessage.signing(registration.encoded, as: .registration, with: yard.key($0)) }
        ).encoded
    }

    @Test func theNextVersionCountsFromItsInstantOn() async throws {
        let yard = try HouseYard()
        try await yard.with { house, caller in
            let at = await house.decisionTime()
            let meter = try #require(await house.state.registry.meter(id("main"), at: at))
            let asked = RegistrationDraft([
                next(meter, 1, from: at),
                Registration(
                    number: 1, effectiveFrom: at, body: .organisation(Organisation(id: id("nobody"), name: "n"))),
            ])
            let reply = try await caller.post("/v1/registrations/standing", asked.encoded)
            #expect(
                reply.status == 200 && reply.items.count == 2 && reply.items[1]["registration"] is NSNull,
                "\(reply.text)")
            let text = try #require(reply.items[0]["registration"] as? String)
            let standing = try Registration(decoding: try #require([UInt8](base64: text)))
            #expect(standing.body == .meter(meter))

            let change = next(meter, standing.number + 1, from: at + 1_000)
            let checked = try await caller.post("/v1/registrations/check", RegistrationDraft([change]).encoded)
            #expect(checked.items[0]["problem"] is NSNull, "\(checked.text)")
            let half = try await caller.post("/v1/registrations", document(change, by: ["root", "person-a"], yard))
            #expect(half.problem == "registration-refused" && half.number("code") == 4, "\(half.text)")
            let all = ["root", "person-a", "person-b"]
            let whole = try await caller.post("/v1/registrations", document(change, by: all, yard))
            #expect(whole.status == 201, "\(whole.text)")
            let registry = await house.state.registry
            #expect(registry.meter(id("main"), at: at + 999) == meter)
            #expect(registry.meter(id("main"), at: at + 1_000)?.ratioNumerator == 200)
            // Neither a version of before again, nor one that counts earlier than it.
            let back = try await caller.post(
                "/v1/registrations", document(next(meter, standing.number + 2, from: at), by: all, yard))
            #expect(back.number("code") == 8, "\(back.text)")
        }
    }

    @Test func whatIsNoDraftIsRefused() async throws {
        let yard = try HouseYard()
        try await yard.with { _, caller in
            let wrong = try await caller.post("/v1/registrations/standing", [1, 2, 3])
            #expect(wrong.problem == "bad-request")
            #expect(try await caller.post("/v1/registrations/standing", [], as: .auditor).status == 403)
        }
    }
}
