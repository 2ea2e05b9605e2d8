// kilomint-plant run, for real: a process, sockets, every byte looked at.

import Glibc
import Kit
import PlantModel
import Quantities
import Testing

struct ServerTests {
    /// 2016-07-07T18:00:00Z, from the independent computation in ProductionSeriesTests' terms: 57 671 886 000 600 000
    /// and 73 474 632 000 000 in 10 µW·ms.
    private static let exportCounts: UInt64 = 16_019
    private static let importCounts: UInt64 = 20
    private static let inverterWattHours: UInt64 = 160_199

    @Test func bothMetersShowTheSameInstant() async throws {
        let plant = try await PlantProcess([])
        let meter = try plant.meter()
        let inverter = try plant.inverter()
        #expect(meter.number(0x5004, 4) == Self.exportCounts)
        #expect(meter.number(0x5000, 4) == Self.importCounts)
        #expect(meter.words(function: 4, 0x5004, 4) == meter.words(function: 3, 0x5004, 4))
        #expect(meter.number(0x8900, 2) == 20_160_701)
        #expect(inverter.number(40094, 2) == Self.inverterWattHours)
        #expect(inverter.number(40000, 2) == 0x5375_6E53)
        #expect(try await plant.stop() == .exited(0))
    }

    @Test func writesAreRefusedAndEverythingIsRecorded() async throws {
        let plant = try await PlantProcess([])
        let meter = try plant.meter()
        let requests: [(pdu: [UInt8], answer: [UInt8])] = [
            ([6, 0x50, 4, 0, 77], [0x86, 1]), ([5, 0, 1, 0xFF, 0], [0x85, 1]),
            ([16, 0x50, 4, 0, 1, 2, 0, 77], [0x90, 1]), ([3, 0x50, 4, 0, 126], [0x83, 3]),
            ([3, 0x50, 12, 0, 1], [0x83, 2]),
            ([0x2B, 14, 4, 0], [0x2B, 14, 4, 0x81, 0, 0, 1, 0, 3] + Array("ABB".utf8)),
        ]
        for (pdu, answer) in requests {
            meter.send([0, 5, 0, 0, 0, UInt8(pdu.count + 1), 1] + pdu)
            #expect(meter.receive() == [0, 5, 0, 0, 0, UInt8(answer.count + 1), 1] + answer)
        }
        meter.send(ModbusClient.read(6, unit: 2, 0x5004, 4))
        #expect(meter.receive() == [0, 6, 0, 0, 0, 3, 2, 0x83, 11], "no such unit behind the gateway")
        #expect(meter.number(0x5004, 4) == Self.exportCounts, "nothing was written")
        #expect(
            try plant.record() == [
                "1,6,20484,1", "1,5,1,1", "1,16,20484,1", "1,3,20484,126", "1,3,20492,1", "1,43,-,-", "2,3,20484,4",
                "1,3,20484,4",
            ])
    }

    /// The house's clock runs: what is shown lies between what the instants around the request show.
    @Test func theClockRuns() async throws {
        // Noon; a minute a second, so that it stays day even if the machine is slow.
        let now = milliseconds()
        let clock = ["--start", "2016-07-07T18:00:00Z", "--speed", "60", "--zero", String(now)]
        let plant = try await PlantProcess([], clock: clock)
        let series = try measuredSeries()
        let start = try #require(UTCInstant("2016-07-07T18:00:00Z"))
        let meter = try plant.meter()
        let inverter = try plant.inverter()
        func shown(_ real: Int64, unit: Int64) -> UInt64 {
            let elapsed: Int64 = (real - now) * 60
            let house = start + elapsed
            return UInt64(series.state(at: house).delivered / (Int128(unit) * ProductionSeries.perWattHour))
        }
        var seen: Set<UInt64> = []
        while seen.count <= 5, milliseconds() < now + 120_000 {
            let before = milliseconds()
            let export = try #require(meter.number(0x5004, 4))
            let energy = try #require(inverter.number(40094, 2))
            let after = milliseconds()
            #expect((shown(before, unit: 10)...shown(after, unit: 10)).contains(export))
            #expect((shown(before, unit: 1)...shown(after, unit: 1)).contains(energy))
            seen.insert(energy)
            try await Task.sleep(for: .milliseconds(5))
        }
        #expect(seen.count > 5, "it advances")
    }

    private func milliseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }

    /// A frame in pieces, two frames in one packet, what is no Modbus, and a client that stops midway beside others.
    @Test func framing() async throws {
        let plant = try await PlantProcess([])
        let meter = try plant.meter()
        let read = ModbusClient.read(9, 0x5004, 4)
        for byte in read {
            #expect(meter.receive(ms: 1) == nil)
            meter.send([byte])
        }
        let answer = try #require(meter.receive())
        #expect(answer.count == 17 && answer[1] == 9)
        meter.send(read + ModbusClient.read(10, 0x5000, 4) + read.prefix(5))
        let both = meter.receiveAll(34)
        #expect(both.count == 34 && both[1] == 9 && both[18] == 10)
        let other = try plant.meter()
        #expect(other.number(0x5004, 4) == Self.exportCounts, "half a frame of one client delays no other")
        meter.send(Array(read.dropFirst(5)))
        #expect(meter.receiveAll(17) == answer, "the rest of the frame is still awaited")
        other.send(Array("GET / HTTP/1.1\r\n\r\n".utf8))
        #expect(other.receive() == [], "what is no Modbus is hung up on")
        #expect(meter.receive(ms: 50) == nil, "and nobody else")
    }

    @Test func damagedFramesCrashNothing() async throws {
        let plant = try await PlantProcess([])
        var generator = SeededGenerator(seed: 11)
        for _ in 0..<300 {
            let client = try plant.meter()
            client.send(generator.mutated(ModbusClient.read(1, 0x5000, 8)) + generator.bytes(3))
        }
        #expect(try plant.meter().number(0x5004, 4) == Self.exportCounts, "seed \(generator.seed)")
        #expect(try await plant.stop() == .exited(0))
    }

    /// Answers that nobody takes fill its buffers, the server's being bounded; then that client, and no other, is dropped.
    @Test func aClientThatNeverReadsIsDropped() async throws {
        let plant = try await PlantProcess([])
        let deaf = try ModbusClient(port: plant.meterPorts[0], receiveBuffer: 4096)
        let requests = Array(repeating: ModbusClient.read(1, 0x5B00, 66), count: 100).flatMap { $0 }
        for _ in 0..<30 { deaf.send(requests) }
        #expect(try plant.meter().number(0x5004, 4) == Self.exportCounts, "nobody else waits")
        try await eventually("it is hung up on", holds: { deaf.isHungUp })
    }

    /// 1000 meters behind five listeners, a hundred connections at once, one more stuck in the middle of a frame.
    @Test func aThousandMetersAndAHundredConnections() async throws {
        let plant = try await PlantProcess(["--meters", "1000", "--serial", "5000"])
        #expect(plant.meterPorts.count == 5)
        let stuck = try plant.meter()
        stuck.send([0, 1, 0, 0])
        let clients = try (0..<100).map { try plant.meter($0 % 5) }
        for (index, client) in clients.enumerated() {
            for unit in 0..<10 {
                client.send(ModbusClient.read(UInt8(unit), unit: UInt8(index / 5 * 10 + unit + 1), 0x8900, 2))
            }
        }
        var serials: Set<Int> = []
        for client in clients {
            let answers = client.receiveAll(130)
            try #require(answers.count == 130)
            for answer in 0..<10 {
                serials.insert(answers[(answer * 13 + 9)..<(answer * 13 + 13)].reduce(0) { $0 << 8 | Int($1) })
            }
        }
        #expect(serials == Set(5000..<6000), "each meter answered with its own serial")
        #expect(try await plant.stop() == .exited(0))
    }

    @Test func takenPortIsNamed() async throws {
        let plant = try await PlantProcess([])
        let port = String(plant.meterPorts[0])
        let program = try Workplace.program("kilomint-plant")
        for taken in [["--port", port], ["--port", "0", "--inverter-port", port]] {
            let (status, output) = try await run(program, ["run", "--csv", PlantProcess.csv, "--real"] + taken)
            #expect(status == .exited(69))
            #expect(output.contains("port \(port)") && output.contains("taken"))
        }
    }

    /// Real time, with the file moved so that it holds now: the file's first row starts an hour ago.
    @Test func realTime() async throws {
        let plant = try await PlantProcess(["--first-row", String(milliseconds() - 9 * 3_600_000)], clock: ["--real"])
        let power = try #require(try plant.inverter().words(40084, 1))
        #expect(Int16(bitPattern: power[0]) > 100, "nine hours into the file the sun shines")
    }
}
