// A believed command that has to wait for its trial: whatever becomes of it is said, and it does not come back.

@testable internal import AgentIO
internal import AgentCore
internal import Evidence
internal import Keys
internal import Kit
internal import Proofs
internal import Quantities
internal import Testing

struct HeldCommandTests {
    /// A reloader of an agent that is still starting, so that everything waits.
    private func reloader(_ place: TemporaryDirectory) throws -> Reloader {
        let path = place.file("agent.yaml")
        let text = """
            gateway: gw-1
            key: \(Workplace.root)/none
            spool: {path: \(place.file("spool"))}
            profiles: \(Workplace.root)/firmware-profiles
            remote: {allowed: true, interval_min: 1s}
            buses:
              - tcp: 127.0.0.1:9
                meters: [{id: meter-1, profile: abb/b23}]

            """
        try SpoolFolder.create(place.file("spool"))
        try Workplace.write(Array(text.utf8), to: path)
        let (clock, log) = (try MachineClock(house: .real), Log(write: { _ in }))
        let start = try RemoteStart(path: path, log: log)
        let parts = try AgentParts(start.settings, keys: KeyRing(try .generate(.eddsa)))
        let recorder = Recorder(clock: clock, meters: [1])
        let board = StatusBoard(recorder: recorder, buses: parts.buses)
        let inbox = Mailbox<KeeperEvent>(itemsMax: 8)
        let (desk, reading) = (BusDesk(), ReadingEnd())
        return Reloader(
            parts, remote: start,
            chain: Chain(gateway: parts.settings.gateway, stream: try #require(StreamID([1, 2, 3, 4, 5, 6, 7, 8]))),
            clock: clock, threads: BusThreads(recorder: recorder, clock: clock, desk: desk), recorder: recorder,
            inbox: inbox, board: board,
            context: ControlContext(
                settings: parts.settings, desk: desk, board: board, keeper: inbox, clock: clock, reading: reading),
            supervisor: parts.keeper.supervisor, log: log, reading: reading)
    }

    private func command(_ number: UInt64) -> TakenCommand {
        let identity = Digest(of: [UInt8(number)])
        let version = RemoteConfiguration.Version(number: number, identity: identity, text: "interval: 30s")
        return TakenCommand(
            number: number, identity: identity, expiresAt: UTCInstant(milliseconds: 4_000_000_000_000),
            verdict: .configure(version))
    }

    private func outcomes(_ reloader: Reloader) -> [String] {
        reloader.remote.keeping.state.outcomes.map { "\($0.number) \($0.word.rawValue): \($0.reason)" }
    }

    @Test func oneThatIsReplacedBeforeItWasTriedIsRefused() throws {
        var reloader = try reloader(try TemporaryDirectory())
        reloader.take(command(1))
        reloader.lookAfterRemote(Mailbox(itemsMax: 1))
        #expect(reloader.remote.held?.number == 1 && outcomes(reloader) == [])
        reloader.take(command(2))
        #expect(reloader.remote.held?.number == 2)
        #expect(outcomes(reloader) == ["1 refused: replaced by command 2 before it was tried"])
    }

    @Test func oneThatAPersonTakesBackDoesNotComeAgain() throws {
        var reloader = try reloader(try TemporaryDirectory())
        reloader.take(command(1))
        let reply = Mailbox<String>(itemsMax: 1)
        reloader.rollBack(by: "root", reply, Mailbox(itemsMax: 1))
        #expect(reply.take(within: 0) == ["waiting command 1 is taken back; in use: the site's file alone"])
        #expect(outcomes(reloader) == ["1 refused: taken back at the gateway by root"])
        // The broker retains it.
        reloader.take(command(1))
        #expect(reloader.remote.held == nil && reloader.remote.keeping.state.highest == 1)
    }
}
