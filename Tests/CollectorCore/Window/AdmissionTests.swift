// Admission: times from clock pairs, completeness, and that nothing depends on who arrived first.

@testable import CollectorCore
import Evidence
import Kit
import Proofs
import Quantities
import Testing

struct AdmissionTests {
    private func words(_ count: UInt64) -> [UInt8] { Words.revenue(exported: count) }

    private func times(_ admission: Admission) -> [Int64] {
        admission.samples(
            ofMeter: id("main"), gateway: id("gw-1"), after: anchor + -day,
            through: anchor + 9 * day
        ) { _, _, _ in false }.samples.map { $0.time - anchor }
    }

    @Test func aSynchronisedRecordGivesItsOwnTimes() {
        var gateway = TestGateway()
        gateway.bear(isCommissioned: false)
        gateway.add([(anchor + 60_000, 1, words(1)), (anchor + 120_000, 1, words(2))])
        let admission = gateway.admitted()
        #expect(times(admission) == [60_000, 120_000])
        #expect(admission.completeThrough(id("gw-1")) == anchor + 120_000)
    }

    @Test func anUnsynchronisedOneWaitsForTheNearestLater() {
        var gateway = TestGateway()
        gateway.bear(isCommissioned: false)
        gateway.add([(anchor + 60_000, 1, words(1))], sync: 1)
        gateway.add([(anchor + 120_000, 1, words(2))], sync: 0)
        let early = gateway.admitted()
        #expect(times(early) == [])
        #expect(early.completeThrough(id("gw-1")) == anchor)
        gateway.add([(anchor + 180_000, 1, words(3))])
        let admission = gateway.admitted()
        #expect(times(admission) == [60_000, 120_000, 180_000])
        #expect(admission.completeThrough(id("gw-1")) == anchor + 180_000)
    }

    @Test func aBootThatNeverSynchronisedGivesNothing() {
        var gateway = TestGateway()
        gateway.bear(isCommissioned: false)
        gateway.boot = [UInt8](repeating: 9, count: 16)
        gateway.add([(anchor + 60_000, 1, words(1))], sync: 1)
        gateway.add([(anchor + 120_000, 1, words(2))], sync: 1)
        gateway.boot = [UInt8](repeating: 8, count: 16)
        gateway.add([(anchor + 180_000, 1, words(3))])
        var admission = Admission()
        let findings = gateway.records.flatMap { admission.admit($0, clockError: 1000) }
        #expect(findings.map(\.kind) == [.timeUncertain])
        #expect(findings.map(\.count) == [2])
        #expect(times(admission) == [180_000])
        // The later boot completes the earlier one.
        #expect(admission.completeThrough(id("gw-1")) == anchor + 180_000)
    }

    @Test func completenessNeverPassesReceiptOrGoesBack() {
        var gateway = TestGateway()
        gateway.bear(isCommissioned: false)
        // Claims to be complete two days ahead: bounded by received at (100 ms later) + clock error.
        gateway.add([(anchor + 60_000, 1, words(1))], completeThrough: anchor + 2 * day)
        #expect(gateway.admitted().completeThrough(id("gw-1")) == anchor + 61_100)
        gateway.add([(anchor + 120_000, 1, words(1))], completeThrough: anchor + 1)
        #expect(gateway.admitted().completeThrough(id("gw-1")) == anchor + 61_100)
    }

    @Test func aNewStreamTakesOverCompleteness() {
        var old = TestGateway()
        old.bear(isCommissioned: false)
        old.add([(anchor + 60_000, 1, words(1))])
        var new = TestGateway(stream: 2)
        new.bear(at: anchor + 70_000, isCommissioned: false)
        var admission = new.admitted(into: old.admitted())
        #expect(admission.completeThrough(id("gw-1")) == anchor + 70_000)
        // What the ended stream still says completes nothing.
        old.add([(anchor + 500_000, 1, words(2))])
        _ = admission.admit(old.records[2], clockError: 1000)
        #expect(admission.completeThrough(id("gw-1")) == anchor + 70_000)
    }

    @Test func readsTheBirthDoesNotHave() {
        var gateway = TestGateway()
        gateway.bear(isCommissioned: false)
        gateway.add([(anchor + 60_000, 1, words(1)), (anchor + 60_000, 7, words(1)), (anchor + 61_000, 8, words(1))])
        var admission = Admission()
        let findings = gateway.records.flatMap { admission.admit($0, clockError: 1000) }
        #expect(findings.map(\.kind) == [.unknownRead])
        #expect(findings.map(\.count) == [2])
        #expect(times(admission) == [60_000])
    }

    /// One that begins below what came counts for what did not come.
    @Test(arguments: [(2, 5, 2), (4, 5, 2), (1, 4, 1), (2, 3, 0), (5, 5, 1)] as [(UInt64, UInt64, UInt64)])
    func aSkipCountsForWhatDidNotCome(from: UInt64, to: UInt64, lost: UInt64) {
        var gateway = TestGateway()
        gateway.bear(isCommissioned: false)
        for minute in 1...2 as ClosedRange<Int64> { gateway.add([(anchor + minute * 60_000, 1, words(1))]) }
        let last = gateway.records[2].record
        let skip = Skip(
            to: to, identity: .zero, reason: "deleted", firstClock: last.clock, lastClock: last.clock, losses: [])
        let record = Record(
            place: RecordPlace(gateway: gateway.gateway, stream: gateway.stream, sequence: from, previous: .zero),
            clock: last.clock, completeThrough: last.completeThrough, body: .skip(skip))
        var admission = gateway.admitted()
        let findings = admission.admit(
            StoredRecord(record: record, identity: .zero, receivedAt: anchor + day), clockError: 1000)
        #expect(findings.map(\.count) == (lost == 0 ? [] : [lost]))
    }

    @Test func whatIsHeldIsLeftOut() {
        var gateway = TestGateway()
        gateway.bear(isCommissioned: false)
        for minute in 1...5 as ClosedRange<Int64> { gateway.add([(anchor + minute * 60_000, 1, words(1))]) }
        let held = gateway.admitted().samples(
            ofMeter: id("main"), gateway: id("gw-1"), after: anchor, through: anchor + day
        ) { _, _, sequence in sequence >= 4 }
        #expect(held.samples.map(\.sequence) == [2, 3])
    }

    @Test func hostileClocksAreFindings() {
        var random = SeededGenerator(seed: 5)
        let edges: [UInt64] = [0, 1, UInt64(Int64.max), UInt64(Int64.max) + 1, .max]
        for _ in 0..<500 {
            func edge() -> UInt64 { edges.randomElement(using: &random) ?? 0 }
            var gateway = TestGateway()
            gateway.bear(isCommissioned: false)
            let record = Record(
                place: RecordPlace(gateway: gateway.gateway, stream: gateway.stream, sequence: 2, previous: .zero),
                clock: RecordClock(
                    sync: Int.random(in: 0...2, using: &random), errorMilliseconds: edge(), boot: gateway.boot,
                    uptimeMilliseconds: edge(), utc: UTCInstant(milliseconds: Int64(truncatingIfNeeded: edge()))),
                completeThrough: edge(),
                body: .readings(
                    Readings(
                        base: edge(),
                        samples: [Readings.Sample(read: 1, dt: edge(), took: 0, status: 0, words: words(1))])))
            var admission = gateway.admitted()
            _ = admission.admit(
                StoredRecord(record: record, identity: .zero, receivedAt: anchor + day), clockError: 1000)
            let through = admission.completeThrough(id("gw-1")) ?? anchor
            #expect(through <= anchor + day + 1000)
        }
    }

    /// Three entities' gateways; the same records in many interleavings, and one gateway after the other as partitions do.
    @Test(arguments: 1...8 as ClosedRange<UInt64>)
    func orderOfArrivalAndRestartsDoNotMatter(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var house = try TestHouse()
        var gateways: [TestGateway] = []
        for index in 1...3 {
            if index > 1 {
                try house.addEntity(
                    "site-\(index)", point: "point-\(index)", gateway: "gw-\(index)",
                    meters: ("main-\(index)", "check-\(index)"))
            }
            var gateway = TestGateway("gw-\(index)", stream: UInt8(index))
            let meters = index > 1 ? ("main-\(index)", "check-\(index)") : ("main", "check")
            gateway.bear(meters: meters, interval: 3_600_000)
            var state = TestCounters(exported: UInt64(index) * 1000, imported: 0, checked: 5)
            gateway.open(state)
            gateway.produce([24_000, 2_400], state: &state)
            gateways.append(gateway)
        }
        let statements = [
            TestHouse.statement(.auditor, 0, 24_000), TestHouse.statement(.auditor, 0, 24_000, point: "point-2"),
        ]
        let reviews = [
            Review(meteringPoint: id("point-3"), day: anchor, isAccepted: true, reason: "", issuedAt: anchor),
            Review(meteringPoint: id("serf-1"), day: anchor, isAccepted: true, reason: "", issuedAt: anchor),
        ]
        let partitioned = gateways.reduce(Admission()) { $1.admitted(into: $0) }
        let expected = house.compute(0, partitioned, Standing(), statements: statements, reviews: reviews)
        #expect(expected.outcome.verdicts.map(\.isSettled) == [true, true, true])

        var shuffled = Admission()
        var next = [0, 0, 0]
        while let index = (0..<3).filter({ next[$0] < gateways[$0].records.count }).randomElement(using: &random) {
            _ = shuffled.admit(gateways[index].records[next[index]], clockError: 1000)
            next[index] += 1
        }
        let other = house.compute(
            0, shuffled, Standing(), statements: statements.reversed(), reviews: reviews.shuffled(using: &random))
        #expect(other.transcript == expected.transcript, "seed \(seed)")
        #expect(other.outcome.outputDigest == expected.outcome.outputDigest, "seed \(seed)")
    }
}
