// A serial line is slow, noisy and shared: what may happen on it, and that none of it becomes a value.

@testable internal import AgentIO
internal import AgentCore
internal import Evidence
internal import Glibc
internal import Kit
internal import Testing

private func framed(_ body: [UInt8]) -> [UInt8] { body + ModbusFraming.checksumBytes(body) }

/// The right answer to a read request: words counting up from `first`.
private func answer(_ frame: [UInt8], first: UInt16 = 1, unit: UInt8? = nil) -> [UInt8] {
    let count = UInt16(frame[4]) << 8 | UInt16(frame[5])
    let words = (0..<count).flatMap { [UInt8((first &+ $0) >> 8), UInt8((first &+ $0) & 0xFF)] }
    return framed([unit ?? frame[0], frame[1], UInt8(words.count)] + words)
}

@Suite(.serialized) struct SerialLineTests {
    private func read(_ unit: UInt8 = 1, count: UInt16 = 2) -> ModbusRequest {
        ModbusRequest(unit: unit, function: 3, address: 100, count: count)!
    }

    /// The gap before a request is t3.5 or longer, and little is wasted beside it.
    @Test(arguments: [9_600, 19_200])
    func readsAreAsFastAsTheLineAndGapsNeverTooShort(baud: Int) throws {
        let delay: Int64 = 5
        let slave = try PacedSlave(baud: baud) { _, frame in [.wait(milliseconds: delay), .send(answer(frame))] }
        let connection = ModbusConnection(.rtu(slave.line))
        let counts: [UInt16] = [2, 10, 60, 125]
        #expect(connection.ask(read(), within: 2_000).status == SampleStatus.good)
        let began = steadyNanoseconds()
        var needed: Int64 = 0
        for round in 0..<12 {
            let count = counts[round % counts.count]
            #expect(connection.ask(read(count: count), within: 2_000).bytes.count == Int(count) * 2)
            needed += Int64(8 + 5 + 2 * Int(count)) * slave.line.characterNanoseconds
            needed += slave.line.gapNanoseconds + delay * 1_000_000
        }
        let took = steadyNanoseconds() - began
        connection.close()
        let silences = slave.asked.dropFirst().map(\.silence)
        #expect(silences.allSatisfy { $0 >= slave.line.gapNanoseconds }, "\(silences)")
        print("\(baud) baud: \(needed * 100 / took) % of what the line allows")
        // A busy machine may take some of it; the limit of 90 % is the bench's.
        #expect(needed * 100 / took >= 60)
    }

    /// What comes instead of an answer → what is said of it. The next answer is right.
    @Test(
        arguments: [
            ("noise", [.send([0x00, 0xFF, 0x55, 0x13])], SampleStatus.checksum, .checksum),
            ("another slave", [.send(framed([9, 3, 4, 0, 1, 0, 2]))], SampleStatus.wrongAnswer, .unit),
            ("another function", [.send(framed([1, 4, 4, 0, 1, 0, 2]))], SampleStatus.wrongAnswer, .shape),
            ("another length", [.send(framed([1, 3, 6, 0, 1, 0, 2, 0, 3]))], SampleStatus.wrongAnswer, .shape),
            ("half an answer", [.send([1, 3, 4, 0])], SampleStatus.timeout, .partial),
            ("a wrong checksum", [.send([1, 3, 4, 0, 1, 0, 2, 0x55, 0x55])], SampleStatus.checksum, .checksum),
            ("an unknown exception", [.send(framed([1, 0x83, 99]))], SampleStatus.wrongAnswer, .shape),
            ("nothing", [], SampleStatus.timeout, nil),
            (
                "noise before the answer", [.send([0xFF] + framed([1, 3, 4, 0, 1, 0, 2]))], SampleStatus.checksum,
                .checksum
            ),
        ] as [(String, [LineAction], UInt64, AnswerDefect?)])
    func oddAnswerIsNoValue(_ what: String, _ actions: [LineAction], _ status: UInt64, _ defect: AnswerDefect?) throws {
        let slave = try PacedSlave { number, frame in number == 0 ? actions : [.send(answer(frame, first: 7))] }
        let connection = ModbusConnection(.rtu(slave.line))
        #expect(connection.ask(read(), within: 300) == ModbusAnswer(status: status, defect: defect), "\(what)")
        #expect(connection.ask(read(), within: 3_000).bytes == [0, 7, 0, 8], "\(what)")
        connection.close()
    }

    @Test func exceptionsAndAByteBehindTheFrame() throws {
        let slave = try PacedSlave { number, frame in
            number == 0 ? [.send(framed([1, 0x83, 2]))] : [.send(answer(frame) + [0xFF])]
        }
        let connection = ModbusConnection(.rtu(slave.line))
        #expect(connection.ask(read(), within: 2_000) == ModbusAnswer(status: 2))
        #expect(connection.ask(read(), within: 2_000).bytes == [0, 1, 0, 2])
        usleep(20_000)
        #expect(connection.ask(read(), within: 2_000).bytes == [0, 1, 0, 2])
        #expect(connection.figures.strayBytes >= 1 && connection.figures.connects == 1)
        connection.close()
    }

    /// The late answer has the length of the next one; only the silence kept before it tells them apart.
    @Test func lateAnswerIsDrained() throws {
        let slave = try PacedSlave { number, frame in
            number == 0 ? [.wait(milliseconds: 200), .send(answer(frame, first: 666))] : [.send(answer(frame))]
        }
        let connection = ModbusConnection(.rtu(slave.line))
        #expect(connection.ask(read(), within: 100).status == SampleStatus.timeout)
        usleep(300_000)
        #expect(connection.ask(read(), within: 2_000).bytes == [0, 1, 0, 2])
        #expect(connection.figures.strayBytes == 9)
        connection.close()
    }

    @Test func lateAnswerOfAnotherLengthIsNoAnswer() throws {
        let slave = try PacedSlave { number, frame in
            number == 0 ? [.wait(milliseconds: 250), .send(answer(frame, first: 666))] : [.send(answer(frame))]
        }
        let connection = ModbusConnection(.rtu(slave.line))
        #expect(connection.ask(read(), within: 100).status == SampleStatus.timeout)
        // Asked while the slave still owes the other answer.
        let second = connection.ask(read(count: 3), within: 1_000)
        #expect(second.status == SampleStatus.wrongAnswer && second.defect == .shape, "\(second)")
        #expect(connection.ask(read(count: 4), within: 2_000).bytes == [0, 1, 0, 2, 0, 3, 0, 4])
        connection.close()
    }

    @Test func echoIsTakenAway() throws {
        let slave = try PacedSlave(hasEcho: true) { number, frame in number == 1 ? [] : [.send(answer(frame))] }
        let connection = ModbusConnection(.rtu(slave.line))
        #expect(connection.ask(read(), within: 2_000).bytes == [0, 1, 0, 2])
        #expect(connection.ask(read(), within: 100) == ModbusAnswer(status: SampleStatus.timeout))
        #expect(connection.ask(read(), within: 2_000).bytes == [0, 1, 0, 2])
        connection.close()
    }

    /// An echo that nobody expects, and one that does not come: named for the installer, and no value.
    @Test(arguments: [true, false])
    func wrongBeliefInEchoIsNamed(isThere: Bool) throws {
        let slave = try PacedSlave(hasEcho: isThere, expectsEcho: !isThere) { _, frame in [.send(answer(frame))] }
        let connection = ModbusConnection(.rtu(slave.line))
        let seen = connection.ask(read(), within: 500)
        #expect(seen.defect == .echo || seen.defect == .checksum, "\(seen)")
        #expect(seen.status > SampleStatus.exceptionMax && seen.bytes.isEmpty)
        connection.close()
    }

    @Test func endlessStreamAndSlowDripAreBounded() throws {
        let slave = try PacedSlave(baud: 19_200) { number, frame in
            number == 0
                ? [.send([UInt8](repeating: 1, count: 3_000))]
                : answer(frame).flatMap { [LineAction.wait(milliseconds: 60), .send([$0])] }
        }
        let connection = ModbusConnection(.rtu(slave.line))
        let began = steadyNanoseconds()
        #expect(connection.ask(read(), within: 200).status > SampleStatus.exceptionMax)
        #expect(steadyNanoseconds() - began < 3_000_000_000)
        usleep(1_500_000)
        #expect(connection.ask(read(), within: 200).status > SampleStatus.exceptionMax)
        connection.close()
    }

    @Test func pulledOutIsOpenedAgain() throws {
        let slave = try PacedSlave { number, frame in number == 0 ? [.send(answer(frame))] : [.hangUp] }
        let connection = ModbusConnection(.rtu(slave.line))
        #expect(connection.ask(read(), within: 2_000).status == SampleStatus.good)
        #expect(connection.ask(read(), within: 2_000).status == SampleStatus.disconnected)
        // The device is gone with its other end: said in words.
        #expect(connection.ask(read(), within: 2_000).status == SampleStatus.connectFailed)
        #expect(connection.problem?.contains(slave.line.device) == true)
        connection.close()
    }

    @Test func oneOwnerOnly() throws {
        let slave = try PacedSlave { _, frame in [.send(answer(frame))] }
        let first = ModbusConnection(.rtu(slave.line))
        #expect(first.ask(read(), within: 2_000).status == SampleStatus.good)
        let second = ModbusConnection(.rtu(slave.line))
        #expect(second.ask(read(), within: 2_000).status == SampleStatus.connectFailed)
        #expect(second.problem?.contains("in use") == true || second.problem?.contains("busy") == true)
        first.close()
        #expect(second.ask(read(), within: 2_000).status == SampleStatus.good, "\(second.problem ?? "")")
        second.close()
    }

    @Test(arguments: [
        ("/dev/null", "no serial line"), ("/dev/no-such-line", "cannot open /dev/no-such-line"),
    ])
    func whatIsNoLineIsRefusedInWords(device: String, words: String) {
        let connection = ModbusConnection(.rtu(SerialLine(device: device)))
        #expect(connection.ask(read(), within: 100).status == SampleStatus.connectFailed)
        #expect(connection.problem?.contains(words) == true)
    }

    @Test func identificationAndServerID() throws {
        let objects = Array("ACME".utf8)
        let slave = try PacedSlave { _, frame in
            frame[1] == 17
                ? [.send(framed([1, 17, 3, 0x2A, 0xFF, 0x41]))]
                : [.send(framed([1, 43, 14, 1, 1, 0, 0, 1, 0, UInt8(objects.count)] + objects))]
        }
        let connection = ModbusConnection(.rtu(slave.line))
        #expect(connection.ask(.serverID(unit: 1), within: 2_000).bytes == [0x2A, 0xFF, 0x41])
        let answer = connection.ask(.identification(unit: 1, level: .basic), within: 2_000)
        #expect(DeviceIdentification(answer.bytes)?.objects.map(\.text) == ["ACME"])
        connection.close()
    }

    /// t3.5 of the specification: 38.5 bits, and 1.75 ms above 19 200 baud.
    @Test(arguments: [(9_600, 4_010_417), (19_200, 2_005_209), (38_400, 1_750_000), (1_200, 32_083_334)])
    func gaps(baud: Int, nanoseconds: Int64) {
        #expect(SerialLine(device: "/dev/x", baud: baud).gapNanoseconds == nanoseconds)
        #expect(SerialLine(device: "/dev/x", baud: 9_600, parity: .none).characterNanoseconds == 1_041_666)
    }
}
