// Each fault of a line by its traces; beside each case the one that lies just below the threshold and is none.

internal import AgentCore
internal import Quantities
internal import Testing

/// A bus with two meters, units 1 and 2, that answered well so many times.
private struct Bench {
    var kind = LineCase.Kind.serial
    var hasEcho = false
    var figures = BusFigures(meters: 2)

    init(_ kind: LineCase.Kind = .serial, good: UInt64 = 100) {
        self.kind = kind
        for meter in 0...1 {
            figures.meters[meter].requests = good
            figures.meters[meter].good = good
            figures.meters[meter].timeoutMilliseconds = 1_500
        }
    }

    var found: [Finding] {
        LineCase(
            name: "rtu:/dev/ttyUSB0", kind: kind, hasEcho: hasEcho,
            meters: [
                .init(id: Identifier("m-1")!, unit: 1, isSingleClient: true), .init(id: Identifier("m-2")!, unit: 2),
            ], figures: figures
        ).findings
    }

    mutating func add(_ meter: Int, _ figure: WritableKeyPath<MeterFigures, UInt64>, _ count: UInt64) {
        figures.meters[meter].requests += count
        figures.meters[meter][keyPath: figure] += count
    }

    /// Answers of a unit, heard as they would be.
    mutating func hear(
        _ unit: UInt8, _ times: Int, count: UInt16 = 2, status: UInt64, _ bytes: [UInt8], extra: [UInt8] = []
    ) {
        guard let request = ModbusRequest(unit: unit, function: 3, address: 0, count: count) else { return }
        let defect: AnswerDefect? = status == 33 ? .checksum : status == 34 ? .unit : nil
        for _ in 0..<times {
            figures.evidence.finished(
                request, ModbusAnswer(status: status, defect: defect), heard: bytes + extra, during: bytes.count,
                ended: 0, now: 1_800_000_000)
        }
    }
}

private func framed(_ body: [UInt8]) -> [UInt8] { body + ModbusFraming.checksumBytes(body) }
private let answer = framed([1, 3, 4, 0, 1, 0, 2])
private let request = framed([2, 3, 0, 0, 0, 2])

struct LineRulesTests {
    /// What is found, and what happens: with 1 just enough of it, with 0 just too little.
    private static let cases: [(FindingID, @Sendable (Int) -> Bench)] = [
        (
            .busNotOpen,
            { n in
                var bench = Bench()
                if n > 0 { bench.figures.problem = "cannot open" }
                return bench
            }
        ),
        (
            .lineRemark,
            { n in
                var bench = Bench()
                if n > 0 { bench.figures.remark = "no RS-485 mode" }
                return bench
            }
        ),
        (
            .cycleTooShort,
            { n in
                var bench = Bench()
                bench.figures.isCycleTooShort = n > 0
                return bench
            }
        ),
        (
            .echoUnexpected,
            { n in
                var bench = Bench(good: 0)
                bench.add(0, \.echoes, UInt64(2 + n))
                return bench
            }
        ),
        (
            .echoMissing,
            { n in
                var bench = Bench(good: 0)
                bench.hasEcho = true
                bench.add(0, \.echoes, UInt64(2 + n))
                return bench
            }
        ),
        (
            .secondMaster,
            { n in
                var bench = Bench()
                let theirs = n > 0 ? framed([2, 3, 4, 0, 1, 0, 2]) : []
                bench.hear(1, 1, status: 0, answer, extra: request + theirs)
                return bench
            }
        ),
        (
            .speedOrParity,
            { n in
                var bench = Bench(good: 0)
                bench.add(0, \.checksums, UInt64(4 + n))
                bench.hear(1, 4 + n, status: 33, [0, 7, 0, 0, 9, 0])
                return bench
            }
        ),
        (
            .lineSilent,
            { n in
                var bench = Bench(good: 0)
                bench.add(0, \.timeouts, 3)
                bench.add(1, \.timeouts, UInt64(2 + n))
                return bench
            }
        ),
        (
            .addressClash,
            { n in
                var bench = Bench()
                bench.hear(1, 1 + n, status: 0, answer, extra: answer)
                return bench
            }
        ),
        (
            .addressClash,
            { n in
                var bench = Bench()
                bench.add(0, \.checksums, 20)
                // Longer than the nine bytes of an answer, and one more that a transceiver may leave.
                bench.hear(1, 20, status: 33, [UInt8](repeating: 0x55, count: 10 + n))
                return bench
            }
        ),
        (
            .unitWrong,
            { n in
                var bench = Bench()
                bench.figures.meters[1] = MeterFigures()
                bench.add(1, \.wrongUnits, UInt64(2 + n))
                bench.hear(2, 2 + n, status: 34, framed([7, 3, 4, 0, 1, 0, 2]))
                return bench
            }
        ),
        (
            .gatewayNoAnswer,
            { n in
                var bench = Bench(.tcp)
                bench.figures.meters[1] = MeterFigures()
                bench.figures.meters[1].requests = 3
                bench.figures.meters[1].exceptions[10] = UInt64(2 + n)
                return bench
            }
        ),
        (
            .timeoutShort,
            { n in
                var bench = Bench()
                bench.add(0, \.timeouts, 5)
                bench.hear(1, 1 + n, status: 32, [], extra: answer)
                return bench
            }
        ),
        (
            .timeoutShort,
            { n in
                var bench = Bench(.tcp)
                bench.add(0, \.timeouts, 10)
                bench.figures.meters[0].latencyMax = n > 0 ? 1_400_000 : 300_000
                return bench
            }
        ),
        (
            .clientRefused,
            { n in
                var bench = Bench(.tcp, good: 20)
                bench.add(0, \.disconnects, UInt64(2 + n))
                return bench
            }
        ),
        (
            .registersRefused,
            { n in
                var bench = Bench(.tcp, good: 20)
                bench.figures.meters[0].requests += 3
                bench.figures.meters[0].exceptions[1] = UInt64(2 + n)
                return bench
            }
        ),
        (
            .meterSilent,
            { n in
                var bench = Bench()
                bench.figures.meters[1] = MeterFigures()
                bench.add(1, \.timeouts, UInt64(2 + n))
                return bench
            }
        ),
        (
            .meterSilent,
            { n in
                var bench = Bench()
                bench.add(1, \.timeouts, UInt64(2 + n))
                bench.figures.meters[1].silentInARow = UInt64(2 + n)
                return bench
            }
        ),
        (
            .termination,
            { n in
                var bench = Bench()
                bench.hear(1, 40, status: 0, answer)
                bench.hear(2, 30, count: 60, status: 0, [])
                bench.hear(2, n > 0 ? 5 : 1, count: 60, status: 33, [1, 2, 3])
                bench.add(1, \.checksums, n > 0 ? 5 : 1)
                return bench
            }
        ),
        (
            .noise,
            { n in
                var bench = Bench()
                bench.add(0, \.checksums, UInt64(3 + n))
                bench.add(1, \.checksums, 1)
                return bench
            }
        ),
    ]

    @Test(arguments: cases.indices)
    func eachIsFoundByItsTracesAndNotBelow(number: Int) {
        let (id, bench) = Self.cases[number]
        let found = bench(1).found
        #expect(found.map(\.id) == [id], "\(found)")
        #expect(!bench(0).found.contains { $0.id == id }, "\(id)")
        for finding in found {
            let hasNumber = finding.evidence.contains(where: \.isNumber)
            #expect(hasNumber || id == .busNotOpen || id == .lineRemark, "\(finding)")
            #expect(!finding.remedy.isEmpty && !finding.subject.isEmpty)
        }
    }

    @Test func aSoundLineHasNoFindings() {
        #expect(Bench().found.isEmpty && Bench(.tcp).found.isEmpty && Bench(good: 0).found.isEmpty)
    }

    @Test func evidenceNamesWhoAnsweredAndWhatParityDoes() {
        let wrong = Self.cases.first { $0.0 == .unitWrong }?.1(1).found.first
        #expect(wrong?.evidence == "unit 2 was asked 3 times; unit 7 answered 3 times")
        let parity = Self.cases.first { $0.0 == .speedOrParity }?.1(1).found.first
        #expect(parity?.evidence.hasSuffix("67 % of 30 bytes are 0: that points to parity") == true, "\(parity as Any)")
    }

    /// A fault that is mended is not found any more, although its counters stand.
    @Test func onlyWhatHappenedSinceCounts() {
        var bench = Bench()
        bench.add(0, \.checksums, 50)
        bench.hear(1, 20, status: 33, [UInt8](repeating: 0x55, count: 20))
        #expect(!bench.found.isEmpty)
        let before = bench.figures
        bench.add(0, \.good, 50)
        bench.figures = bench.figures.since(before)
        #expect(bench.found.isEmpty)
        #expect(bench.figures.meters[0].requests == 50 && bench.figures.meters[0].checksums == 0)
    }

    @Test func everyFindingHasItsWords() {
        var names: Set<String> = []
        for id in FindingID.allCases {
            #expect(id.rawValue.utf8.allSatisfy { (0x61...0x7A).contains($0) || $0 == 0x2D })
            #expect(!id.name.isEmpty && names.insert(id.name).inserted && !id.remedy.isEmpty, "\(id)")
            #expect(id.name.count <= 50, "\(id)")
        }
    }

    @Test func findingsStandInOrderAndNoneTwice() {
        let (a, b, c) = (Finding(.ports, "", "x"), Finding(.noise, "b", "x"), Finding(.noise, "a", "x"))
        let d = Finding(.busNotOpen, "z", "x")
        #expect([a, b, c, d, b].ordered == [d, c, b, a])
    }
}

struct FiguresWindowTests {
    /// A counter that rises by one each minute: only the last ten to twenty count.
    @Test func onlyTheLastMinutesCount() {
        var window = FiguresWindow()
        var figures = BusFigures(meters: 1)
        for minute in 0..<60 {
            window.turn(figures, instant: Int64(minute) * 60_000_000_000)
            figures.meters[0].requests += 1
            let recent = window.recent(figures).meters[0].requests
            #expect(minute < 20 ? recent == UInt64(minute + 1) : (11...20).contains(recent), "\(minute): \(recent)")
        }
    }
}
