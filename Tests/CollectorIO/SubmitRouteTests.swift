// What comes in over HTTP: records, statements, reviews, proofs, orders. Each good one, and each refusal with its number.

@testable import CollectorIO
import CBOR
import CollectorJournal
import Foundation
import HTTPTypes
import Kit
import Settings
import CollectorCore
import Evidence
import Keys
import Proofs
import Quantities
import Testing

struct SubmitRouteTests {
    // MARK: - Records

    @Test func recordsAreAnsweredWithTheirReceipt() async throws {
        let yard = try HouseYard()
        try await yard.with { house, caller in
            var gateway = YardGateway(yard)
            for (index, message) in try gateway.bear().enumerated() {
                // The second time it is a duplicate: the same receipt, nothing counted twice.
                for _ in 0..<2 {
                    let answer = try await caller.post("/ingest/events?gateway=gw-east", message.encoded)
                    #expect(answer.status == 200, "\(answer.text)")
                    let envelope = try SignedMessage(parsing: answer.body, as: .receipt)
                    #expect(envelope.isSigned(by: yard.key("receipt").publicKey))
                    let receipt = try Receipt(decoding: envelope.payload)
                    #expect(receipt.durableThrough == UInt64(index + 1) && receipt.identity == message.identity)
                    #expect(receipt.leafIndex == UInt64(index))
                }
            }
            #expect(try await house.stores.evidence.end().index == 3)
        }
    }

    @Test func refusedRecordsBearTheirNumber() async throws {
        let yard = try HouseYard()
        try await yard.with { house, caller in
            var gateway = YardGateway(yard)
            let born = try gateway.bear()
            let (first, unborn) = (born[0], born[1])
            func expect(_ body: [UInt8], _ status: Int, _ code: RefusalCode, gateway: String = "gw-east") async throws {
                let answer = try await caller.post("/ingest/events?gateway=\(gateway)", body)
                #expect(
                    answer.status == status && answer.number("code") == Int(code.rawValue), "\(code): \(answer.text)")
                #expect(answer.problem == "record-refused")
            }
            try await expect(unborn.encoded, 409, .notNext)
            try await expect(first.encoded, 422, .wrongTopic, gateway: "gw-west")
            try await expect([], 422, .malformed)
            try await expect(Array("hello".utf8), 422, .malformed)
            try await expect([UInt8](repeating: 0, count: SignedMessage.acceptedBytesMax + 1), 413, .oversized)
            var other = YardGateway(yard)
            try await expect(
                try other.sign(
                    .birth(Birth(agentVersion: "", predecessor: nil, meters: [], reads: [], replay: nil)), at: anchor,
                    by: yard.key("stranger")
                ).encoded, 422, .unknownKey)
            var damaged = first.encoded
            damaged[damaged.count - 1] ^= 1
            try await expect(damaged, 422, .badSignature)
            let statement = try YardDesk(yard: yard).statement()
            try await expect(statement.encoded, 422, .wrongContentType)
            #expect(try await house.stores.evidence.end().index == 0)
            #expect(await house.refusals.totals.reduce(0) { $0 + $1.count } == 8)
        }
    }

    /// What could not be read back from the Journal does not get there: the house would never start again.
    @Test func aStatementIsNoLongerThanWhatIsReadBack() async throws {
        let yard = try HouseYard()
        try await yard.with { house, caller in
            let raw = Array("read at both instants".utf8)
            #expect(try await caller.post("/v1/sources", raw).status == 201)
            let inputs = [Digest](repeating: Digest(of: raw), count: 4000)
            let statement = try YardDesk(yard: yard).statement(inputs: inputs)
            #expect(statement.encoded.count > SignedMessage.acceptedBytesMax)
            let before = try await house.stores.journal.end()
            #expect(try await caller.post("/v1/statements", statement.encoded).problem == "bad-request")
            #expect(try await house.stores.journal.end() == before)
        }
        try await yard.with { house, _ in #expect(await house.troubles.isEmpty) }
    }

    @Test func requestsThatAreNone() async throws {
        let yard = try HouseYard()
        try await yard.with { _, caller in
            for path in ["/ingest/events", "/ingest/events?gateway=", "/ingest/events?gateway=No%20Name"] {
                #expect(try await caller.post(path, [1]).problem == "bad-request")
            }
            let large = [UInt8](repeating: 0, count: SignedMessage.acceptedBytesMax + 2)
            let answer = try await caller.post("/ingest/events?gateway=gw-east", large)
            #expect(answer.status == 413 && answer.problem == "too-large")
        }
    }

    /// A second record with a number that is taken: the stream ends, in memory, in the Journal and after a restart.
    @Test func aForkEndsTheStream() async throws {
        let yard = try HouseYard()
        let gateway = try await yard.with { house, caller in
            var gateway = YardGateway(yard)
            let born = try gateway.bear()
            _ = await house.deliver(born)
            let fork = try YardGateway.signed(
                place: RecordPlace(
                    gateway: gateway.gateway, stream: gateway.stream, sequence: 2, previous: born[0].identity),
                .readings(Readings(base: 0, samples: [])), at: anchor, by: yard.key("gateway"))
            let answer = try await caller.post("/ingest/events?gateway=gw-east", fork.encoded)
            #expect(answer.status == 409 && answer.number("code") == 10)
            #expect(try await caller.post("/ingest/events?gateway=gw-east", fork.encoded).number("code") == 11)
            #expect(await house.owed.events.isEmpty)
            return gateway
        }
        try await yard.with { house, caller in
            #expect(await house.intake.gateway(id("gw-east"))?.stream(gateway.stream)?.forkedAt == 2)
            var next = gateway
            let answer = try await caller.post("/ingest/events?gateway=gw-east", try next.produceDay()[0].encoded)
            #expect(answer.status == 409 && answer.number("code") == 11)
        }
    }

    // MARK: - Statements, reviews, sources

    @Test func statements() async throws {
        let yard = try HouseYard()
        let desk = YardDesk(yard: yard)
        try await yard.with { house, caller in
            let statement = try desk.statement()
            for _ in 0..<2 {
                let answer = try await caller.post("/v1/statements", statement.encoded, as: .auditor)
                #expect(answer.status == 201 && answer.string("statement_id") == statement.identity.description)
            }
            #expect(await house.state.statements.count == 1)
            let other = try await caller.post("/v1/statements", try desk.statement(wattHours: 1).encoded, as: .auditor)
            #expect(other.status == 409 && other.problem == "statement-exists")
            let unknown = try await caller.post(
                "/v1/statements", try desk.statement(day: 1, by: "stranger").encoded, as: .auditor)
            #expect(unknown.status == 403 && unknown.problem == "unknown-signer")
            let otherRole = try await caller.post(
                "/v1/statements", try desk.statement(.satellite, by: "auditor").encoded, as: .auditor)
            #expect(otherRole.status == 403)
            #expect(try await caller.post("/v1/statements", [0xD2], as: .auditor).problem == "bad-request")
            #expect(
                try await caller.post("/v1/statements", try desk.review().encoded, as: .auditor).problem
                    == "bad-request")
        }
    }

    @Test func rawSources() async throws {
        let yard = try HouseYard()
        let desk = YardDesk(yard: yard)
        try await yard.with { _, caller in
            let bytes = Array("time_utc,ghi_w_m2\n".utf8)
            let digest = Digest(of: bytes)
            let statement = try desk.statement(.satellite, inputs: [digest], by: "satellite")
            let missing = try await caller.post("/v1/statements", statement.encoded, as: .auditor)
            #expect(missing.status == 409 && missing.problem == "source-missing")
            #expect(try await caller.get("/sources/\(digest)", as: .auditor).problem == "not-found")
            let kept = try await caller.post("/v1/sources", bytes, as: .auditor)
            #expect(kept.status == 201 && kept.string("digest") == digest.description)
            #expect(try await caller.post("/v1/statements", statement.encoded, as: .auditor).status == 201)
            #expect(try await caller.get("/sources/\(digest)", as: .auditor).body == bytes)
            let large = try await caller.post(
                "/v1/sources", [UInt8](repeating: 0, count: HouseRoutes.sourceBytesMax + 1), as: .auditor)
            #expect(large.status == 413)
        }
    }

    @Test func reviews() async throws {
        let yard = try HouseYard()
        let desk = YardDesk(yard: yard)
        try await yard.with { house, caller in
            let review = try desk.review()
            for _ in 0..<2 { #expect(try await caller.post("/v1/reviews", review.encoded).status == 201) }
            #expect(await house.state.reviews.count == 1)
            #expect(
                try await caller.post("/v1/reviews", try desk.review(by: "auditor").encoded).problem == "unknown-signer"
            )
            #expect(
                try await caller.post("/v1/reviews", try desk.review(point: "east-2").encoded).problem == "bad-request")
        }
    }

    // MARK: - Proofs

    /// A house whose first window is sealed and waits for proofs.
    private func withSealedWindow(
        _ body: @Sendable (HouseYard, House, Caller, WindowID, Digest) async throws -> Void
    ) async throws {
        let yard = try HouseYard()
        try await yard.with { house, caller in
            var gateway = YardGateway(yard)
            yard.set(anchor + day)
            _ = await house.deliver(try gateway.bear() + gateway.produceDay())
            _ = try await house.take(statement: try YardDesk(yard: yard).statement())
            let window = try #require(WindowID("W-2016-07-07-1"))
            #expect(try await caller.post("/window/\(window)/authorize").problem == "not-found")
            #expect(try await caller.post("/replay/\(window)").problem == "not-found")
            yard.set(anchor + 2 * day)
            try await house.work()
            try await body(yard, house, caller, window, try #require(await house.outputDigest(window)))
        }
    }

    @Test func refusedProofsBearTheirNumber() async throws {
        try await withSealedWindow { yard, _, caller, window, digest in
            let desk = YardDesk(yard: yard)
            let other = try #require(WindowID("W-2016-07-08-1"))
            let (late, early) = (yard.now + -3 * day, yard.now + hour)
            let cases: [(SignedMessage, Int)] = [
                (try desk.proof(.acknowledged, window, digest, by: "stranger", verifier: "finance"), 2),
                (try desk.proof(.acknowledged, window, digest, by: "finance", verifier: "compliance"), 4),
                (try desk.proof(.complianceTested, window, digest, by: "finance"), 5),
                (try desk.proof(.acknowledged, other, digest, by: "finance"), 6),
                (try desk.proof(.acknowledged, window, .zero, by: "finance"), 7),
                (try desk.proof(.acknowledged, window, digest, by: "finance", replay: .zero), 8),
                (try desk.proof(.acknowledged, window, digest, by: "finance", issuedAt: early), 10),
                (try desk.proof(.acknowledged, window, digest, by: "finance", issuedAt: late), 11),
            ]
            for (proof, code) in cases {
                let answer = try await caller.post("/acceptance/proof", proof.encoded, as: .verifier)
                #expect(answer.status == 422 && answer.problem == "proof-refused", "\(code): \(answer.text)")
                #expect(answer.number("code") == code)
            }
        }
    }

    @Test func proofsReleaseAWindow() async throws {
        try await withSealedWindow { yard, _, caller, window, digest in
            let desk = YardDesk(yard: yard)
            let held = try await caller.get("/v1/issuance/pending").items
            #expect(held.map { $0["reason_code"] as? String } == ["MISSING_ACK", "MISSING_ACK"])
            let proof = try desk.proof(.acknowledged, window, digest, by: "finance")
            for _ in 0..<2 {
                let taken = try await caller.post("/acceptance/proof", proof.encoded, as: .verifier)
                #expect(taken.status == 201 && taken.string("proof_id") == proof.identity.description)
            }
            func decisions(_ name: String) async throws -> [String?]? {
                let answer = try await caller.post("/window/\(window)/authorize")
                return (answer.json["decisions"] as? [[String: Any]])?.map { $0[name] as? String }
            }
            #expect(try await decisions("reason_code") == ["MISSING_CT", "MISSING_CT"])
            let second = try desk.proof(.complianceTested, window, digest, by: "compliance")
            #expect(try await caller.post("/acceptance/proof", second.encoded, as: .verifier).status == 201)
            #expect(try await decisions("decision") == ["ALLOW", "ALLOW"])
            #expect(try await caller.get("/v1/supply").string("supply") == "24000000")
            let again = try await caller.post("/replay/\(window)")
            #expect(again.json["equal"] as? Bool == true && again.string("digest") == digest.description)
        }
    }

    // MARK: - Orders

    @Test func orders() async throws {
        let yard = try HouseYard()
        let desk = YardDesk(yard: yard)
        try await yard.with { house, caller in
            _ = try await yard.settle(house)
            func send(_ order: SignedMessage) async throws -> Reply {
                try await caller.post("/v1/transactions", order.encoded, as: .owner)
            }
            func refused(_ order: SignedMessage, _ status: Int, _ code: Int) async throws {
                let answer = try await send(order)
                #expect(
                    answer.status == status && answer.problem == "transfer-refused" && answer.number("code") == code,
                    "\(answer.text)")
            }
            let order = try desk.order(1, amount: 400_000, memo: "rent")
            let accepted = try await send(order)
            #expect(
                accepted.status == 201 && accepted.string("state") == "posted" && accepted.string("amount") == "400000")
            let again = try await send(order)
            #expect(again.status == 200 && again.body == accepted.body)
            #expect(try await caller.get("/v1/accounts/coop/balance").string("balance") == "14000000")
            try await refused(try desk.order(1, amount: 400_001, memo: "rent"), 422, 6)
            try await refused(try desk.order(1, to: "coop", amount: 400_000), 422, 5)
            try await refused(try desk.order(2, amount: 14_000_001), 422, 25)
            try await refused(try desk.order(2, amount: 1), 422, 13)
            try await refused(try desk.order(3, to: "nobody"), 409, 14)
            try await refused(try desk.order(3, from: "nobody"), 409, 2)
            try await refused(try desk.order(3, by: "stranger"), 409, 3)
            try await refused(try desk.order(3, amount: 0), 422, 17)
            #expect(try await caller.post("/v1/transactions", [0xFF], as: .owner).problem == "bad-request")
            #expect(try await caller.get("/v1/supply").string("supply") == "24000000")
        }
    }

    @Test func holds() async throws {
        let yard = try HouseYard()
        let desk = YardDesk(yard: yard)
        try await yard.with { house, caller in
            _ = try await yard.settle(house)
            let hold = try desk.order(1, amount: 1_000_000, isPending: true)
            let placed = try await caller.post("/v1/transactions", hold.encoded, as: .owner)
            #expect(placed.status == 201 && placed.string("state") == "pending")
            let path = "/v1/transactions/\(YardDesk.transfer(1).bytes.hex)"
            #expect(try await caller.get(path).headers[.eTag] == nil)
            #expect(try await caller.get("/v1/accounts/coop/balance").string("available") == "13400000")
            let post = try desk.order(2, amount: 600_000, resolution: .post(YardDesk.transfer(1)))
            #expect(try await caller.post("/v1/transactions", post.encoded, as: .owner).status == 201)
            #expect(try await caller.get(path).string("state") == "posted")
            #expect(try await caller.get(path).headers[.eTag] != nil)
            #expect(try await caller.get("/v1/accounts/coop/balance").string("held") == "0")
            #expect(try await caller.get("/v1/accounts/coop/balance").string("balance") == "13800000")
            let vote = try await caller.post("/v1/votes", [1], as: .owner)
            #expect(vote.status == 409 && vote.problem == "no-open-proposal")
        }
    }

    /// An order whose append fails: sent again it is decided once, and never against a balance that is not the Journal's.
    @Test(arguments: [false, true])
    func ordersSurviveAFailingJournal(isWritten: Bool) async throws {
        let yard = try HouseYard()
        let desk = YardDesk(yard: yard)
        try await yard.with { house, caller in
            _ = try await yard.settle(house)
            let order = try desk.order(1, amount: 14_400_000)
            yard.fail { log, step in
                if log == .journal, step == (isWritten ? .answer : .commit) { throw InjectedFault() }
            }
            let failed = try await caller.post("/v1/transactions", order.encoded, as: .owner)
            // Written and unanswered: the Journal is read on, and the order stands.
            #expect(failed.status == (isWritten ? 201 : 500), "\(failed.text)")
            if !isWritten { #expect(failed.problem == "internal") }
            yard.fail(nil)
            #expect(
                try await caller.post("/v1/transactions", order.encoded, as: .owner).status == (isWritten ? 200 : 201))
            let other = try await caller.post("/v1/transactions", try desk.order(2, amount: 1).encoded, as: .owner)
            #expect(other.number("code") == 25)
            try await house.ledger.checkConservation()
        }
    }
}
