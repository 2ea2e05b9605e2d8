// What a driver's counters point to, on numbers, and what is said where a driver has none.

internal import AgentCore
internal import Quantities
internal import Testing

private func errors(
    _ received: UInt64, framing: UInt64 = 0, parity: UInt64 = 0, overruns: UInt64 = 0, breaks: UInt64 = 0
) -> CharacterErrors {
    var errors = CharacterErrors()
    (errors.received, errors.framing, errors.parity) = (received, framing, parity)
    (errors.overruns, errors.breaks) = (overruns, breaks)
    return errors
}

struct CharacterErrorsTests {
    private static let cases: [(CharacterErrors, CharacterFault?, String)] = [
        (errors(0), nil, ""), (errors(10_000), nil, ""), (errors(10_000, parity: 4), nil, ""),
        // Half of all characters: an 8N1 device on an 8E1 line.
        (errors(200, framing: 3, parity: 98), .parity, "98 parity errors"),
        // The other way round the parity bit stands where the stop bit should be.
        (errors(200, framing: 96), .speed, "try even"),
        (errors(40, framing: 31, parity: 12), .speed, "points to the speed"),
        // A driver that does not count a broken character as received.
        (errors(0, framing: 30), .speed, "of 0 characters"),
        (errors(100_000, overruns: 60), .overrun, "60 overruns"),
        (errors(50, parity: 2, overruns: 9), .overrun, "FIFO"),
        (errors(30, framing: 4, breaks: 20), .heldLow, "Swap A and B"), (errors(10_000, framing: 9), .noise, "clamps"),
        (errors(10_000, breaks: 9), .noise, "disturbance"), (errors(100, parity: 5), .parity, ""),
        (errors(101, parity: 4, breaks: 1), .parity, ""), (errors(200, parity: 5), .noise, ""),
    ]

    @Test(arguments: cases.indices)
    func numbersAndWhatTheyPointTo(number: Int) {
        let (errors, fault, word) = Self.cases[number]
        #expect(CharacterFault(errors) == fault)
        var figures = BusFigures(meters: 0)
        figures.characters = errors
        let found = LineCase(name: "rtu:/dev/ttyUSB0", kind: .serial, meters: [], figures: figures).findings
        #expect(found.map(\.id) == (fault == nil ? [] : [.characterErrors]), "\(found)")
        #expect(found.allSatisfy { $0.severity == .hint && ($0.evidence + $0.remedy).contains(word) }, "\(found)")
    }

    /// Only what came lately counts; a driver that began anew has counted from 0.
    @Test func onlyTheLastMinutes() {
        #expect(errors(500, parity: 40).since(errors(300, parity: 40)) == errors(200))
        #expect(errors(20, parity: 1).since(errors(300, parity: 40)) == errors(20, parity: 1))
        #expect(errors(20, breaks: 1).adding(errors(5, breaks: 2)) == errors(25, breaks: 3))
        var before = BusFigures(meters: 0)
        var now = before
        before.characters = errors(300, parity: 40)
        now.characters = errors(500, parity: 40)
        #expect(now.since(before).characters == errors(200))
        now.characters = nil
        #expect(now.since(before).characters == nil)
    }
}
