// Flipped bits and noise on the first page of the spool: everything hangs from it, and nothing may be lost with it.

@testable internal import AgentIO
internal import AgentCore
internal import Evidence
internal import Kit
internal import Testing

struct SpoolSchemaTests {
    /// The magic, page size, formats, pages, cookie, encoding, version, id, the tree's head and its pointers; noise over all.
    @Test(arguments: [0, 16, 18, 20, 28, 44, 56, 60, 63, 68, 71, 100, 103, 105, 108, 111, 113, 511, -1], [512, 1_024])
    func damagedFirstPageCostsNothing(offset: Int, pageBytes: Int) throws {
        let place = try TemporaryDirectory()
        let folder = place.file("spool")
        // An older file has larger pages, and keeps them.
        if pageBytes != 512 {
            try SpoolFolder.create(folder)
            let old = try Database(path: Spool.file(folder))
            try old.run("PRAGMA page_size = \(pageBytes)")
            try old.run("PRAGMA application_id = 1")
            old.close()
        }
        let bench = try SpoolBench(place, folder: folder)
        for _ in 0..<40 { try bench.commit(reads: 10, words: 80) }
        let (old, records) = (bench.keeper.streams[0], try bench.outgoing())
        bench.keeper.spool.close()
        var bytes = try Workplace.bytes(of: Spool.file(folder))
        #expect(Int(bytes[16]) << 8 | Int(bytes[17]) == pageBytes)
        if offset >= 0 {
            // A high bit: what counts upwards is far off then.
            bytes[offset] ^= 0x80
        } else {
            for index in 0..<pageBytes { bytes[index] = UInt8(truncatingIfNeeded: index &* 151 &+ 7) }
        }
        try Workplace.write(bytes, to: Spool.file(folder))
        try bench.restart()
        try bench.findDamage()
        while bench.keeper.holdsBack { try bench.keeper.lookAfterPages() }
        #expect(bench.keeper.streams[0].id == old.id && bench.keeper.streams[0].head >= old.head)
        #expect(Array(try bench.outgoing(stream: 0).prefix(records.count)) == records)
        try bench.commit()
        if case .salvaging(let quarantine) = bench.opening {
            #expect(try Workplace.bytes(of: quarantine + "/spool.db").count == bytes.count)
        }
    }

    /// A newer agent's spool is left alone: that number is no damage.
    @Test func newerFormatIsRefused() throws {
        let bench = try SpoolBench(try TemporaryDirectory())
        try bench.commit()
        try bench.keeper.spool.database.run("PRAGMA user_version = 2")
        bench.keeper.spool.close()
        #expect(throws: SpoolError.self) { try bench.restart() }
    }

    /// Somebody else's database is no damaged spool.
    @Test func otherDatabaseIsRefused() throws {
        let place = try TemporaryDirectory()
        let folder = place.file("spool")
        try SpoolFolder.create(folder)
        let other = try Database(path: Spool.file(folder))
        try other.run("CREATE TABLE theirs (x); PRAGMA user_version = 7")
        other.close()
        #expect(throws: SpoolError.self) { try SpoolBench(place, folder: folder) }
    }
}
