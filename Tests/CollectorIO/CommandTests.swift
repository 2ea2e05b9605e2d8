// Commands to gateways: numbered, signed, kept before they are published, and shown with what became of them.

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

struct CommandTests {
    private static let path = "/v1/devices/gw-east/configuration"

    private func given(_ number: UInt64, _ text: String = "interval: 1m\n") throws -> GivenCommand {
        let command = Command(
            gateway: id("gw-east"), number: number, issuedAt: anchor, expiresAt: anchor + 1_000,
            body: .configuration(text))
        return try GivenCommand(
            parsing: SignedMessage.signing(command.encoded, as: .command, with: try PrivateKey.generate(.es256)).encoded
        )
    }

    @Test func commandsAreNumberedSignedAndPublished() async throws {
        let yard = try HouseYard()
        try await yard.with { house, caller in
            let first = try await caller.post(Self.path, Array("interval: 1m\n".utf8))
            #expect(first.status == 200 && first.number("number") == 1, "\(first.text)")
            let outgoing = await house.dueCommands(.all)
            #expect(outgoing.map(\.topic) == [GatewayTopics(id("gw-east")).command] && outgoing[0].retain)
            let message = try SignedMessage(parsing: outgoing[0].payload, as: .command)
            #expect(message.isSigned(by: yard.key("command").publicKey))
            let command = try Command(decoding: message.payload)
            #expect(command.body == .configuration("interval: 1m\n") && command.number == 1)
            #expect(command.expiresAt - command.issuedAt == House.commandLifetime)
            #expect(await house.dueCommands(.all).isEmpty)

            // The gateway's stream says what became of it, and which number it took from elsewhere.
            var gateway = YardGateway(yard)
            let note = CommandOutcome(identity: message.identity, word: .rolledBack, number: 8, reason: "no <b>").note(
                uptime: 0)
            for record in try gateway.bear() + [try gateway.sign(.note(note), at: anchor)] {
                #expect(try await caller.post("/ingest/events?gateway=gw-east", record.encoded).status == 200)
            }
            let shown = try await caller.get(Self.path)
            #expect(shown.text.contains("\"word\":\"rolled back\"") && shown.number("number") == 1, "\(shown.text)")
            try await showsWhatBecameOfIt(caller, kid: message.kid)
            let second = try await caller.post(Self.path + "?hours=1", [])
            #expect(second.number("number") == 9, "\(second.text)")
            // The broker may have lost it.
            await house.wantAllCommands()
            #expect(await house.dueCommands(.all).count == 1)
        }
        // The next process goes on with the number, and publishes the last one.
        try await yard.with { house, caller in
            let kept = try await caller.get(Self.path)
            #expect(kept.number("number") == 9)
            let page = try await caller.get("/devices/fragment").text
            #expect(page.contains("command 8 rolled back, ") && page.contains("; command 9 waits"), "\(page)")
            #expect(await house.dueCommands(.all).count == 1)
            #expect(try await caller.post(Self.path, []).number("number") == 10)
        }
    }

    private func showsWhatBecameOfIt(_ caller: Caller, kid: [UInt8]) async throws {
        // It is silent now: what it said stands all the same.
        for path in ["/devices/fragment", "/gateways/gw-east/fragment"] {
            let page = try await caller.get(path)
            #expect(
                page.text.contains("command 8 rolled back, ") && page.text.contains(": no &lt;b&gt;"),
                "\(page.text)")
        }
        let detail = try await caller.get("/v1/devices/gw-east", as: .operator).text
        #expect(
            detail.contains("\"text\":\"interval: 1m\\n\"") && detail.contains("\"word\":\"rolled back\""),
            "\(detail)")
        #expect(detail.contains("\"signed_by\":\"\(kid.hex)\""), "\(detail)")
    }

    @Test func whatIsNoCommandIsRefused() async throws {
        let yard = try HouseYard()
        try await yard.with { house, caller in
            let auditor = try await caller.post(Self.path, [], as: .auditor)
            #expect(auditor.status == 403)
            #expect(try await caller.post("/v1/devices/gw-none/configuration", []).problem == "not-found")
            #expect(try await caller.get("/v1/devices/gw-none/configuration").problem == "not-found")
            #expect(try await caller.post(Self.path, [0xFF, 0xFE]).problem == "bad-request")
            for hours in ["0", "8785", "-1", "x", "9223372036854775807"] {
                #expect(try await caller.post(Self.path + "?hours=\(hours)", []).problem == "bad-request", "\(hours)")
            }
            let long = [UInt8](repeating: 0x20, count: Command.textBytesMax + 1)
            #expect(try await caller.post(Self.path, long).status == 413)
            #expect(await house.dueCommands(.all).isEmpty)
            #expect(try await caller.get(Self.path).number("number") == nil)
        }
    }

    @Test(arguments: CommandDesk.Step.allCases)
    func aFailedWriteLeavesOneOfBoth(step: CommandDesk.Step) throws {
        let place = try TemporaryDirectory()
        var desk = CommandDesk(data: place.path)
        try desk.give(try given(1))
        desk.before = { if $0 == step { throw InjectedFault() } }
        #expect(throws: InjectedFault.self) { try desk.give(try given(2)) }
        // Nothing is published that may not be durable.
        #expect(desk.last(id("gw-east"))?.command.number == 1)
        var next = CommandDesk(data: place.path)
        #expect(try next.load() == [])
        #expect(next.last(id("gw-east"))?.command.number == (step == .syncFolder ? 2 : 1))
        desk.before = { _ in }
        try desk.give(try given(2))
        #expect(desk.take(now: anchor, of: { _ in true }).count == 1)
    }

    @Test func whatExpiredIsNotPublishedAndWhatIsBrokenIsSaid() throws {
        let place = try TemporaryDirectory()
        var desk = CommandDesk(data: place.path)
        try desk.give(try given(3))
        #expect(desk.take(now: anchor + 1_000, of: { _ in true }).isEmpty)
        try Data([1, 2, 3]).write(to: URL(fileURLWithPath: place.file("commands/gw-west.command")))
        var next = CommandDesk(data: place.path)
        #expect(try next.load().count == 1)
        #expect(next.take(now: anchor, of: { $0 == id("gw-west") }).isEmpty)
        #expect(next.take(now: anchor, of: { _ in true }).count == 1)
    }
}
