// Which buses go on when the configuration changes, and that nobody gets a number that is taken.

internal import AgentCore
internal import Kit
internal import Metering
internal import Quantities
internal import Settings
internal import Testing

@testable internal import AgentIO

struct BusExchangeTests {
    /// Buses by port with the intervals of their meters; index and number as a start would give them.
    private func plans(_ buses: [(port: UInt16, intervals: [Int64])]) throws -> [BusPlan] {
        let profile = try Profile(try SettingsFile.load(path: Workplace.root + "/firmware-profiles/abb/b23.yaml"))
        var count = 0
        return buses.enumerated().map { number, bus in
            let meters = bus.intervals.enumerated().map { unit, interval in
                ConfiguredMeter(
                    index: UInt64(count + unit), id: Identifier("m-\(bus.port)-\(unit)")!, profile: profile,
                    unit: UInt8(unit + 1), endpoint: "tcp://a:\(bus.port)", quantities: [.activeExport],
                    interval: interval, identityInterval: 3_600_000)
            }
            count += meters.count
            return BusPlan(
                number: number, endpoint: .tcp(host: "a", port: bus.port), timing: BusTiming(), meters: meters,
                boundary: 900_000, readsAtOnce: false)
        }
    }

    @Test func whatIsTheSameGoesOn() throws {
        let running = try plans([(1, [10, 20]), (2, [10]), (3, [10])])
        let same = BusExchange(running: running, wanted: running)
        #expect(same.begun.isEmpty && same.ended.isEmpty && same.kept == [0, 1, 2, 3])
        #expect(same.plans.map(\.number) == [0, 1, 2])
    }

    @Test func othersBeginWithFreeNumbers() throws {
        let running = try plans([(1, [10, 20]), (2, [10]), (3, [10])])
        // The first goes, the second changes, the third stays though its place moves, two come.
        let wanted = try plans([(2, [99]), (3, [10]), (4, [10, 10]), (5, [10])])
        let difference = BusExchange(running: running, wanted: wanted)
        #expect(difference.ended == [0, 1] && difference.kept == [3])
        #expect(difference.plans.map(\.number) == [0, 2, 1, 3])
        let indexes = difference.plans.map { plan in plan.meters.map(\.index) }
        #expect(indexes == [[0], [3], [1, 2], [4]])
        #expect(difference.begun.map(\.endpoint.text) == ["tcp://a:2", "tcp://a:4", "tcp://a:5"])
        #expect(difference.begun.map(\.readsAtOnce) == [true, true, true])
        #expect(difference.meters.map(\.index) == [0, 1, 2, 3, 4])
        // And back again, from what runs then.
        let back = BusExchange(running: difference.plans, wanted: running)
        #expect(back.kept == [3] && Set(back.plans.map(\.number)).count == 3)
        #expect(Set(back.meters.map(\.index)).count == 4)
    }

    @Test func aBusThatHangsIsNoticed() {
        let liveness = Liveness()
        liveness.turned(bus: 4, now: 0)
        liveness.turned(bus: 2, now: 1_000)
        #expect(liveness.stalled(now: Liveness.stallMax) == [])
        #expect(liveness.stalled(now: Liveness.stallMax + 1) == [4])
        #expect(liveness.stalled(now: Liveness.stallMax + 1_001) == [2, 4])
        liveness.turned(bus: 2, now: Liveness.stallMax)
        liveness.ended(bus: 4)
        #expect(liveness.stalled(now: Liveness.stallMax + 1_001) == [])
    }
}
