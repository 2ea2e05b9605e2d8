// The production file: what is read and which refusal, at which line, meets what is not.

import Kit
import PlantModel
import Quantities
import Testing

struct ProductionFileTests {
    private static let header = "time_utc,ac_power_w\n"
    private static let row = "2016-07-01T07:00:00Z,-2.8601\n"
    private static let next = "2016-07-01T07:15:00Z,10\n"

    @Test(arguments: [
        header + row, header + row + next, header + row + "2016-07-01T07:15:00Z,10",
        "time_utc,ac_power_w\r\n2016-07-01T07:00:00Z,1\r\n2016-07-01T07:15:00Z,2\r\n",
        "a,ac_power_w,b,time_utc\n,-1,,2016-07-01T07:00:00Z\nx,-1,x,2016-07-01T07:15:00Z\n",
        header + "2016-07-01T07:00:00.000Z,1\n", header + "2016-02-29T23:45:00Z,1\n2016-03-01T00:00:00Z,1\n",
    ])
    func reads(text: String) throws {
        let series = try ProductionFile.parse(Array(text.utf8))
        #expect(series.rows == text.split(whereSeparator: \.isNewline).count - 1)
    }

    @Test(
        arguments: [
            ("", .empty, 1),
            ("\n", .columnMissing, 1),
            ("time_utc\n" + row, .columnMissing, 1),
            ("time_utc,ac_power_w,time_utc\n", .columnMissing, 1),
            ("Time_UTC,ac_power_w\n" + row, .columnMissing, 1),
            ("\"time_utc\",ac_power_w\n" + row, .columnMissing, 1),
            (header, .noRows, 2),
            (header + row + "2016-07-01T07:15:00Z\n", .fieldCount, 3),
            (header + row + "2016-07-01T07:15:00Z,1,2\n", .fieldCount, 3),
            (header + row + "\n" + next, .fieldCount, 3),
            (header + "2016-07-01 07:00:00Z,1\n", .badTime, 2),
            (header + "2016-07-01T07:00:00+00:00,1\n", .badTime, 2),
            (header + "2016-02-30T07:00:00Z,1\n", .badTime, 2),
            (header + ",1\n", .badTime, 2),
            (header + row + row, .unevenRows, 3),
            (header + next + row, .unevenRows, 3),
            (header + row + "2016-07-01T07:15:00.001Z,1\n", .unevenRows, 3),
            (header + row + next + "2016-07-01T07:45:00Z,1\n", .unevenRows, 4),
            (header + "2016-07-01T07:00:00Z,\n", .badPower, 2),
            (header + "2016-07-01T07:00:00Z,NaN\n", .badPower, 2),
            (header + "2016-07-01T07:00:00Z,1e3\n", .badPower, 2),
            (header + "2016-07-01T07:00:00Z,0.123456\n", .badPower, 2),
            (header + "2016-07-01T07:00:00Z, 1\n", .badPower, 2),
            // Precedence: the number of fields, then the time, then the spacing, then the power.
            (header + "x,y,z\n", .fieldCount, 2), (header + "x,y\n", .badTime, 2),
            (header + row + "2016-07-01T07:00:00Z,y\n", .unevenRows, 3),
        ] as [(String, ProductionFileRefusal, Int)])
    func refuses(text: String, refusal: ProductionFileRefusal, line: Int) {
        #expect(throws: ProductionFileError(refusal: refusal, line: line)) {
            try ProductionFile.parse(Array(text.utf8))
        }
    }

    @Test func refusesOneRowTooMany() {
        let lines = [UInt8](repeating: UInt8(ascii: "\n"), count: ProductionFile.rowsMax + 1)
        let bytes = Array(Self.header.utf8) + lines
        #expect(throws: ProductionFileError(refusal: .tooManyRows, line: ProductionFile.rowsMax + 2)) {
            try ProductionFile.parse(bytes)
        }
        // One less is not too many: then the first row is looked at.
        #expect(throws: ProductionFileError(refusal: .fieldCount, line: 2)) {
            try ProductionFile.parse(Array(bytes.dropLast()))
        }
    }

    @Test func refusalsAreNumberedWithoutGaps() {
        #expect(ProductionFileRefusal.allCases.map(\.rawValue) == Array(1...8))
    }

    /// Damaged files are read or refused; nothing else happens.
    @Test(arguments: 0..<4 as Range<UInt64>)
    func survivesDamage(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let text = Array((Self.header + Self.row + Self.next + "2016-07-01T07:30:00Z,82.137\n").utf8)
        var refused = 0
        for _ in 0..<2000 {
            do throws(ProductionFileError) {
                let series = try ProductionFile.parse(generator.mutated(text))
                _ = series.state(at: series.end)
            } catch {
                refused += 1
            }
        }
        #expect(refused > 100, "seed \(seed)")
    }
}
