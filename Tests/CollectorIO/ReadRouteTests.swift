// What the house answers to lookers: every GET of docs/formats/http.md, who may ask, pages, caching.

@testable import CollectorIO
import CBOR
import CollectorJournal
import Keys
import Kit
import Proofs
import Quantities
import Settings
import CollectorCore
import Evidence
import Foundation
import HTTPTypes
import Hummingbird
import Testing

/// One settled house for all of these: they only look.
private struct SettledYard {
    static func with(_ body: @Sendable (HouseYard, House, Caller) async throws -> Void) async throws {
        let yard = try HouseYard()
        try await yard.with { house, caller in
            _ = try await yard.settle(house, days: 2)
            try await body(yard, house, caller)
        }
    }
}

struct ReadRouteTests {
    private let window = "W-2016-07-07-1"

    @Test func everyViewOfASettledHouse() async throws {
        try await SettledYard.with { yard, house, caller in
            let production = try await caller.get("/v1/production/solar-east")
            #expect(production.status == 200 && production.number("verified_wh") == 24_000)
            #expect(
                production.string("window_id") == "W-2016-07-08-1"
                    && production.string("settled_through") == "2016-07-09T06:00:00Z")
            #expect(try await caller.get("/v1/production/solar-east/history").items.count == 2)
            let attestations = try #require(production.json["attestations"] as? [String])
            let attestation = try await caller.get("/v1/attestation/\(attestations[0])")
            #expect((attestation.json["verdict"] as? [String: Any])?["verdict"] as? String == "verified")
            let envelope = try #require(Data(base64Encoded: attestation.string("envelope") ?? ""))
            let message = try SignedMessage(parsing: Array(envelope), as: .attestation)
            #expect(message.isSigned(by: yard.key("seal").publicKey))

            let reconciliation = try await caller.get("/v1/reconciliation/status")
            #expect(reconciliation.string("window_id") == "W-2016-07-08-1")
            #expect((reconciliation.json["streams"] as? [[String: Any]])?.count == 1)
            let allocation = try await caller.get("/v1/allocation/solar-east")
            let lines = try #require(allocation.json["lines"] as? [[String: Any]])
            #expect(lines.map { $0["amount"] as? String } == ["14400000", "9600000"])
            #expect(try await caller.get("/v1/issuance/pending").items.isEmpty)
            #expect(try await caller.get("/v1/supply").string("supply") == "48000000")
            #expect(try await caller.get("/v1/accounts/coop/balance").string("balance") == "28800000")
            #expect(try await caller.get("/v1/clearing/status").string("tier") == "R")
            #expect(try await caller.get("/v1/weights/solar-east").number("units") == 1_000_000)
            #expect(try await caller.get("/v1/proposals").items.isEmpty)
        }
    }

    @Test func everyViewOfAWindow() async throws {
        try await SettledYard.with { _, _, caller in
            let view = try await caller.get("/v1/windows/\(window)")
            #expect(view.string("state") == "settled" && view.string("supply_after") == "24000000")
            #expect((view.json["replay"] as? [String: Any])?["equal"] as? Bool == true)
            let digest = try #require(view.string("output_digest"))
            #expect(try await caller.get("/audit/output-digest/\(window)").string("output_digest") == digest)
            let transcript = try await caller.get("/audit/transcript/\(window)")
            let segments = try #require(transcript.json["segments"] as? [[String: Any]])
            for segment in segments {
                let bytes = try await caller.get("/segments/\(segment["digest"] as? String ?? "")", as: .auditor)
                #expect(bytes.status == 200 && bytes.body.count == segment["size"] as? Int)
            }
            let acceptance = try await caller.get("/acceptance/\(window)")
            let proofs = try #require(acceptance.json["proofs"] as? [[String: Any]])
            #expect(Set(proofs.compactMap { $0["kind"] as? String }) == ["ACK", "CT"])
            let windows = try await caller.get("/v1/windows").items
            #expect(windows.map { $0["state"] as? String } == ["settled", "settled", "open", "open"])
            #expect(try await caller.get("/v1/windows/W-2016-07-09-1").string("state") == "open")
        }
    }

    @Test func everyViewOfTheHouse() async throws {
        try await SettledYard.with { _, _, caller in
            let view = try await caller.get("/v1/house")
            #expect(
                view.string("mode") == "replay" && view.string("asset") == "K$-TEST"
                    && view.string("now") == "2016-07-10T06:00:00Z")
            let gateway = try #require(try await caller.get("/v1/gateways").items.first)
            #expect(gateway["gateway"] as? String == "gw-east" && gateway["records"] as? Int == 51)
            let meters = try #require(gateway["meters"] as? [[String: Any]])
            #expect(meters.map { $0["export_wh"] as? Int } == [58_000, 58_000])

            let transactions = try await caller.get("/v1/transactions").items
            #expect(transactions.count == 4 && transactions.allSatisfy { $0["state"] as? String == "posted" })
            #expect(try await caller.get("/v1/transactions?account=coop").items.count == 2)
            let transaction = try #require(transactions[0]["transaction_id"] as? String)
            #expect(try await caller.get("/v1/transactions/\(transaction)").string("amount") == "14400000")
            let trace = try await caller.get("/v1/trace/\(transaction)")
            #expect((trace.json["issuances"] as? [[String: Any]])?.first?["window_id"] as? String == window)

            for log in ["journal", "evidence"] {
                let checkpoint = try await caller.get("/log/\(log)/1/checkpoint")
                #expect(
                    checkpoint.status == 200 && checkpoint.text.hasPrefix("collector.example/solar-east/\(log)/1\n"))
                let size = try #require(Int(checkpoint.text.split(separator: "\n")[1]))
                let width = size >= 256 ? "" : ".p/\(size)"
                #expect(try await caller.get("/log/\(log)/1/tile/0/000\(width)").body.count == 32 * min(size, 256))
                #expect(try await caller.get("/log/\(log)/1/tile/entries/000\(width)").status == 200)
                #expect(
                    try await caller.get("/records/\(log)/1/0", as: .auditor).headers[.contentType]
                        == "application/cbor")
                #expect(try await caller.get("/log/\(log)/1/tile/0/x999").problem == "not-found")
                #expect(try await caller.get("/log/\(log)/2/checkpoint").problem == "not-found")
            }
            #expect(try await caller.get("/house").headers[.contentType] == "application/cbor")
            #expect(try await caller.get("/").headers[.contentType] == "text/html; charset=utf-8")
            #expect(try await caller.get("/console/fragment").status == 200)
            let metrics = try await caller.get("/metrics", as: nil)
            #expect(metrics.text.contains("kilomint_supply_minor_units 48000000\n"))
            #expect(metrics.text.contains("kilomint_gateway_records_total{gateway=\"gw-east\"} 51\n"))
        }
    }

    @Test func amountsAreDecimalStrings() async throws {
        try await SettledYard.with { _, _, caller in
            let paths = [
                "/v1/supply", "/v1/accounts/coop/balance", "/v1/transactions", "/v1/allocation/solar-east",
                "/v1/windows/\(window)",
            ]
            let names: Set = [
                "supply", "issued", "destroyed", "balance", "available", "held", "amount", "supply_after", "numerator",
                "denominator",
            ]
            func check(_ value: Any, _ path: String) {
                if let members = value as? [String: Any] {
                    for (name, member) in members {
                        if names.contains(name), !(member is NSNull), !(member is [Any]) {
                            #expect(member is String, "\(path) \(name)")
                        }
                        check(member, path)
                    }
                } else if let items = value as? [Any] {
                    for item in items { check(item, path) }
                }
            }
            for path in paths { check(try await caller.get(path).json, path) }
        }
    }

    @Test func healthTellsWhatIsWrong() async throws {
        let yard = try HouseYard()
        try await yard.with { house, caller in
            #expect(try await caller.get("/healthz", as: nil).status == 200)
            await house.note(.all, isConnected: false)
            let answer = try await caller.get("/healthz", as: nil)
            #expect(answer.status == 503 && answer.string("status") == "degraded")
            #expect(answer.json["reasons"] as? [String] == ["no connection to the broker"])
        }
    }

    @Test(
        "what is not there is a problem that says what to do",
        arguments: [
            ("/v1/production/nobody", 404), ("/v1/attestation/\(String(repeating: "0", count: 64))", 404),
            ("/v1/attestation/xyz", 400),
            ("/v1/allocation/nobody", 404), ("/v1/redemption/1", 404), ("/v1/accounts/nobody/balance", 404),
            ("/v1/accounts/No%20Body/balance", 400),
            ("/v1/transactions/00", 404), ("/v1/transactions?account=NO", 400), ("/v1/trace/00", 404),
            ("/v1/proposals/1", 404),
            ("/v1/weights/nobody", 404), ("/audit/transcript/W-2016-07-09-1", 404),
            ("/audit/transcript/yesterday", 400),
            ("/audit/output-digest/W-2016-07-09-1", 404), ("/acceptance/W-2016-07-09-1", 404),
            ("/v1/windows/W-2016-07-07-2", 404),
            ("/v1/windows/W-9999-12-31-1", 404), ("/v1/windows/W-1970-01-01-1", 404), ("/v1/windows/1", 400),
            ("/log/other/1/checkpoint", 404),
            ("/log/journal/0/checkpoint", 404), ("/log/journal/18446744073709551615/checkpoint", 404),
            ("/log/journal/1/../../etc/passwd", 404),
            ("/nothing", 404), ("/v1/", 404), ("/v1/windows?limit=0", 400), ("/v1/windows?limit=501", 400),
            ("/v1/windows?limit=ten", 400),
            ("/v1/windows?cursor=-1", 400), ("/v1/windows?cursor=99999999999999999999", 400),
            ("/v1/gateways?limit=-5", 400),
            ("/v1/issuance/pending?cursor=x", 400), ("/v1/production/solar-east/history?limit=0x10", 400),
        ])
    func problems(path: String, status: Int) async throws {
        let yard = try HouseYard()
        try await yard.with { _, caller in
            let answer = try await caller.get(path)
            #expect(answer.status == status, "\(path): \(answer.text)")
            #expect(answer.problem != nil, "\(path): \(answer.text)")
        }
    }

    @Test func pages() async throws {
        try await SettledYard.with { _, _, caller in
            var (cursor, seen): (String?, [String]) = ("0", [])
            while let now = cursor {
                let page = try await caller.get("/v1/transactions?limit=3&cursor=\(now)")
                seen += page.items.compactMap { $0["transaction_id"] as? String }
                cursor = page.string("next")
            }
            #expect(seen.count == 4 && Set(seen).count == 4)
            #expect(try await caller.get("/v1/windows?limit=2").string("next") == "2")
            #expect(try await caller.get("/v1/windows?limit=500&cursor=2").items.count == 2)
            let beyond = try await caller.get("/v1/windows?cursor=\(Int.max)")
            #expect(beyond.status == 200 && beyond.items.isEmpty && beyond.json["next"] is NSNull)
        }
    }

    @Test func whatIsFinalIsCached() async throws {
        try await SettledYard.with { _, _, caller in
            for path in ["/v1/windows/\(window)", "/audit/transcript/\(window)", "/audit/output-digest/\(window)"] {
                let first = try await caller.get(path)
                let tag = try #require(first.headers[.eTag])
                #expect(first.headers[.cacheControl]?.contains("immutable") == true)
                for known in [tag, "W/\(tag)", "\"other\", \(tag)", "*"] {
                    let again = try await caller.get(path, headers: [.ifNoneMatch: known])
                    #expect(
                        again.status == 304 && again.body.isEmpty && again.headers[.eTag] == tag, "\(path) \(known)")
                }
                #expect(try await caller.get(path, headers: [.ifNoneMatch: "\"other\""]).status == 200)
                let head = try await caller.get(path, method: .head)
                #expect(head.status == 200 && head.body.isEmpty && head.headers[.eTag] == tag)
            }
            #expect(try await caller.get("/v1/supply").headers[.cacheControl] == "no-store")
            #expect(try await caller.get("/v1/windows/W-2016-07-09-1").headers[.eTag] == nil)
        }
    }

    @Test func rolesAreAskedFor() async throws {
        let yard = try HouseYard()
        try await yard.with { _, caller in
            for operation in OpenAPI.operations {
                let path = operation.path.split(separator: "/", omittingEmptySubsequences: false).map {
                    $0.hasPrefix("{") ? "0" : $0
                }
                .joined(separator: "/")
                func ask(_ role: AccessRole?) async throws -> Reply {
                    operation.method == "get"
                        ? try await caller.get(path, as: role) : try await caller.post(path, as: role)
                }
                guard let needed = operation.role else {
                    #expect(try await ask(nil).status < 400, "\(path)")
                    continue
                }
                let nobody = try await ask(nil)
                #expect(
                    nobody.status == 401 && nobody.problem == "unauthorized"
                        && nobody.headers[.wwwAuthenticate] == "Bearer", "\(path)")
                for role in AccessRole.allCases {
                    let suffices = AccessTable.includes(role, needed) || operation.alternatives.contains(role)
                    let answer = try await ask(role)
                    #expect(
                        (answer.status == 403) == !suffices, "\(operation.method) \(path) as \(role): \(answer.status)")
                    if !suffices { #expect(answer.problem == "forbidden") }
                }
            }
        }
    }

    @Test func openReadsNeedNoToken() async throws {
        let yard = try HouseYard()
        try await yard.with(openReads: true) { (_, caller) async throws in
            #expect(try await caller.get("/v1/house", as: nil).status == 200)
            #expect(try await caller.get("/records/journal/1/0", as: nil).status == 401)
            #expect(try await caller.post("/v1/statements", [1], as: nil).status == 401)
        }
    }
}
