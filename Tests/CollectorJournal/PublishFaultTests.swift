// Publishing fails at each of its steps: no size ever gets two roots, the witness never holds less than anyone saw.

import CollectorCore
import CollectorJournal
import Foundation
import Kit
import Proofs
import Testing

struct PublishFaultTests {
    @Test(arguments: Backend.allCases, [LogStep.witness, .record, .show])
    func signsOneRootForASize(backend: Backend, step: LogStep) throws {
        for name in LogName.allCases {
            for isRestarted in [false, true] {
                let rig = try LogRig(backend)
                var log = try rig.log(name)
                try rig.fill(log, 3)
                let first = try log.publish()
                try rig.fill(log, 4)
                rig.fail(at: step)
                #expect(throws: LogError.self) { try log.publish() }
                #expect(!rig.isFaultPending)
                if isRestarted { log = try rig.reopened(log) }
                // Seen only once it stands in the log's own file, which is after every witness.
                let visible = try log.published(epoch: nil)
                #expect(visible?.checkpoint.size == (step == .show ? 7 : 3))
                #expect(step == .show || visible == first)

                try rig.fill(log, 2)
                let next = try log.publish()
                #expect(next.checkpoint.size == 9)
                let entries = try log.entries(from: .start, limit: 20)
                for published in [first, visible, next].compactMap({ $0 }) {
                    #expect(published.checkpoint.root == NaiveTree.root(entries[..<Int(published.checkpoint.size)]))
                }
                #expect(try log.standing() == .current)
                #expect(try rig.reopened(log).audit().entries == 9)
            }
        }
    }

    /// A crash between the new tree and its first checkpoint: the order given again finishes it.
    @Test(arguments: Backend.allCases, [LogStep.answer, .witness, .record, .show])
    func opensAnEpochOnce(backend: Backend, step: LogStep) throws {
        let rig = try LogRig(backend)
        var log = try rig.log(.evidence)
        try rig.fill(log, 2)
        let origin = LogOrigin(base: LogRig.base, log: .evidence, epoch: 1)
        let note = try LogRig.signed(Checkpoint(origin: "\(origin)", size: 5, root: .zero), by: rig.key)
        try log.learned(checkpoint: note, from: "gateway")
        rig.fail(at: step)
        #expect(throws: LogError.self) { try log.openEpoch(ended: "\(origin)", lastPublished: note) }
        log = try rig.reopened(log)
        #expect(try log.openEpoch(ended: "\(origin)", lastPublished: note) == LogPosition(epoch: 2, index: 0))
        #expect(try log.epochs().map(\.size) == [2, 1])
        #expect(try log.published(epoch: nil)?.checkpoint.size == 1)
    }

    /// Another machine runs a copy of this log: what it left with the witness stops this one while it runs.
    @Test(arguments: LogName.allCases)
    func stopsWhenAnotherCopyPublished(name: LogName) throws {
        let mine = try LogRig(.sqlite)
        let rig = try LogRig(.sqlite, key: mine.key)
        let (log, copy) = (try mine.log(name), try rig.log(name))
        try mine.fill(log, 3)
        try rig.fill(copy, 3, seed: 1)
        _ = try log.publish()
        let other = try copy.publish()
        try Data(other.note).write(to: URL(fileURLWithPath: mine.witness(name)))
        try mine.fill(log, 1)
        #expect(throws: LogError.self) { try log.publish() }
        guard case .contradicted(let head) = try log.standing() else {
            Issue.record("two histories went unnoticed")
            return
        }
        #expect(head.root == other.checkpoint.root && head.holder == "witness \(mine.witness(name))")
        #expect(try log.published(epoch: nil)?.checkpoint.size == 3)
    }

    @Test func aMissingOrForeignWitnessDoesNotOpen() throws {
        let rig = try LogRig(.sqlite)
        let log = try rig.evidence()
        try rig.fill(log, 2)
        let published = try log.publish()
        // Lost while it runs: it gets the note again.
        try FileManager.default.removeItem(atPath: rig.witness(.evidence))
        #expect(try log.publish() == published)
        #expect(try Workplace.bytes(of: rig.witness(.evidence)) == published.note)
        try log.close()

        try FileManager.default.removeItem(atPath: rig.witness(.evidence))
        let missing = #expect(throws: LogError.self) { try rig.evidence() }
        #expect("\(try #require(missing))".contains("mount the witness volume"))
        var configuration = rig.configuration(.evidence)
        configuration.acceptsMissingWitness = true
        let accepted = try SQLiteEvidenceLog(configuration, key: rig.key)
        #expect(try accepted.publish() == published)
        try accepted.close()

        let foreign = try LogRig.signed(published.checkpoint, by: LogRig(.memory).key)
        for bytes in [foreign, [], Array("no note\n".utf8)] {
            try Data(bytes).write(to: URL(fileURLWithPath: rig.witness(.evidence)))
            #expect(throws: LogError.self) { try rig.evidence() }
        }
    }

    /// The witness volume is gone: appends go on, nothing is signed, and nothing is shown that it does not hold.
    @Test func signsNothingWithoutItsWitness() throws {
        let rig = try LogRig(.sqlite)
        let volume = rig.place.file("volume")
        try FileManager.default.createDirectory(atPath: volume, withIntermediateDirectories: false)
        let configuration = LogConfiguration(
            path: rig.path(.journal), base: LogRig.base, witnesses: [rig.witness(.journal), volume + "/journal"])
        let log = try SQLiteJournal(configuration, key: rig.key)
        try rig.fill(log, 1)
        let published = try log.publish()
        #expect(try Workplace.bytes(of: volume + "/journal") == published.note)
        try FileManager.default.moveItem(atPath: volume, toPath: volume + "-away")
        try rig.fill(log, 1)
        #expect(throws: LogError.self) { try log.publish() }
        #expect(try log.published(epoch: nil) == published)
        try FileManager.default.moveItem(atPath: volume + "-away", toPath: volume)
        #expect(try log.publish().checkpoint.size == 2)
    }
}
