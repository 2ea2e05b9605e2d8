// Another key under a spool that is there: a new stream begins, and what was kept of the old one goes out or is given up, never
// stands in the way. And what a receipt let go is remembered with it.

@testable internal import AgentIO
internal import AgentCore
internal import Evidence
internal import Keys
internal import Kit
internal import Proofs
internal import Testing

struct OtherKeyTests {
    private func birth(_ bench: SpoolBench) throws -> Birth {
        guard case .birth(let birth)? = try bench.outgoing().first?.body else { throw KitError("no birth") }
        return birth
    }

    @Test func anotherKeyBeginsAStreamOfItsOwn() throws {
        let bench = try SpoolBench(try TemporaryDirectory())
        for _ in 0..<3 { try bench.commit() }
        let (first, old) = (bench.key, bench.keeper.chain)
        // The same key goes on.
        try bench.restart()
        #expect(bench.keeper.chain.stream == old.stream)
        try bench.restart(with: try PrivateKey.generate(.es256))
        #expect(bench.keeper.chain.stream != old.stream && bench.keeper.chain.head == 0)
        for _ in 0..<3 { try bench.commit() }
        // Every record of the new stream is signed by the new key, from a birth on that says why.
        let born = try birth(bench)
        #expect(born.predecessor?.stream == old.stream && born.predecessor?.lastSequence == old.head)
        #expect(born.predecessor?.reason.hasPrefix("another key") == true)
        // What was kept goes out first, as the old key signed it.
        #expect(bench.keeper.sending == 0)
        #expect(try bench.outgoing(stream: 0, signedBy: first).count == Int(old.head))
        // And a further start goes on with the new stream.
        let new = bench.keeper.chain.stream
        try bench.restart()
        #expect(bench.keeper.chain.stream == new && bench.keeper.streams.count == 2)
    }

    /// The readings of the old stream are forgotten: the skip that should stand for them can be signed by nobody.
    @Test func whatNobodyCanSignAnyMoreHoldsNothingBack() throws {
        let bench = try SpoolBench(try TemporaryDirectory())
        for _ in 0..<6 { try bench.commit() }
        let old = bench.keeper.streams[0]
        try bench.keeper.spool.forget(SpoolPolicy.Run(first: 3, through: 5, isSacrifice: true), of: old)
        try bench.restart(with: try PrivateKey.generate(.es256))
        try bench.commit()
        #expect(bench.keeper.sending == 0)
        #expect(try bench.keeper.outgoing(2, bench.keeper.streams[0]) != nil)
        #expect(try bench.keeper.outgoing(3, bench.keeper.streams[0]) == nil)
        #expect(bench.keeper.sending == 1 && bench.keeper.streams[0].isEnded)
        try bench.commit()
        #expect(try notes(bench).contains { $0.contains("not taken: its key is here no more") })
    }

    /// A collector that never heard of the old key refuses its records: the new stream goes out all the same.
    @Test(arguments: [RefusalCode.unknownKey, .revokedKey])
    func aKeyThatNobodyKnowsEndsItsStream(_ code: RefusalCode) throws {
        let bench = try SpoolBench(try TemporaryDirectory())
        for _ in 0..<3 { try bench.commit() }
        let old = bench.keeper.streams[0]
        // While it is the key in force its records wait: the gateway may be registered any moment.
        let refusal = Receipt.Refusal(sequence: 1, code: code.rawValue)
        try bench.keeper.receive(receipt: try bench.receipt(through: 0) { $0.refusals = [refusal] })
        #expect(!bench.keeper.streams[0].isEnded)
        try bench.restart(with: try PrivateKey.generate(.es256))
        try bench.commit()
        let answer = try bench.receipt(through: 0, stream: old.id) { $0.refusals = [refusal] }
        try bench.keeper.receive(receipt: answer)
        #expect(bench.keeper.streams[0].isEnded && bench.keeper.sending == 1)
        // Remembered over a crash.
        try bench.restart()
        #expect(bench.keeper.streams[0].isEnded && bench.keeper.sending == 1)
    }

    private func notes(_ bench: SpoolBench) throws -> [String] {
        try bench.outgoing().compactMap { record in
            if case .note(let note) = record.body { "\(note.details)" } else { nil }
        }
    }

    @Test(arguments: [nil, SpoolFault.refused, .answerLost])
    func whatAReceiptLetGoIsRememberedWithIt(_ fault: SpoolFault?) throws {
        let bench = try SpoolBench(try TemporaryDirectory())
        for _ in 0..<40 { try bench.commit(reads: 60, words: 240) }
        try bench.keeper.receive(receipt: try bench.receipt(through: 30))
        #expect(bench.keeper.spool.streams[0].receipted == 0)
        bench.keeper.spool.fault = { $0 == .forget ? fault : nil }
        // The disk is full: receipted readings go. Then the power goes, before any commit.
        try bench.keeper.relieve()
        try bench.restart()
        let stream = bench.keeper.streams[0]
        let isForgotten = try bench.keeper.spool.record(covering: 3, in: stream)?.envelope == nil
        #expect(isForgotten == (fault != .refused))
        #expect(stream.receipted == (isForgotten ? 30 : 0))
        #expect(bench.keeper.window.next == stream.receipted + 1)
    }
}
