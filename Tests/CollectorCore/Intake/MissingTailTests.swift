// The end of a former stream that never came: told at the birth that names it, and holding nothing.

import CollectorCore
import Evidence
import Proofs
import Quantities
import Testing

struct MissingTailTests {
    static let gateway = Identifier("gateway-1")!
    static let key = TestKey("first")
    static let former = StreamID([UInt8](repeating: 1, count: 8))!

    /// Records of the former stream held, what the next one's birth says was its last, and whether that is told.
    @Test(
        arguments: [
            (4, 7, true), (4, 5, true), (4, 4, false), (4, 3, false), (4, 0, false), (0, 9, true), (0, 0, false),
            (4, .max, true),
        ] as [(UInt64, UInt64, Bool)])
    func isTold(held: UInt64, last: UInt64, isTold: Bool) throws {
        var (first, second) = (TestStream(Self.gateway, 1, key: Self.key), TestStream(Self.gateway, 2, key: Self.key))
        var collector = TestCollector([Self.key])
        for number in 1..<(held + 1) as Range<UInt64> { _ = collector.deliver(Self.gateway, first.record(number)) }
        let after = Birth.Predecessor(stream: Self.former, lastSequence: last, reason: "the spool was damaged")
        let birth = second.record(1, TestStream.birth(after: after))
        _ = collector.deliver(Self.gateway, birth)
        // Told once a stream, however often its birth is said again.
        _ = collector.deliver(Self.gateway, second.record(2, TestStream.birth(after: after)))

        let told = Event.FindingMade(
            gateway: Self.gateway, stream: second.id, sequence: 1, identity: birth.identity, finding: 7,
            text: "names \(last) as the last record of stream 0101010101010101, of which \(held) are held")
        #expect(try Self.found(collector) == (isTold ? [told] : []))
        // The same after a restart, from the logs alone; nothing more is journalled.
        let before = (journal: collector.journal, state: collector.state.gateway(Self.gateway))
        try collector.restart()
        #expect(collector.journal == before.journal && collector.state.gateway(Self.gateway) == before.state)
        for number in [1, 2, 3] as [UInt64] {
            #expect(collector.state.gateway(Self.gateway)?.hold(second.id, number) == nil)
        }
        guard case .append = collector.deliver(Self.gateway, second.record(3)) else {
            Issue.record("the stream goes on")
            return
        }
    }

    /// What a skip names as lost has been told by it.
    @Test func aSkipStandsForWhatItNames() throws {
        var (first, second) = (TestStream(Self.gateway, 1, key: Self.key), TestStream(Self.gateway, 2, key: Self.key))
        var collector = TestCollector([Self.key])
        _ = collector.deliver(Self.gateway, first.record(1))
        _ = collector.deliver(Self.gateway, first.skip(2, 7))
        let after = Birth.Predecessor(stream: Self.former, lastSequence: 7, reason: "the disk was full")
        _ = collector.deliver(Self.gateway, second.record(1, TestStream.birth(after: after)))
        #expect(try Self.found(collector).isEmpty)
    }

    /// A crash between the evidence log and the Journal: told at the start, by the same event.
    @Test func isToldAfterACrash() throws {
        var (first, second) = (TestStream(Self.gateway, 1, key: Self.key), TestStream(Self.gateway, 2, key: Self.key))
        var (whole, crashed) = (TestCollector([Self.key]), TestCollector([Self.key]))
        let after = Birth.Predecessor(stream: Self.former, lastSequence: 3, reason: "the spool was damaged")
        let birth = second.record(1, TestStream.birth(after: after))
        _ = whole.deliver(Self.gateway, first.record(1))
        _ = whole.deliver(Self.gateway, birth)
        _ = crashed.deliver(Self.gateway, first.record(1))
        try crashed.crashAfterAppending(Self.gateway, birth)
        #expect(try Self.found(crashed).count == 1)
        #expect(crashed.journal == whole.journal)
    }

    private static func found(_ collector: TestCollector) throws -> [Event.FindingMade] {
        try collector.journal.compactMap { draft in
            guard case .findingMade(let event) = try Event(kind: draft.kind, body: draft.payload.body) else {
                return nil
            }
            return event
        }
    }
}
