// Damage that comes again before the salvage of the last one is over, and crashes between any two of its steps.

@testable internal import AgentIO
internal import AgentCore
internal import Evidence
internal import Glibc
internal import Keys
internal import Kit
internal import Proofs
internal import Quantities
internal import Settings
internal import Testing

@Suite struct SalvageTests {
    /// Ends when nothing is held back any more.
    private func salvage(_ bench: SpoolBench) throws {
        var pieces = 0
        while bench.keeper.holdsBack, pieces < 2_000 {
            try bench.keeper.lookAfterPages()
            pieces += 1
        }
        #expect(!bench.keeper.holdsBack)
    }

    /// Nothing of a stream was lost: each number stands for what was signed.
    private func isWhole(_ bench: SpoolBench, stream index: Int) throws -> Bool {
        try bench.outgoing(stream: index).allSatisfy { if case .skip = $0.body { false } else { true } }
    }

    @Test(arguments: 0..<4)
    func damageDuringASalvageOrphansNothing(crashes: Int) throws {
        let bench = try SpoolBench(try TemporaryDirectory())
        for _ in 0..<40 { try bench.commit(reads: 10, words: 200) }
        let first = bench.keeper.streams[0]
        SpoolFolder(bench.folder).markDamaged()
        try bench.restart()
        for _ in 0..<5 { try bench.commit() }
        // Nothing of the first is taken over yet, or a part of it, or all of it but the end.
        if crashes > 1 { _ = try bench.keeper.spool.salvageMore(milliseconds: crashes == 2 ? 0 : 3) }
        let second = try #require(bench.keeper.streams.last)
        SpoolFolder(bench.folder).markDamaged()
        try bench.restart()
        try bench.commit()
        for _ in 0..<crashes { try bench.restart() }
        #expect(bench.keeper.holdsBack && bench.keeper.sending == bench.keeper.streams.count - 1)
        try salvage(bench)
        #expect(bench.keeper.streams.map(\.id).prefix(2) == [first.id, second.id])
        #expect(bench.keeper.streams.count == 3 && bench.keeper.sending == 0)
        #expect(bench.keeper.streams[0].head == first.head && bench.keeper.streams[1].head == second.head)
        #expect(try isWhole(bench, stream: 0) && isWhole(bench, stream: 1))
        guard case .birth(let birth)? = try bench.outgoing().first?.body else {
            return #expect(Bool(false), "no birth")
        }
        #expect(birth.predecessor?.stream == second.id && birth.predecessor?.lastSequence == second.head)
        try bench.restart()
        #expect(bench.opening == .resumed && !bench.keeper.holdsBack)
        #expect(SpoolFolder(bench.folder).salvaging.isEmpty)
    }

    /// The log lies in the quarantine already, the database does not: alone it is an older one, and nobody goes on with it.
    @Test func crashBetweenLogAndDatabaseMovesTheRest() throws {
        let bench = try SpoolBench(try TemporaryDirectory())
        for _ in 0..<5 { try bench.commit() }
        let first = bench.keeper.streams[0]
        let quarantine = try SpoolFolder(bench.folder).beginSalvage(at: UTCInstant(milliseconds: 7))
        try Workplace.write([1, 2, 3], to: quarantine + "/spool.db-wal")
        try bench.restart()
        #expect(bench.opening == .salvaging(quarantine: quarantine))
        #expect(bench.keeper.chain.stream != first.id)
        try salvage(bench)
        #expect(bench.keeper.streams[0].head == first.head)
        #expect(try isWhole(bench, stream: 0))
    }

    /// Nothing was moved: the folder is used by the next damage, and no second one is made.
    @Test func crashBeforeTheMoveIsTakenUpByTheNextOne() throws {
        let bench = try SpoolBench(try TemporaryDirectory())
        for _ in 0..<5 { try bench.commit() }
        let first = bench.keeper.streams[0]
        let quarantine = try SpoolFolder(bench.folder).beginSalvage(at: UTCInstant(milliseconds: 7))
        SpoolFolder(bench.folder).markDamaged()
        try bench.restart()
        #expect(bench.opening == .salvaging(quarantine: quarantine))
        try salvage(bench)
        #expect(bench.keeper.streams[0].head == first.head)
    }

    /// The new file is there and knows nothing, or only the names of the streams: never is a stream of the damaged file
    /// appended to, whose end is not here yet.
    @Test(arguments: [true, false]) func crashBeforeTheNewStreamNeverForksTheOldOne(isFresh: Bool) throws {
        let bench = try SpoolBench(try TemporaryDirectory())
        for _ in 0..<5 { try bench.commit() }
        let first = bench.keeper.streams[0]
        let session = bench.keeper.agent.session
        SpoolFolder(bench.folder).markDamaged()
        try bench.restart()
        if isFresh {
            unlink(Spool.file(bench.folder))
        } else {
            try bench.keeper.spool.database.run("DELETE FROM stream WHERE ordinal > 1")
        }
        try bench.restart()
        #expect(bench.keeper.chain.stream != first.id && bench.keeper.agent.session > session)
        try bench.commit()
        try salvage(bench)
        #expect(bench.keeper.streams[0].id == first.id && bench.keeper.streams[0].head == first.head)
        #expect(try isWhole(bench, stream: 0))
        guard case .birth(let birth)? = try bench.outgoing().first?.body else {
            return #expect(Bool(false), "no birth")
        }
        #expect(birth.predecessor?.stream == first.id && birth.predecessor?.lastSequence == first.head)
    }

    /// What is beyond the bound stays on the disk, and a signed note names it.
    @Test func tooManyDamagedSpoolsAreNamed() throws {
        let bench = try SpoolBench(try TemporaryDirectory())
        var quarantines: [String] = []
        for _ in 0..<Salvage.quarantinesMax + 2 {
            try bench.commit()
            SpoolFolder(bench.folder).markDamaged()
            try bench.restart()
            if case .salvaging(let quarantine) = bench.opening { quarantines.append(quarantine) }
        }
        #expect(Set(quarantines).count == Salvage.quarantinesMax + 2)
        #expect(bench.keeper.spool.salvages.map(\.quarantine) == Array(quarantines.dropFirst(2)))
        // Not durable yet: a crash says it again.
        try bench.restart()
        #expect(bench.keeper.spool.leftAside.contains(quarantines[1]))
        try bench.commit()
        let names = try bench.outgoing().compactMap { record -> String? in
            guard case .note(let note) = record.body, note.code == NoteCode.quarantined.rawValue else { return nil }
            return "\(note.details)"
        }
        #expect(names.contains { $0.contains(quarantines[1].dropFirst(bench.folder.utf8.count + 1)) })
        #expect(access(quarantines[0] + "/spool.db", F_OK) == 0 && access(quarantines[1] + "/spool.db", F_OK) == 0)
        #expect(SpoolFolder(bench.folder).salvaging == Array(quarantines.dropFirst(2)))
        try salvage(bench)
        #expect(SpoolFolder(bench.folder).salvaging.isEmpty)
    }
}
