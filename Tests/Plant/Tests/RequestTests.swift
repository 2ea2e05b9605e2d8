// Modbus TCP frames: which are requests, and what is answered to each function.

import Kit
import PlantModel
import Testing

struct RequestTests {
    private let state = PlantState(delivered: 0, drawn: 0, power: .zero)
    private let meter = RevenueMeter(serial: 1)

    @Test(
        arguments: [
            ([], nil), ([0, 1, 0, 0, 0], nil), ([0, 1, 0, 0, 0, 6], 12), ([0, 1, 0, 0, 0, 2, 1, 3], 8),
            ([0, 1, 0, 0, 0, 254], 260), ([0, 1, 0, 0, 0, 255], 0), ([0, 1, 0, 0, 1, 0], 0), ([0, 1, 0, 0, 0, 1], 0),
            ([0, 1, 0, 1, 0, 6], 0), ([0, 1, 1, 0, 0, 6], 0), (Array("GET / HTTP".utf8), 0),
        ] as [([UInt8], Int?)])
    func frameLength(bytes: [UInt8], length: Int?) {
        #expect(Request.frameLength(bytes[...]) == length)
    }

    @Test(
        arguments: [
            ([0, 9, 0, 0, 0, 6, 17, 3, 0x50, 4, 0, 4], "17,3,20484,4"),
            ([0, 9, 0, 0, 0, 6, 1, 4, 0x9C, 0x40, 0, 125], "1,4,40000,125"),
            ([0, 9, 0, 0, 0, 6, 1, 6, 0x50, 4, 0, 77], "1,6,20484,1"),
            ([0, 9, 0, 0, 0, 11, 1, 16, 0x50, 4, 0, 2, 4, 0, 0, 0, 0], "1,16,20484,2"),
            ([0, 9, 0, 0, 0, 5, 1, 0x2B, 14, 1, 0], "1,43,-,-"),
            ([0, 9, 0, 0, 0, 2, 1, 7], "1,7,-,-"),
        ] as [([UInt8], String)])
    func line(frame: [UInt8], line: String) throws {
        #expect(try #require(Request(frame[...])).line == line)
    }

    @Test(
        arguments: [
            ([3, 0x50, 4, 0, 2], [3, 4, 0, 0, 0, 0]),
            ([4, 0x50, 4, 0, 2], [4, 4, 0, 0, 0, 0]),
            ([3, 0x50, 4, 0, 0], [0x83, 3]),
            ([3, 0x50, 4, 0, 126], [0x83, 3]),
            ([4, 0x50, 4, 0xFF, 0xFF], [0x84, 3]),
            ([3, 0x50, 4, 0], [0x83, 3]),
            ([3, 0x50, 4, 0, 2, 0], [0x83, 3]),
            ([3, 0x40, 0, 0, 1], [0x83, 2]),
            ([3, 0xFF, 0xFF, 0, 125], [0x83, 2]),
            ([1, 0, 0, 0, 1], [0x81, 1]), ([2, 0, 0, 0, 1], [0x82, 1]), ([5, 0, 0, 0xFF, 0], [0x85, 1]),
            ([6, 0x50, 4, 0, 7], [0x86, 1]), ([7], [0x87, 1]), ([8, 0, 0, 0, 0], [0x88, 1]),
            ([15, 0, 0, 0, 1, 1, 1], [0x8F, 1]),
            ([16, 0x50, 4, 0, 1, 2, 0, 7], [0x90, 1]), ([17], [0x91, 1]), ([22, 0, 0, 0, 0, 0, 0], [0x96, 1]),
            ([23, 0, 0, 0, 1, 0, 0, 0, 1, 2, 0, 0], [0x97, 1]), ([0x2B, 13, 1, 0], [0xAB, 1]),
            ([0x2B, 14, 1], [0xAB, 3]),
            ([0x2B], [0xAB, 1]), ([0x2B, 14, 5, 0], [0xAB, 3]), ([0x2B, 14, 4, 3], [0xAB, 2]), ([0xFF], [0xFF, 1]),
            ([0x2B, 14, 4, 0], [0x2B, 14, 4, 0x81, 0, 0, 1, 0, 3] + Array("ABB".utf8)),
            (
                [0x2B, 14, 1, 0],
                [0x2B, 14, 1, 0x81, 0, 0, 3, 0, 3] + Array("ABB".utf8) + [1, 11] + Array("B23 112-100".utf8) + [2, 6]
                    + Array("B2.3.0".utf8)
            ),
        ] as [([UInt8], [UInt8])])
    func answers(pdu: [UInt8], answer: [UInt8]) throws {
        let frame: [UInt8] = [0x12, 0x34, 0, 0, 0, UInt8(pdu.count + 1), 9] + pdu
        let request = try #require(Request(frame[...]))
        let answered = request.answer(of: meter, at: state, countersZeroed: false).pdu(function: request.function)
        #expect(answered == answer)
        #expect(request.frame(answering: answered) == [0x12, 0x34, 0, 0, 0, UInt8(answer.count + 1), 9] + answer)
        #expect(request.frame(answering: answered, from: 10)[6] == 10)
    }

    /// Whatever arrives is a request with an answer that fits a frame, or none.
    @Test(arguments: 0..<4 as Range<UInt64>)
    func survivesDamage(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let frame: [UInt8] = [0, 1, 0, 0, 0, 6, 1, 3, 0x50, 0, 0, 8]
        var understood = 0
        for _ in 0..<20_000 {
            let bytes = generator.mutated(frame)
            guard let length = Request.frameLength(bytes[...]), length > 0, bytes.count >= length else { continue }
            guard let request = Request(bytes.prefix(length)) else { continue }
            understood += 1
            let pdu = request.answer(of: meter, at: state, countersZeroed: false).pdu(function: request.function)
            #expect(request.frame(answering: pdu).count <= Request.frameMax && !request.line.isEmpty, "seed \(seed)")
        }
        #expect(understood > 1000, "seed \(seed)")
    }
}
