// What time it is at least, and when a certificate is due.

internal import AgentCore
internal import Quantities
internal import Testing

struct TimeFloorTests {
    private func at(_ days: Int64) -> UTCInstant { UTCInstant(milliseconds: days * 86_400_000) }

    @Test func aClockThatCanBeIsBelieved() {
        let floor = TimeFloor(proven: [at(20_000), at(19_000)], hints: [at(20_100)])
        #expect(floor.instead(of: at(20_000)) == nil && floor.instead(of: at(30_000)) == nil)
    }

    @Test func aClockThatCannotBeIsReplacedByTheLatestThatHasPassed() {
        #expect(TimeFloor(proven: [at(20_000)], hints: []).instead(of: at(1)) == at(20_000))
        #expect(TimeFloor(proven: [at(20_000)], hints: [at(20_100), at(5)]).instead(of: at(19_999)) == at(20_100))
        #expect(TimeFloor(proven: [], hints: []).instead(of: at(1)) == nil)
    }

    @Test func aFileFromTheFutureDoesNotEndEveryCertificate() {
        let floor = TimeFloor(proven: [at(20_000)], hints: [at(20_367), at(40_000)])
        #expect(floor.instead(of: at(1)) == at(20_000))
        #expect(TimeFloor(proven: [at(20_000)], hints: [at(20_366)]).instead(of: at(1)) == at(20_366))
    }

    @Test func aCertificateIsDueHalfWayAndALittleSpread() {
        #expect(RenewalSchedule.due(from: at(100), through: at(140), share: 0) == at(120))
        let last = RenewalSchedule.due(from: at(100), through: at(140), share: .max)
        #expect(last > at(121) && last <= at(122))
        #expect(RenewalSchedule.due(from: at(100), through: at(90), share: .max) == at(100))
    }
}
