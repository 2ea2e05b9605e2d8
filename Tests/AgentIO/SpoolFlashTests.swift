// What commits write, held against what `plan` says; and what is remembered only now and then, over a crash.

@testable internal import AgentIO
internal import AgentCore
internal import Evidence
internal import Glibc
internal import Kit
internal import Testing

struct SpoolFlashTests {
    private func size(_ path: String) throws -> Int64 { Int64(try Workplace.bytes(of: path).count) }

    /// Envelopes as of a meter, of five and of a hundred.
    @Test(arguments: [1, 8, 55, 100, 101, 104])
    func commitsWriteWhatThePlanSays(reads: Int) throws {
        let bench = try SpoolBench(try TemporaryDirectory())
        let log = Spool.file(bench.folder) + "-wal"
        try bench.commit()
        try bench.keeper.spool.shrinkLog()
        let (before, empty) = (try size(Spool.file(bench.folder)), try size(log))
        #expect(empty == 0)
        let commits: Int64 = 100
        // Less than what the log takes before it is folded in.
        try bench.keeper.spool.database.run("PRAGMA wal_autocheckpoint = 0")
        for _ in 0..<commits { try bench.commit(reads: reads, words: 80) }
        let stream = bench.keeper.streams[0]
        let envelope = try #require(try bench.keeper.spool.record(covering: stream.head, in: stream)?.envelope?.count)
        let logged = try size(log)
        #expect(
            abs(logged / commits - Spool.loggedBytes(envelope: Int64(envelope))) <= Spool.blockBytes / 4, "\(envelope)")
        try bench.keeper.spool.shrinkLog()
        let folded = (try size(Spool.file(bench.folder)) - before) / commits
        let said = Spool.foldedBytes(envelope: Int64(envelope))
        #expect(abs(folded - said) <= said / 20 + 32, "\(envelope): \(folded), said \(said)")
    }

    /// A commit that began in the middle of a block would write the end of the one before it again.
    @Test func commitsBeginAtBlocks() throws {
        let bench = try SpoolBench(try TemporaryDirectory())
        let log = Spool.file(bench.folder) + "-wal"
        try bench.commit()
        for reads in 1..<40 {
            let before = try size(log)
            try bench.commit(reads: reads, words: 80)
            let after = try size(log)
            // The last frame reaches over the block's end; its rest is held back until something follows it.
            #expect(after > before && after % Spool.blockBytes == 0, "\(reads): \(before), \(after)")
        }
    }

    /// Without the end of the last frame the log holds every commit: what is on the disk after a power cut, or when the process is
    /// killed, opens with all of them, and goes on.
    @Test func logWithoutItsTailHoldsEveryCommit() throws {
        let bench = try SpoolBench(try TemporaryDirectory())
        for reads in 1..<20 {
            try bench.commit(reads: reads, words: 80)
            let (head, folder) = (bench.keeper.chain.head, try TemporaryDirectory())
            for name in ["spool.db", "spool.db-wal"] {
                try Workplace.write(try Workplace.bytes(of: bench.folder + "/" + name), to: folder.file(name))
            }
            let (copy, _) = try Spool.open(folder: folder.path, gateway: SpoolBench.gateway, bytesMax: 1 << 28)
            #expect(copy.streams.last?.head == head)
            for number in 1...head {
                let stored = try copy.record(covering: number, in: copy.streams[0])
                #expect(stored == (try bench.keeper.spool.record(covering: number, in: bench.keeper.streams[0])))
            }
            copy.close()
        }
    }

    /// The log's index is memory, also of a spool that was there: as a file the system would write it every 30 s.
    @Test(arguments: [true, false]) func indexOfTheLogIsNoFile(isClean: Bool) throws {
        let bench = try SpoolBench(try TemporaryDirectory())
        for _ in 0..<3 { try bench.commit() }
        let folder = try TemporaryDirectory()
        if isClean { bench.keeper.spool.close() }
        for name in ["spool.db", "spool.db-wal"] where access(bench.folder + "/" + name, F_OK) == 0 {
            try Workplace.write(try Workplace.bytes(of: bench.folder + "/" + name), to: folder.file(name))
        }
        let (copy, _) = try Spool.open(folder: folder.path, gateway: SpoolBench.gateway, bytesMax: 1 << 28)
        #expect(access(folder.file("spool.db-shm"), F_OK) != 0 && copy.streams.count == 1)
        copy.close()
    }

    @Test func receiptsAreRememberedNowAndThen() throws {
        let bench = try SpoolBench(try TemporaryDirectory())
        for _ in 0..<3 { try bench.commit() }
        // The first one says which key list was believed: that is kept at once.
        try bench.keeper.receive(receipt: try bench.receipt(through: 1))
        try bench.keeper.commit(isFinal: false)
        #expect(bench.keeper.spool.agent.keyListNumber == 1 && bench.keeper.spool.streams[0].receipted == 1)
        try bench.keeper.receive(receipt: try bench.receipt(through: 3))
        let before = bench.keeper.spool.agent
        try bench.keeper.commit(isFinal: false)
        #expect(bench.keeper.spool.agent == before, "a receipt alone writes nothing yet")
        #expect(bench.keeper.streams[0].receipted == 3 && bench.keeper.spool.streams[0].receipted == 1)
        // With the next record the stream's row is written anyway.
        try bench.commit()
        #expect(bench.keeper.spool.streams[0].receipted == 3 && bench.keeper.spool.agent == before)
        for _ in 0..<Keeper.keepEvery { try bench.keeper.commit(isFinal: false) }
        #expect(bench.keeper.spool.agent.receipt == bench.keeper.agent.receipt)
        #expect(bench.keeper.agent.receipt != before.receipt)
    }

    /// A crash takes the receipts since: what they covered is sent again, and nothing else changes.
    @Test func crashForgetsReceiptsAndNothingElse() throws {
        let bench = try SpoolBench(try TemporaryDirectory())
        for _ in 0..<5 { try bench.commit() }
        let head = bench.keeper.streams[0].head
        for number in [1, head] {
            try bench.keeper.receive(receipt: try bench.receipt(through: number))
            try bench.keeper.commit(isFinal: false)
        }
        let (stream, records) = (bench.keeper.chain.stream, try bench.outgoing())
        try bench.restart()
        #expect(bench.keeper.chain.stream == stream && bench.keeper.streams[0].head == head)
        #expect(bench.keeper.window.receipted == 1)
        #expect(Array(try bench.outgoing().prefix(records.count)) == records)
        // The receipt comes again, and is believed again.
        try bench.keeper.receive(receipt: try bench.receipt(through: head))
        #expect(bench.keeper.window.receipted == head)
    }

    /// The agent's row is older than the last commit; the note that a start after a crash signs is not.
    @Test func crashNoteNamesTheLastCommit() throws {
        let bench = try SpoolBench(try TemporaryDirectory())
        for _ in 0..<5 { try bench.commit() }
        let (first, last) = (try #require(try bench.outgoing().first), try #require(try bench.outgoing().last))
        guard case .birth(let birth) = first.body else { return #expect(Bool(false), "no birth") }
        try bench.restart()
        #expect(bench.keeper.spool.agent.uptime < last.clock.uptimeMilliseconds)
        try bench.commit()
        let notes = try bench.outgoing().compactMap { if case .note(let note) = $0.body { note } else { nil } }
        let note = try #require(notes.first { $0.code == NoteCode.startedAfterCrash.rawValue })
        let committed = last.clock.uptimeMilliseconds
        #expect(
            note
                == birth.crashNote(
                    committed: committed, lost: note.uptimeMilliseconds - committed, uptime: note.uptimeMilliseconds))
    }
}
