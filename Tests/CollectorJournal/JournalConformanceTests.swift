// What every Journal does, whatever it is built on.

import CBOR
import CollectorCore
import CollectorJournal
import Foundation
import Proofs
import Quantities
import Synchronization
import Testing

struct JournalConformanceTests {
    private func position(_ index: UInt64) -> LogPosition { LogPosition(epoch: 1, index: index) }

    private func batch(
        _ numbers: ClosedRange<UInt64>, after: UInt64, stage: Stage = .settlement, advancing: CursorAdvance? = nil
    ) -> JournalBatch {
        JournalBatch(stage: stage, after: after, drafts: numbers.map { .test($0, stage: stage) }, advancing: advancing)
    }

    @Test(arguments: Backend.allCases)
    func keepsEventsInOrder(backend: Backend) throws {
        let rig = try LogRig(backend)
        var log = try rig.journal()
        let first = try log.append(batch(1...2, after: 0), now: .test)
        let second = try log.append(batch(1...1, after: 0, stage: .window), now: .test + 5)
        let third = try log.append(batch(3...3, after: 2), now: .test + 9)
        log = try rig.reopened(log)

        let all = try log.events(from: .start, limit: 10)
        #expect(all == first + second + third)
        #expect(all.map(\.position.index) == [0, 1, 2, 3])
        #expect(all.map(\.sequence) == [1, 2, 1, 3])
        #expect(all.map(\.stage) == [.settlement, .settlement, .window, .settlement])
        #expect(all.map(\.payload) == [1, 2].map { .test($0) } + [.test(1, .window), .test(3)])
        #expect(try log.events(from: position(2), limit: 1) == second)
        #expect(
            try log.sequence(of: .settlement) == 3 && log.sequence(of: .window) == 1 && log.sequence(of: .intake) == 0)
        for event in all { #expect(try log.position(of: #require(event.id)) == event.position) }
        #expect(try log.position(of: .zero) == nil)
    }

    /// The entry commits to salt and payload; what is served beside it proves so, and salts differ.
    @Test(arguments: Backend.allCases)
    func saltsEachPayload(backend: Backend) throws {
        let log = try LogRig(backend).journal()
        let events = try log.append(batch(1...3, after: 0), now: .test)
        _ = try log.publish()
        let beside = try CBORValue(decoding: #require(try log.records(epoch: 1, bundle: 0))).array(count: 3, "bundle")
        var salts: Set<[UInt8]> = []
        for (event, pair) in zip(events, beside) {
            let parts = try pair.array(count: 2, "pair")
            let salt = try parts[0].bytes(count: 16, "salt")
            #expect(Digest(of: salt, try parts[1].bytes("payload")) == event.entry.digest)
            #expect(try JournalPayload(decoding: parts[1].bytes("payload")) == event.payload)
            salts.insert(salt)
        }
        #expect(salts.count == 3)
    }

    /// max(now, the last event's time), over all stages and restarts.
    @Test(arguments: Backend.allCases)
    func neverLetsTimeGoBack(backend: Backend) throws {
        let rig = try LogRig(backend)
        var log = try rig.journal()
        let times: [(now: Int64, event: Int64)] = [(100, 100), (90, 100), (100, 100), (101, 101), (-5, 101)]
        for (index, time) in times.enumerated() {
            let stage: Stage = index.isMultiple(of: 2) ? .window : .settlement
            let after = try log.sequence(of: stage)
            let events = try log.append(
                batch(after + 1...after + 1, after: after, stage: stage), now: UTCInstant(milliseconds: time.now))
            #expect(events.map(\.time.milliseconds) == [time.event])
            log = try rig.reopened(log)
        }
        #expect(try log.audit().entries == 5)
    }

    @Test(arguments: Backend.allCases, [LogStep.commit, .answer])
    func appendingAgainAfterAFaultCountsOnce(backend: Backend, step: LogStep) throws {
        let rig = try LogRig(backend)
        let log = try rig.journal()
        _ = try log.append(batch(1...1, after: 0), now: .test)
        let next = batch(2...4, after: 1, advancing: CursorAdvance("settlement", to: position(7)))
        rig.fail(at: step)
        #expect(throws: LogError.self) { try log.append(next, now: .test) }
        #expect(!rig.isFaultPending)
        // The cursor moves with the events or not at all.
        let isApplied = step == .answer
        #expect(try log.cursor(of: "settlement") == (isApplied ? position(7) : nil))
        #expect(try log.sequence(of: .settlement) == (isApplied ? 4 : 1))

        let events = try log.append(next, now: .test + 50)
        #expect(events.map(\.position.index) == [1, 2, 3])
        #expect(try log.events(from: position(1), limit: 10) == events)
        #expect(try log.cursor(of: "settlement") == position(7))
        #expect(try rig.reopened(log).audit().entries == 4)
    }

    @Test(arguments: Backend.allCases)
    func acceptsAnIDOnce(backend: Backend) throws {
        let log = try LogRig(backend).journal()
        _ = try log.append(batch(1...2, after: 0), now: .test)
        // Same ids, other content, or another place in the stream, or new ones among them.
        let taken: [JournalBatch] = [
            JournalBatch(stage: .settlement, after: 0, drafts: [.test(1, kind: "TransferRefused")]),
            JournalBatch(stage: .settlement, after: 2, drafts: [.test(1)]),
            JournalBatch(stage: .settlement, after: 0, drafts: [.test(1), .test(3)]),
            JournalBatch(stage: .settlement, after: 2, drafts: [.test(3), .test(1)]),
        ]
        for batch in taken {
            #expect(throws: LogError.duplicateID(existing: position(0))) { try log.append(batch, now: .test) }
        }
        // Twice in one batch: the first of them would be at 2.
        let twice = JournalBatch(stage: .settlement, after: 2, drafts: [.test(3), .test(3)])
        #expect(throws: LogError.duplicateID(existing: position(2))) { try log.append(twice, now: .test) }
        #expect(try log.end() == position(2))
        #expect(try log.sequence(of: .settlement) == 2)
        #expect(try log.append(batch(1...2, after: 0), now: .test).map(\.position) == [position(0), position(1)])
    }

    @Test(arguments: Backend.allCases)
    func comparesAndSwapsTheStage(backend: Backend) throws {
        let log = try LogRig(backend).journal()
        _ = try log.append(batch(1...2, after: 0), now: .test)
        #expect(throws: LogError.moved(expected: 1, actual: 2)) { try log.append(batch(3...3, after: 1), now: .test) }
        #expect(throws: LogError.moved(expected: 3, actual: 2)) { try log.append(batch(3...3, after: 3), now: .test) }
        #expect(throws: LogError.moved(expected: 1, actual: 0)) {
            try log.append(batch(3...3, after: 1, stage: .house), now: .test)
        }
        #expect(try log.append(batch(3...3, after: 2), now: .test).map(\.sequence) == [3])
    }

    @Test(arguments: Backend.allCases)
    func movesCursorsForwardOnly(backend: Backend) throws {
        let rig = try LogRig(backend)
        let log = try rig.journal()
        let advance = { (index: UInt64) in CursorAdvance("window", to: self.position(index)) }
        #expect(
            try log.append(JournalBatch(stage: .window, after: 0, drafts: [], advancing: advance(5)), now: .test) == [])
        #expect(try log.cursor(of: "window") == position(5))
        let back = JournalBatch(stage: .window, after: 0, drafts: [.test(1, stage: .window)], advancing: advance(4))
        #expect(throws: LogError.moved(expected: 4, actual: 5)) { try log.append(back, now: .test) }
        #expect(try log.end() == .start)
        // The compare-and-swap holds for a batch of nothing but a cursor too.
        #expect(throws: LogError.moved(expected: 1, actual: 0)) {
            try log.append(JournalBatch(stage: .window, after: 1, drafts: [], advancing: advance(6)), now: .test)
        }
        #expect(try log.cursor(of: "nobody") == nil)
        #expect(try rig.reopened(log).cursor(of: "window") == position(5))
    }

    @Test(arguments: Backend.allCases)
    func erasesPayloadsAndNothingElse(backend: Backend) throws {
        let log = try LogRig(backend).journal()
        let events = try log.append(batch(1...4, after: 0), now: .test)
        let before = try log.publish()
        try log.erasePayloads(in: position(1)..<position(3))
        let after = try log.events(from: .start, limit: 9)
        #expect(after.map(\.entry) == events.map(\.entry))
        #expect(after.map { $0.payload != nil } == [true, false, false, true])
        let beside = try CBORValue(decoding: #require(try log.records(epoch: 1, bundle: 0))).array(count: 4, "bundle")
        #expect(beside.map(\.isNull) == [false, true, true, false])
        #expect(try log.publish() == before)
        let audit = try log.audit()
        #expect(audit.entries == 4 && audit.erased == 2)
        // The id stays taken for ever.
        #expect(throws: LogError.duplicateID(existing: position(1))) {
            try log.append(JournalBatch(stage: .settlement, after: 4, drafts: [.test(2)]), now: .test)
        }
    }

    /// Two threads decide on the same stage: each append loses or wins, none is lost or doubled.
    @Test(arguments: Backend.allCases)
    func survivesARace(backend: Backend) throws {
        let log = try LogRig(backend).journal()
        let each: UInt64 = 60
        let failures = Failures()
        DispatchQueue.concurrentPerform(iterations: 2) { racer in
            do {
                for number in 1...each { try insist(on: .test(number, seed: UInt8(racer)), log) }
            } catch { failures.all.withLock { $0.append("\(error)") } }
        }
        #expect(failures.all.withLock { $0 } == [])
        let events = try log.events(from: .start, limit: 1000)
        #expect(events.map(\.sequence) == Array(1...(2 * each)))
        #expect(Set(events.compactMap(\.id)).count == Int(2 * each))
        #expect(try log.audit().entries == 2 * each)
    }

    /// Appends `draft`, deciding again whenever the other racer was first.
    private func insist(on draft: JournalDraft, _ log: any Journal) throws {
        while true {
            let after = try log.sequence(of: .settlement)
            do {
                _ = try log.append(JournalBatch(stage: .settlement, after: after, drafts: [draft]), now: .test)
                return
            } catch LogError.moved { continue }
        }
    }

    private final class Failures: Sendable {
        let all = Mutex<[String]>([])
    }
}

extension JournalPayload {
    static func test(_ number: UInt64, _ stage: Stage = .settlement) -> JournalPayload {
        JournalDraft.test(number, stage: stage).payload
    }
}
