// Signed drafts handed in on the page: copies are put together, what is wrong is said, and nothing is taken but by its signatures.

@testable import CollectorIO
import CollectorCore
import CollectorJournal
import Evidence
import HTTPTypes
import Keys
import Kit
import Proofs
import Quantities
import Settings
import Testing

struct SignedDraftTests {
    private static let path = "/devices/draft"

    private static let ownPage: HTTPFields = {
        var headers: HTTPFields = [.contentType: "text/plain"]
        headers[HTTPField.Name("Sec-Fetch-Site")!] = "same-origin"
        return headers
    }()

    private func draft() throws -> RegistrationDraft {
        let text = try Workplace.text(of: "Collector/Command/sample-site.yaml")
            .replacing("abb/a43", with: "test/revenue").replacing("sunspec/inverter-103", with: "test/inverter")
        let site = try SiteFile(bytes: Array(text.utf8), file: "site.yaml")
        return RegistrationDraft(site.bodies.map { Registration(number: 1, effectiveFrom: anchor, body: $0) })
    }

    private func signed(_ draft: RegistrationDraft, by names: [String], _ yard: HouseYard) throws -> RegistrationDraft {
        var draft = draft
        for name in names {
            for index in draft.items.indices {
                draft.put(
                    try SignedMessage.signing(draft.items[index].payload, as: .registration, with: yard.key(name)),
                    at: index)
            }
        }
        return draft
    }

    private func lines(_ drafts: RegistrationDraft...) -> [UInt8] {
        Array(drafts.map(\.encoded.base64).joined(separator: "\n").utf8)
    }

    private func states(_ reply: Reply) -> [String] { reply.items.compactMap { $0["state"] as? String } }

    @Test func copiesThatWereSignedApartAreTakenOnce() async throws {
        let yard = try HouseYard()
        try await yard.with { house, caller in
            let draft = try draft()
            let apart = try ["root", "person-a", "person-b"].map { try signed(draft, by: [$0], yard) }
            let reply = try await caller.post(Self.path, lines(apart[0], apart[1], apart[2]), headers: Self.ownPage)
            #expect(reply.status == 200 && states(reply) == draft.items.map { _ in "taken" }, "\(reply.text)")
            #expect(await house.state.registry.gateway(id("gw-west"), at: await house.decisionTime()) != nil)
            // The answer was lost: the same again changes nothing.
            let end = try await house.stores.journal.end()
            let again = try await caller.post(Self.path, lines(apart[0], apart[1], apart[2]), headers: Self.ownPage)
            #expect(again.status == 200 && states(again) == draft.items.map { _ in "stood already" }, "\(again.text)")
            #expect(try await house.stores.journal.end() == end)
        }
    }

    /// What one person alone cannot register is refused, and what comes after it is not tried.
    @Test func goesOnWhereItWasRefused() async throws {
        let yard = try HouseYard()
        try await yard.with { house, caller in
            let draft = try draft()
            let half = try signed(draft, by: ["root", "person-a"], yard)
            let kinds = draft.registrations.map(\.body.kind)
            // Entity and gateway need a root key alone, the first meter two persons.
            let first = try #require(kinds.firstIndex { $0 == 5 })
            let reply = try await caller.post(Self.path, lines(half), headers: Self.ownPage)
            let expected = kinds.indices.map { $0 < first ? "taken" : $0 == first ? "refused" : "not tried" }
            #expect(reply.status == 422 && states(reply) == expected, "\(reply.text)")
            #expect(reply.items[first]["code"] as? Int == 4 && reply.text.contains("dual control"), "\(reply.text)")
            let whole = try signed(half, by: ["person-b"], yard)
            let done = try await caller.post(Self.path, lines(whole), headers: Self.ownPage)
            #expect(done.status == 200, "\(done.text)")
            #expect(states(done) == kinds.indices.map { $0 < first ? "stood already" : "taken" }, "\(done.text)")
        }
    }

    @Test func whoeverMayNotAndWhateverIsWrongIsToldWhatToDo() async throws {
        let yard = try HouseYard()
        try await yard.with { house, caller in
            let draft = try draft()
            let whole = try signed(draft, by: ["root", "person-a", "person-b"], yard)
            let other = RegistrationDraft([draft.registrations[0]])
            let copies = [[UInt8]](repeating: lines(whole), count: SignedDrafts.copiesMax + 1).joined(separator: [0x0A])
            let before = try await house.stores.journal.end()
            let cases: [(body: [UInt8], words: String)] = [
                ([], "choose the file"), (Array(" \r\n\n".utf8), "choose the file"), (lines(draft), "device sign FILE"),
                (Array("!!!".utf8), "Copy 1 is no base64"),
                (lines(whole) + Array("\nAAAA".utf8), "Copy 2 is no draft"),
                (lines(whole, other), "Copy 2 is of another draft"), (Array(copies), "at most 16"),
                (Array(lines(whole).dropLast(4)), "Copy 1 is no draft"),
            ]
            for (body, words) in cases {
                let reply = try await caller.post(Self.path, body, headers: Self.ownPage)
                #expect(reply.problem == "bad-request" && reply.text.contains(words), "\(words): \(reply.text)")
            }
            let long = [UInt8](repeating: 0x41, count: SignedDrafts.bytesMax + 1)
            #expect(try await caller.post(Self.path, long, headers: Self.ownPage).status == 413)
            #expect(try await caller.post(Self.path, lines(whole)).problem == "other-origin")
            for (role, status) in [(AccessRole.auditor, 403), (.viewer, 403), (nil, 401)] as [(AccessRole?, Int)] {
                let reply = try await caller.post(Self.path, lines(whole), as: role, headers: Self.ownPage)
                #expect(reply.status == status, "\(reply.text)")
            }
            #expect(try await house.stores.journal.end() == before)
        }
    }
}
