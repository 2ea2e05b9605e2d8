// Bytes, paths and queries that nobody meant: the house answers each with a refusal, and goes on.

@testable import CollectorIO
import CBOR
import CollectorJournal
import Foundation
import HTTPTypes
import Keys
import Settings
import CollectorCore
import Evidence
import Kit
import Proofs
import Quantities
import Testing

struct RouteFuzzTests {
    @Test(arguments: [UInt64(1), 2])
    func randomRequests(seed: UInt64) async throws {
        let yard = try HouseYard()
        try await yard.with { house, caller in
            _ = try await yard.settle(house)
            var random = SeededGenerator(seed: seed)
            let digest = await house.state.statements[0].identity
            let bodies = try Self.validBodies(yard)
            let posts = OpenAPI.operations.filter { $0.method == "post" }
            for round in 0..<300 {
                let post = posts[round % posts.count]
                let path = Self.fill(post.path, digest, &random) + Self.query(&random)
                let body =
                    Bool.random(using: &random)
                    ? random.mutated(bodies[round % bodies.count])
                    : random.bytes(Int.random(in: 0...200, using: &random))
                let answer = try await caller.post(path, body)
                #expect(
                    answer.status < 500, "seed \(seed), round \(round): POST \(path): \(answer.status) \(answer.text)")
                if answer.status >= 400 { #expect(answer.problem != nil, "seed \(seed), round \(round): POST \(path)") }
            }
            let gets = OpenAPI.operations.filter { $0.method == "get" && !$0.path.hasPrefix("/console") }
            for round in 0..<300 {
                let path = Self.fill(gets[round % gets.count].path, digest, &random) + Self.query(&random)
                let answer = try await caller.get(path, as: .operator)
                #expect(
                    answer.status < 500, "seed \(seed), round \(round): GET \(path): \(answer.status) \(answer.text)")
                if answer.status >= 400 { #expect(answer.problem != nil, "seed \(seed), round \(round): GET \(path)") }
            }
            // It goes on, and nothing moved.
            try await house.work()
            #expect(await house.supply == 24_000_000)
            try await house.ledger.checkConservation()
        }
    }

    private static func validBodies(_ yard: HouseYard) throws -> [[UInt8]] {
        let desk = YardDesk(yard: yard)
        var gateway = YardGateway(yard)
        let records = try gateway.bear()
        return [
            records[0].encoded, records[1].encoded, try desk.statement(day: 5).encoded, try desk.review().encoded,
            try desk.order(9).encoded,
            try desk.proof(.acknowledged, WindowID("W-2016-07-07-1")!, .zero, by: "finance").encoded,
        ]
    }

    /// Parameters become words that are nearly right, or nothing like it.
    private static func fill(_ path: String, _ digest: Digest, _ random: inout SeededGenerator) -> String {
        let words = [
            "0", "1", "-1", "18446744073709551615", "18446744073709551616", "journal", "evidence", "checkpoint", "tile",
            "entries", "000", "x000",
            "000.p", "256", "255", ".p", "..", "%2e%2e", "%00", "%ff%fe", "W-2016-07-07-1", "W-2016-13-40-1",
            "W-9999-12-31-1", "solar-east",
            "coop", digest.description, String(repeating: "a", count: 300), "é", "%F0%9F%92%A7", "'", "\"", "{}", "a b",
        ]
        return path.split(separator: "/", omittingEmptySubsequences: false).map { part -> String in
            guard part.hasPrefix("{") else { return String(part) }
            let count = part == "{path}" ? Int.random(in: 1...5, using: &random) : 1
            return (0..<count).map { _ in words.randomElement(using: &random) ?? "" }.joined(separator: "/")
        }.joined(separator: "/")
    }

    private static func query(_ random: inout SeededGenerator) -> String {
        let names = ["limit", "cursor", "account", "gateway", "%", "=", "a[]"]
        let values = [
            "", "0", "1", "500", "501", "-1", "9223372036854775807", "9223372036854775808", "1e3", "%ff", "coop",
            "gw-east", "&&", "\u{7F}",
        ]
        guard Bool.random(using: &random) else { return "" }
        return "?"
            + (0..<Int.random(in: 1...3, using: &random)).map { _ in
                (names.randomElement(using: &random) ?? "") + "=" + (values.randomElement(using: &random) ?? "")
            }.joined(separator: "&")
    }
}
