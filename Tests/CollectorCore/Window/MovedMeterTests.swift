// Meters that move between metering points, metering points that move between entities, gateways that serve several:
// what a register advanced settles once, wherever it is read from, and nobody's readings are forgotten for another.

import CollectorCore
import Evidence
import Metering
import Proofs
import Quantities
import Testing

struct MovedMeterTests {
    /// Verified without other sources.
    private static func lenient(_ manifest: Manifest) -> Manifest {
        Manifest(
            number: 1, effectiveFrom: anchor, cadence: manifest.cadence, grace: manifest.grace, verifiedFrom: 800_000,
            reviewFrom: 700_000, billingGrade: manifest.billingGrade)
    }

    /// `serf` with points `serf-1` (meter `main`) and `serf-2` (`spare`), both behind `gw-1`; meter `idle` is nowhere.
    private static func house() throws -> TestHouse {
        var house = try TestHouse(change: lenient)
        for name in ["spare", "idle"] {
            try house.register(
                .meter(
                    Meter(
                        id: id(name), vendor: "ABB", model: "B23", serial: "serial-\(name)", gateway: id("gw-1"),
                        profileName: "test/revenue", meterClass: .midMeter)))
        }
        try house.place("main", at: "serf-1", number: 2, from: anchor)
        try house.place("spare", at: "serf-2", number: 1, from: anchor)
        return house
    }

    /// `main` produces 24 000 Wh a day, `spare` 12 000 Wh.
    private static func gateway(days: Int64) -> TestGateway {
        var gateway = TestGateway()
        gateway.bear(meters: ("main", "spare"), check: TestProfiles.revenue, interval: 3_600_000)
        for hour in 0...(24 * days) {
            gateway.add([
                (anchor + hour * 3_600_000, 1, Words.revenue(exported: 5000 + UInt64(hour) * 100)),
                (anchor + hour * 3_600_000, 2, Words.revenue(exported: 700 + UInt64(hour) * 50)),
            ])
        }
        return gateway
    }

    @Test func metersThatComeBackSettleOnce() throws {
        var house = try Self.house()
        for (number, first, second) in [(3, "spare", "main"), (5, "main", "spare")] as [(UInt64, String, String)] {
            let from = anchor + Int64(number - 1) / 2 * day
            try house.place("idle", at: "serf-1", number: number, from: from)
            try house.place(second, at: "serf-2", number: number, from: from)
            try house.place(first, at: "serf-1", number: number + 1, from: from)
        }
        let admission = Self.gateway(days: 3).admitted()
        var standing = Standing()
        var settled: [Int64] = []
        for index in 0..<3 as Range<Int64> {
            let window = house.compute(index, admission, standing)
            #expect(try WindowInputs(segments: window.inputs.segments()) == window.inputs)
            settled.append(window.outcome.verdicts[0].verifiedWattHours)
            standing.settle(window.outcome.output)
        }
        #expect(settled == [36_000, 36_000, 36_000])
    }

    /// The new entity is two days behind: what the old one settled of the register stays out.
    @Test func aMeterThatMovesToAnEntityBehindSettlesOnce() throws {
        var house = try Self.house()
        try house.addOther()
        var admission = Self.gateway(days: 3).admitted()
        var standing = Standing()
        for index in 0..<2 as Range<Int64> { standing.settle(house.compute(index, admission, standing).outcome.output) }
        #expect(standing.settledThrough(id("other")) == anchor)
        try house.place("idle", at: "serf-1", number: 3, from: anchor + 2 * day)
        try house.place("main", at: "other-1", of: "other", number: 2, from: anchor + 2 * day)
        var late = TestGateway("gw-2", stream: 2)
        late.bear(meters: ("main2", "check2"), interval: 3_600_000)
        late.add([(anchor + 3 * day, 1, Words.revenue(exported: 5))])
        admission = late.admitted(into: admission)
        let window = house.compute(2, admission, standing)
        let verdict = try #require(window.outcome.verdicts.first { $0.entity == id("other") })
        #expect(verdict.completeThrough == anchor + 3 * day)
        // The opening stands at the second day's end: nothing of these days is this entity's.
        #expect(verdict.days.prefix(2).map(\.exported) == [nil, 0])
        #expect(verdict.days.last?.exported == 24_000)
        #expect(verdict.verifiedWattHours == 0)
        #expect(try WindowInputs(segments: window.inputs.segments()) == window.inputs)
    }

    /// A window in which a metering point joined an entity that is behind can be read back: it does not stop the house.
    @Test func aPointThatMovesToAnEntityBehindStopsNoWindow() throws {
        var house = try Self.house()
        try house.addOther()
        let admission = Self.gateway(days: 3).admitted()
        var standing = Standing()
        for index in 0..<2 as Range<Int64> { standing.settle(house.compute(index, admission, standing).outcome.output) }
        try house.place("main", at: "serf-1", of: "other", number: 3, from: anchor + 2 * day)
        let window = house.compute(2, admission, standing)
        #expect(try WindowInputs(segments: window.inputs.segments()) == window.inputs)
        #expect(window.outcome.verdicts.map(\.verifiedWattHours).max() == 12_000)
    }

    /// Another gateway's line is another place: what was commissioned at the first says nothing of what hangs there.
    @Test func aMeterBehindAnotherGatewayIsCommissionedAgain() throws {
        var house = try Self.house()
        try house.register(
            .gateway(Gateway(id: id("gw-2"), entity: id("serf"), clockError: 1000)), from: anchor + day + 1)
        let first = Self.gateway(days: 3).admitted()
        var standing = Standing()
        standing.settle(house.compute(0, first, standing).outcome.output)
        try house.register(
            .meter(
                Meter(
                    id: id("main"), vendor: "ABB", model: "B23", serial: "serial-main", gateway: id("gw-2"),
                    profileName: "test/revenue", meterClass: .midMeter)), number: 2, from: anchor + day)
        for isCommissioned in [false, true] {
            var second = TestGateway("gw-2", stream: 2, bornAt: anchor + day)
            second.bear(meters: ("main", "elsewhere"), interval: 3_600_000, isCommissioned: isCommissioned)
            for hour in 1...24 as ClosedRange<Int64> {
                second.add([(anchor + day + hour * 3_600_000, 1, Words.revenue(exported: 7400 + UInt64(hour) * 100))])
            }
            let window = house.compute(1, second.admitted(into: first), standing)
            let moved = try #require(window.outcome.verdicts[0].days.first { $0.meteringPoint == id("serf-1") })
            #expect(moved.findings.contains { $0.kind == .notCommissioned } == !isCommissioned)
            #expect((moved.outcome == .verified) == isCommissioned)
            #expect(try WindowInputs(segments: window.inputs.segments()) == window.inputs)
        }
    }

    /// One entity has settled all, the other nothing, and one gateway reads for both.
    @Test func nothingIsForgottenThatAnotherEntityNeeds() throws {
        var house = try Self.house()
        try house.addOther()
        try house.place("spare", at: "serf-2", of: "other", number: 2, from: anchor)
        var admission = Self.gateway(days: 3).admitted()
        var standing = Standing()
        for index in 0..<3 as Range<Int64> { standing.settle(house.compute(index, admission, standing).outcome.output) }
        #expect(standing.settledThrough(id("serf")) == anchor + 3 * day)
        #expect(standing.settledThrough(id("other")) == anchor)
        let held = admission.sampleCount(id("gw-1"))
        let plant = house.registry.plant(at: anchor + 3 * day)
        admission.forgetSettled(plant, standing, bridge: day)
        #expect(admission.sampleCount(id("gw-1")) == held)
        // Alone, the gateway's readings go up to the bridge before what is settled.
        try house.place("spare", at: "serf-2", number: 3, from: anchor)
        admission.forgetSettled(house.registry.plant(at: anchor + 3 * day), standing, bridge: day)
        #expect(admission.sampleCount(id("gw-1")) == 2 * 24)
    }
}

extension TestHouse {
    /// Registers a metering point of `entity` with this revenue meter alone.
    fileprivate mutating func place(
        _ meter: String, at point: String, of entity: String = "serf", number: UInt64, from: UTCInstant
    ) throws {
        try register(
            .meteringPoint(
                MeteringPoint(
                    id: id(point), entity: id(entity), nameplateWatts: 6000, direction: .export,
                    revenueMeter: id(meter),
                    checkMeters: [], latitude: 0, longitude: 0, performanceRatio: 800_000)), number: number, from: from)
    }

    /// Another entity, whose gateway `gw-2` says nothing.
    fileprivate mutating func addOther() throws {
        try addEntity("other", point: "other-1", gateway: "gw-2", meters: ("main2", "check2"))
    }
}
