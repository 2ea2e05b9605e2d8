// What a client sees of each fault, on the wire.

import Kit
import PlantModel
import Testing

struct ServerFaultTests {
    private static let read = ModbusClient.read(3, 0x5004, 4)
    private static let good: [UInt8] = [0, 3, 0, 0, 0, 11, 1, 3, 8, 0, 0, 0, 0, 0, 0, 0x3E, 0x93]

    /// The first answer to a read of the meter, nil for none within `ms`.
    private func answer(_ fault: String, ms: Int32 = 2000) async throws -> [UInt8]? {
        let plant = try await PlantProcess(["--fault", fault])
        let meter = try plant.meter()
        meter.send(Self.read)
        return meter.receive(ms: ms)
    }

    @Test func none() async throws { #expect(try await answer("kind=timeout,rate=0") == Self.good) }
    @Test func timeout() async throws { #expect(try await answer("kind=timeout", ms: 300) == nil) }
    @Test func disconnect() async throws { #expect(try await answer("kind=disconnect") == []) }

    @Test(arguments: [1, 6, 11, 12, 255] as [UInt8])
    func exception(code: UInt8) async throws {
        #expect(try await answer("kind=exception,code=\(code)") == [0, 3, 0, 0, 0, 3, 1, 0x83, code])
    }

    @Test func wrongUnit() async throws {
        var wrong = Self.good
        wrong[6] = 2
        #expect(try await answer("kind=unit") == wrong)
    }

    @Test func garbageIsTheSameForTheSameSeed() async throws {
        let first = try await answer("kind=garbage")
        #expect(first?.isEmpty == false && first != Self.good)
        #expect(try await answer("kind=garbage") == first)
    }

    /// The late answer comes whole, after another request may have been answered.
    @Test func late() async throws {
        let plant = try await PlantProcess(["--fault", "kind=late,ms=1000,meter=b23"])
        let meter = try plant.meter()
        let start = ContinuousClock.now
        meter.send(Self.read)
        #expect(meter.receive(ms: 150) == nil)
        #expect(try plant.inverter().number(40094, 2) == 160_199, "nobody else waits")
        #expect(meter.receiveAll(17) == Self.good)
        #expect(ContinuousClock.now - start >= .milliseconds(990))
    }

    @Test func drip() async throws {
        let plant = try await PlantProcess(["--fault", "kind=drip,ms=20,meter=b23"])
        let meter = try plant.meter()
        let start = ContinuousClock.now
        meter.send(Self.read + Self.read)
        let first = try #require(meter.receive())
        #expect(first.count < 17, "a few bytes come alone")
        #expect(try plant.inverter().number(40094, 2) == 160_199, "nobody else waits")
        #expect(first + meter.receiveAll(34 - first.count) == Self.good + Self.good, "answers do not mingle")
        #expect(ContinuousClock.now - start >= .milliseconds(660))
    }

    /// The clock stands at 18:00: a reboot a minute before is over or not, by its length.
    @Test(arguments: [(60, 16_019), (61, 0)] as [(Int, UInt64)])
    func zeroGlitch(seconds: Int, counts: UInt64) async throws {
        let fault = "kind=zero,from=2016-07-07T17:59:00Z,seconds=\(seconds)"
        let plant = try await PlantProcess(["--fault", fault])
        #expect(try plant.meter().number(0x5004, 4) == counts)
        #expect(try plant.inverter().number(40094, 2) == (counts == 0 ? 0 : 160_199))
        #expect(try plant.inverter().words(40084, 1) == [4216], "power is still shown")
    }

    /// Rates hold on the wire, and two runs of one seed fail at the same requests.
    @Test func ratesRepeat() async throws {
        func run(seed: Int) async throws -> [Bool] {
            let plant = try await PlantProcess(["--fault", "kind=exception,rate=200000", "--seed", String(seed)])
            let meter = try plant.meter()
            return (0..<200).map { _ in
                meter.send(Self.read)
                return meter.receive() == Self.good
            }
        }
        let first = try await run(seed: 5)
        #expect((20...60).contains(first.count { !$0 }))
        #expect(try await run(seed: 5) == first)
        #expect(try await run(seed: 6) != first)
    }
}
