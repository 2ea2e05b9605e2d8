// A log never tells two histories: what it knows of itself from elsewhere, and how an operator ends an epoch.

import CollectorCore
import CollectorJournal
import Evidence
import Foundation
import Proofs
import Testing

struct EpochConformanceTests {
    /// A log that was published at 5 and 8 entries, put back to a copy of when it had 5, and opened again.
    private func restored(_ rig: LogRig, _ name: LogName) throws -> (
        log: any TransparencyLog, last: PublishedCheckpoint
    ) {
        var log = try rig.log(name)
        try rig.fill(log, 5)
        _ = try log.publish()
        try log.close()
        try rig.copy(name)
        log = try rig.log(name)
        try rig.fill(log, 3)
        let last = try log.publish()
        try log.close()
        try rig.restore(name)
        return (try rig.log(name), last)
    }

    private func origin(_ name: LogName, _ epoch: UInt64) -> LogOrigin {
        LogOrigin(base: LogRig.base, log: name, epoch: epoch)
    }

    private func expectBehind(_ log: any TransparencyLog, _ rig: LogRig, _ head: KnownHead?, line: Int = #line) throws {
        let standing = try log.standing()
        #expect(standing.head?.size == head?.size && standing.head?.origin == head?.origin, "line \(line)")
        let end = try log.end()
        #expect(throws: LogError.behind(standing)) { try rig.fill(log, 1) }
        #expect(throws: LogError.behind(standing)) { try log.publish() }
        #expect(try log.end() == end)
    }

    @Test(arguments: Backend.allCases, LogName.allCases)
    func aRestoredCopySignsNoSecondHistory(backend: Backend, name: LogName) throws {
        let rig = try LogRig(backend)
        let (log, last) = try restored(rig, name)
        #expect(last.checkpoint.size == 8)
        let head = KnownHead(origin: origin(name, 1), size: 8, root: last.checkpoint.root, holder: "")
        try expectBehind(log, rig, head)
        // Reading goes on.
        #expect(try log.entries(from: .start, limit: 10).count == 5)
        #expect(try log.published(epoch: nil)?.checkpoint.size == 5)
        try expectBehind(try rig.reopened(log), rig, head)
    }

    @Test(arguments: Backend.allCases, LogName.allCases)
    func theNextEpochBeginsWithTheLastCheckpoint(backend: Backend, name: LogName) throws {
        let rig = try LogRig(backend)
        var (log, last) = try restored(rig, name)
        let old = try #require(try log.published(epoch: 1))
        // A smaller checkpoint than the one known, another origin than the note's, and no note of ours.
        #expect(throws: LogError.self) { try log.openEpoch(ended: "\(origin(name, 1))", lastPublished: old.note) }
        #expect(throws: LogError.self) { try log.openEpoch(ended: "\(origin(name, 2))", lastPublished: last.note) }
        #expect(throws: LogError.self) { try log.openEpoch(ended: "\(origin(name, 1))", lastPublished: [1]) }
        #expect(try log.epochs().count == 1)

        let first = LogPosition(epoch: 2, index: 0)
        #expect(try log.openEpoch(ended: "\(origin(name, 1))", lastPublished: last.note) == first)
        let entry = EpochEntry(ended: "\(origin(name, 1))", lastPublished: last.note, held: 5)
        #expect(try log.entries(from: first, limit: 5) == [entry.encoded])
        #expect(try EpochEntry(decoding: entry.encoded) == entry)
        #expect(try log.standing() == .current)
        let published = try #require(try log.published(epoch: nil))
        #expect(
            published.checkpoint
                == Checkpoint(
                    origin: "\(origin(name, 2))", size: 1, root: NaiveTree.root([entry.encoded])))
        // Asking again changes nothing, also after a restart; ending the ended epoch otherwise is refused.
        log = try rig.reopened(log)
        #expect(try log.openEpoch(ended: "\(origin(name, 1))", lastPublished: last.note) == first)
        #expect(throws: LogError.self) { try log.openEpoch(ended: "\(origin(name, 1))", lastPublished: old.note) }
        #expect(throws: LogError.self) { try log.openEpoch(ended: "\(origin(name, 2))", lastPublished: published.note) }
        #expect(try log.end() == LogPosition(epoch: 2, index: 1))

        // What is held of the old epoch stays, and the new tree grows.
        try rig.fill(log, 4, seed: 3)
        #expect(try log.publish().checkpoint.size == 5)
        #expect(
            try log.epochs() == [
                LogEpoch(origin: origin(name, 1), size: 5), LogEpoch(origin: origin(name, 2), size: 5),
            ])
        #expect(try log.file(epoch: 1, path: "tile/0/000.p/5")?.count == 160)
        #expect(try log.file(epoch: 1, path: "checkpoint") == old.note)
        #expect(try log.root(epoch: 1, size: 5) == old.checkpoint.root)
        #expect(try log.records(epoch: 2, bundle: 0)?[1] == 0xF6, "nothing lies beside an epoch entry")
        #expect(try rig.reopened(log).audit() == LogAudit.of(entries: 10))
    }

    /// The gateways keep what no receipt covers, so the lost tail comes again and goes on where the old epoch ended.
    @Test(arguments: Backend.allCases)
    func streamHeadsCarryOver(backend: Backend) throws {
        let rig = try LogRig(backend)
        let (opened, last) = try restored(rig, .evidence)
        let log = try #require(try rig.reopened(opened) as? any EvidenceLog)
        try log.openEpoch(ended: "\(origin(.evidence, 1))", lastPublished: last.note)
        let head = try #require(try log.head(gateway: .test("gate"), stream: .test(1)))
        #expect(head.through == 5 && head.position == LogPosition(epoch: 1, index: 4))
        #expect(try log.append([.test(sequence: 5)]) == [LogPosition(epoch: 1, index: 4)])
        #expect(throws: LogError.moved(expected: 7, actual: 6)) { try log.append([.test(sequence: 7)]) }
        let tail = try log.append([.test(sequence: 6), .test(sequence: 7), .test(sequence: 8)])
        #expect(tail.map(\.epoch) == [2, 2, 2] && tail.map(\.index) == [1, 2, 3])
        let records = try log.records(from: .start, limit: 20)
        #expect(records.map(\.entry.sequence) == Array(1...8))
        #expect(
            try log.records(gateway: .test("gate"), stream: .test(1), in: 4...7, limit: 9).map(\.position.epoch) == [
                1, 1, 2, 2,
            ])
    }

    /// Stage streams go on where they were: a second epoch repeats no number.
    @Test(arguments: Backend.allCases)
    func stageSequencesCarryOver(backend: Backend) throws {
        let rig = try LogRig(backend)
        let (opened, last) = try restored(rig, .journal)
        try opened.openEpoch(ended: "\(origin(.journal, 1))", lastPublished: last.note)
        let log = try #require(try rig.reopened(opened) as? any Journal)
        #expect(try log.sequence(of: .settlement) == 5)
        try rig.fill(log, 2, seed: 9)
        let events = try log.events(from: .start, limit: 20)
        #expect(events.map(\.sequence) == Array(1...7))
        #expect(events.map(\.position.epoch) == [1, 1, 1, 1, 1, 2, 2])
        #expect(throws: LogError.duplicateID(existing: .start)) {
            try log.append(JournalBatch(stage: .settlement, after: 7, drafts: [.test(1)]), now: .test)
        }
    }

    /// A gateway shows a checkpoint this log never saw: larger, of a later epoch, of the same size with another root.
    @Test(arguments: Backend.allCases, LogName.allCases)
    func learnsFromCheckpointsOthersHold(backend: Backend, name: LogName) throws {
        let other = Digest(of: [1])
        let cases: [(epoch: UInt64, size: UInt64, contradicts: Bool)] = [
            (1, 4, false), (1, 1 << 39, false), (2, 1, false), (3, 0, false), (1, 3, true), (1, 1, true), (1, 2, true),
        ]
        for known in cases {
            let rig = try LogRig(backend)
            var log = try rig.log(name)
            try rig.fill(log, 3)
            let own = try log.publish()
            // Its own, a smaller one of its own, an unsigned one, one of the other log: nothing learned.
            let smaller = Checkpoint(origin: "\(origin(name, 1))", size: 2, root: try log.root(epoch: 1, size: 2))
            let otherLog = LogName.allCases.first { $0 != name }
            let foreign = Checkpoint(origin: "\(origin(try #require(otherLog), 1))", size: 9, root: other)
            let forged = try LogRig.signed(
                Checkpoint(origin: "\(origin(name, 1))", size: 9, root: other), by: LogRig(.memory).key)
            for note in [
                own.note, try LogRig.signed(smaller, by: rig.key), try LogRig.signed(foreign, by: rig.key), forged, [],
            ] {
                #expect(try log.learned(checkpoint: note, from: "gateway gate") == .current)
            }
            let checkpoint = Checkpoint(origin: "\(origin(name, known.epoch))", size: known.size, root: other)
            let note = try LogRig.signed(checkpoint, by: rig.key)
            let head = KnownHead(
                origin: origin(name, known.epoch), size: known.size, root: other, holder: "gateway gate")
            let expected: LogStanding = known.contradicts ? .contradicted(head) : .behind(head)
            #expect(try log.learned(checkpoint: note, from: "gateway gate") == expected)
            try expectBehind(log, rig, head)
            // Remembered: the gateway need not tell again.
            log = try rig.reopened(log)
            #expect(try log.standing() == expected)
            // Its own last checkpoint counts for the operator as well.
            guard known.size >= 3 || known.epoch > 1 else {
                #expect(throws: LogError.self) { try log.openEpoch(ended: checkpoint.origin, lastPublished: note) }
                continue
            }
            let first = try log.openEpoch(ended: checkpoint.origin, lastPublished: note)
            #expect(first == LogPosition(epoch: known.epoch + 1, index: 0))
            let held: UInt64 = known.epoch == 1 ? 3 : 0
            #expect(
                try log.entries(from: first, limit: 1) == [
                    EpochEntry(ended: checkpoint.origin, lastPublished: note, held: held).encoded
                ])
            #expect(try rig.reopened(log).epochs().map(\.size) == [3] + (1..<known.epoch).map { _ in 0 } + [1])
        }
    }

    @Test(arguments: Backend.allCases)
    func learnsFromReceipts(backend: Backend) throws {
        func receipt(_ gateway: String, through: UInt64, epoch: UInt64 = 1, leaf: UInt64) -> Receipt {
            Receipt(
                gateway: .test(gateway), stream: .test(1), durableThrough: through, identity: .zero, receivedAt: .test,
                logOrigin: "\(origin(.evidence, epoch))", leafIndex: leaf, devicesSynced: 1, versionsAccepted: [1])
        }
        let sound = [
            receipt("gate", through: 3, leaf: 2), receipt("gate", through: 1, leaf: 0),
            receipt("gate", through: 0, leaf: 99),
            // A skip's receipt names the number it reaches to.
            receipt("gate", through: 9, leaf: 2),
        ]
        let behind = [receipt("gate", through: 4, leaf: 3), receipt("gate", through: 1, epoch: 2, leaf: 0)]
        let contradicting = [receipt("other", through: 3, leaf: 2), receipt("gate", through: 1, leaf: 1)]
        for receipt in sound + behind + contradicting {
            let rig = try LogRig(backend)
            let log = try rig.evidence()
            try rig.fill(log, 3)
            let standing = try log.learned(receipt: receipt)
            #expect(try log.standing() == standing)
            switch standing {
            case .current: #expect(sound.contains(receipt))
            case .behind(let head):
                #expect(behind.contains(receipt) && head.size == receipt.leafIndex + 1 && head.root == nil)
            case .contradicted: #expect(contradicting.contains(receipt))
            }
            if standing != .current { #expect(throws: LogError.behind(standing)) { try rig.fill(log, 1) } }
        }
    }

    /// Before anything is known to be lost there is no epoch to open.
    @Test(arguments: Backend.allCases, LogName.allCases)
    func aCurrentLogNeedsNoEpoch(backend: Backend, name: LogName) throws {
        let rig = try LogRig(backend)
        let log = try rig.log(name)
        try rig.fill(log, 2)
        let published = try log.publish()
        #expect(throws: LogError.self) {
            try log.openEpoch(ended: published.checkpoint.origin, lastPublished: published.note)
        }
        #expect(try log.epochs().count == 1)
    }
}

extension LogAudit {
    static func of(entries: UInt64) -> LogAudit {
        var audit = LogAudit()
        audit.entries = entries
        return audit
    }
}
