// A boot whose clock nobody ever set: its readings have no time, its neighbours measure over it, it completes nothing.

import CollectorCore
import Evidence
import Proofs
import Quantities
import Testing

struct UnsynchronisedBootTests {
    /// Hourly readings of a day of 24 000 Wh; hours 9 … 15 come from a boot without a clock.
    private func gateway(isMiddleSynchronised: Bool) -> TestGateway {
        var gateway = TestGateway()
        gateway.bear(interval: 3_600_000)
        for number in 0...24 as ClosedRange<Int64> {
            if number == 9 { gateway.boot = [UInt8](repeating: 7, count: 16) }
            if number == 16 { gateway.boot = [UInt8](repeating: 8, count: 16) }
            let isMiddle = (9...15).contains(number)
            gateway.add(
                [
                    (anchor + number * hour, 1, Words.revenue(exported: 100 * UInt64(number), power: -100_000)),
                    (anchor + number * hour, 2, Words.inverter(500 + 1000 * UInt64(number))),
                ], sync: isMiddle && !isMiddleSynchronised ? 1 : 2)
        }
        return gateway
    }

    private func day(_ gateway: TestGateway) throws -> (inputs: WindowInputs, verdict: DayVerdict) {
        let made = try TestHouse().compute(
            0, gateway.admitted(), Standing(), statements: [TestHouse.statement(.auditor, 0, 24_000)])
        return (made.inputs, try #require(made.outcome.verdicts.first?.days.first))
    }

    @Test func itsNeighboursMeasureOverIt() throws {
        let (inputs, verdict) = try day(gateway(isMiddleSynchronised: false))
        let times = inputs.points[0].readings.map { ($0.time - anchor) / hour }
        #expect(!times.contains { (9...15).contains($0) })
        #expect(verdict.exported == 24_000)
        #expect(verdict.outcome == .verified)
        // Power held over eight hours says nothing.
        #expect(verdict.skipped.contains(.energyPower))
        let (_, whole) = try day(gateway(isMiddleSynchronised: true))
        #expect(whole.exported == 24_000 && !whole.skipped.contains(.energyPower))
    }

    @Test func itAdvancesNoWatermark() {
        let records = gateway(isMiddleSynchronised: false).records
        var admission = Admission()
        var through: [Int64?] = []
        for record in records {
            _ = admission.admit(record, clockError: 1000)
            through.append(admission.completeThrough(id("gw-1")).map { ($0 - anchor) / hour })
        }
        // Birth, two commissionings, hours 0 … 8; seven hours of nothing; then the next boot completes them all.
        #expect(through.dropFirst(11) == [8, 8, 8, 8, 8, 8, 8, 8, 16, 17, 18, 19, 20, 21, 22, 23, 24])
    }

    /// A boot without a clock whose stream ended before its clock was set: hours 9 … 12 stand in the former stream, and
    /// the synchronised records of the next one, of the same boot, give them no time (decision 0020). Nothing that was
    /// produced is lost by it, for counters go on.
    @Test func theNextStreamOfItsBootGivesItNoTime() throws {
        var former = TestGateway()
        former.bear(interval: 3_600_000)
        for number in 0...12 as ClosedRange<Int64> {
            if number == 9 { former.boot = [UInt8](repeating: 7, count: 16) }
            add(number, to: &former, sync: number < 9 ? 2 : 1)
        }
        var next = TestGateway(stream: 2)
        next.boot = former.boot
        next.bear(interval: 3_600_000, at: anchor + 12 * hour + 1, isCommissioned: false)
        for number in 13...24 as ClosedRange<Int64> { add(number, to: &next, sync: 2) }
        let admission = next.admitted(into: former.admitted())
        let made = try TestHouse().compute(
            0, admission, Standing(), statements: [TestHouse.statement(.auditor, 0, 24_000)])
        let times = Set(made.inputs.points[0].readings.map { ($0.time - anchor) / hour })
        #expect(times.subtracting([0]) == Set(1...8).union(13...24))
        let verdict = try #require(made.outcome.verdicts.first?.days.first)
        #expect(verdict.exported == 24_000 && verdict.outcome == .verified)
    }

    private func add(_ number: Int64, to gateway: inout TestGateway, sync: Int) {
        gateway.add(
            [
                (anchor + number * hour, 1, Words.revenue(exported: 100 * UInt64(number), power: -100_000)),
                (anchor + number * hour, 2, Words.inverter(500 + 1000 * UInt64(number))),
            ], sync: sync)
    }
}
