// The pages on which sites are registered and gateways watched: what is typed becomes a draft that the house takes once it is
// signed, mistakes stand beside their fields, and nothing hostile gets into the page or the Journal.

@testable import CollectorIO
import CollectorCore
import CollectorJournal
import Evidence
import Foundation
import HTTPTypes
import Keys
import Kit
import Proofs
import Quantities
import Testing

struct SitePageTests {
    private static let whole: [(String, String)] = [
        ("entity", "+"), ("entity.id", "solar-west"), ("entity.organisation", "owners"), ("entity.population", "900"),
        ("principal.0.id", "coop-west"), ("principal.0.account", "west"), ("principal.0.share", "60.5"),
        ("principal.1.id", "fund-west"), ("principal.1.account", "west-fund"), ("principal.1.share", "39.5"),
        ("gateway", "+"), ("gateway.id", "gw-west"), ("gateway.clock_error", "1000"),
        ("meter.0.id", "west-main"), ("meter.0.vendor", "ABB"), ("meter.0.model", "A43"), ("meter.0.serial", "3001"),
        ("meter.0.profile", "test/revenue"), ("meter.0.ratio", "200/5"), ("meter.0.class", "mid"),
        ("meter.1.id", ""), ("meter.1.vendor", ""), ("meter.1.ratio", "1/1"), ("meter.1.class", ""),
        ("point.0.id", "west-1"), ("point.0.direction", "export"), ("point.0.revenue", "west-main"),
        ("point.0.checks", ""), ("point.0.nameplate", "6000"), ("point.0.latitude", "39.742"),
        ("point.0.longitude", "-105.1727"),
    ]

    private static func body(_ fields: [(String, String)]) -> [UInt8] {
        func encoded(_ text: String) -> String {
            text.utf8.map { byte in
                let hex = String(byte, radix: 16, uppercase: true)
                return "%" + (hex.count == 1 ? "0" : "") + hex
            }.joined()
        }
        return Array(fields.map { encoded($0.0) + "=" + encoded($0.1) }.joined(separator: "&").utf8)
    }

    private static func with(_ name: String, _ value: String) -> [UInt8] {
        body(whole.filter { $0.0 != name } + [(name, value)])
    }

    private static let ownPage: HTTPFields = {
        var headers: HTTPFields = [.contentType: "application/x-www-form-urlencoded"]
        headers[HTTPField.Name("Sec-Fetch-Site")!] = "same-origin"
        return headers
    }()

    private func draft(in page: Reply) throws -> RegistrationDraft {
        let link = try #require(
            page.text.components(separatedBy: "octet-stream;base64,").last?.components(separatedBy: "\"").first)
        return try RegistrationDraft(decoding: Array(try #require(Data(base64Encoded: link))))
    }

    @Test func whatIsTypedIsRegisteredOnceThreeHaveSigned() async throws {
        let yard = try HouseYard()
        try await yard.with { house, caller in
            let before = try await house.stores.journal.end()
            let page = try await caller.post("/devices/new", Self.body(Self.whole), headers: Self.ownPage)
            #expect(page.status == 200, "\(page.text)")
            var draft = try draft(in: page)
            #expect(try await house.stores.journal.end() == before)
            #expect(draft.registrations.map(\.body.kind) == [3, 6, 5, 4])
            for index in draft.items.indices {
                for signer in ["root", "person-a", "person-b"] {
                    draft.put(
                        try SignedMessage.signing(
                            draft.items[index].payload, as: .registration, with: yard.key(signer)), at: index)
                }
                let taken = try await caller.post(
                    "/v1/registrations", try Document(draft.items[index].envelopes).encoded)
                #expect(taken.status == 201, "\(taken.text)")
            }
            let at = await house.decisionTime()
            let meter = try #require(await house.state.registry.meter(id("west-main"), at: at))
            #expect(meter.ratioNumerator == 200 && meter.ratioDenominator == 5 && meter.gateway == id("gw-west"))
            let entity = try #require(await house.state.registry.entity(id("solar-west"), at: at))
            #expect(entity.shares.map(\.ppm) == [605_000, 395_000])
            let point = try #require(await house.state.registry.meteringPoint(id("west-1"), at: at))
            #expect(point.latitude == 39_742_000 && point.longitude == -105_172_700 && point.direction == .export)
            // Typed a second time: each exists.
            yard.set(anchor + 1000)
            let again = try await caller.post("/devices/new", Self.body(Self.whole), headers: Self.ownPage)
            #expect(again.status == 422 && again.text.contains("gw-west is registered already"))
        }
    }

    @Test(arguments: [
        ("entity.id", "Solar", "a-z 0-9 -"), ("entity.id", "solar-east", "registered already"),
        ("entity.organisation", "nobody", "choose one"), ("entity.population", "-1", "a whole number"),
        ("principal.0.share", "60", "add up to 100"), ("principal.0.share", "60.00001", "four decimals"),
        ("principal.0.account", "coop", "belongs to another entity"), ("gateway.id", "gw-east", "registered already"),
        ("gateway.clock_error", "300001", "300"), ("meter.0.serial", "", "fill it in"),
        ("meter.0.ratio", "0/5", "200/5"),
        ("meter.0.ratio", "1/2/3", "200/5"), ("meter.0.ratio", "9999999", "200/5"),
        ("meter.0.class", "toy", "choose one"),
        ("meter.0.profile", "test/none", "choose one"), ("point.0.direction", "", "choose one"),
        ("point.0.direction", "import", "choose one"), ("point.0.nameplate", "0", "a whole number"),
        ("point.0.nameplate", "99999999999999999999", "a whole number"), ("point.0.latitude", "90.1", "six decimals"),
        ("point.0.latitude", "-", "six decimals"), ("point.0.longitude", "1.", "six decimals"),
        ("point.0.revenue", "nobody", "a meter it names is not registered"),
        ("point.0.revenue", "main", "stands at another metering point"),
        ("point.0.checks", "west-main", "none the revenue meter"),
        ("entity", "", "choose one"), ("gateway", "gw-none", "choose one"), ("secret", "zz", "load the page again"),
    ])
    func aMistakeStandsBesideItsField(name: String, value: String, words: String) async throws {
        let yard = try HouseYard()
        try await yard.with { _, caller in
            let page = try await caller.post("/devices/new", Self.with(name, value), headers: Self.ownPage)
            #expect(page.status == 422)
            let field = name == "secret" ? "gateway" : name
            let beside = page.text.components(separatedBy: "id=\"\(field)-hint\">").last?.components(
                separatedBy: "</small>"
            ).first
            #expect(beside?.contains(words) == true, "\(name)=\(value): \(beside ?? "no field")")
            #expect(page.text.contains("aria-invalid") && !page.text.contains("octet-stream"))
        }
    }

    /// Without an enrolment port there is no claim; with rows added nothing is judged.
    @Test func rowsAreAddedAndTheFormKeepsWhatWasTyped() async throws {
        let yard = try HouseYard()
        try await yard.with { _, caller in
            let page = try await caller.post("/devices/new", Self.with("add", "meter"), headers: Self.ownPage)
            #expect(page.status == 200 && page.text.contains("meter.2.serial") && page.text.contains("value=\"200/5\""))
            #expect(!page.text.contains("aria-invalid"))
            let far = try await caller.post("/devices/new", Self.with("meter.99999999.id", "x"), headers: Self.ownPage)
            #expect(far.status == 200 && !far.text.contains("meter.99999999"))
            let nothing = try await caller.post("/devices/new", [], headers: Self.ownPage)
            #expect(nothing.status == 422)
        }
    }

    @Test func whatIsHostileIsEscapedOrRefused() async throws {
        let yard = try HouseYard()
        let script = "<script>alert(1)</script>\"'&"
        try await yard.with { house, caller in
            let before = try await house.stores.journal.end()
            for (name, _) in Self.whole {
                let page = try await caller.post("/devices/new", Self.with(name, script), headers: Self.ownPage)
                #expect(page.status == 422 || page.status == 200, "\(name)")
                #expect(!page.text.contains("<script>alert"), "\(name)")
                let policy = page.headers[.contentSecurityPolicy] ?? ""
                #expect(policy.contains("default-src 'none'") && policy.contains("form-action 'self'"))
            }
            for bad in ["a", "%zz=1", "a=%f", "a=%ff", "a=1&a=2", "x=" + String(repeating: "y", count: 1025)] {
                let reply = try await caller.post("/devices/new", Array(bad.utf8), headers: Self.ownPage)
                #expect(reply.status == 400 && reply.problem == "bad-request", "\(bad)")
            }
            let large = [UInt8](repeating: UInt8(ascii: "a"), count: FormFields.bytesMax + 1)
            #expect(try await caller.post("/devices/new", large, headers: Self.ownPage).status == 413)
            let many = Array((0...FormFields.fieldsMax).map { "f\($0)=1" }.joined(separator: "&").utf8)
            #expect(try await caller.post("/devices/new", many, headers: Self.ownPage).status == 400)
            #expect(try await caller.get("/gateways/%3Cscript%3E").status == 400)
            #expect(try await caller.get("/gateways/-/fragment").status == 200)
            #expect(try await house.stores.journal.end() == before)
        }
    }

    @Test func anotherPagesFormIsNotTaken() async throws {
        let yard = try HouseYard()
        try await yard.with { _, caller in
            var cases: [HTTPFields] = [[:], [.origin: "null"], [.origin: "https://evil.example"]]
            for site in ["cross-site", "same-site", "none"] {
                var headers: HTTPFields = [:]
                headers[HTTPField.Name("Sec-Fetch-Site")!] = site
                cases.append(headers)
            }
            for headers in cases {
                let reply = try await caller.post("/devices/new", Self.body(Self.whole), headers: headers)
                #expect(reply.status == 400 && reply.problem == "other-origin", "\(headers)")
            }
            // Reading is not open here: a stranger gets neither form nor draft.
            #expect(
                try await caller.post("/devices/new", Self.body(Self.whole), as: nil, headers: Self.ownPage).status
                    == 401)
            #expect(try await caller.get("/devices/new", as: nil).status == 401)
        }
    }

    /// A birth that names more of the stream before it than came: said in the Journal, on the page and in the interface,
    /// and nothing is held for it. A restart folds the same from the logs.
    @Test func aTailThatNeverCameIsShownAndHoldsNothing() async throws {
        let yard = try HouseYard()
        let former = StreamID([UInt8](repeating: 9, count: 8))!
        let told = "names 100 as the last record of stream 0909090909090909, of which 0 are held"
        try await yard.with { house, caller in
            var gateway = YardGateway(yard)
            let after = Birth.Predecessor(stream: former, lastSequence: 100, reason: "the spool was damaged")
            for record in try gateway.bear(after: after) {
                #expect(try await caller.post("/ingest/events?gateway=gw-east", record.encoded).status == 200)
            }
            try await Self.shows(told, caller)
        }
        try await yard.with { house, caller in try await Self.shows(told, caller) }
    }

    /// What a gateway had to let go of before it was taken is said where people look, and counted once.
    @Test func recordsThatSkipsStandForAreShown() async throws {
        let yard = try HouseYard()
        try await yard.with { house, caller in
            var gateway = YardGateway(yard)
            let born = try gateway.bear()
            let clock = RecordClock(
                sync: 2, errorMilliseconds: 1, boot: [UInt8](repeating: 7, count: 16), uptimeMilliseconds: 0,
                utc: anchor)
            // It begins below what came: three records are here, four are not.
            let skip = Skip(
                to: 7, identity: .zero, reason: "deleted", firstClock: clock, lastClock: clock, losses: [])
            let envelope = try YardGateway.signed(
                place: RecordPlace(
                    gateway: gateway.gateway, stream: gateway.stream, sequence: 2, previous: born[0].identity),
                .skip(skip), at: anchor, by: gateway.key)
            for record in born + [envelope] {
                #expect(try await caller.post("/ingest/events?gateway=gw-east", record.encoded).status == 200)
            }
            let page = try await caller.get("/gateways/gw-east/fragment").text
            #expect(page.contains("<code>0101010101010101</code> the gateway no longer has 4 records"), "\(page)")
            for path in ["/v1/gateways", "/v1/devices/gw-east"] {
                #expect(try await caller.get(path, as: .operator).text.contains("\"skipped\":4"))
            }
        }
    }

    private static func shows(_ told: String, _ caller: Caller) async throws {
        let page = try await caller.get("/gateways/gw-east/fragment").text
        #expect(page.contains("the birth of stream <code>0101010101010101</code> \(told)."), "\(page)")
        for path in ["/v1/gateways", "/v1/devices/gw-east"] {
            let view = try await caller.get(path, as: .operator).text
            #expect(view.contains("\"missing_tail\":\"\(told)\"") && view.contains("\"hold\":null"), "\(view)")
        }
    }

    @Test func aGatewaysStepsSayWhatComesNext() async throws {
        let yard = try HouseYard()
        try await yard.with { house, caller in
            let unknown = try await caller.get("/gateways/gw-west/fragment").text
            #expect(
                unknown.contains("<li class=\"now\"><strong>Registered")
                    && unknown.contains("<li class=\"later\"><strong>Commissioned"))
            let fresh = try await caller.get("/gateways/gw-east/fragment").text
            #expect(
                fresh.contains("<li class=\"done\"><strong>Enrolled")
                    && fresh.contains("<li class=\"now\"><strong>First record"))
            _ = try await yard.settle(house)
            let alive = try await caller.get("/gateways/gw-east").text
            #expect(
                alive.contains("<strong>First record") && alive.contains("<li class=\"done\"><strong>Commissioned"),
                "\(alive)")
        }
    }
}
