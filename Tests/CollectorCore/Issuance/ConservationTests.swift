// What settles over many windows is what the register advanced: whatever arrives late, glitches, rolls over or goes missing.

import CollectorCore
import Kit
import Metering
import Quantities
import Testing

/// A register of 16 bits and 1 Wh, read every hour or so, that shows 0 now and then and is silent now and then.
private struct RandomPlant {
    var random: SeededGenerator
    var gateway = TestGateway()
    var admission = Admission()
    private var count: UInt64
    private var admitted = 0

    init(_ random: SeededGenerator) {
        self.random = random
        gateway.bear(main: TestProfiles.small, interval: 3_600_000)
        count = UInt64.random(in: 0...65_535, using: &self.random)
        gateway.add([(anchor, 1, Words.small(count % 65_536))])
        admit(late: 0)
    }

    mutating func produce(_ window: Window) {
        var time = window.start
        while time < window.end {
            let last = time
            time = min(window.end, time + Int64.random(in: 600_000...7_200_000, using: &random))
            // Up to 18 kW, of 24 kW that the plant is believed.
            count += UInt64.random(in: 0...UInt64((time - last) / 200), using: &random)
            let isGlitch = Int.random(in: 0..<20, using: &random) == 0
            if Int.random(in: 0..<10, using: &random) > 0 {
                gateway.add([(time, 1, isGlitch ? Words.small(0) : Words.small(count % 65_536))])
            }
        }
    }

    /// Admits what was produced but the last `late` records.
    mutating func admit(late: Int) {
        let end = max(admitted, gateway.records.count - late)
        for record in gateway.records[admitted..<end] { _ = admission.admit(record, clockError: 1000) }
        admitted = end
    }
}

struct ConservationTests {
    private func house(cadence: Int64) throws -> TestHouse {
        var house = try TestHouse(
            cadence: cadence, nameplate: 20_000, profiles: [TestProfiles.small],
            change: { $0.with(verifiedFrom: 0, reviewFrom: 0) })
        try house.register(
            .meteringPoint(
                MeteringPoint(
                    id: id("serf-1"), entity: id("serf"), nameplateWatts: 20_000, direction: .export,
                    revenueMeter: id("main"), checkMeters: [], latitude: 0, longitude: 0, performanceRatio: 800_000)),
            number: 2)
        try house.register(
            .meter(
                Meter(
                    id: id("main"), vendor: "ABB", model: "B23", serial: "serial-main", gateway: id("gw-1"),
                    profileName: "test/small", meterClass: .midMeter)), number: 2)
        return house
    }

    @Test(arguments: 1...12 as ClosedRange<UInt64>)
    func verifiedEnergyIsTheRegistersAdvance(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let cadence = [day / 24, day / 4, day, 2 * day].randomElement(using: &random) ?? day
        let house = try house(cadence: cadence)
        var plant = RandomPlant(random)
        var standing = Standing()
        var total: Int64 = 0
        var opened: UInt64?
        for index in 0..<(12 * day / cadence) {
            plant.produce(try #require(house.grid.window(index)))
            // Some windows are cut before their last records came; those settle later.
            plant.admit(late: Int.random(in: 0...3, using: &random))
            let result = house.compute(index, plant.admission, standing)
            let verdict = try #require(result.outcome.verdicts.first)
            total += verdict.verifiedWattHours
            if opened == nil, verdict.isSettled {
                opened = try #require(result.inputs.points.first?.readings.first?.words).reduce(0) {
                    $0 << 8 | UInt64($1)
                }
            }
            standing.settle(result.outcome.output)
            // What is settled is never read again: forgetting it changes nothing.
            if Bool.random(using: &random) {
                plant.admission.forget(id("gw-1"), through: verdict.settledThrough + -day)
            }
        }
        let point = try #require(house.registry.meteringPoint(id("serf-1"), at: anchor))
        let last = try #require(standing.openings(at: point).last { $0.key.quantity == .activeExport })
        #expect(total == Int64(last.count) - Int64(try #require(opened)), "seed \(seed)")
        #expect(total > 0, "seed \(seed)")
    }
}
