// Register layouts, decoded here by hand from the vendors' documents, not by the code that encodes them.

import PlantModel
import Quantities
import Testing

struct RevenueMeterTests {
    let meter = RevenueMeter(serial: 20_160_701)

    private func words(_ address: Int, _ count: Int, _ state: PlantState, zeroed: Bool = false) -> [UInt16]? {
        meter.words(from: address, count: count, at: state, countersZeroed: zeroed).map(Array.init)
    }

    /// Counts that use every word of the registers: 0x1_0002_0003_0004 × 10 Wh delivered, 0x5_0006 × 10 Wh drawn.
    private let wide = PlantState(
        delivered: 0x1_0002_0003_0004 * 10 * ProductionSeries.perWattHour + 10 * ProductionSeries.perWattHour - 1,
        drawn: 0x5_0006 * 10 * ProductionSeries.perWattHour, power: Power(tenMicrowatts: 421_650_000))

    @Test func countersAreBigEndianAndRoundedDown() {
        #expect(words(0x5000, 4, wide) == [0, 0, 5, 6])
        #expect(words(0x5004, 4, wide) == [1, 2, 3, 4])
        #expect(words(0x5000, 8, wide) == [0, 0, 5, 6, 1, 2, 3, 4])
        let net = words(0x5008, 4, wide)?.reduce(0 as UInt64) { $0 << 16 | UInt64($1) }
        #expect(net.map(Int64.init(bitPattern:)) == 0x5_0006 - 0x1_0002_0003_0004)
        #expect(words(0x5004, 4, wide, zeroed: true) == [0, 0, 0, 0])
        #expect(words(0x5B14, 2, wide, zeroed: true) == words(0x5B14, 2, wide), "power survives a reboot")
    }

    /// A row of CSV power in, the s32 of 0.01 W out: negative while the plant delivers.
    @Test(
        arguments: [
            (421_650_000, -421_650), (-285_670, 285), (999, 0), (-999, 0), (1000, -1), (0, 0),
            (2_147_483_647_000, -2_147_483_647), (2_147_483_649_000, Int32.max),
        ] as [(Int64, Int32)])
    func powerIsTheMetersView(tenMicrowatts: Int64, centiwatts: Int32) throws {
        let state = PlantState(delivered: 0, drawn: 0, power: Power(tenMicrowatts: tenMicrowatts))
        let total = try #require(words(0x5B14, 8, state)).map(UInt32.init)
        let powers = (0..<4).map { Int32(bitPattern: total[$0 * 2] << 16 | total[$0 * 2 + 1]) }
        #expect(powers[0] == centiwatts)
        if centiwatts != .max { #expect(powers[1...].reduce(0, +) == centiwatts, "phases add up") }
    }

    @Test func voltageCurrentFrequency() {
        #expect(words(0x5B00, 2, wide) == [0, 1200], "120.0 V")
        // 4216.50 W ÷ 3 ÷ 120 V = 11.71 A
        #expect(words(0x5B0C, 6, wide) == [0, 1171, 0, 1171, 0, 1171])
        #expect(words(0x5B2C, 1, wide) == [6000], "60.00 Hz")
        #expect(words(0x5B3A, 1, wide).map { Int16(bitPattern: $0[0]) } == -1000)
        #expect(words(0x5B00, 66, wide)?.count == 66)
    }

    @Test func identity() {
        #expect(words(0x8900, 2, wide) == [0x0133, 0xA0BD], "20 160 701")
        #expect(words(0x8908, 8, wide) == [0x4232, 0x2E33, 0x2E30, 0, 0, 0, 0, 0], "B2.3.0")
        #expect(words(0x8960, 2, wide) == [0x4232, 0x3320], "B23 and a space")
    }

    @Test(arguments: [
        (0x4FFF, 1), (0x4FFF, 2), (0x500B, 2), (0x500C, 1), (0x5B41, 2), (0x5B42, 1), (0x8901, 2), (0x8902, 1),
        (0x8910, 1),
        (0x8966, 1), (0xFFFF, 1), (0xFFFF, 125), (0, 1), (0x5000, 125), (0x5000, 0),
    ])
    func whatDoesNotExistIsNotAnswered(address: Int, count: Int) {
        #expect(words(address, count, wide) == nil)
    }

    @Test func layoutsAreAsLongAsTheirBlocks() throws {
        let inverter = try #require(Inverter(serial: "1"))
        let shorter = try #require(Inverter(serial: "1", commonLength: 65))
        for device in [meter, inverter, shorter] as [any RegisterDevice] {
            for (index, run) in device.layout.enumerated() {
                let block = device.block(index, at: wide, countersZeroed: false)
                #expect(block.address == run.address && block.words.count == run.count)
            }
        }
    }
}

struct InverterTests {
    private let state = PlantState(
        delivered: 0x2_71C7 * ProductionSeries.perWattHour, drawn: 99 * ProductionSeries.perWattHour,
        power: Power(tenMicrowatts: 421_650_000))

    private func read(_ inverter: Inverter, _ address: Int, _ count: Int, _ state: PlantState) throws -> [UInt16] {
        Array(try #require(inverter.words(from: address, count: count, at: state, countersZeroed: false)))
    }

    /// Walks the chain as a client does: marker, then id and length until the end marker.
    @Test(arguments: [(66, 40070, 40122), (65, 40069, 40121)])
    func chain(commonLength: Int, inverterHeader: Int, endMarker: Int) throws {
        let inverter = try #require(Inverter(serial: "SERF-EAST-1", commonLength: commonLength))
        #expect(try read(inverter, 40000, 2, state) == [0x5375, 0x6E53], "SunS")
        var models: [[Int]] = []
        var address = 40002
        while models.last?.first != 0xFFFF {
            let header = try read(inverter, address, 2, state)
            models.append([Int(header[0]), Int(header[1]), address])
            address += 2 + Int(header[1])
        }
        #expect(models == [[1, commonLength, 40002], [103, 50, inverterHeader], [0xFFFF, 0, endMarker]])
        #expect(inverter.words(from: endMarker + 1, count: 2, at: state, countersZeroed: false) == nil)
        #expect(inverter.inverterHeader == inverterHeader)
        #expect(inverter.energyAddress == inverterHeader + 24)
        #expect(inverter.powerAddress == inverterHeader + 14)
    }

    @Test(arguments: [64, 67, 0])
    func otherLengthsDoNotExist(length: Int) { #expect(Inverter(serial: "1", commonLength: length) == nil) }

    @Test func commonModel() throws {
        let inverter = try #require(Inverter(serial: "SERF-EAST-1"))
        func text(_ offset: Int, _ count: Int) throws -> String {
            let bytes = try read(inverter, 40002 + offset, count, state).flatMap { [UInt8($0 >> 8), UInt8($0 & 0xFF)] }
            return String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        #expect(try text(2, 16) == "Kilomint")
        #expect(try text(18, 16) == "Virtual Inverter")
        #expect(try text(42, 8) == "1.3.0")
        #expect(try text(50, 16) == "SERF-EAST-1")
        #expect(try read(inverter, 40068, 2, state) == [1, 0x8000])
    }

    @Test func inverterModel() throws {
        let inverter = try #require(Inverter(serial: "1"))
        let model = try read(inverter, 40070, 52, state)
        #expect(model[14...15] == [4216, 0], "W, W_SF")
        #expect(model[16...17] == [6000, 0xFFFE], "Hz 60.00")
        #expect(model[24...26] == [0x0002, 0x71C7, 0], "WH, WH_SF")
        #expect(model[38] == 4, "MPPT")
        #expect(model[2...6] == [3513, 1171, 1171, 1171, 0xFFFE], "A is the sum of the phases")
    }

    @Test(
        arguments: [
            (-285_670, 0xFFFE, 2), (0, 0, 2), (99_999, 0, 4), (3_276_700_000, 32767, 4), (3_276_800_000, 0x8000, 4),
        ] as [(Int64, UInt16, UInt16)])
    func powerAndState(tenMicrowatts: Int64, word: UInt16, operating: UInt16) throws {
        let inverter = try #require(Inverter(serial: "1"))
        let state = PlantState(delivered: 0, drawn: 0, power: Power(tenMicrowatts: tenMicrowatts))
        let model = try read(inverter, 40070, 52, state)
        #expect(model[14] == word)
        #expect(model[38] == operating)
        #expect(model[24...25] == [0, 0], "nothing accumulated")
    }

    @Test func accumulatorRollsOverAt32Bits() throws {
        let inverter = try #require(Inverter(serial: "1"))
        let state = PlantState(delivered: 0x1_0000_0007 * ProductionSeries.perWattHour, drawn: 0, power: .zero)
        #expect(try read(inverter, 40094, 2, state) == [0, 7])
    }
}

struct HouseTests {
    @Test(arguments: [(1, 1), (200, 1), (201, 2), (1000, 5)])
    func unitsBehindListeners(meters: Int, listeners: Int) throws {
        let inverter = try #require(Inverter(serial: "1"))
        let house = try #require(House(meters: meters, serial: 100, inverter: inverter))
        #expect(house.meterListeners == listeners)
        var indices: [Int] = []
        for listener in 0..<listeners {
            for unit in UInt8.min...UInt8.max {
                if let index = house.meterIndex(listener: listener, unit: unit) { indices.append(index) }
            }
        }
        #expect(indices == Array(0..<meters), "each meter once")
        #expect(house.meter(meters - 1).serial == 99 + UInt32(meters))
    }

    @Test(arguments: [0, -1, 1001])
    func tooManyOrNone(meters: Int) throws {
        #expect(House(meters: meters, serial: 1, inverter: try #require(Inverter(serial: "1"))) == nil)
    }
}
