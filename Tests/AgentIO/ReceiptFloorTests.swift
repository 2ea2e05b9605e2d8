// The time that receipts tell, kept for a start without a clock: not that of a collector whose own clock is ahead.

@testable internal import AgentIO
internal import AgentCore
internal import Kit
internal import Quantities
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
}
