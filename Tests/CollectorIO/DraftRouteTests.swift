// Drafts over HTTP: the shipped site file is judged by the house, each mistake is named, and nothing is kept.

@testable import CollectorIO
import CollectorCore
import CollectorJournal
import Evidence
import Foundation
import HTTPTypes
import Keys
import Kit
import Quantities
import Settings
import Testing

struct DraftRouteTests {
    private static func siteText() throws -> String {
        try Workplace.text(of: "Collector/Command/sample-site.yaml")
            .replacing("abb/a43", with: "test/revenue").replacing("sunspec/inverter-103", with: "test/inverter")
    }

    private func draft(_ text: String) throws -> RegistrationDraft {
        let site = try SiteFile(bytes: Array(text.utf8), file: "site.yaml")
        return RegistrationDraft(site.bodies.map { Registration(number: 1, effectiveFrom: anchor, body: $0) })
    }

    private func problems(_ reply: Reply) -> [String] { reply.items.compactMap { $0["problem"] as? String } }

    @Test func theSampleIsTakenAndEachMistakeIsNamed() async throws {
        let text = try Self.siteText()
        let cases: [(from: String, to: String, problem: String)] = [
            ("id: gw-west,", "id: gw-east,", "gw-east is registered already"),
            ("id: west-main,", "id: main,", "main is registered already"),
            ("gateway: gw-west", "gateway: gw-none", "its gateway is not registered"),
            ("revenue_meter: west-main", "revenue_meter: nobody", "a meter it names is not registered"),
            ("revenue_meter: west-main", "revenue_meter: main", "stands at another metering point"),
            ("{id: west-1, entity: solar-west", "{id: west-1, entity: nobody", "its entity is not registered"),
            ("organisation: owners", "organisation: nobody", "its organisation is not registered"),
            ("account: west", "account: coop", "belongs to another entity"),
            ("id: coop-west", "id: issuance", "`issuance` names the account"),
            ("profile: test/revenue", "profile: test/none", "is no profile of this collector"),
            (
                "vendor: ABB, model: A43, serial: \"3001\"", "vendor: ABB, model: A43, serial: \"1001\"",
                "METER_CLAIMED_TWICE"
            ),
        ]
        let yard = try HouseYard()
        try await yard.with { house, caller in
            let before = try await house.stores.journal.end()
            let sound = try await caller.post("/v1/registrations/check", try draft(text).encoded)
            #expect(sound.status == 200 && problems(sound).isEmpty && sound.items.count == 5, "\(sound.text)")
            for (from, to, problem) in cases {
                let changed = text.replacing(from, with: to)
                #expect(changed != text, "\(from)")
                let reply = try await caller.post("/v1/registrations/check", try draft(changed).encoded)
                #expect(
                    reply.status == 200 && problems(reply).contains(where: { $0.contains(problem) }),
                    "\(to): \(reply.text)")
            }
            #expect(try await house.stores.journal.end() == before)
        }
    }

    @Test(arguments: [
        ("direction: export", "direction: import"), ("nameplate: 6000", "nameplate: 0"),
        ("nameplate: 6000", "nameplate: 1000000000001"), ("ratio_numerator: 1,", "ratio_numerator: 0,"),
        ("ratio_denominator: 1,", "ratio_denominator: 1000001,"), ("class: mid", "class: toy"),
        ("latitude: 39.742", "latitude: 90.1"), ("share: 1000000", "share: 999999"),
        ("check_meters: [west-check]", "check_meters: [west-main]"), ("clock_error: 1s", "clock_error: 6m"),
        ("id: gw-west, entity", "id: GW-West, entity"), ("nameplate: 6000", "power: 6000"), ("gateways:", "gateway:"),
    ])
    func whatIsOutOfRangeIsRefusedByItsKey(from: String, to: String) throws {
        let text = try Self.siteText()
        let changed = text.replacing(from, with: to)
        #expect(changed != text)
        let error = #expect(throws: SettingsError.self) { try SiteFile(bytes: Array(changed.utf8), file: "site.yaml") }
        #expect(error?.file == "site.yaml" && error?.keyPath.isEmpty == false)
    }

    @Test func everyDamageOfTheSampleIsRefused() throws {
        let mutations = try SettingsMutations.all(of: Array(try Self.siteText().utf8))
        #expect(mutations.count > 50)
        // Sections and some keys may be left out: what is then taken registers less, never something else.
        let whole = try SiteFile(bytes: Array(try Self.siteText().utf8), file: "site.yaml").bodies.count
        for mutation in mutations {
            do {
                let count = try SiteFile(bytes: mutation.bytes, file: "site.yaml").bodies.count
                #expect(count <= whole, "\(mutation.name)")
            } catch is SettingsError {}
        }
        #expect(throws: SettingsError.self) { try SiteFile(bytes: Array("entities: []\n".utf8), file: "site.yaml") }
        let many = (0..<200).map { "  - {id: gw-\($0), entity: solar-east}" }.joined(separator: "\n")
        #expect(throws: SettingsError.self) {
            try SiteFile(bytes: Array("gateways:\n\(many)\n".utf8), file: "site.yaml")
        }
    }

    @Test func hostileBodiesAndStrangersAreRefused() async throws {
        let yard = try HouseYard()
        let sound = try draft(Self.siteText()).encoded
        try await yard.with { (_, caller) async throws in
            for body in [[], [0x80], [0xFF], Array("draft".utf8), Array(sound.dropLast())] {
                #expect(try await caller.post("/v1/registrations/check", body).problem == "bad-request")
            }
            let large = [UInt8](repeating: 0x80, count: RegistrationDraft.bytesMax + 1)
            #expect(try await caller.post("/v1/registrations/check", large).status == 413)
            #expect(try await caller.post("/v1/registrations/check", sound, as: .auditor).status == 403)
            #expect(try await caller.post("/v1/registrations/check", sound, as: nil).status == 401)
        }
    }

    @Test func facilityAndGatewayAreShownWhole() async throws {
        let yard = try HouseYard()
        try await yard.with { house, caller in
            _ = try await yard.settle(house)
            let facility = try await caller.get("/v1/entities/solar-east")
            #expect(facility.string("organisation") == "owners" && facility.string("settled_through") != nil)
            let point = try #require((facility.json["metering_points"] as? [[String: Any]])?.first)
            #expect(point["revenue_meter"] as? String == "main" && point["direction"] as? String == "export")
            #expect((point["last_day"] as? [String: Any])?["grade"] as? String == "A")
            #expect((facility.json["gateways"] as? [[String: Any]])?.count == 1)
            #expect(try await caller.get("/v1/entities/nobody").status == 404)

            let gateway = try await caller.get("/v1/devices/gw-east", as: .operator)
            let status = try #require(gateway.json["status"] as? [String: Any])
            let meters = try #require(status["meters"] as? [[String: Any]])
            #expect(meters.map { $0["meter"] as? String } == ["check", "main"])
            #expect(meters.allSatisfy { $0["commissioned_at"] is String || $0["meter"] as? String == "check" })
            #expect((gateway.json["streams"] as? [[String: Any]])?.count == 1)
            #expect((gateway.json["metering_points"] as? [[String: Any]])?.count == 1)
            #expect(try await caller.get("/v1/enrolment").json.keys.contains("ca_certificate"))
        }
    }
}
