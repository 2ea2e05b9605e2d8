// The key's store goes away and comes back: what people asked to be signed is answered once it is.

@testable internal import AgentIO
internal import AgentCore
internal import Evidence
internal import Keys
internal import Kit
internal import Testing

struct SignerGoneTests {
    @Test func aNoteIsAnsweredWhenItIsSignedAndNotBefore() async throws {
        let tpm = try SoftTPM()
        let first = try await tpm.start()
        let key = try PrivateKey.create(in: try KeyStore("tpm2:0x81000001", device: tpm.socket))
        let bench = try SpoolBench(try TemporaryDirectory())
        try bench.restart(with: key)
        try bench.commit()
        first.kill(9)
        _ = try await first.wait(timeout: .seconds(10))
        let stream = bench.keeper.chain.stream
        let reply = Mailbox<NoteRequest.Reply>(itemsMax: 1)
        bench.keeper.ask(
            NoteRequest(
                notes: { [.receiptWentBack(stream: stream, to: 1, held: 2, uptime: $0)] }, reply: reply))
        try bench.commit()
        #expect(bench.keeper.signerProblem != nil)
        #expect(reply.take(within: 0).isEmpty)
        let head = bench.keeper.chain.head
        let second = try await tpm.start()
        defer { second.kill(9) }
        try bench.commit()
        try bench.commit()
        guard case .stored(let number)? = reply.take(within: 0).first else {
            return #expect(Bool(false), "no answer")
        }
        #expect(number > head)
        let record = try bench.outgoing(from: number).first
        guard case .note? = record?.body else { return #expect(Bool(false), "\(String(describing: record))") }
    }
}
