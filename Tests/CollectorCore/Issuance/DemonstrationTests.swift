// The demonstration's seven windows from the measured series: the figures every other part of the house must show.

import CollectorCore
import Foundation
import Quantities
import Testing

/// Energy of SERF East since the file's first row, exact: power in 10 µW, energy in 10 µW·ms, linear between rows.
struct SerfEast {
    private let times: [Int64]
    private let power: [Int64]
    private var exported: [Int128] = [0]
    private var imported: [Int128] = [0]
    private static let wattHour: Int128 = 100_000 * 3_600_000

    init() throws {
        let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("Plant/Data/serf-east-2016.csv").path
        let lines = try String(contentsOfFile: path, encoding: .utf8).split(whereSeparator: \.isNewline).dropFirst()
        var times: [Int64] = []
        var power: [Int64] = []
        for line in lines {
            let fields = line.split(separator: ",", omittingEmptySubsequences: false)
            times.append(try #require(UTCInstant(String(fields[0]))).milliseconds)
            power.append(try Self.tensOfMicrowatts(fields[1]))
        }
        self.times = times
        self.power = power
        for index in times.indices.dropLast() {
            let work = Int128(power[index]) * Int128(times[index + 1] - times[index])
            exported.append(exported[index] + max(work, 0))
            imported.append(imported[index] + max(0 - work, 0))
        }
    }

    private static func tensOfMicrowatts(_ text: Substring) throws -> Int64 {
        let isNegative = text.hasPrefix("-")
        let parts = (isNegative ? text.dropFirst() : text).split(separator: ".", omittingEmptySubsequences: false)
        var fraction = parts.count == 2 ? String(parts[1]) : ""
        while fraction.count < 5 { fraction += "0" }
        let value = try #require(Int64(String(parts[0]) + fraction))
        return isNegative ? 0 - value : value
    }

    /// Counts of registers of `wattHours` Wh, and power in 0.01 W, import positive.
    func registers(at time: UTCInstant, wattHours: Int128) -> (imported: UInt64, exported: UInt64, power: Int32) {
        var (low, high) = (0, times.count)
        while high - low > 1 {
            let middle = (low + high) / 2
            if times[middle] <= time.milliseconds { low = middle } else { high = middle }
        }
        let work = Int128(power[low]) * Int128(time.milliseconds - times[low])
        let unit = Self.wattHour * wattHours
        return (
            UInt64((imported[low] + max(0 - work, 0)) / unit), UInt64((exported[low] + max(work, 0)) / unit),
            Int32(0 - power[low] / 1000)
        )
    }
}

struct DemonstrationTests {
    /// Statements as the satellite import and the auditor give them.
    static let satellite: [Int64] = [36159, 33466, 34398, 33068, 33433, 36697, 32529]
    static let measured: [Int64] = [33750, 27160, 29920, 30340, 32840, 33490, 32830]
    static let checked: [Int64] = [33746, 27164, 29921, 30339, 32841, 33485, 32837]

    @Test func sevenDaysOfSerfEast() throws {
        let house = try TestHouse()
        let serf = try SerfEast()
        var gateway = TestGateway()
        gateway.bear()
        for minute in stride(from: Int64(0), through: 7 * 1440, by: 1) {
            let time = anchor + minute * 60_000
            let main = serf.registers(at: time, wattHours: 10)
            let check = serf.registers(at: time, wattHours: 1)
            gateway.add([
                (time, 1, Words.revenue(imported: main.imported, exported: main.exported, power: main.power)),
                (time, 2, Words.inverter(check.exported)),
            ])
        }
        let admission = gateway.admitted()
        var standing = Standing()
        for index in 0..<7 {
            let number = Int64(index)
            var statements = [TestHouse.statement(.satellite, number, Self.satellite[index], resolution: 1)]
            if index == 0 { statements.append(TestHouse.statement(.auditor, 0, 33750)) }
            let (_, outcome, transcript) = house.compute(number, admission, standing, statements: statements)
            let verdict = try #require(outcome.verdicts.first)
            #expect(verdict.settledThrough == anchor + (number + 1) * day)
            #expect(verdict.verifiedWattHours == Self.measured[index])
            let judged = try #require(verdict.days.first)
            #expect(judged.sources.first?.wattHours == Self.checked[index])
            #expect(judged.confidence == 1_000_000)
            #expect(judged.outcome == .verified)
            #expect(judged.grade == .clean, "\(judged.findings)")
            #expect(
                outcome.output.allocations.map(\.amount.minorUnits) == [
                    Self.measured[index] * 600, Self.measured[index] * 400,
                ])
            let inputs = transcript.segments.filter { $0.reference.kind == .inputs }.map(\.bytes)
            #expect(try replay(segments: inputs).outputDigest == outcome.outputDigest)
            standing.settle(outcome.output)
        }
    }
}
