// Framing under seeded noise: whatever comes, nothing traps, nothing waits for more than a frame, and what is called good is
// an answer to the request in every field that the framing guards.

internal import AgentCore
internal import Evidence
internal import Kit
internal import Testing

struct FramingFuzzTests {
    private static let requests: [ModbusRequest] = [
        ModbusRequest(unit: 7, function: 3, address: 100, count: 2)!,
        ModbusRequest(unit: 7, function: 4, address: 0, count: 125)!,
        .serverID(unit: 7), .identification(unit: 7, level: .basic), .identification(unit: 7, level: .regular, from: 3),
    ]

    private static func answer(_ request: ModbusRequest, _ random: inout SeededGenerator) -> [UInt8] {
        switch request.function {
        case .holding, .input:
            [request.function.rawValue, UInt8(request.count * 2)] + random.bytes(Int(request.count) * 2)
        case .serverID: [17, 3, 9, 0xFF, 1]
        case .identification:
            [43, 14, request.level.rawValue, 0x81, 0, 0, 2, 3, 2, 65, 66, 4, 1, 67]
        }
    }

    private static func framed(_ pdu: [UInt8], _ framing: ModbusFraming, _ transaction: UInt16) -> [UInt8] {
        switch framing {
        case .tcp:
            let length = pdu.count + 1
            return [
                UInt8(transaction >> 8), UInt8(transaction & 0xFF), 0, 0, UInt8(length >> 8), UInt8(length & 0xFF), 7,
            ] + pdu
        case .rtu:
            let body = [7] + pdu
            return body + ModbusFraming.checksumBytes(body)
        }
    }

    @Test(arguments: [ModbusFraming.tcp, .rtu], 0..<5)
    func goodIsAnAnswer(_ framing: ModbusFraming, _ number: Int) {
        let request = Self.requests[number]
        var random = SeededGenerator(seed: UInt64(number) + (framing == .tcp ? 100 : 0))
        var good = 0
        for _ in 0..<20_000 {
            let transaction = UInt16.random(in: 0...UInt16.max, using: &random)
            let sound = Self.framed(Self.answer(request, &random), framing, transaction)
            let bytes =
                Bool.random(using: &random)
                ? random.mutated(sound) : random.bytes(Int.random(in: 0...300, using: &random))
            if case .more(let count) = framing.progress(bytes, request) {
                #expect(count > 0 && bytes.count + count <= ModbusFraming.frameMax, "seed \(random.seed)")
            }
            let judged = framing.judge(bytes, request, transaction: transaction)
            guard judged.status == SampleStatus.good else { continue }
            good += 1
            #expect(Self.guarded(bytes, request, framing, transaction), "seed \(random.seed): \(bytes)")
            #expect(judged.bytes.count <= request.answerMax, "seed \(random.seed)")
            if request.function == .identification { _ = DeviceIdentification(judged.bytes) }
        }
        print("\(framing) \(request.function): \(good) of 20000 called good")
    }

    /// Every field that the framing guards, looked at again in another way.
    private static func guarded(
        _ bytes: [UInt8], _ request: ModbusRequest, _ framing: ModbusFraming, _ transaction: UInt16
    ) -> Bool {
        let pdu: ArraySlice<UInt8>
        switch framing {
        case .tcp:
            guard bytes.count >= 9, bytes[0] == UInt8(transaction >> 8), bytes[1] == UInt8(transaction & 0xFF),
                bytes[2] == 0,
                bytes[3] == 0, Int(bytes[4]) * 256 + Int(bytes[5]) == bytes.count - 6, bytes[6] == request.unit
            else { return false }
            pdu = bytes[7...]
        case .rtu:
            guard bytes.count >= 5, bytes[0] == request.unit,
                Array(bytes.suffix(2)) == ModbusFraming.checksumBytes(bytes.dropLast(2))
            else { return false }
            pdu = bytes.dropFirst().dropLast(2)
        }
        guard pdu.first == request.function.rawValue, let length = pdu.dropFirst().first else { return false }
        switch request.function {
        case .holding, .input: return Int(length) == Int(request.count) * 2 && pdu.count == 2 + Int(length)
        case .serverID: return pdu.count == 2 + Int(length) && length > 0
        case .identification: return length == 14
        }
    }

    /// Bytes that trickle in are waited for only as long as they can still become the answer.
    @Test(arguments: [ModbusFraming.tcp, .rtu]) func piecesAreWaitedForToTheEnd(_ framing: ModbusFraming) {
        var random = SeededGenerator(seed: 7)
        for request in Self.requests {
            let sound = Self.framed(Self.answer(request, &random), framing, 5)
            for count in 0..<sound.count {
                guard case .more(let rest) = framing.progress(Array(sound[..<count]), request) else {
                    return #expect(Bool(false), "\(request.function): \(count) of \(sound.count) bytes")
                }
                #expect(count + rest <= sound.count)
            }
            #expect(framing.progress(sound, request) == .whole(sound.count))
        }
    }
}
