// The time that receipts tell, kept for a start without a clock: not that of a collector whose own clock is ahead.

@testable internal import AgentIO
internal import AgentCore
internal import Kit
internal import Quantities
internal import Settings
internal import Testing

struct ReceiptFloorTests {
    @Test func aReceiptAheadOfASynchronisedClockProvesNothing() throws {
        // A replayed clock counts as synchronised.
        let start = try #require(UTCInstant("2026-06-01T00:00:00Z"))
        let bench = try SpoolBench(
            try TemporaryDirectory(),
            house: .replayed(start: start, speed: 1, zero: CertificateClock.realTime() + -60_000))
        try bench.commit()
        let head = bench.keeper.chain.head
        func receive(_ instant: UTCInstant) throws {
            try bench.keeper.receive(receipt: bench.receipt(through: head, at: instant))
        }
        let floor = ReceiptFloor(folder: bench.folder)
        try receive(start + 400 * 86_400_000)
        // Believed as a receipt, and not as a clock.
        #expect(bench.keeper.streams.last?.receipted == head && floor.instant == nil)
        try receive(start + 43_200_000)
        #expect(floor.instant == start + 43_200_000)
    }

    /// What was kept before by mistake counts no more once the clock is synchronised, else for as long as it is not.
    @Test func aFloorAheadOfASynchronisedClockIsPassedOver() throws {
        let place = try TemporaryDirectory()
        let text = """
            gateway: gw-1
            key: \(place.file("none"))
            spool: {path: \(place.path)}
            profiles: \(Workplace.root)/firmware-profiles
            buses:
              - {tcp: 192.0.2.1, meters: [{id: meter-1, profile: abb/b23}]}

            """
        let settings = try AgentSettings(try SettingsFile.parse(Array(text.utf8), file: "agent.yaml"))
        let now = CertificateClock.realTime()
        let ahead = try #require(UTCInstant("2099-01-01T00:00:00Z"))
        ReceiptFloor(folder: place.path).write(ahead)
        #expect(CertificateClock(settings, clock: now, isSynchronised: true).instant == now)
        #expect(CertificateClock(settings, clock: now, isSynchronised: false).instant == ahead)
        // A clock of 1970 is not synchronised, whatever the kernel thinks.
        let past = UTCInstant(milliseconds: 86_400_000)
        #expect(CertificateClock(settings, clock: past, isSynchronised: true).instant == ahead)
    }
}
