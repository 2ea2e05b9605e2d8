// Frames among bytes: found where they are, and not where none is.

internal import AgentCore
internal import Kit
internal import Testing

private func framed(_ body: [UInt8]) -> [UInt8] { body + ModbusFraming.checksumBytes(body) }

struct HeardFrameTests {
    @Test(
        arguments: [
            (framed([5, 3, 0, 1, 0, 2]), HeardFrame.Kind.request, 3), (framed([5, 3, 4, 0, 1, 0, 2]), .answer, 3),
            (framed([5, 4, 2, 0, 1]), .answer, 4), (framed([5, 0x84, 2]), .answer, 4),
            (framed([5, 6, 0, 1, 0, 2]), .request, 6), (framed([5, 16, 0, 1, 0, 1, 2, 0, 9]), .request, 16),
            (framed([5, 16, 0, 1, 0, 1]), .answer, 16), (framed([5, 17]), .request, 17),
        ] as [([UInt8], HeardFrame.Kind, UInt8)])
    func oneFrameAnywhere(frame: [UInt8], kind: HeardFrame.Kind, function: UInt8) throws {
        for noise in [[], [0xFF], [0x00, 0x55, 0xAA]] as [[UInt8]] {
            let found = HeardFrame.all(in: noise + frame + [0xFE])
            #expect(found.map(\.kind) == [kind] && found.first?.function == function && found.first?.unit == 5)
        }
        var broken = frame
        broken[broken.count - 1] ^= 1
        #expect(HeardFrame.all(in: broken).isEmpty)
    }

    @Test func framesOneAfterTheOther() {
        let both = framed([9, 3, 0, 1, 0, 2]) + [0] + framed([9, 3, 4, 0, 1, 0, 2])
        #expect(HeardFrame.all(in: both).map(\.kind) == [.request, .answer])
    }

    /// Any bytes: no trap, no end missed, and hardly ever a frame.
    @Test func noiseIsNoFrame() {
        var random = SeededGenerator(seed: 7)
        var found = 0
        for _ in 0..<200 {
            let count = Int.random(in: 0...2_000, using: &random)
            found += HeardFrame.all(in: (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }).count
        }
        #expect(found < 20, "\(found)")
    }
}
