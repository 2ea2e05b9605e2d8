// Frames as the specifications print them, and every way an answer can be none.

internal import AgentCore
internal import Evidence
internal import Kit
internal import Testing

struct ModbusFramingTests {
    private static func registers(_ unit: UInt8 = 7, _ function: UInt8 = 3, count: UInt16 = 2) -> ModbusRequest {
        ModbusRequest(unit: unit, function: function, address: 100, count: count)!
    }

    private static func rtu(_ body: [UInt8]) -> [UInt8] { body + ModbusFraming.checksumBytes(body) }

    /// Modbus over Serial Line V1.02 appendix B, the check value of CRC-16/MODBUS, and frames of vendors' manuals.
    @Test(
        arguments: [
            ([0x02, 0x07], 0x1241), ([0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39], 0x4B37), ([], 0xFFFF),
            ([0x11, 0x03, 0x00, 0x6B, 0x00, 0x03], 0x8776), ([0x01, 0x04, 0x02, 0xFF, 0xFF], 0x80B8),
            ([0x01, 0x03, 0x00, 0x00, 0x00, 0x0A], 0xCDC5),
        ] as [([UInt8], UInt16)])
    func checksums(_ bytes: [UInt8], _ checksum: UInt16) {
        #expect(ModbusFraming.checksum(bytes) == checksum)
        #expect(ModbusFraming.checksumBytes(bytes) == [UInt8(checksum & 0xFF), UInt8(checksum >> 8)])
    }

    @Test func framesOfEveryRequest() {
        let read = ModbusRequest(unit: 0x11, function: 3, address: 0x6B, count: 3)!
        #expect(
            ModbusFraming.rtu.frame(read, transaction: 9) == [0x11, 0x03, 0x00, 0x6B, 0x00, 0x03, 0x76, 0x87])
        #expect(
            ModbusFraming.tcp.frame(read, transaction: 0x1234) == [
                0x12, 0x34, 0, 0, 0, 6, 0x11, 0x03, 0x00, 0x6B, 0x00, 0x03,
            ])
        #expect(ModbusRequest.serverID(unit: 5).pdu == [17])
        #expect(ModbusRequest.identification(unit: 5, level: .regular, from: 3).pdu == [43, 14, 2, 3])
        for framing in [ModbusFraming.tcp, .rtu] {
            for request in [read, .serverID(unit: 5), .identification(unit: 5, level: .basic)] {
                #expect(Array(framing.pdu(of: framing.frame(request, transaction: 1))) == request.pdu)
            }
        }
    }

    @Test func onlyReadingFunctionsCanBeSpelled() {
        for function in 0...255 as ClosedRange<UInt8> {
            let request = ModbusRequest(unit: 1, function: function, address: 0, count: 1)
            #expect((request != nil) == (function == 3 || function == 4))
            #expect(ModbusRequest.isReading([function, 14, 1, 0]) == [3, 4, 17, 43].contains(function))
        }
        // 43 carries more than identification: CANopen writes with type 13.
        for type in 0...255 as ClosedRange<UInt8> { #expect(ModbusRequest.isReading([43, type]) == (type == 14)) }
        #expect(!ModbusRequest.isReading([43]) && !ModbusRequest.isReading([]))
        for count in [0, 126, 0xFFFF] as [UInt16] {
            #expect(ModbusRequest(unit: 1, function: 3, address: 0, count: count) == nil)
        }
    }

    /// Bodies behind the unit of an RTU answer → how it is judged.
    @Test(arguments: [
        ([7, 3, 4, 0, 1, 0, 2] as [UInt8], ModbusAnswer.good([0, 1, 0, 2])), ([7, 0x83, 2], ModbusAnswer(status: 2)),
        ([7, 0x83, 11], ModbusAnswer(status: 11)), ([7, 0x83, 0], .odd(.shape)), ([7, 0x83, 12], .odd(.shape)),
        ([8, 3, 4, 0, 1, 0, 2], .odd(.unit)), ([8, 0x83, 2], .odd(.unit)), ([7, 4, 4, 0, 1, 0, 2], .odd(.shape)),
        ([7, 3, 2, 0, 1], .odd(.shape)), ([7, 3, 6, 0, 1, 0, 2, 0, 3], .odd(.shape)),
        ([7, 3, 4, 0, 1, 0, 2, 0], .odd(.shape)), ([7, 0x84, 2], .odd(.shape)),
    ])
    func rtuAnswers(_ body: [UInt8], _ judged: ModbusAnswer) {
        let request = Self.registers()
        let frame = Self.rtu(body)
        #expect(ModbusFraming.rtu.judge(frame, request, transaction: 0) == judged)
        for place in frame.indices {
            for bit in 0..<8 {
                var damaged = frame
                damaged[place] ^= 1 << UInt8(bit)
                let answer = ModbusFraming.rtu.judge(damaged, request, transaction: 0)
                #expect(answer == .odd(.checksum), "bit \(bit) of byte \(place)")
            }
        }
    }

    @Test func ownEchoIsNoAnswer() {
        let request = ModbusRequest(unit: 7, function: 3, address: 0x0400, count: 2)!
        let frame = ModbusFraming.rtu.frame(request, transaction: 0)
        #expect(ModbusFraming.rtu.judge(frame, request, transaction: 0) == .odd(.echo))
    }

    /// From one byte to the whole: never "whole" too early, and the number still to come is never too large.
    @Test(arguments: [
        (Self.registers(), [3, 4, 0, 1, 0, 2] as [UInt8]), (Self.registers(), [0x83, 6]),
        (ModbusRequest.serverID(unit: 7), [17, 3, 1, 2, 0xFF]),
        (.identification(unit: 7, level: .basic), [43, 14, 1, 1, 0, 0, 2, 0, 3, 65, 66, 67, 1, 0]),
        (.identification(unit: 7, level: .basic), [43, 14, 1, 1, 0, 0, 0]),
    ])
    func progressOfGrowingAnswers(_ request: ModbusRequest, _ pdu: [UInt8]) {
        let length = pdu.count + 1
        let frames: [(ModbusFraming, [UInt8])] = [
            (.rtu, Self.rtu([7] + pdu)), (.tcp, [0, 1, 0, 0, 0, UInt8(length), 7] + pdu),
        ]
        for (framing, frame) in frames {
            for count in 0..<frame.count {
                guard case .more(let rest) = framing.progress(Array(frame[..<count]), request) else {
                    Issue.record("\(framing) after \(count) bytes")
                    continue
                }
                #expect(rest > 0 && count + rest <= frame.count)
            }
            #expect(framing.progress(frame, request) == .whole(frame.count))
            #expect(framing.progress(frame + [0], request) == .whole(frame.count))
        }
    }

    /// Random bytes, damaged frames and frames of other requests: no crash, and good only what is exactly the answer.
    @Test func hostileAnswersAreNeverValues() {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var random = SeededGenerator(seed: seed)
        for round in 0..<20_000 {
            let count = UInt16.random(in: 1...125, using: &random)
            let requests = [
                Self.registers(count: count), .serverID(unit: 7), .identification(unit: 7, level: .basic),
            ]
            let request = requests[round % 3]
            let words = random.bytes(Int(count) * 2)
            let sound: [UInt8] =
                round % 3 == 0
                ? [7, 3, UInt8(words.count)] + words
                : round % 3 == 1
                    ? [7, 17, UInt8(words.count)] + words : [7, 43, 14, 1, 1, 0, 0, 1, 0, 3] + words.prefix(3)
            let bytes: [UInt8] =
                switch round % 5 {
                case 0: random.bytes(Int.random(in: 0...300, using: &random))
                case 1: Array(Self.rtu(sound).prefix(Int.random(in: 0...5, using: &random)))
                case 2: Self.rtu(random.mutated(sound))
                case 3: [0, 1, 0, 0, 0, UInt8(truncatingIfNeeded: sound.count)] + random.mutated(sound)
                default: random.mutated(Self.rtu(sound))
                }
            for framing in [ModbusFraming.rtu, .tcp] {
                _ = framing.progress(bytes, request)
                let answer = framing.judge(bytes, request, transaction: 1)
                guard answer.status == SampleStatus.good else {
                    #expect(answer.bytes.isEmpty)
                    continue
                }
                // Good means: every field is right, whatever the damage was; so it must be rebuilt byte for byte.
                let head: [UInt8] = framing == .tcp ? [0, 1, 0, 0, 0, UInt8(bytes.count - 6)] : []
                let named: [UInt8] =
                    request.function == .identification ? [7, 43, 14] : [7, request.function.rawValue]
                let counted = request.function == .identification ? [] : [UInt8(answer.bytes.count)]
                let body = named + counted + answer.bytes
                #expect(bytes == (framing == .tcp ? head + body : Self.rtu(body)), "seed \(seed) round \(round)")
                #expect(request.count == 0 || answer.bytes.count == Int(request.count) * 2)
            }
            _ = DeviceIdentification(bytes)
        }
    }
}

struct DeviceIdentificationTests {
    @Test func objectsOfTheSpecificationsExample() throws {
        let answer = [0x01, 0x01, 0x00, 0x00, 0x02, 0x00, 0x03] + Array("ABC".utf8) + [0x01, 0x02] + Array("v2".utf8)
        let found = try #require(DeviceIdentification(answer))
        #expect(found.objects.map(\.text) == ["ABC", "v2"])
        #expect(found.next == nil && found.conformity == 1)
        #expect(DeviceIdentification.name(0) == "vendor" && DeviceIdentification.name(0x80) == "object 128")
    }

    @Test(arguments: [
        ("nothing", [] as [UInt8]), ("no objects promised, one there", [1, 1, 0, 0, 0, 0, 0]),
        ("object longer than the answer", [1, 1, 0, 0, 1, 0, 9, 65]),
        ("an object twice", [1, 1, 0, 0, 2, 0, 1, 65, 0, 1, 66]),
        ("objects out of order", [1, 1, 0, 0, 2, 1, 1, 65, 0, 1, 66]),
        ("more from an object that was given", [1, 1, 0xFF, 0, 1, 0, 1, 65]),
        ("more of nothing", [1, 1, 0xFF, 1, 0]), ("neither more nor not", [1, 1, 7, 1, 1, 0, 1, 65]),
    ])
    func contradictionsAreRefused(_ what: String, _ bytes: [UInt8]) {
        #expect(DeviceIdentification(bytes) == nil, "\(what)")
    }

    @Test func moreFollows() throws {
        let found = try #require(DeviceIdentification([1, 1, 0xFF, 1, 1, 0, 2, 0x1B, 65]))
        #expect(found.next == 1)
        #expect(found.objects[0].text == ".A")
    }

    @Test func promisesBeyondAFrameAreRefused() {
        let greedy: [UInt8] = [43, 14, 1, 1, 0, 0, 255]
        let request = ModbusRequest.identification(unit: 1, level: .basic)
        #expect(ModbusFraming.rtu.progress([1] + greedy, request) == .odd)
        #expect(ModbusFraming.rtu.progress([1, 43, 14, 1, 1, 0, 0, 2, 0, 255], request) == .odd)
    }
}

struct AnswerTimeoutTests {
    @Test func learnsAndDoublesWithinItsBounds() {
        var timeout = AnswerTimeout(start: 1_500, longest: 6_000)
        #expect(timeout.milliseconds == 1_500)
        timeout.timedOut()
        #expect(timeout.milliseconds == 3_000)
        for _ in 0..<80 { timeout.timedOut() }
        #expect(timeout.milliseconds == 6_000)
        timeout.answered(after: 40_000)
        #expect(timeout.milliseconds == 500 && timeout.latency == 40_000)
        timeout.answered(after: 840_000)
        // 40 ms + 800 ms / 8 = 140 ms; four times that.
        #expect(timeout.milliseconds == 560 && timeout.latency == 140_000)
        for _ in 0..<200 { timeout.answered(after: 9_000_000) }
        #expect(timeout.milliseconds == 6_000)
        timeout.answered(after: .max)
        timeout.answered(after: -1)
        #expect((500...6_000).contains(timeout.milliseconds))
    }

    @Test func aStartBeyondTheLongestIsTheLongest() {
        #expect(AnswerTimeout(start: 15_000, longest: 6_000).longest == 15_000)
        #expect(AnswerTimeout(start: 0, longest: 0).milliseconds == 1)
    }
}
