// The table of `watch` at 80 columns and at others, and what stands in it when devices fail.

internal import Testing

@testable internal import AgentIO

struct WatchTableTests {
    private let lines = [
        "agent connected=false gateway=gw-east-1 ready=true spool=3 unreceipted=12 waiting=4",
        "bus endpoint=tcp://192.0.2.10:502 load=7 missed=0 problem=",
        "meter good=40 id=meter-east latency=12000 requests=41 unit=1",
        "value age=350 obis=1-0:1.8.0 status=0 took=12 unit=Wh value=123456789012.25",
        "value age=350 obis=1-0:16.7.0 status=0 took=12 unit=W value=-321",
        "value age=90000 obis=1-0:32.7.0 status=32 took=1500 unit=V value=",
        "value age=3600000 obis=1-0:2.8.0 status=0 took=9 unit=Wh value=not%20available%20(declared)",
        "bus endpoint=rtu:/dev/ttyUSB0 load=0 missed=0 problem=cannot%20open%20/dev/ttyUSB0",
        "meter good=0 id=meter-west latency=0 requests=0 unit=2",
    ]

    private func table() -> WatchTable {
        var table = WatchTable()
        let isLast = (lines + ["end"]).map { table.take($0) }
        #expect(isLast == lines.map { _ in false } + [true])
        return table
    }

    @Test func eightyColumnsShowEverything() {
        let screen = table().screen(time: "12:00:05", columns: 80, lines: 24)
        #expect(screen.allSatisfy { $0.count <= 80 }, "\(screen)")
        #expect(screen[0].hasPrefix("gw-east-1  12:00:05  NOT CONNECTED, 12 unreceipted, spool 3 %"))
        #expect(
            screen[3].split(separator: " ") == [
                "meter-east", "1-0:1.8.0", "123456789012.25", "Wh", "0", "s", "12", "ms", "good",
            ])
        #expect(screen[4].split(separator: " ") == ["1-0:16.7.0", "-321", "W", "0", "s", "12", "ms", "good"])
        #expect(screen[5].split(separator: " ") == ["1-0:32.7.0", "V", "1", "min", "1500", "ms", "no", "answer"])
        #expect(screen[6].hasSuffix(" declared") && screen[6].contains("1 h"))
        #expect(screen[7].contains("NOT OPEN, cannot open /dev/ttyUSB0"))
        #expect(screen[8].split(separator: " ") == ["meter-west", "no", "answer", "yet"])
        #expect(screen.count == 9)
    }

    /// At 60 columns the last one may be cut: why there is no value stands where it would be.
    @Test func aNarrowTerminalSaysWhyThereIsNoValue() {
        let screen = table().screen(time: "12:00:05", columns: 60, lines: 24)
        #expect(screen[1].split(separator: " ") == ["METER", "QUANTITY", "VALUE", "UNIT", "AGE", "STATUS"])
        #expect(screen[3].hasSuffix(" good") && screen[3].contains("123456789012.25 Wh"))
        #expect(screen[5].split(separator: " ").starts(with: ["1-0:32.7.0", "no", "answer", "V", "1", "min"]))
        let tiny = table().screen(time: "12:00:05", columns: 40, lines: 24)
        #expect(tiny[5].contains("no answer") && tiny[6].contains("declared"))
    }

    @Test func aSmallTerminalIsNeverOverflown() {
        for columns in [1, 20, 40, 79, 200] {
            for lines in [1, 3, 5, 8, 100] {
                let screen = table().screen(time: "12:00:05", columns: columns, lines: lines)
                #expect(screen.count <= max(3, lines) && screen.allSatisfy { $0.count <= max(20, columns) })
            }
        }
        #expect(table().screen(time: "", columns: 80, lines: 5).last == "… 5 more lines: --meter ID chooses")
    }

    @Test func aSecondFrameReplacesTheFirst() {
        var table = table()
        for line in lines { _ = table.take(line) }
        #expect(table.screen(time: "", columns: 80, lines: 24).count == 9)
    }

    @Test func plainLinesNameTheirMeter() {
        let plain = table().plain(time: "T")
        #expect(plain.contains("T meter-east 1-0:16.7.0 -321 W age 350 ms, good"))
        #expect(plain.contains("T meter-east 1-0:32.7.0  V age 90000 ms, no answer"))
        #expect(plain.contains("T meter-west no answer yet"))
    }

    /// The value, its own age, and that it is not what the meter says now.
    @Test func whatWasGoodStandsBesideTheFailure() {
        var table = WatchTable()
        let failed = "age=500 held=230.5 held_age=120000 obis=1-0:32.7.0 status=32 took=1500 unit=V value="
        for line in [lines[0], lines[1], lines[2], "value " + failed, "end"] { _ = table.take(line) }
        let row = table.screen(time: "", columns: 80, lines: 24)[3]
        #expect(
            row.split(separator: " ") == [
                "meter-east", "1-0:32.7.0", "230.5", "V", "2", "min", "1500", "ms", "no", "answer",
            ])
        #expect(table.screen(time: "", columns: 60, lines: 24)[3].contains(" (230.5) V "))
        #expect(table.plain(time: "T").last == "T meter-east 1-0:32.7.0 no answer; was 230.5 V 120000 ms ago")
    }

    @Test func anyLineIsTaken() {
        var table = WatchTable()
        for line in ["", "value", "value age=x status=y", "meter", "\u{1B}[2J", "agent =", "bus"] {
            _ = table.take(line)
        }
        #expect(table.screen(time: "", columns: 80, lines: 24).allSatisfy { $0.count <= 80 })
    }
}
