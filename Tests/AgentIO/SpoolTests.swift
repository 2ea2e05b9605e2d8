// The spool under everything that can fail: refused writes, lost answers, a full disk, damaged pages, another machine.

@testable internal import AgentIO
internal import AgentCore
internal import Evidence
internal import Glibc
internal import Kit
internal import Proofs
internal import Quantities
internal import Testing

struct SpoolTests {
    private func codes(_ records: [Record]) -> [UInt64] {
        records.compactMap { if case .note(let note) = $0.body { note.code } else { nil } }
    }

    @Test func streamBeginsWithABirthAndGoesOnAfterARestart() throws {
        let bench = try SpoolBench(try TemporaryDirectory())
        #expect(bench.opening == .fresh)
        try bench.commit()
        try bench.commit()
        let first = try bench.outgoing()
        guard case .birth(let birth)? = first.first?.body else { return #expect(Bool(false), "no birth") }
        #expect(birth.reads.count == 4 && birth.meters.count == 1)
        #expect(first.count == 3)
        try bench.keeper.commit(isFinal: true)
        try bench.restart()
        #expect(bench.opening == .resumed)
        try bench.commit()
        let records = try bench.outgoing()
        #expect(records.count == 4)
        #expect(Array(records.prefix(3)) == first)
        #expect(codes(records) == [])
    }

    @Test func unfinishedRunIsNamed() throws {
        let bench = try SpoolBench(try TemporaryDirectory())
        try bench.commit()
        try bench.restart()
        try bench.commit()
        #expect(codes(try bench.outgoing()) == [NoteCode.startedAfterCrash.rawValue])
    }

    @Test(arguments: [SpoolFault.refused, .answerLost], [1, 2, 5])
    func commitThatFailsIsStoredOnceAndInOrder(_ fault: SpoolFault, times: Int) throws {
        let bench = try SpoolBench(try TemporaryDirectory())
        try bench.commit()
        var left = times
        bench.keeper.spool.fault = { _ in
            guard left > 0 else { return nil }
            left -= 1
            return fault
        }
        for _ in 0..<8 { try bench.commit() }
        let records = try bench.outgoing()
        let samples = records.reduce(0) { sum, record in
            if case .readings(let readings) = record.body { sum + readings.samples.count } else { sum }
        }
        // Nothing twice, nothing lost: reads waited in memory while the spool refused.
        #expect(samples == 27)
        #expect(bench.keeper.isWritable)
    }

    @Test(arguments: [SpoolFault.refused, .answerLost], SpoolWrite.allCases)
    func everyWriteLeavesASoundChain(_ fault: SpoolFault, _ write: SpoolWrite) throws {
        let bench = try SpoolBench(try TemporaryDirectory(), bytesMax: 4 << 20)
        for _ in 0..<10 { try bench.commit(reads: 40, words: 240) }
        var fired = 0
        bench.keeper.spool.fault = { kind in
            guard kind == write, fired < 2 else { return nil }
            fired += 1
            return fault
        }
        switch write {
        case .commit: try bench.commit()
        case .remember:
            try bench.keeper.receive(receipt: try bench.receipt(through: 2)); try bench.keeper.commit(isFinal: true)
        case .forget: for _ in 0..<600 where fired < 2 { try bench.commit(reads: 40, words: 240) }
        case .storeSkip:
            let stream = bench.keeper.streams[0]
            try bench.keeper.spool.forget(SpoolPolicy.Run(first: 3, through: 5, isSacrifice: true), of: stream)
            _ = try bench.keeper.outgoing(3, stream)
            _ = try bench.keeper.outgoing(4, stream)
        case .openStream: try bench.keeper.receive(receipt: try bench.receipt(through: 2) { $0.ended = (2, "forked") })
        }
        #expect(fired > 0)
        bench.keeper.spool.fault = nil
        for _ in 0..<3 { try bench.commit() }
        if write == .openStream {
            #expect(bench.keeper.streams.count == 2)
            #expect(bench.keeper.streams[1].head > 0)
        }
        // Expect soundness, not a reaction: every number is answered for, by a chain that holds, also after a restart.
        _ = try bench.outgoing()
        try bench.restart()
        for _ in 0..<2 { try bench.commit() }
        _ = try bench.outgoing()
    }

    @Test func fullSpoolSacrificesTheOldestAndSaysSo() throws {
        let bench = try SpoolBench(try TemporaryDirectory(), bytesMax: 4 << 20)
        for _ in 0..<500 { try bench.commit(reads: 60, words: 240) }
        #expect(bench.keeper.isWritable)
        #expect(try bench.keeper.spool.usedBytes() <= 4 << 20)
        let records = try bench.outgoing()
        guard case .birth? = records.first?.body else { return #expect(Bool(false), "the birth is gone") }
        guard case .skip(let skip)? = records.dropFirst().first?.body else { return #expect(Bool(false), "no skip") }
        #expect(skip.reason == ForgottenRange.spoolFull)
        #expect(skip.losses == [Skip.Loss(read: 3, samples: 60 * (skip.to - 1))])
        // Clock and completeness are those of the last record it stands for.
        #expect(records[1].clock == skip.lastClock)
        #expect(records[1].completeThrough <= records[2].completeThrough)
        #expect(records.count { if case .skip = $0.body { true } else { false } } == 1)
    }

    /// SQLite refuses the file one page more, as a full disk does.
    @Test func fullDiskMakesRoomAndGoesOn() throws {
        let bench = try SpoolBench(try TemporaryDirectory())
        for _ in 0..<100 { try bench.commit(reads: 60, words: 240) }
        let pages = try bench.keeper.spool.database.integer("PRAGMA page_count") ?? 0
        try bench.keeper.spool.database.run("PRAGMA max_page_count = \(pages)")
        for _ in 0..<100 { try bench.commit(reads: 60, words: 240) }
        #expect(bench.keeper.isWritable)
        let records = try bench.outgoing()
        guard case .skip? = records.dropFirst().first?.body else { return #expect(Bool(false), "no skip") }
        #expect(bench.keeper.streams[0].head == 201)
    }

    @Test(
        .enabled(if: geteuid() == 0, "a disk of its own needs mount(2)"))
    func smallDiskFillsUpAndReadingGoesOn() async throws {
        let place = try TemporaryDirectory()
        let disk = place.file("disk")
        mkdir(disk, 0o700)
        let (status, output) = try await run("mount", ["-t", "tmpfs", "-o", "size=5m", "tmpfs", disk])
        guard status == .exited(0) else { return print("no mount here: \(output)") }
        do {
            // Somebody else takes a part of the disk, so that it is full long before the spool's own bound.
            try Workplace.write([UInt8](repeating: 1, count: 300_000), to: disk + "/other")
            let bench = try SpoolBench(place, folder: disk + "/spool")
            for _ in 0..<300 { try bench.commit(reads: 60, words: 240) }
            for _ in 0..<50 { try bench.commit(reads: 60, words: 240) }
            let records = try bench.outgoing()
            #expect(records.contains { if case .skip = $0.body { true } else { false } })
            #expect(records.last?.place.sequence == bench.keeper.streams[0].head)
            // Nothing vanished: every read stands in a record, in a skip, or still waits in memory.
            let kept = records.reduce(UInt64(0)) { sum, record in
                switch record.body {
                case .readings(let readings): sum + UInt64(readings.samples.count)
                case .skip(let skip): sum + skip.losses.reduce(0) { $0 + $1.samples }
                default: sum
                }
            }
            let waiting = UInt64(bench.recorder.waiting + (bench.keeper.pending == nil ? 0 : 60))
            #expect(kept + waiting >= 350 * 60 - 60 && kept <= 350 * 60)
            bench.keeper.spool.close()
        } catch {
            _ = try await run("umount", ["-l", disk])
            throw error
        }
        _ = try await run("umount", ["-l", disk])
    }

    @Test func receiptedReadingsGoFirstAndComeBackAsASkip() throws {
        let bench = try SpoolBench(try TemporaryDirectory(), bytesMax: 4 << 20)
        for _ in 0..<100 { try bench.commit(reads: 60, words: 240) }
        try bench.keeper.receive(receipt: try bench.receipt(through: 90))
        #expect(bench.keeper.window.receipted == 90)
        for _ in 0..<120 { try bench.commit(reads: 60, words: 240) }
        let stream = bench.keeper.streams[0]
        #expect(try bench.keeper.spool.record(covering: 2, in: stream)?.envelope == nil)
        #expect(try bench.keeper.spool.record(covering: 91, in: stream)?.envelope != nil)
        // A collector restored from a backup: what is deleted comes as a skip, the rest as it was signed.
        let before = try #require(try bench.keeper.spool.record(covering: 1, in: stream))
        try bench.keeper.receive(receipt: try bench.receipt(through: 1, identity: before.link))
        #expect(bench.keeper.window.next == 2)
        let records = try bench.outgoing()
        guard case .skip(let skip) = records[1].body else { return #expect(Bool(false), "no skip") }
        #expect(skip.reason == ForgottenRange.afterReceipt)
        try bench.commit()
        #expect(codes(try bench.outgoing()).contains(NoteCode.receiptWentBack.rawValue))
    }

    /// What the disk refuses for a while is tried again by whoever needs it; damage is for another start.
    @Test func aDiskThatRefusesALookEndsNothing() throws {
        let bench = try SpoolBench(try TemporaryDirectory())
        func refused(_ code: Int32, isReadFailure: Bool = false) throws {
            try bench.keeper.unlessRefused {
                throw DatabaseError(code: code, message: "on purpose", isReadFailure: isReadFailure)
            }
        }
        // SQLITE_IOERR, SQLITE_FULL, SQLITE_BUSY; SQLITE_CORRUPT, SQLITE_NOTADB.
        for code in [10, 13, 5] as [Int32] { try refused(code) }
        for code in [11, 26] as [Int32] { #expect(throws: DatabaseError.self) { try refused(code) } }
        #expect(throws: DatabaseError.self) { try refused(10, isReadFailure: true) }
        #expect(throws: SpoolError.self) { try bench.keeper.unlessRefused { throw SpoolError.damaged("a row") } }
    }

    /// A collector set back to a number inside of what is forgotten: the skip for all of it is next there, and counts for the rest.
    @Test func aCollectorSetBackIntoWhatIsForgottenGetsItsSkip() throws {
        let bench = try SpoolBench(try TemporaryDirectory(), bytesMax: 4 << 20)
        for _ in 0..<100 { try bench.commit(reads: 60, words: 240) }
        try bench.keeper.receive(receipt: try bench.receipt(through: 90))
        for _ in 0..<120 { try bench.commit(reads: 60, words: 240) }
        let range = try #require(try bench.keeper.spool.record(covering: 7, in: bench.keeper.streams[0]))
        try #require(range.envelope == nil && range.first < 7 && range.through > 7)
        let back = try bench.receipt(through: 7, identity: Digest(of: [7])) { $0.resendFrom = 8 }
        for _ in 0..<3 { try bench.keeper.receive(receipt: back) }
        #expect(bench.keeper.window.next == range.first)
        let (_, through) = try #require(try bench.keeper.outgoing(bench.keeper.window.next, bench.keeper.streams[0]))
        #expect(through == range.through)
        try bench.keeper.receive(receipt: try bench.receipt(through: range.through))
        #expect(bench.keeper.window.receipted == range.through)
    }

    @Test(arguments: 0..<12)
    func damagedPagesCostOnlyWhatStandsOnThem(seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(seed))
        let place = try TemporaryDirectory()
        let bench = try SpoolBench(place)
        for _ in 0..<60 { try bench.commit(reads: 10, words: 200) }
        let old = bench.keeper.streams[0]
        bench.keeper.spool.close()
        let file = Spool.file(bench.folder)
        var bytes = try Workplace.bytes(of: file)
        for _ in 0..<(seed % 3 + 1) {
            let page = Int.random(in: (seed == 0 ? 0 : 4)..<bytes.count / 4096, using: &random)
            for index in page * 4096..<(page + 1) * 4096 { bytes[index] = UInt8.random(in: 0...255, using: &random) }
        }
        try Workplace.write(bytes, to: file)
        try bench.restart()
        try bench.findDamage()
        guard case .salvaging(let quarantine) = bench.opening else {
            // Only content was hit that no look at pages finds: the copy is examined when it is refused.
            return #expect(bench.opening == .resumed, "seed \(seed)")
        }
        #expect(try Workplace.bytes(of: quarantine + "/spool.db").count == bytes.count)
        // Committing waits for no salvage, and nothing is sent before it is over.
        try bench.commit()
        #expect(bench.keeper.holdsBack && bench.keeper.sending == bench.keeper.streams.count - 1, "seed \(seed)")
        // A crash in between takes it up again.
        if seed % 2 == 0 { try bench.restart() }
        while bench.keeper.holdsBack { try bench.keeper.lookAfterPages() }
        try bench.restart()
        #expect(bench.opening == .resumed && !bench.keeper.holdsBack, "seed \(seed)")
        let first = bench.keeper.streams[0]
        let saved = first.id == old.id ? first.head : 0
        print("seed \(seed): through \(saved) of \(old.head)")
        #expect(bench.keeper.streams.count >= 2 || saved == 0, "seed \(seed)")
        let birth = try bench.outgoing().first
        guard case .birth(let body)? = birth?.body else { return #expect(Bool(false), "no birth") }
        #expect(body.predecessor?.stream == old.id, "seed \(seed)")
        // The old stream goes first, whole, holes as skips.
        if saved > 0 {
            #expect(saved == old.head && bench.keeper.sending == 0, "seed \(seed)")
            let first = try #require(try bench.keeper.spool.record(after: 0, in: bench.keeper.streams[0]))
            _ = try bench.outgoing(from: first.first, stream: 0)
        }
    }

    /// Without its first page nothing leads to the others: the agent goes on, and holds nothing back for it.
    @Test func fileOfWhichNothingCanBeReadHoldsNothingBack() throws {
        let bench = try SpoolBench(try TemporaryDirectory())
        for _ in 0..<20 { try bench.commit() }
        let old = bench.keeper.chain.stream
        bench.keeper.spool.close()
        var bytes = try Workplace.bytes(of: Spool.file(bench.folder))
        for index in 0..<4096 { bytes[index] = 0xA5 }
        try Workplace.write(bytes, to: Spool.file(bench.folder))
        try bench.restart()
        guard case .salvaging = bench.opening else { return #expect(Bool(false), "\(bench.opening)") }
        #expect(!bench.keeper.holdsBack)
        try bench.commit()
        guard case .birth(let birth)? = try bench.outgoing().first?.body else {
            return #expect(Bool(false), "no birth")
        }
        #expect(birth.predecessor?.stream == old)
        try bench.restart()
        #expect(bench.opening == .resumed)
    }

    /// Pages in each other's place give rows out of order: neither the look at them nor the salvage walks in a circle.
    @Test(arguments: 0..<6) func swappedPagesAreNotWalkedForEver(seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(seed))
        let bench = try SpoolBench(try TemporaryDirectory())
        for _ in 0..<60 { try bench.commit(reads: 10, words: 20) }
        bench.keeper.spool.close()
        var bytes = try Workplace.bytes(of: Spool.file(bench.folder))
        let pages = Array(4..<bytes.count / 4096).shuffled(using: &random)
        let (one, other) = (pages[0] * 4096, pages[1] * 4096)
        for index in 0..<4096 { bytes.swapAt(one + index, other + index) }
        try Workplace.write(bytes, to: Spool.file(bench.folder))
        try bench.restart()
        try bench.findDamage()
        var pieces = 0
        while bench.keeper.holdsBack, pieces < 1_000 {
            try bench.keeper.lookAfterPages()
            pieces += 1
        }
        #expect(!bench.keeper.holdsBack, "seed \(seed)")
        try bench.commit()
    }

    @Test func brokenOwnCopyIsReplacedByASkipWhenTheCollectorRefusesIt() throws {
        let bench = try SpoolBench(try TemporaryDirectory())
        for _ in 0..<5 { try bench.commit() }
        try bench.keeper.spool.database.run(
            "UPDATE record SET envelope = zeroblob(300) WHERE position & 0xFFFFFFFF = 3", [])
        try bench.keeper.receive(
            receipt: try bench.receipt(through: 2) { $0.refusals = [Receipt.Refusal(sequence: 3, code: 9)] })
        let records = try bench.outgoing()
        guard case .skip(let skip) = records[2].body else { return #expect(Bool(false), "no skip") }
        #expect(skip.to == 3 && skip.reason == ForgottenRange.damaged)
        try bench.commit()
        #expect(codes(try bench.outgoing()).contains(NoteCode.quarantined.rawValue))
    }

    @Test func receiptsAreWeighed() throws {
        let bench = try SpoolBench(try TemporaryDirectory())
        for _ in 0..<5 { try bench.commit() }
        let sound = try bench.receipt(through: 3)
        var broken = sound
        broken[broken.count - 1] ^= 1
        try bench.keeper.receive(receipt: broken)
        try bench.keeper.receive(receipt: [])
        try bench.keeper.receive(receipt: try bench.receipt(through: 3, identity: Digest(of: [1])))
        try bench.keeper.receive(receipt: try bench.receipt(through: 3, stream: StreamID([1, 2, 3, 4, 5, 6, 7, 8])))
        #expect(bench.keeper.window.receipted == 0)
        try bench.keeper.receive(receipt: sound)
        #expect(bench.keeper.window.receipted == 3)
        // More than we have: our own spool is an older copy. A new stream names what the collector has.
        let old = bench.keeper.chain.stream
        try bench.keeper.receive(receipt: try bench.receipt(through: 99, identity: Digest(of: [1])))
        #expect(bench.keeper.chain.stream != old)
        try bench.commit()
        guard case .birth(let birth)? = try bench.outgoing().first?.body else {
            return #expect(Bool(false), "no birth")
        }
        #expect(birth.predecessor?.lastSequence == 99 && birth.predecessor?.stream == old)
    }

    @Test func clonedDiskStartsANewStream() throws {
        let bench = try SpoolBench(try TemporaryDirectory())
        try bench.commit()
        let old = bench.keeper.chain.stream
        try SpoolFolder(bench.folder).write(SpoolFolder.Marks(machine: "another", stream: old))
        try bench.restart()
        guard !SpoolFolder.machine().isEmpty else { return }
        #expect(bench.keeper.chain.stream != old)
        try bench.commit()
        guard case .birth(let birth)? = try bench.outgoing().first?.body else {
            return #expect(Bool(false), "no birth")
        }
        #expect(birth.predecessor?.stream == old)
        #expect(birth.predecessor?.reason == "another machine: the disk was moved or cloned")
    }

    @Test func secondAgentAndOtherGatewayAreRefused() throws {
        let place = try TemporaryDirectory()
        let bench = try SpoolBench(place)
        #expect(throws: SpoolError.self) {
            try Spool.open(folder: bench.folder, gateway: SpoolBench.gateway, bytesMax: 4 << 20)
        }
        bench.keeper.spool.close()
        #expect(throws: SpoolError.self) {
            try Spool.open(folder: bench.folder, gateway: Identifier("gw-2")!, bytesMax: 4 << 20)
        }
    }
}
