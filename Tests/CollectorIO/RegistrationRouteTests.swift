// Registrations after genesis: dual control, refusals with their numbers, accounts opened with an entity.

@testable import CollectorIO
import CBOR
import Foundation
import HTTPTypes
import Kit
import Proofs
import Settings
import CollectorCore
import CollectorJournal
import Evidence
import Keys
import Quantities
import Testing

struct RegistrationRouteTests {
    private func document(
        _ yard: HouseYard, _ body: Registration.Body, number: UInt64 = 1, by signers: [String] = ["root"]
    ) throws -> Document {
        let registration = Registration(number: number, effectiveFrom: anchor, body: body)
        return try Document(
            signers.map { try SignedMessage.signing(registration.encoded, as: .registration, with: yard.key($0)) })
    }

    private func entity(_ name: String, organisation: String = "owners", account: String) -> Registration.Body {
        .entity(
            Entity(
                id: id(name), organisation: id(organisation), population: 5,
                shares: [Entity.Share(principal: id("\(name)-all"), account: id(account), ppm: 1_000_000)]))
    }

    @Test func anEntityComesWithItsAccounts() async throws {
        let yard = try HouseYard()
        let document = try document(yard, entity("solar-west", account: "west"))
        try await yard.with { _, caller in
            #expect(try await caller.get("/v1/accounts/west/balance").status == 404)
            let taken = try await caller.post("/v1/registrations", document.encoded)
            #expect(taken.status == 201 && taken.string("document_id") == document.id.description)
            #expect(try await caller.post("/v1/registrations", document.encoded).status == 200)
            // A document of one may come as its envelope alone.
            #expect(try await caller.post("/v1/registrations", document.envelopes[0].encoded).status == 200)
            #expect(try await caller.get("/v1/accounts/west/balance").string("balance") == "0")
        }
        try await yard.with { (_, caller) async throws in
            #expect(try await caller.get("/v1/accounts/west/balance").string("balance") == "0")
            #expect(try await caller.post("/v1/registrations", document.encoded).status == 200)
        }
    }

    @Test func aNewGatewayIsHeard() async throws {
        let yard = try HouseYard()
        let persons = ["root", "person-a", "person-b"]
        let key = RegisteredKey(
            spki: yard.key("stranger").publicKey.spki, role: .gateway, subject: id("gw-west"),
            organisation: id("owners"),
            validTo: anchor + 365 * day)
        let gateway = try document(yard, .gateway(Gateway(id: id("gw-west"), entity: id("solar-east"), clockError: 0)))
        let keyDocument = try document(yard, .key(key), by: persons)
        let birth = try YardGateway.signed(
            place: RecordPlace(
                gateway: id("gw-west"), stream: try #require(StreamID([UInt8](repeating: 9, count: 8))), sequence: 1,
                previous: .zero),
            .birth(Birth(agentVersion: "1", predecessor: nil, meters: [], reads: [], replay: (anchor, 3600))),
            at: anchor,
            by: yard.key("stranger"))
        try await yard.with { _, caller in
            #expect(try await caller.post("/ingest/events?gateway=gw-west", birth.encoded).number("code") == 6)
            let early = try await caller.post("/v1/registrations", keyDocument.encoded)
            #expect(early.status == 422 && early.number("code") == 11 && early.problem == "registration-refused")
            #expect(try await caller.post("/v1/registrations", gateway.encoded).status == 201)
            #expect(try await caller.post("/ingest/events?gateway=gw-west", birth.encoded).number("code") == 7)
            #expect(try await caller.post("/v1/registrations", keyDocument.encoded).status == 201)
            #expect(try await caller.post("/ingest/events?gateway=gw-west", birth.encoded).status == 200)
        }
    }

    @Test func refusals() async throws {
        let yard = try HouseYard()
        let meter = Registration.Body.meter(
            Meter(
                id: id("third"), vendor: "ABB", model: "B23", serial: "1003", gateway: id("gw-east"),
                profileName: "test/revenue",
                meterClass: .midMeter))
        let cases: [(Document, Int)] = [
            (try document(yard, entity("a", account: "a"), by: ["stranger"]), 2),
            (try document(yard, entity("a", account: "a"), by: ["person-a"]), 3),
            (try document(yard, meter), 4), (try document(yard, meter, by: ["root", "person-a"]), 4),
            (try document(yard, entity("solar-east", account: "coop"), number: 0), 6),
            (try document(yard, entity("solar-east", account: "coop")), 7),
            (try document(yard, entity("a", organisation: "nobody", account: "a")), 9),
            (try document(yard, entity("a", account: "coop")), 16),
        ]
        try await yard.with { house, caller in
            let before = try await house.stores.journal.end()
            for (document, code) in cases {
                let answer = try await caller.post("/v1/registrations", document.encoded)
                #expect(answer.status == 422 && answer.number("code") == code, "\(code): \(answer.text)")
                #expect(answer.problem == "registration-refused")
            }
            for body in [[], [0x80], [0xFF], Array("yes".utf8), try YardDesk(yard: yard).order(1).encoded] {
                #expect(try await caller.post("/v1/registrations", body).problem == "bad-request")
            }
            #expect(try await house.stores.journal.end() == before)
        }
    }

    /// Written, and the answer lost; or refused: the same document again has one effect.
    @Test(arguments: [LogStep.commit, .answer])
    func bothFailingHalves(step: LogStep) async throws {
        let yard = try HouseYard()
        let document = try document(yard, entity("solar-west", account: "west"))
        for write in 0..<2 {
            let yard = write == 0 ? yard : try HouseYard()
            let document = write == 0 ? document : try self.document(yard, entity("solar-west", account: "west"))
            let fault = FaultOnce(step, at: write)
            try await yard.with { _, caller in
                yard.fail(fault.strike)
                let first = try await caller.post("/v1/registrations", document.encoded)
                #expect(first.status == (step == .answer ? 201 : 500) && fault.hasStruck)
                yard.fail(nil)
                #expect(try await caller.post("/v1/registrations", document.encoded).status < 300)
                #expect(try await caller.get("/v1/accounts/west/balance").string("balance") == "0")
            }
        }
    }
}
