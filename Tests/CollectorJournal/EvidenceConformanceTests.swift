// What every Evidence log does, whatever it is built on.

import CollectorCore
import CollectorJournal
import Evidence
import Proofs
import Quantities
import Testing

struct EvidenceConformanceTests {
    private func position(_ index: UInt64) -> LogPosition { LogPosition(epoch: 1, index: index) }

    @Test(arguments: Backend.allCases)
    func keepsRecordsByteForByteInOrder(backend: Backend) throws {
        let rig = try LogRig(backend)
        let drafts: [EvidenceDraft] = [
            .test(sequence: 1), .test(gateway: "other", stream: 2, sequence: 1), .test(sequence: 2),
        ]
        var log = try rig.evidence()
        #expect(try log.append(drafts) == [position(0), position(1), position(2)])
        log = try rig.reopened(log)

        let held = try log.records(from: .start, limit: 10)
        #expect(held.map(\.envelope) == drafts.map(\.envelope))
        #expect(held.map(\.entry) == drafts.map(\.entry))
        #expect(held.map(\.position) == [position(0), position(1), position(2)])
        #expect(try log.entries(from: .start, limit: 10) == drafts.map(\.entry.encoded))
        #expect(try log.records(from: position(1), limit: 1).map(\.position) == [position(1)])
        #expect(try log.records(from: position(3), limit: 1).isEmpty)
        #expect(try log.end() == position(3))
        let heads = try log.heads()
        #expect(heads.map(\.gateway.text) == ["gate", "other"])
        #expect(
            heads[0]
                == EvidenceHead(
                    gateway: .test("gate"), stream: .test(1), through: 2, identity: drafts[2].identity,
                    position: position(2)))
        #expect(try log.head(gateway: .test("other"), stream: .test(2)) == heads[1])
        #expect(try log.head(gateway: .test("other"), stream: .test(1)) == nil)
    }

    @Test(arguments: Backend.allCases)
    func findsRecordsByStreamAndByIdentity(backend: Backend) throws {
        let log = try LogRig(backend).evidence()
        let drafts: [EvidenceDraft] = (2...41).map { number -> EvidenceDraft in
            .test(stream: UInt8(number % 2 + 1), sequence: UInt64(number / 2))
        }
        _ = try log.append(drafts)

        let some = try log.records(gateway: .test("gate"), stream: .test(1), in: 5...9, limit: 3)
        #expect(some.map(\.entry.sequence) == [5, 6, 7])
        #expect(some.allSatisfy { $0.entry.stream == .test(1) })
        for draft in drafts {
            #expect(try log.record(identity: draft.identity)?.envelope == draft.envelope)
        }
        #expect(try log.record(identity: .zero) == nil)
        #expect(try log.records(gateway: .test("gate"), stream: .test(1), in: 0...UInt64.max, limit: 100).count == 20)
    }

    /// Refused, or applied and the answer lost: to the caller the same. Appending again counts once in both.
    @Test(arguments: Backend.allCases, [LogStep.commit, .answer])
    func appendingAgainAfterAFaultCountsOnce(backend: Backend, step: LogStep) throws {
        let rig = try LogRig(backend)
        let log = try rig.evidence()
        _ = try log.append([.test(sequence: 1)])
        let drafts: [EvidenceDraft] = [.test(sequence: 2), .test(sequence: 3)]
        rig.fail(at: step)
        let closing = [StreamClosing(gateway: .test("gate"), stream: .test(1), state: .ended, reason: "a newer one")]
        #expect(throws: LogError.self) { try log.append(drafts, closing: closing) }
        #expect(!rig.isFaultPending)
        #expect(try log.end().index == (step == .commit ? 1 : 3))
        #expect(try log.append(drafts, closing: closing) == [position(1), position(2)])

        #expect(try log.records(from: .start, limit: 10).map(\.entry.sequence) == [1, 2, 3])
        #expect(try log.head(gateway: .test("gate"), stream: .test(1))?.state == .ended)
        #expect(try log.publish().checkpoint.root == NaiveTree.root(try log.entries(from: .start, limit: 10)))
        #expect(try rig.reopened(log).audit().entries == 3)
    }

    /// In the order of the stream: held, held with other content, next, a gap.
    @Test(arguments: Backend.allCases)
    func comparesAndSwapsEachStreamsHead(backend: Backend) throws {
        let log = try LogRig(backend).evidence()
        _ = try log.append([.test(sequence: 1), .test(sequence: 2)])
        #expect(try log.append([.test(sequence: 1)]) == [position(0)])
        #expect(throws: LogError.duplicateID(existing: position(1))) { try log.append([.test(sequence: 2, seed: 9)]) }
        #expect(throws: LogError.moved(expected: 4, actual: 3)) { try log.append([.test(sequence: 4)]) }
        #expect(throws: LogError.moved(expected: 2, actual: 1)) { try log.append([.test(stream: 7, sequence: 2)]) }
        #expect(try log.end() == position(2))
        #expect(try log.heads().count == 1)
        #expect(try log.append([.test(sequence: 3)]) == [position(2)])
    }

    /// Whatever fails in a batch takes all of it along.
    @Test(arguments: Backend.allCases)
    func appendsABatchWholeOrNotAtAll(backend: Backend) throws {
        let log = try LogRig(backend).evidence()
        let drafts: [EvidenceDraft] = [.test(sequence: 1), .test(gateway: "other", sequence: 1), .test(sequence: 3)]
        #expect(throws: LogError.moved(expected: 3, actual: 2)) { try log.append(drafts) }
        #expect(try log.end() == .start)
        #expect(try log.heads().isEmpty)
        #expect(try log.append(Array(drafts[..<2])).count == 2)
        #expect(try log.append([]) == [])
    }

    /// A skip stands at its first number and reaches to its last.
    @Test(arguments: Backend.allCases)
    func goesOnAfterASkip(backend: Backend) throws {
        let log = try LogRig(backend).evidence()
        let skip = EvidenceDraft.test(sequence: 1, through: 5)
        _ = try log.append([skip, .test(sequence: 6)])
        #expect(try log.head(gateway: .test("gate"), stream: .test(1))?.through == 6)
        #expect(try log.append([skip]) == [position(0)])
        // Number 3 is covered, no record of its own stands there.
        #expect(throws: LogError.moved(expected: 3, actual: 7)) { try log.append([.test(sequence: 3)]) }
        #expect(skip.throughIdentity != skip.identity)
    }

    @Test(arguments: Backend.allCases)
    func takesNothingMoreOfAClosedStream(backend: Backend) throws {
        let log = try LogRig(backend).evidence()
        let forked = StreamClosing(gateway: .test("gate"), stream: .test(1), state: .forked, reason: "two records 2")
        let ended = StreamClosing(gateway: .test("gate"), stream: .test(1), state: .ended, reason: "ended")
        _ = try log.append([.test(sequence: 1)], closing: [forked])
        #expect(throws: LogError.self) { try log.append([.test(sequence: 2)]) }
        #expect(try log.append([.test(sequence: 1)]) == [position(0)])
        // Forked stays forked.
        _ = try log.append([], closing: [ended])
        let head = try log.head(gateway: .test("gate"), stream: .test(1))
        #expect(head?.state == .forked && head?.reason == "two records 2" && head?.through == 1)
        // A stream nobody sent a record of can be closed too.
        let unseen = StreamClosing(gateway: .test("gate"), stream: .test(2), state: .ended, reason: "cloned")
        _ = try log.append([], closing: [unseen])
        #expect(try log.head(gateway: .test("gate"), stream: .test(2))?.position == nil)
        #expect(throws: LogError.self) { try log.append([.test(stream: 2, sequence: 1)]) }
    }

    @Test(arguments: Backend.allCases)
    func erasesEnvelopesAndNothingElse(backend: Backend) throws {
        let rig = try LogRig(backend)
        let log = try rig.evidence()
        let drafts = (1...4).map { EvidenceDraft.test(sequence: $0) }
        _ = try log.append(drafts)
        let before = try log.publish()
        try log.eraseEnvelopes(in: position(1)..<position(3))
        #expect(try log.records(from: .start, limit: 9).map { $0.envelope != nil } == [true, false, false, true])
        #expect(try log.records(from: .start, limit: 9).map(\.entry) == drafts.map(\.entry))
        #expect(try log.publish() == before)
        let audit = try log.audit()
        #expect(audit.entries == 4 && audit.erased == 2)
        #expect(try log.append([drafts[1]]) == [position(1)])
    }

    @Test func refusesWhatNoStreamHas() throws {
        let log = try LogRig(.sqlite).evidence()
        let huge = EvidenceDraft(
            gateway: .test("gate"), stream: .test(1), sequence: 1, identity: .zero,
            envelope: [UInt8](repeating: 0, count: SignedMessage.acceptedBytesMax + 1), receivedAt: .test)
        let batches: [[EvidenceDraft]] = [
            [.test(sequence: 0)], [.test(sequence: 2, through: 1)], [.test(sequence: 1, through: UInt64(Int64.max))],
            [.test(sequence: UInt64.max)], [huge],
            (1...UInt64(SQLiteEvidenceLog.batchMax) + 1).map { .test(sequence: $0) },
        ]
        for batch in batches {
            let error = #expect(throws: LogError.self) { try log.append(batch) }
            guard case .refused = error else {
                Issue.record("\(String(describing: error)) is no refusal")
                continue
            }
        }
        #expect(try log.append([.test(sequence: 1, through: UInt64(Int64.max) - 1)]) == [.start])
        #expect(
            try log.append((1...UInt64(SQLiteEvidenceLog.batchMax)).map { .test(stream: 2, sequence: $0) }).count
                == 4096)
    }
}
