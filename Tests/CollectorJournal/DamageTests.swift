// Damaged files: flipped bits and changed rows. A log either says so or was not touched where it counts.

import CollectorCore
import CollectorJournal
import Foundation
import GRDB
import Kit
import Proofs
import Testing

struct DamageTests {
    private static func made(_ name: LogName) throws -> LogRig {
        let rig = try LogRig(.sqlite)
        let log = try rig.log(name)
        try rig.fill(log, 300)
        _ = try log.publish()
        try rig.fill(log, 10)
        try log.close()
        return rig
    }

    /// What stands behind an audit: entries and what lies beside them.
    private func content(_ log: any TransparencyLog) throws -> [[UInt8]] {
        let beside: [[UInt8]] =
            switch log {
            case let log as any EvidenceLog: try log.records(from: .start, limit: 1000).map { $0.envelope ?? [] }
            case let log as any Journal: try log.events(from: .start, limit: 1000).map { $0.payload?.encoded ?? [] }
            default: []
            }
        return try log.entries(from: .start, limit: 1000) + beside
    }

    @Test(arguments: LogName.allCases, [UInt64(7)])
    func flippedBitsAreFoundOrDoNotMatter(name: LogName, seed: UInt64) throws {
        let rig = try Self.made(name)
        let original = try Workplace.bytes(of: rig.path(name))
        let sound = try rig.log(name)
        let content = try content(sound)
        try sound.close()
        var random = SeededGenerator(seed: seed)
        var found = 0
        for _ in 0..<25 {
            var bytes = original
            for _ in 0..<4 {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] ^= 1 << UInt8.random(in: 0...7, using: &random)
            }
            try Data(bytes).write(to: URL(fileURLWithPath: rig.path(name)))
            for suffix in ["-wal", "-shm"] where FileManager.default.fileExists(atPath: rig.path(name) + suffix) {
                try FileManager.default.removeItem(atPath: rig.path(name) + suffix)
            }
            do {
                let log = try rig.log(name)
                _ = try log.audit()
                // A log cut short may be sound in itself: then its witness knows better.
                if try log.standing() != .current {
                    found += 1
                } else {
                    let isSame = try self.content(log) == content
                    #expect(isSame, "seed \(seed): an audit passed over damage")
                }
                try log.close()
            } catch let error as LogError {
                found += 1
                #expect(!"\(error)".isEmpty)
            }
        }
        #expect(found > 8, "seed \(seed) found \(found)")
    }

    /// Each of the rows of a log, changed with SQLite's own consent.
    @Test(
        arguments: [
            (
                LogName.evidence,
                "UPDATE entry SET bytes = (SELECT bytes FROM entry WHERE position % 7 = 1) WHERE position % 256 = 5"
            ),
            (.evidence, "UPDATE envelope SET bytes = zeroblob(length(bytes)) WHERE position % 256 = 9"),
            (
                .evidence,
                "UPDATE envelope SET bytes = (SELECT bytes FROM envelope ORDER BY position LIMIT 1) WHERE position % 256 = 9"
            ),
            (.evidence, "UPDATE tile SET hashes = zeroblob(8192) WHERE level = 0 AND number = 0"),
            (.evidence, "UPDATE tile SET hashes = zeroblob(length(hashes)) WHERE level = 1"),
            (.evidence, "DELETE FROM tile WHERE level = 0 AND number = 1"),
            // The last byte is one of the signature, which the identity does not cover.
            (
                .evidence,
                "UPDATE envelope SET bytes = CAST(substr(bytes, 1, length(bytes) - 1) || x'07' AS BLOB) WHERE position % 256 = 9"
            ),
            (.evidence, "DELETE FROM envelope WHERE position % 256 = 9"),
            (.journal, "DELETE FROM payload WHERE position % 256 = 9"),
            (.evidence, "DELETE FROM record WHERE sequence = 17"),
            (.evidence, "DELETE FROM entry WHERE position % 256 = 12"),
            (
                .evidence,
                "DELETE FROM entry WHERE position IN (SELECT position FROM entry ORDER BY position DESC LIMIT 60)"
            ),
            (.journal, "UPDATE payload SET bytes = zeroblob(length(bytes)) WHERE position % 256 = 9"),
            (.journal, "UPDATE payload SET salt = zeroblob(16) WHERE position % 256 = 9"),
            (.journal, "DELETE FROM event WHERE position % 256 = 3"),
            (.journal, "UPDATE event SET position = position + 1 WHERE position % 256 = 3"),
            (
                .journal,
                "UPDATE entry SET bytes = (SELECT bytes FROM entry ORDER BY position LIMIT 1) WHERE position % 256 = 5"
            ),
            (.journal, "UPDATE checkpoint SET note = x'00'"),
        ] as [(LogName, String)])
    func changedRowsAreFound(name: LogName, sql: String) throws {
        let rig = try Self.made(name)
        try Self.change(rig.path(name), sql)
        let error = #expect(throws: LogError.self) {
            let log = try rig.log(name)
            _ = try log.audit()
        }
        let text = "\(try #require(error))"
        #expect(text.contains("restore") || text.contains("give the log's own key"), "it must say what to do: \(text)")
    }

    /// A whole tree rewritten, hashes and all, cannot bear the signature of the old one.
    @Test func aRewrittenPrefixDoesNotOpen() throws {
        let rig = try Self.made(.evidence)
        let other = try LogRig(.sqlite, key: rig.key)
        let log = try other.evidence()
        try other.fill(log, 310, seed: 5)
        try log.close()
        let note = try Self.note(rig.path(.evidence))
        try Self.change(
            other.path(.evidence),
            "INSERT INTO checkpoint VALUES (1, 300, x'\(note.map { String(format: "%02x", $0) }.joined())')")
        let error = #expect(throws: LogError.self) { try other.evidence() }
        #expect("\(try #require(error))".contains("not the one its checkpoint signed"))
    }

    static func change(_ path: String, _ sql: String) throws {
        let queue = try DatabaseQueue(path: path)
        try queue.write { try $0.execute(sql: sql) }
        try queue.close()
    }

    private static func note(_ path: String) throws -> Data {
        let queue = try DatabaseQueue(path: path)
        return try #require(try queue.read { try Data.fetchOne($0, sql: "SELECT note FROM checkpoint") })
    }
}
