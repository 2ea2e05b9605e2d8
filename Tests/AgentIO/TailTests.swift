// The end of a former stream, of which a restored collector holds less than it did: sent again before anything of the stream after it.

@testable internal import AgentIO
internal import AgentCore
internal import Evidence
internal import Keys
internal import Kit
internal import Proofs
internal import Testing

struct TailTests {
    /// Two streams, of which the first is receipted to its head; the second has three records and no receipt.
    private func bench() throws -> SpoolBench {
        let bench = try SpoolBench(try TemporaryDirectory())
        for _ in 0..<6 { try bench.commit() }
        try bench.keeper.receive(receipt: try bench.receipt(through: bench.keeper.streams[0].head))
        try bench.keeper.commit(isFinal: true)
        let other = SpoolFolder.Marks(machine: "another", stream: bench.keeper.streams[0].id)
        try SpoolFolder(bench.folder).write(other)
        try bench.restart()
        for _ in 0..<3 { try bench.commit() }
        bench.keeper.window.connected(now: 0)
        try #require(bench.keeper.streams.count == 2 && bench.keeper.sending == 1, "this machine has no id")
        try #require(bench.keeper.streams[0].receipted == bench.keeper.streams[0].head)
        return bench
    }

    private func receipt(
        _ bench: SpoolBench, _ stream: Int, through: UInt64, _ change: (inout Receipt) -> Void = { _ in }
    ) throws -> [UInt8] {
        let state = bench.keeper.streams[stream]
        let own = through == 0 ? nil : try bench.keeper.spool.record(covering: through, in: state)
        return try bench.receipt(through: through, identity: own?.link ?? .zero, stream: state.id, change)
    }

    private func notes(_ bench: SpoolBench) throws -> [UInt64] {
        try bench.commit()
        return try bench.outgoing().compactMap {
            if case .note(let note) = $0.body { note.code } else { nil }
        }
    }

    @Test func itsLastRecordAsksBeforeTheNextStreamBegins() throws {
        let bench = try bench()
        let head = bench.keeper.streams[0].head
        try bench.keeper.askForTail()
        #expect(bench.keeper.sending == 0 && bench.keeper.window.next == head)
        try bench.keeper.receive(receipt: try receipt(bench, 0, through: head))
        #expect(bench.keeper.sending == 1 && bench.keeper.window.next == 1)
        // Once.
        try bench.keeper.askForTail()
        #expect(bench.keeper.sending == 1)
        // The collector was set back to before the second stream: what it has of the first is asked for again.
        try bench.keeper.receive(receipt: try receipt(bench, 1, through: 2))
        try bench.keeper.receive(receipt: try receipt(bench, 1, through: 0))
        try bench.keeper.askForTail()
        #expect(bench.keeper.sending == 0 && bench.keeper.streams[0].receipted == head - 1)
        try bench.keeper.receive(receipt: try receipt(bench, 0, through: 2))
        #expect(bench.keeper.sending == 0 && bench.keeper.window.next == 3)
        #expect(try bench.outgoing(from: 3, stream: 0).count == Int(head) - 2)
        try bench.keeper.receive(receipt: try receipt(bench, 0, through: head))
        #expect(bench.keeper.sending == 1 && bench.keeper.window.next == 1)
        try bench.keeper.askForTail()
        #expect(bench.keeper.sending == 1)
    }

    @Test func aReceiptOfAFormerStreamThatWentBackIsHeard() throws {
        let bench = try bench()
        let head = bench.keeper.streams[0].head
        try bench.keeper.receive(receipt: try receipt(bench, 1, through: 2))
        // What was said before and comes late changes nothing.
        try bench.keeper.receive(receipt: try receipt(bench, 0, through: head))
        #expect(bench.keeper.sending == 1)
        try bench.keeper.receive(receipt: try bench.receipt(through: 2, stream: bench.keeper.streams[0].id))
        #expect(bench.keeper.sending == 1, "another identity than ours")
        try bench.keeper.receive(receipt: try receipt(bench, 0, through: 3))
        #expect(bench.keeper.sending == 0 && bench.keeper.window.next == 4)
        try bench.keeper.receive(receipt: try receipt(bench, 0, through: head))
        #expect(bench.keeper.sending == 1 && bench.keeper.window.next == 3)
        #expect(try notes(bench).filter { $0 == NoteCode.receiptWentBack.rawValue }.count == 1)
    }

    /// Old receipts, genuine every one, from the newest to the oldest and again: one note, and nothing else grows.
    @Test func receiptsPlayedBackwardsMakeOneNote() throws {
        let bench = try SpoolBench(try TemporaryDirectory())
        for _ in 0..<40 { try bench.commit() }
        let old = try (1...40).map { try bench.receipt(through: $0) }
        for _ in 0..<3 {
            for receipt in old.reversed() { try bench.keeper.receive(receipt: receipt) }
            try bench.commit()
        }
        #expect(try notes(bench).filter { $0 == NoteCode.receiptWentBack.rawValue }.count == 1)
    }

    /// The collector ended the stream before, and was set back to when it did not know that stream yet.
    @Test(arguments: [true, false]) func anEndedStreamIsAskedForWhenItsEndIsForgotten(isForgotten: Bool) throws {
        let bench = try bench()
        let head = bench.keeper.streams[0].head
        bench.keeper.streams[0].isEnded = true
        try bench.keeper.askForTail()
        #expect(bench.keeper.sending == 1)
        try bench.keeper.receive(receipt: try receipt(bench, 1, through: 2))
        try bench.keeper.receive(receipt: try receipt(bench, 1, through: 0))
        try bench.keeper.askForTail()
        #expect(bench.keeper.sending == 0 && bench.keeper.window.next == head)
        if isForgotten {
            try bench.keeper.receive(receipt: try receipt(bench, 0, through: 0) { $0.resendFrom = 1 })
            #expect(bench.keeper.sending == 0 && bench.keeper.window.next == 1)
            try bench.keeper.receive(receipt: try receipt(bench, 0, through: head))
        } else {
            try bench.keeper.receive(receipt: try receipt(bench, 0, through: head) { $0.ended = (head, "forked") })
            #expect(bench.keeper.streams[0].isEnded)
        }
        #expect(bench.keeper.sending == 1 && bench.keeper.window.next == 1)
        try bench.keeper.askForTail()
        #expect(bench.keeper.sending == 1)
    }

    /// Neither a refusal of what was sent to ask nor an ended stream keeps the next one waiting, and nothing is said to be lost.
    @Test(arguments: [RefusalCode.revokedKey, .unknownKey, .streamEnded, nil])
    func anAnswerThatDoesNotHelpEndsTheQuestion(_ code: RefusalCode?) throws {
        let bench = try bench()
        let head = bench.keeper.streams[0].head
        try bench.keeper.askForTail()
        try bench.keeper.receive(
            receipt: try receipt(bench, 0, through: code == nil ? head : head - 1) { receipt in
                if let code {
                    receipt.refusals = [Receipt.Refusal(sequence: head, code: code.rawValue)]
                } else {
                    receipt.ended = (head, "closed")
                }
            })
        #expect(bench.keeper.sending == 1 && bench.keeper.streams[0].receipted == head)
        #expect(bench.keeper.streams[0].isEnded == (code == nil))
        try bench.keeper.askForTail()
        #expect(bench.keeper.sending == 1)
        #expect(try !notes(bench).contains(NoteCode.quarantined.rawValue))
    }
}
