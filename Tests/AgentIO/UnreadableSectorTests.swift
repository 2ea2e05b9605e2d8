// Sectors that the disk does not give: reads fail with EIO, as those of /proc/self/mem at address 0 do.

@testable internal import AgentIO
internal import AgentCore
internal import Glibc
internal import Kit
internal import Testing

struct UnreadableSectorTests {
    private static let unreadable = "/proc/self/mem"

    /// Another start would find it as unreadable: it is set aside, and the agent keeps what is read from now on.
    @Test func databaseWithoutAFirstPageIsSetAside() throws {
        let bench = try SpoolBench(try TemporaryDirectory())
        try bench.commit()
        let stream = bench.keeper.streams[0].id
        bench.keeper.spool.close()
        try replace(Spool.file(bench.keeper.spool.folder))
        try bench.restart()
        guard case .salvaging(let quarantine) = bench.opening else { return #expect(Bool(false), "\(bench.opening)") }
        var status = stat()
        #expect(lstat(quarantine + "/spool.db", &status) == 0 && status.st_mode & S_IFMT == S_IFLNK)
        #expect(bench.keeper.streams.last?.id != stream)
        try bench.commit()
    }

    /// They are a hint, and written anew.
    @Test func marksThatCannotBeReadAreNone() throws {
        let bench = try SpoolBench(try TemporaryDirectory())
        try bench.commit()
        let place = SpoolFolder(bench.keeper.spool.folder)
        bench.keeper.spool.close()
        try replace(place.path + "/marks")
        #expect(try place.marks() == nil)
        try bench.restart()
        #expect(try place.marks()?.stream == bench.keeper.streams.last?.id)
    }

    private func replace(_ path: String) throws {
        try #require(unlink(path) == 0 && symlink(Self.unreadable, path) == 0)
    }
}
