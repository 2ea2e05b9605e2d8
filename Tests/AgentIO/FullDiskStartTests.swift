// A start on a disk that somebody else filled to its last byte: reading begins, and what is read is kept as soon as there is room.

@testable internal import AgentIO
internal import AgentCore
internal import Evidence
internal import Glibc
internal import Kit
internal import Testing

@Suite(.enabled(if: geteuid() == 0, "a disk of its own needs mount(2)"))
struct FullDiskStartTests {
    /// With the reserve beside the spool, as a run leaves it, and without it, as a run leaves it that has met the full disk.
    @Test(arguments: [true, false], [true, false]) func readingBegins(hasReserve: Bool, isClean: Bool) async throws {
        let place = try TemporaryDirectory()
        let disk = place.file("disk")
        mkdir(disk, 0o700)
        try await command("mount", "-t", "tmpfs", "-o", "size=5m", "tmpfs", disk)
        do {
            let bench = try SpoolBench(place, folder: disk + "/spool")
            for _ in 0..<20 { try bench.commit(reads: 60, words: 240) }
            if isClean { try bench.keeper.commit(isFinal: true) }
            let (stream, head) = (bench.keeper.chain.stream, bench.keeper.chain.head)
            bench.keeper.spool.close()
            if !hasReserve { unlink(disk + "/spool/reserve") }
            try fill(disk + "/other")
            try bench.restart()
            #expect(bench.keeper.chain.stream == stream && bench.keeper.chain.head == head)
            for _ in 0..<5 { try bench.commit() }
            // The reserve is room enough; without it what is read waits in memory until somebody makes room.
            #expect(bench.keeper.isWritable == hasReserve)
            unlink(disk + "/other")
            for _ in 0..<2 { try bench.commit() }
            #expect(bench.keeper.isWritable && bench.keeper.chain.head > head)
            let session = bench.keeper.agent.session
            bench.keeper.spool.close()
            try bench.restart()
            #expect(bench.keeper.agent.session == session + 1)
            let reads = try bench.outgoing(from: head + 1).reduce(0) { sum, record in
                if case .readings(let readings) = record.body { sum + readings.samples.count } else { sum }
            }
            #expect(reads == 7 * 3)
            bench.keeper.spool.close()
        } catch {
            _ = try await run("umount", ["-l", disk])
            throw error
        }
        try await command("umount", "-l", disk)
    }

    private func fill(_ path: String) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT, 0o600)
        try #require(descriptor >= 0)
        defer { close(descriptor) }
        let block = [UInt8](repeating: 1, count: 4_096)
        while Glibc.write(descriptor, block, block.count) > 0 {}
        try #require(errno == ENOSPC)
    }
}
