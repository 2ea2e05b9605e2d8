// The interface describes itself truly: the table of operations is the router's, and each GET answers as described.

@testable import CollectorIO
import CBOR
import CollectorCore
import CollectorJournal
import Evidence
import Keys
import Proofs
import Quantities
import Settings
import Foundation
import HTTPTypes
import Hummingbird
import Kit
import Testing

struct OpenAPITests {
    /// `GET /v1/windows/{}`: parameters have no names here.
    private static func normal(_ method: String, _ path: String) -> String {
        let parts = path.split(separator: "/").map { part -> String in
            part == "**" || part.hasPrefix(":") || part.hasPrefix("{") ? "{}" : String(part)
        }
        return "\(method.uppercased()) /\(parts.joined(separator: "/"))"
    }

    @Test func describesExactlyTheRoutes() async throws {
        let yard = try HouseYard()
        let house = try await yard.open()
        let routes = yard.routes(house).router().routes.filter { $0.method != .head }
        let registered = routes.map { Self.normal($0.method.rawValue, $0.path.description) }.sorted()
        let described = OpenAPI.operations.map { Self.normal($0.method, $0.path) }.sorted()
        #expect(registered == described)
        #expect(Set(described).count == described.count)
        try await yard.close(house)
    }

    @Test func everyGetAnswersAsDescribed() async throws {
        let yard = try HouseYard()
        try await yard.with { house, caller in
            _ = try await yard.settle(house)
            let window = try #require(await house.state.windows.first)
            let segment = try #require(window.cut.segments.first?.description)
            let values = [
                "entity": "solar-east", "gateway": "gw-east", "account": "coop", "window": window.window.text,
                "log": "journal", "epoch": "1",
                "path": "tile/entries/000.p/1",
                "bundle": "0", "digest": segment,
            ]
            let attestation = try #require(await house.state.attestations.first).id.description
            let transaction = try #require(await house.ledger.entries.first).transfer.id.bytes.hex
            for operation in OpenAPI.operations where operation.method == "get" {
                // Nothing of these exists in any house yet.
                if ["/v1/redemption/{id}", "/v1/proposals/{id}"].contains(operation.path) { continue }
                let path = operation.path.split(separator: "/", omittingEmptySubsequences: false).map {
                    part -> String in
                    guard part.hasPrefix("{") else { return String(part) }
                    let name = String(part.dropFirst().dropLast())
                    return values[name] ?? (operation.path.hasPrefix("/v1/attestation") ? attestation : transaction)
                }.joined(separator: "/")
                let answer = try await caller.get(path, as: .operator)
                #expect(answer.status == operation.status, "\(path): \(answer.text)")
                #expect(
                    answer.headers[.contentType]?.hasPrefix(operation.answer) == true,
                    "\(path): \(String(describing: answer.headers[.contentType]))")
                if operation.answer == "application/json" {
                    let parsed = try JSONSerialization.jsonObject(with: Data(answer.body))
                    #expect(parsed is [String: Any], "\(path)")
                    if operation.query.contains("limit") {
                        #expect(answer.json["items"] is [Any] && answer.json.keys.contains("next"), "\(path)")
                    }
                }
                let head = try await caller.get(path, as: .operator, method: .head)
                #expect(head.status == operation.status && head.body.isEmpty, "HEAD \(path)")
            }
        }
    }

    @Test func everyRouteStandsInTheFormat() throws {
        let text = try Workplace.text(of: "docs/formats/http.md")
        for operation in OpenAPI.operations where !operation.path.hasPrefix("/console") && operation.path != "/" {
            let fixed = operation.path.split(separator: "/").prefix { !$0.hasPrefix("{") }.joined(separator: "/")
            #expect(
                text.contains("/" + fixed), "\(operation.method) \(operation.path) is missing from docs/formats/http.md"
            )
        }
    }
}
