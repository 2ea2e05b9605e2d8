// The held end of the log before a file that refuses writes: nothing is lost, out of order or read before it is there.

@testable internal import AgentIO
internal import CSQLite
internal import Testing

struct LogTailTests {
    /// A file in memory, as SQLite sees files.
    private final class Paper {
        var bytes: [UInt8] = []
        var refuses = false
        let file = UnsafeMutablePointer<File>.allocate(capacity: 1)
        private let methods = UnsafeMutablePointer<sqlite3_io_methods>.allocate(capacity: 1)

        struct File {
            /// First: SQLite sees only this.
            var base: sqlite3_file
            unowned let paper: Paper
        }

        init() {
            var own = sqlite3_io_methods()
            own.iVersion = 3
            own.xWrite = { file, from, count, offset in
                let paper = Paper.of(file)
                guard !paper.refuses, let from else { return SQLITE_FULL }
                let end = Int(offset) + Int(count)
                if paper.bytes.count < end { paper.bytes += [UInt8](repeating: 0, count: end - paper.bytes.count) }
                paper.bytes.replaceSubrange(
                    Int(offset)..<end, with: UnsafeRawBufferPointer(start: from, count: Int(count)))
                return SQLITE_OK
            }
            own.xRead = { file, into, count, offset in
                let part = Paper.of(file).bytes.dropFirst(Int(offset)).prefix(Int(count))
                into?.copyMemory(from: Array(part), byteCount: part.count)
                return part.count == Int(count) ? SQLITE_OK : SQLITE_IOERR
            }
            own.xSync = { _, _ in SQLITE_OK }
            own.xTruncate = { file, size in
                let paper = Paper.of(file)
                paper.bytes.removeLast(max(0, paper.bytes.count - Int(size)))
                return SQLITE_OK
            }
            own.xFileSize = { file, size in
                size?.pointee = Int64(Paper.of(file).bytes.count)
                return SQLITE_OK
            }
            own.xClose = { _ in SQLITE_OK }
            methods.initialize(to: own)
            file.initialize(to: File(base: sqlite3_file(pMethods: methods), paper: self))
            base { LogTail.hold($0) }
        }

        deinit {
            file.deinitialize(count: 1)
            file.deallocate()
            methods.deallocate()
        }

        static func of(_ file: UnsafeMutablePointer<sqlite3_file>?) -> Paper {
            UnsafeMutableRawPointer(file!).assumingMemoryBound(to: File.self).pointee.paper
        }

        func base<R>(_ body: (UnsafeMutablePointer<sqlite3_file>) -> R) -> R {
            body(UnsafeMutableRawPointer(file).assumingMemoryBound(to: sqlite3_file.self))
        }

        func write(_ byte: UInt8, _ count: Int, at offset: Int64) -> Int32 {
            let bytes = [UInt8](repeating: byte, count: count)
            return base { $0.pointee.pMethods.pointee.xWrite($0, bytes, Int32(count), offset) }
        }

        func sync() -> Int32 { base { $0.pointee.pMethods.pointee.xSync($0, 2) } }

        var size: Int64 {
            var size: Int64 = 0
            _ = base { $0.pointee.pMethods.pointee.xFileSize($0, &size) }
            return size
        }

        /// A commit that fills a block, and the rest of its last frame.
        func commit() -> Bool {
            write(1, 4_096, at: 0) == SQLITE_OK && sync() == SQLITE_OK && write(2, 40, at: 4_096) == SQLITE_OK
        }
    }

    @Test func whatFollowsASyncAtABlockIsHeldAndWrittenFirst() {
        let paper = Paper()
        #expect(paper.commit() && paper.bytes.count == 4_096 && paper.size == 4_136)
        // The rest may come in two pieces: the sync was in the middle of a frame's head.
        #expect(paper.write(3, 500, at: 4_136) == SQLITE_OK && paper.bytes.count == 4_096 && paper.size == 4_636)
        #expect(paper.write(4, 4_000, at: 4_636) == SQLITE_OK && paper.bytes.count == 8_636)
        #expect(paper.bytes[4_096..<4_136].allSatisfy { $0 == 2 } && paper.bytes[4_136..<4_636].allSatisfy { $0 == 3 })
        // In the middle of a block, or not after a sync, nothing is held.
        #expect(paper.write(4, 100, at: 12_288) == SQLITE_OK && paper.bytes.count == 12_388)
        #expect(
            paper.sync() == SQLITE_OK && paper.write(5, 100, at: 12_400) == SQLITE_OK && paper.bytes.count == 12_500)
    }

    @Test func whatIsHeldIsThereForWhoReadsAndSyncs() {
        let paper = Paper()
        #expect(paper.commit())
        var bytes = [UInt8](repeating: 0, count: 60)
        func read(_ offset: Int64) -> Int32 {
            paper.base { $0.pointee.pMethods.pointee.xRead($0, &bytes, 60, offset) }
        }
        #expect(read(4_036) == SQLITE_OK && paper.bytes.count == 4_096)
        #expect(read(4_076) == SQLITE_OK && bytes[..<20].allSatisfy { $0 == 1 } && bytes[20...].allSatisfy { $0 == 2 })
        let other = Paper()
        #expect(other.commit() && other.sync() == SQLITE_OK && other.bytes.count == 4_136)
    }

    /// A disk that is full and has room again: the next commit waits for the piece before it, and nothing stands behind a gap.
    @Test func whatIsRefusedIsTriedAgainBeforeAnythingElse() {
        let paper = Paper()
        #expect(paper.commit())
        paper.refuses = true
        #expect(paper.write(3, 4_096, at: 4_136) == SQLITE_FULL && paper.sync() == SQLITE_FULL)
        paper.refuses = false
        #expect(paper.write(3, 4_096, at: 4_136) == SQLITE_OK && paper.bytes.count == 8_232)
        #expect(paper.bytes[4_096..<4_136].allSatisfy { $0 == 2 })
    }

    @Test func aLogThatIsCutForgetsWhatStoodBehind() {
        let paper = Paper()
        #expect(paper.commit())
        #expect(paper.base { $0.pointee.pMethods.pointee.xTruncate($0, 0) } == SQLITE_OK)
        #expect(paper.bytes.isEmpty && paper.size == 0 && paper.write(1, 24, at: 0) == SQLITE_OK)
        #expect(paper.bytes.count == 24)
        #expect(paper.base { $0.pointee.pMethods.pointee.xClose($0) } == SQLITE_OK)
        paper.base { #expect($0.pointee.pMethods.pointee.iVersion == 3, "its own methods again") }
    }
}
