// Faults of a serial line at the speed of the wire, against the bus thread as it runs: noise, echo, late answers, two
// slaves with one id, a second master, a wrong id, a wrong speed. No wrong value is taken, reading goes on as well as it
// can, and the doctor names the fault from its statistics.

@testable internal import AgentIO
internal import AgentCore
internal import Evidence
internal import Kit
internal import Metering
internal import Quantities
internal import Settings
internal import Synchronization
internal import Testing

private func framed(_ body: [UInt8]) -> [UInt8] { body + ModbusFraming.checksumBytes(body) }

/// An answer that tells which request it is to: each word holds the unit and the request's number.
private func answer(_ number: Int, _ frame: [UInt8], unit: UInt8? = nil) -> [UInt8] {
    let unit = unit ?? frame[0]
    let word = UInt16(unit) << 12 | UInt16(number & 0xFFF)
    let words = (0..<frame[5]).flatMap { _ in [UInt8(word >> 8), UInt8(word & 0xFF)] }
    return framed([unit, frame[1], UInt8(words.count)] + words)
}

/// Two meters at the far end of a paced line, read four times a second by a bus thread.
private final class FaultyLine {
    private static let profile = """
        profile: test/line
        revision: 1
        vendor: Test
        models: [Line]
        level: simulator
        source: {document: "none", revision: "1", place: "1"}
        limits: {registers-max: 60, gap-max: 50, pause: 0ms, turnaround: 0ms, timeout: 300ms}
        identity: {}
        quantities:
          - {obis: 1-0:1.8.0, kind: counter, unit: Wh, direction: import, function: 3, address: 100, type: u32, scale: 1,
             resolution: 1}
          - {obis: 1-0:2.8.0, kind: counter, unit: Wh, direction: export, function: 3, address: 200, type: u32, scale: 1,
             resolution: 1}
          - {obis: 1-0:16.7.0, kind: gauge, unit: W, direction: import, function: 3, address: 240, type: s32, scale: 1,
             resolution: 1}

        """

    let slave: PacedSlave
    private let clock: MachineClock
    private let recorder: Recorder
    private let plan: BusPlan
    /// When each request came, uptime in ms.
    private let times: Times

    private final class Times: Sendable {
        let all = Mutex<[UInt64]>([])
    }

    init(
        baud: Int, hasEcho: Bool = false, expectsEcho: Bool? = nil,
        quantities: [ObisCode] = [.activeImport, .activeExport, .activePower],
        _ actions: @escaping @Sendable (Int, [UInt8]) -> [LineAction]
    ) throws {
        let (clock, times) = (try MachineClock(house: .real), Times())
        slave = try PacedSlave(baud: baud, hasEcho: hasEcho, expectsEcho: expectsEcho) { number, frame in
            times.all.withLock { $0.append(clock.now().uptime) }
            return actions(number, frame)
        }
        (self.clock, self.times) = (clock, times)
        recorder = Recorder(clock: clock, meters: [2])
        let profile = try Profile(try SettingsFile.parse(Array(Self.profile.utf8), file: "line.yaml"))
        let meters = (1...2).map { unit in
            ConfiguredMeter(
                index: UInt64(unit - 1), id: Identifier("m-\(unit)")!, profile: profile, unit: UInt8(unit),
                endpoint: "rtu:x", quantities: quantities, interval: 250,
                identityInterval: 3_600_000)
        }
        var timing = BusTiming()
        (timing.timeout, timing.timeoutMax) = (300, 400)
        plan = BusPlan(
            number: 0, endpoint: .rtu(slave.line), timing: timing, meters: meters, boundary: 60_000, readsAtOnce: false)
    }

    struct Outcome {
        let figures: BusFigures
        let findings: [Finding]
        /// By meter: answers that were taken.
        let good: [Int]
    }

    /// Reads until `isDone`, a minute at most, and looks at every value that was taken.
    func run(meanwhile: () -> Void = {}, until isDone: (BusFigures) -> Bool) throws -> Outcome {
        let stop = Mailbox<PersonAsk>(itemsMax: 1)
        let (plan, recorder, clock) = (plan, recorder, clock)
        let thread = try WorkerThread("faulty") {
            var runner = BusRunner(plan: plan, recorder: recorder, clock: clock, stop: stop)
            runner.run()
        }
        let deadline = steadyNanoseconds() + 60_000_000_000
        while !isDone(recorder.figures[0]), steadyNanoseconds() < deadline {
            meanwhile()
            sleepUntil(steadyNanoseconds() + 20_000_000)
        }
        stop.close()
        thread.join()
        slave.stop()
        let figures = recorder.figures[0]
        var good = [0, 0]
        for read in recorder.cut().cut.reads where read.status == SampleStatus.good {
            let meter = Int(read.read / 100)
            good[meter] += 1
            check(read, unit: meter + 1)
        }
        let status = BusStatus(plan: plan, figures: figures, recent: figures, instant: steadyNanoseconds())
        // A pseudo terminal has no parity, which is remarked.
        let findings = status.lineCase.findings.ordered.filter { $0.id != .lineRemark }
        return Outcome(figures: figures, findings: findings, good: good)
    }

    /// A value is right when it is the answer to the request of its own time, by its own unit.
    private func check(_ read: FinishedRead, unit: Int) {
        guard read.words.count >= 2 else {
            Issue.record("a good read without words")
            return
        }
        let word = Int(read.words[0]) << 8 | Int(read.words[1])
        let isWhole = stride(from: 0, to: read.words.count, by: 2).allSatisfy {
            Int(read.words[$0]) << 8 | Int(read.words[$0 + 1]) == word
        }
        #expect(isWhole && word >> 12 == unit, "\(read.words.hex)")
        let asked = times.all.withLock { times in times.indices.contains(word & 0xFFF) ? times[word & 0xFFF] : 0 }
        #expect((read.began...read.ended).contains(asked), "\(read.began) … \(read.ended) took an answer to \(asked)")
    }
}

/// Two answers at once on two wires that know one level at a time: the second begins so many bytes later.
private func collided(_ first: [UInt8], _ second: [UInt8], shift: Int) -> [UInt8] {
    (0..<max(first.count, second.count + shift)).map { place in
        let other = place >= shift && place - shift < second.count ? second[place - shift] : 0xFF
        return (place < first.count ? first[place] : 0xFF) & other
    }
}

@Suite(.serialized) struct LineFaultTests {
    @Test(arguments: [9_600, 19_200])
    func aSoundLineIsHealthy(baud: Int) throws {
        let line = try FaultyLine(baud: baud) { number, frame in [.send(answer(number, frame))] }
        let outcome = try line.run { $0.total(\.requests) >= 40 }
        #expect(outcome.findings.filter { $0.id != .cycleTooShort }.isEmpty, "\(outcome.findings)")
        #expect(outcome.figures.total(\.good) == outcome.figures.total(\.requests))
    }

    @Test func noise() throws {
        let line = try FaultyLine(baud: 19_200) { number, frame in
            var bytes = answer(number, frame)
            if number % 7 == 3 { bytes[bytes.count / 2] ^= 0x10 }
            return [.send((number % 10 == 1 ? [0xFF] : []) + bytes)]
        }
        let outcome = try line.run { $0.total(\.requests) >= 120 }
        #expect(outcome.findings.map(\.id).contains(.noise), "\(outcome.findings)")
        let others: [FindingID] = [.addressClash, .secondMaster, .timeoutShort]
        #expect(!outcome.findings.contains { others.contains($0.id) }, "\(outcome.findings)")
        // One answer in seven and one in ten are broken: the others are taken.
        #expect(outcome.figures.total(\.good) * 100 >= outcome.figures.total(\.requests) * 65)
    }

    @Test func longAnswersBreakOnABadCable() throws {
        let line = try FaultyLine(baud: 19_200) { number, frame in
            var bytes = answer(number, frame)
            if bytes.count > 32, number % 4 == 1 { bytes[40] ^= 0x01 }
            return [.send(bytes)]
        }
        let outcome = try line.run { figures in
            (1...2).map { figures.evidence[UInt8($0)] }.reduce(0) { $0 + $1.short.asked } >= 45
                && (1...2).map { figures.evidence[UInt8($0)] }.reduce(0) { $0 + $1.long.asked } >= 45
        }
        #expect(outcome.findings.map(\.id).contains(.termination), "\(outcome.findings)")
    }

    @Test(arguments: [true, false])
    func echo(isThere: Bool) throws {
        let line = try FaultyLine(baud: 19_200, hasEcho: isThere, expectsEcho: !isThere) { number, frame in
            [.send(answer(number, frame))]
        }
        let outcome = try line.run { $0.total(\.echoes) >= 4 }
        #expect(outcome.findings.map(\.id) == [isThere ? .echoUnexpected : .echoMissing], "\(outcome.figures)")
        #expect(outcome.good == [0, 0])
    }

    /// Every second answer of unit 1 comes when nobody waits any more; unit 2 answers at once.
    @Test func lateAnswers() throws {
        let asked = Mutex(0)
        let owed = Mutex<[(at: Int64, bytes: [UInt8])]>([])
        let line = try FaultyLine(baud: 19_200) { number, frame in
            guard frame[0] == 1 else { return [.send(answer(number, frame))] }
            let isLate = asked.withLock { count in
                count += 1
                return count % 2 == 0
            }
            guard isLate else { return [.send(answer(number, frame))] }
            owed.withLock { $0.append((steadyNanoseconds() + 700_000_000, answer(number, frame))) }
            return []
        }
        let outcome = try line.run(meanwhile: {
            let due = owed.withLock { owed in
                let due = owed.filter { $0.at <= steadyNanoseconds() }
                owed.removeAll { $0.at <= steadyNanoseconds() }
                return due
            }
            for late in due { line.slave.interject(late.bytes) }
        }) { $0.evidence[1].lateAnswers >= 3 }
        let late = outcome.findings.filter { $0.id == .timeoutShort }
        #expect(
            late.count == 1 && late.first?.subject.hasPrefix("m-1, unit 1") == true,
            "\(outcome.findings) \(outcome.figures)")
        #expect(outcome.good[0] >= 2 && outcome.good[1] > outcome.good[0], "\(outcome.good)")
    }

    /// Unit 1 falls one question behind: each answer comes when the next question is asked, after one that timed out. With
    /// one read the next question would be the same again.
    @Test(arguments: [[.activeImport], [.activeImport, .activeExport, .activePower]] as [[ObisCode]])
    func answersOneQuestionLate(quantities: [ObisCode]) throws {
        let state = Mutex<(asked: Int, behind: [UInt8]?)>((0, nil))
        let line = try FaultyLine(baud: 19_200, quantities: quantities) { number, frame in
            guard frame[0] == 1 else { return [.send(answer(number, frame))] }
            return state.withLock { state in
                state.asked += 1
                guard (4..<7).contains(state.asked) else { return [.send(answer(number, frame))] }
                defer { state.behind = answer(number, frame) }
                return state.behind.map { [.send($0)] } ?? []
            }
        }
        let outcome = try line.run { $0.meters[0].good >= 6 && $0.meters[1].good >= 6 }
        #expect(outcome.figures.meters[0].timeouts >= 1 && outcome.figures.meters[0].wrongAnswers >= 1)
        #expect(outcome.good[0] >= 6 && outcome.good[1] >= 6, "\(outcome.good)")
    }

    /// Two slaves answer to id 1, now a few bytes apart, now one after the other.
    @Test(arguments: [2, 6, 200])
    func twoSlavesWithOneID(shift: Int) throws {
        let line = try FaultyLine(baud: 19_200) { number, frame in
            let first = answer(number, frame)
            guard frame[0] == 1 else { return [.send(first)] }
            // The twin counts something else.
            let words = [UInt8](repeating: 0x5A, count: Int(frame[5]) * 2)
            let second = framed([1, frame[1], UInt8(words.count)] + words)
            guard shift < 100 else { return [.send(first), .wait(milliseconds: 3), .send(second)] }
            // Sometimes one of them is busy and the other has the line for itself.
            return [.send(number % 4 == 0 ? first : collided(first, second, shift: shift))]
        }
        let outcome = try line.run { figures in
            let unit = figures.evidence[1]
            return figures.total(\.requests) >= 40 && (unit.overlong >= 3 || unit.secondAnswers >= 3)
        }
        let clash = outcome.findings.first { $0.id == .addressClash }
        #expect(clash?.subject.hasPrefix("m-1, unit 1") == true, "\(outcome.findings)")
        #expect(!outcome.findings.contains { [.noise, .termination, .secondMaster].contains($0.id) })
        #expect(outcome.good[1] >= 10)
    }

    /// Somebody else asks unit 9 and gets answers, before and amid our own exchanges.
    @Test func secondMaster() throws {
        let line = try FaultyLine(baud: 19_200) { number, frame in [.send(answer(number, frame))] }
        var round = 0
        let outcome = try line.run(meanwhile: {
            round += 1
            guard round % 8 == 0 else { return }
            line.slave.interject(framed([9, 4, 0, 0, 0, 2]) + framed([9, 4, 4, 0x11, 0x22, 0x33, 0x44]))
        }) { $0.evidence.foreignRequests >= 6 && $0.meters.allSatisfy { $0.good >= 8 } }
        #expect(outcome.findings.map(\.id).first == .secondMaster, "\(outcome.findings)")
        #expect(outcome.good[0] >= 5 && outcome.good[1] >= 5)
    }

    @Test func anotherIDAnswers() throws {
        let line = try FaultyLine(baud: 19_200) { number, frame in
            [.send(answer(number, frame, unit: frame[0] == 2 ? 7 : nil))]
        }
        let outcome = try line.run { $0.meters[1].wrongUnits >= 3 }
        #expect(outcome.findings.map(\.id) == [.unitWrong], "\(outcome.findings)")
        #expect(outcome.findings.first?.evidence.contains("unit 7 answered") == true)
        #expect(outcome.good[1] == 0 && outcome.good[0] >= 3)
    }

    /// A wrong parity turns every second character into 0; a wrong speed makes bytes of nothing.
    @Test(arguments: [true, false])
    func wrongSpeedOrParity(isParity: Bool) throws {
        let line = try FaultyLine(baud: 19_200) { number, frame in
            let bytes = answer(number, frame).enumerated().map { place, byte in
                isParity ? (place % 2 == 0 ? 0 : byte | 1) : UInt8(truncatingIfNeeded: place * 37) | 0x81
            }
            return [.send(bytes)]
        }
        let outcome = try line.run { $0.total(\.requests) >= 8 }
        #expect(outcome.findings.map(\.id) == [.speedOrParity], "\(outcome.findings)")
        #expect(outcome.findings.first?.evidence.contains(isParity ? "to parity" : "to the speed") == true)
    }

    @Test func nobodyAnswers() throws {
        let line = try FaultyLine(baud: 19_200) { _, _ in [] }
        let outcome = try line.run { figures in figures.meters.allSatisfy { $0.requests >= 3 } }
        #expect(outcome.findings.map(\.id) == [.lineSilent], "\(outcome.findings)")
    }
}
