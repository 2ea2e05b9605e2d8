// The state's file: every write fails at every step, refused or with its answer lost; what a start makes of what is there.

internal import AgentCore
@testable internal import AgentIO
internal import Evidence
internal import Foundation
internal import Kit
internal import Proofs
internal import Quantities
internal import Synchronization
internal import Testing

struct RemoteFileTests {
    private static let log = Log(isForJournal: false, write: { _ in })

    private static func version(_ number: UInt64, _ text: String = "interval: 30s\n") -> RemoteConfiguration.Version {
        RemoteConfiguration.Version(number: number, identity: Digest(of: [1]), text: text)
    }

    /// A site's file in a folder of its own, and the state beside its spool.
    private static func site(_ place: TemporaryDirectory, allowed: Bool = true) throws -> SiteFile {
        let text = """
            gateway: gw-1
            key: /nowhere/key.pem
            spool: {path: \(place.path)}
            profiles: \(Workplace.root)/firmware-profiles
            remote: {allowed: \(allowed), parts: [intervals, meters], trial: 7s}
            buses:
              - {tcp: 192.0.2.10:502, meters: [{id: meter-a, profile: abb/b23}]}

            """
        try Workplace.write(text, to: place.file("agent.yaml"))
        return try SiteFile(path: place.file("agent.yaml"))
    }

    private static func stored(_ place: TemporaryDirectory, _ change: (inout RemoteConfiguration) -> Void) throws {
        var state = RemoteConfiguration()
        change(&state)
        try RemoteFile(folder: place.path).write(state)
    }

    @Test(arguments: RemoteFile.Step.allCases)
    func aFailedWriteLeavesOneOfBothStates(step: RemoteFile.Step) throws {
        let place = try TemporaryDirectory()
        var before = RemoteConfiguration()
        before.refuse(1, .zero, "")
        try RemoteFile(folder: place.path).write(before)
        var after = before
        after.refuse(2, .zero, "")
        let failing = RemoteFile(folder: place.path) { now throws(SystemError) in
            if now == step { throw SystemError("do it", code: EIO) }
        }
        #expect(throws: SystemError.self) { try failing.write(after) }
        let found = try RemoteFile(folder: place.path).read()
        // Only the last step's failure is an answer that is lost.
        #expect(found == (step == .syncFolder ? after : before))
        try RemoteFile(folder: place.path).write(after)
        #expect(try RemoteFile(folder: place.path).read() == after)
    }

    @Test func whatCannotBeStoredDurablyDoesNotHappen() throws {
        let place = try TemporaryDirectory()
        let disk = Disk()
        let file = RemoteFile(folder: place.path) { step throws(SystemError) in
            if step == .sync, disk.isBroken { throw SystemError("sync", code: EIO) }
        }
        var keeping = RemoteKeeping(file, log: Self.log)
        #expect(!keeping.changeDurably { $0.begin(Self.version(1), expected: []) })
        #expect(keeping.state == RemoteConfiguration() && !keeping.isStored)
        keeping.change { $0.refuse(1, .zero, "no") }
        #expect(keeping.state.highest == 1 && !keeping.isStored)
        disk.mend()
        keeping.store()
        #expect(keeping.isStored)
        #expect(try file.read() == keeping.state)
    }

    private final class Disk: Sendable {
        private let broken = Atomic(true)
        var isBroken: Bool { broken.load(ordering: .relaxed) }
        func mend() { broken.store(false, ordering: .relaxed) }
    }

    @Test func aBrokenFileDoesNotKeepTheAgentFromStarting() throws {
        let place = try TemporaryDirectory()
        let site = try Self.site(place)
        try Data([0xA1, 0x01]).write(to: URL(fileURLWithPath: place.file("remote")))
        let lines = Lines()
        let start = try RemoteStart(site: site, log: Log(isForJournal: false, write: { lines.add($0) }))
        #expect(start.settings.buses[0].meters[0].interval == 60_000 && !start.isOnTrial)
        #expect(lines.all.contains { $0.contains("not readable") })
        #expect(FileManager.default.fileExists(atPath: place.file("remote.broken")))
        #expect(try RemoteFile(folder: place.path).read() == nil)
    }

    private final class Lines: Sendable {
        private let lines = Mutex<[String]>([])
        func add(_ line: String) { lines.withLock { $0.append(line) } }
        var all: [String] { lines.withLock { $0 } }
    }

    @Test func startsRunWhatIsInForceOrOnTrial() throws {
        let place = try TemporaryDirectory()
        let site = try Self.site(place)
        #expect(try RemoteStart(site: site, log: Self.log).settings.buses[0].meters[0].interval == 60_000)
        try Self.stored(place) {
            $0.begin(Self.version(1), expected: [])
            $0.confirm()
            $0.begin(Self.version(2, "meters: [{id: meter-a, unit: 9}]"), expected: [])
        }
        for _ in 0..<RemoteConfiguration.startsMax {
            let start = try RemoteStart(site: site, log: Self.log)
            #expect(start.isOnTrial && start.settings.buses[0].meters[0].unit == 9)
            // Each of these dies without a word.
        }
        let start = try RemoteStart(site: site, log: Self.log)
        #expect(!start.isOnTrial && start.settings.buses[0].meters[0].interval == 30_000)
        #expect(try RemoteFile(folder: place.path).read()?.last?.word == .rolledBack)
    }

    @Test func aStartThatCannotBeCountedIsNone() throws {
        let place = try TemporaryDirectory()
        let site = try Self.site(place)
        try Self.stored(place) { $0.begin(Self.version(2), expected: []) }
        let start = try RemoteStart(site: site, log: Self.log) { step throws(SystemError) in
            if step == .write { throw SystemError("write", code: ENOSPC) }
        }
        #expect(!start.isOnTrial && start.settings.buses[0].meters[0].interval == 60_000)
    }

    @Test func whatCannotRunIsTakenBack() throws {
        let place = try TemporaryDirectory()
        let site = try Self.site(place)
        try Self.stored(place) {
            $0.begin(Self.version(1), expected: [])
            $0.confirm()
            $0.begin(Self.version(2, "meters: [{id: meter-a, profile: abb/b99}]"), expected: [])
        }
        let start = try RemoteStart(site: site, log: Self.log)
        #expect(start.settings.buses[0].meters[0].interval == 30_000)
        let state = try #require(try RemoteFile(folder: place.path).read())
        #expect(state.accepted?.number == 1 && state.last?.reason.contains("abb/b99") == true)
        // The site's file no longer allows anything.
        let closed = try RemoteStart(site: try Self.site(place, allowed: false), log: Self.log)
        #expect(closed.settings.buses[0].meters[0].interval == 60_000)
        #expect(try RemoteFile(folder: place.path).read()?.accepted == nil)
    }
}
