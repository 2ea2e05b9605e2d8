// The SQLite file under a log: what durability rests on, who may open it, and what happens when it is full.

import CollectorCore
import Foundation
import GRDB
import Keys
import Kit
import Proofs
import Testing

@testable import CollectorJournal

struct LogFileTests {
    private let schema = LogSchema(applicationID: 7, migrations: ["CREATE TABLE a (b)", "CREATE TABLE c (d)"])

    private func open(
        _ path: String, _ schema: LogSchema? = nil, settings: [LogSetting] = LogSetting.all
    ) throws -> LogFile {
        try LogFile(path: path, schema: schema ?? self.schema, quickCheck: true, bytesMax: nil, settings: settings)
    }

    private func unsuitable(_ body: () throws -> LogFile) throws -> String {
        let error = #expect(throws: LogError.self) { try body() }
        guard case .unsuitable(let text) = error else {
            Issue.record("\(String(describing: error)) is not .unsuitable")
            return ""
        }
        return text
    }

    /// As SQLite itself reports them on the writing connection, one by one.
    @Test func durabilityIsSetAndReadBack() throws {
        let place = try TemporaryDirectory()
        let file = try open(place.file("log"))
        let expected = [
            ("journal_mode", "wal"), ("synchronous", "2"), ("fullfsync", "1"), ("checkpoint_fullfsync", "1"),
            ("wal_autocheckpoint", "1000"), ("foreign_keys", "1"), ("secure_delete", "1"), ("user_version", "2"),
            ("application_id", "7"),
        ]
        for (name, value) in expected {
            let found = try file.write { db in try Row.fetchOne(db, sql: "PRAGMA \(name)")?[0] as DatabaseValue? }
            #expect(found.map { "\($0.storage.value ?? "null")" } == value, "\(name)")
        }
    }

    @Test func aSettingThatDidNotTakeDoesNotOpen() throws {
        let place = try TemporaryDirectory()
        for setting in LogSetting.all {
            let other = LogSetting(name: setting.name, value: setting.value, readBack: setting.readBack + "1")
            let text = try unsuitable { try open(place.file(setting.name), settings: [other]) }
            #expect(text.contains(setting.name) && text.contains("would not be durable"))
        }
        // A setting SQLite does not know reads back as nothing.
        _ = try unsuitable {
            try open(place.file("a"), settings: [LogSetting(name: "no_such", value: "1", readBack: "1")])
        }
    }

    @Test func readersCannotWrite() throws {
        let place = try TemporaryDirectory()
        let file = try open(place.file("log"))
        #expect(throws: LogError.self) { try file.read { db in try db.execute(sql: "INSERT INTO a VALUES (1)") } }
        #expect(try file.read { db in try Int.fetchOne(db, sql: "SELECT count(*) FROM a") } == 0)
    }

    @Test func oneProcessWritesALog() throws {
        let rig = try LogRig(.sqlite)
        let log = try rig.evidence()
        let error = #expect(throws: LogError.self) { try rig.evidence() }
        guard case .inUse(let text) = error else {
            Issue.record("opened twice")
            return
        }
        #expect(text.contains("fuser"))
        try rig.fill(log, 1)
        try log.close()
        #expect(throws: LogError.self) { try log.end() }
        #expect(try rig.evidence().end().index == 1)
    }

    /// Another kind, another version, another log of the same kind, no database at all.
    @Test func aForeignFileDoesNotOpen() throws {
        let place = try TemporaryDirectory()
        try DatabaseQueue(path: place.file("foreign")).write { try $0.execute(sql: "CREATE TABLE x (y)") }
        #expect(try unsuitable { try open(place.file("foreign")) }.contains("another SQLite file"))
        try open(place.file("log")).close()
        #expect(
            try unsuitable { try open(place.file("log"), LogSchema(applicationID: 8, migrations: [])) }.contains(
                "name the log's own"))
        let older = LogSchema(applicationID: 7, migrations: [schema.migrations[0]])
        #expect(try unsuitable { try open(place.file("log"), older) }.contains("newer collector"))
        try Data("this is no database, but long enough to be read".utf8).write(
            to: URL(fileURLWithPath: place.file("text")))
        #expect(throws: LogError.self) { try open(place.file("text")) }
        // The next version's tables join the older ones.
        try open(place.file("older"), older).close()
        let file = try open(place.file("older"))
        #expect(try file.read { db in try Int.fetchOne(db, sql: "SELECT count(*) FROM c") } == 0)

        let rig = try LogRig(.sqlite)
        try rig.evidence().close()
        let moved = LogConfiguration(path: rig.path(.evidence), base: "kilomint.example/other", witnesses: [])
        #expect(throws: LogError.self) { try SQLiteEvidenceLog(moved, key: rig.key) }
        let other = LogConfiguration(path: rig.path(.evidence), base: LogRig.base, witnesses: [])
        #expect(throws: LogError.self) { try SQLiteJournal(other, key: rig.key) }
        #expect(try SQLiteEvidenceLog(other, key: rig.key).end() == .start)
    }

    /// No room: nothing of the batch is in, all that was is, and with room it goes on.
    @Test(arguments: LogName.allCases)
    func aFullFileLosesNothing(name: LogName) throws {
        let rig = try LogRig(.sqlite)
        func open(_ bytesMax: Int64?) throws -> any TransparencyLog {
            var configuration = rig.configuration(name)
            configuration.bytesMax = bytesMax
            switch name {
            case .evidence: return try SQLiteEvidenceLog(configuration, key: rig.key)
            case .journal: return try SQLiteJournal(configuration, key: rig.key)
            }
        }
        var log = try open(400_000)
        var size = 0
        var error: LogError?
        while error == nil, size < 10_000 {
            do {
                try rig.fill(log, 50)
                size += 50
            } catch let failure as LogError { error = failure }
        }
        guard case .full(let text) = error else {
            Issue.record("\(String(describing: error)) is not .full")
            return
        }
        #expect(text.contains("free space") && size > 100)
        #expect(try log.end().index == UInt64(size))
        #expect(try log.audit().entries == UInt64(size))
        #expect(throws: LogError.self) { try rig.fill(log, 50) }
        try log.close()
        log = try open(nil)
        try rig.fill(log, 50)
        let published = try log.publish()
        #expect(published.checkpoint.root == NaiveTree.root(try log.entries(from: .start, limit: 10_000)))
        #expect(try log.audit().entries == UInt64(size) + 50)
    }

    /// What was erased is nowhere in the files.
    @Test func erasedBytesAreGone() throws {
        let rig = try LogRig(.sqlite)
        let log = try rig.evidence()
        let secret = Array("a household was away for all of July".utf8)
        let drafts: [EvidenceDraft] = (1...50).map { number -> EvidenceDraft in
            EvidenceDraft(
                gateway: .test("gate"), stream: .test(1), sequence: number, identity: .zero,
                envelope: secret + [UInt8(number)],
                receivedAt: .test)
        }
        _ = try log.append(drafts)
        func isFound() throws -> Bool {
            try ["", "-wal"].contains { suffix in
                Data(try Workplace.bytes(of: rig.path(.evidence) + suffix)).range(of: Data(secret)) != nil
            }
        }
        #expect(try isFound())
        try log.eraseEnvelopes(in: .start..<LogPosition(epoch: 1, index: 50))
        #expect(try !isFound())
        #expect(try log.records(from: .start, limit: 99).allSatisfy { $0.envelope == nil })
    }
}
