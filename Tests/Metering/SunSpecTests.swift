// The walk along a device's models: found, tolerated, refused, and bounded against devices that never end.

import Kit
import Metering
import Testing

struct SunSpecTests {
    /// Registers by address; nil answers an exception.
    private func walk(_ registers: [UInt16: UInt16], bases: [UInt16] = [40000, 50000, 0]) -> (
        SunSpecWalk.Step, reads: Int
    ) {
        var walk = SunSpecWalk(bases: bases)
        var reads = 0
        while case .read(let request) = walk.step {
            reads += 1
            precondition(reads < 1000, "the walk does not end")
            let words = (0..<request.count).map { registers[request.address &+ $0] }
            let known = words.compactMap { $0 }
            walk.answer(known.count == words.count ? known.flatMap { [UInt8($0 >> 8), UInt8($0 & 255)] } : nil)
        }
        return (walk.step, reads)
    }

    private let marker: (UInt16, UInt16) = (0x5375, 0x6E53)

    private func device(at base: UInt16, models: [(UInt16, UInt16)], end: Bool = true) -> [UInt16: UInt16] {
        var registers = [base: marker.0, base + 1: marker.1]
        var address = base + 2
        for (id, length) in models {
            registers[address] = id
            registers[address &+ 1] = length
            address = address &+ 2 &+ length
        }
        if end { (registers[address], registers[address &+ 1]) = (0xFFFF, 0) }
        return registers
    }

    @Test func findsTheChain() {
        let expected = [
            SunSpecModel(id: 1, address: 40002, length: 66), SunSpecModel(id: 103, address: 40070, length: 50),
        ]
        let (step, reads) = walk(device(at: 40000, models: [(1, 66), (103, 50)]))
        #expect(step == .found(expected))
        #expect(reads == 4)
        #expect(walk(device(at: 40000, models: [(1, 66), (103, 50)], end: false)).0 == .found(expected))
    }

    @Test func triesTheBasesInOrder() {
        #expect(walk(device(at: 0, models: [(1, 65)])).0 == .found([SunSpecModel(id: 1, address: 2, length: 65)]))
        #expect(
            walk(device(at: 50000, models: [(1, 65)])).0 == .found([SunSpecModel(id: 1, address: 50002, length: 65)]))
        #expect(walk(device(at: 100, models: [(1, 65)])).0 == .none)
        #expect(walk([:]).0 == .none)
        #expect(walk([:], bases: []).0 == .none)
        #expect(walk(device(at: 40000, models: [])).0 == .none)
    }

    @Test func endsOnDevicesThatDoNot() {
        // Models of length 0 for ever.
        var registers = [UInt16: UInt16](uniqueKeysWithValues: (40002...42000).map { ($0, $0 % 2 == 0 ? 7 : 0) })
        (registers[40000], registers[40001]) = marker
        let (step, reads) = walk(registers)
        guard case .found(let models) = step else {
            Issue.record("nothing found")
            return
        }
        #expect(models.count == SunSpecWalk.modelsMax)
        #expect(reads == 1 + SunSpecWalk.modelsMax)
        // A length that leads out of the address space, and a marker at its edge.
        #expect(
            walk(device(at: 40000, models: [(1, 0xFF00)], end: false)).0
                == .found([SunSpecModel(id: 1, address: 40002, length: 0xFF00)]))
        #expect(walk([65534: marker.0, 65535: marker.1], bases: [65534]).0 == .none)
    }

    @Test func survivesAnyAnswer() {
        var random = SeededGenerator(seed: 7)
        for _ in 0..<2000 {
            var walk = SunSpecWalk(bases: [40000, UInt16(truncatingIfNeeded: random.next()), 65535])
            var reads = 0
            while case .read = walk.step, reads < 500 {
                reads += 1
                switch random.next() % 4 {
                case 0: walk.answer(Array("SunS".utf8))
                case 1: walk.answer(random.bytes(Int(random.next() % 6)))
                default: walk.answer(random.bytes(4))
                }
            }
            #expect(reads <= 3 + SunSpecWalk.modelsMax)
        }
    }
}
