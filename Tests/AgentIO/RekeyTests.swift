// A gateway changes its key: the crash between any two steps, each write failing twice, and what may not be lost by it.

@testable internal import AgentIO
internal import AgentCore
internal import Evidence
internal import Foundation
internal import Keys
internal import Kit
internal import Proofs
internal import Quantities
internal import Testing

struct RekeyTests {
    /// A spool whose key lies in a file, as the agent's does.
    fileprivate final class Yard {
        let place: TemporaryDirectory
        let bench: SpoolBench
        var path: String { place.file("gateway.pem") }
        var store: KeyStore { .file(path) }

        init(bytesMax: Int = 64 << 20) throws {
            place = try TemporaryDirectory()
            bench = try SpoolBench(place, bytesMax: bytesMax)
            try bench.key.save(to: path)
            try start()
        }

        /// What a start after a crash finds.
        func start() throws { try bench.restart(keys: try KeyRing(store)) }

        /// Makes the new key and asks the keeper to take over.
        @discardableResult
        func begin() throws -> Mailbox<RekeyRequest.Reply> {
            let next = try KeyRing.candidate(store, beside: bench.keeper.key.kid)
            let reply = Mailbox<RekeyRequest.Reply>(itemsMax: 1)
            try bench.keeper.ask(RekeyRequest(next: next, reply: reply))
            return reply
        }

        func receiptAll() throws {
            try bench.keeper.receive(receipt: try bench.receipt(through: bench.keeper.chain.head))
        }

        /// As the keeper's thread does, without waiting for its time.
        func look() throws {
            for _ in 0..<4 {
                bench.keeper.rekeying.lookAt = .min / 2
                try bench.keeper.lookAfterKeys()
            }
        }

        /// Everything of the former key's time is old: its readings go.
        func age() throws {
            let stream = bench.keeper.streams[0]
            let rows = try bench.keeper.spool.outline(of: stream)
            let key = try #require(rows.firstIndex { $0.kind == .key })
            for row in rows[..<key] where row.kind == .readings {
                let run = SpoolPolicy.Run(first: row.sequence, through: row.through, isSacrifice: false)
                try bench.keeper.spool.forget(run, of: stream)
            }
        }

        var files: [String] {
            FileManager.default.subpaths(atPath: place.path)?.filter { $0.contains("gateway") } ?? []
        }
    }

    private func kinds(_ records: [Record]) -> [RecordKind] { records.map(\.body.kind) }

    @Test func theNewKeySignsWhatFollowsAndTheFormerOneGoesInTheEnd() throws {
        let yard = try Yard()
        let (bench, old) = (yard.bench, yard.bench.key)
        for _ in 0..<3 { try bench.commit() }
        let reply = try yard.begin()
        #expect(bench.keeper.key.publicKey == old.publicKey && yard.files.count == 2)
        try bench.commit()
        guard case .state(let state)? = reply.take(within: 0).first else { throw KitError("no answer") }
        let new = bench.keeper.key
        #expect(state.kid == new.kid && new.publicKey != old.publicKey)
        #expect(state.facts.next(isWanted: false) == .awaitReceipt)
        for _ in 0..<2 { try bench.commit() }
        // The key record is the last one of its commit; outgoing() checks each signature against the key in force.
        let records = try bench.outgoing(signedBy: old)
        #expect(kinds(records) == [.birth, .readings, .readings, .readings, .readings, .key, .readings, .readings])
        #expect(bench.keeper.streams.count == 1)

        try yard.look()
        #expect(bench.keeper.rekeying.step == .awaitReceipt && yard.files.count == 2)
        try yard.receiptAll()
        try yard.look()
        // Readings of its time are kept: should they be forgotten, only the former key can sign for them.
        #expect(bench.keeper.rekeying.step == .keepFormer && yard.files.count == 2)
        try yard.age()
        try yard.look()
        #expect(bench.keeper.rekeying.step == .rest && yard.files == ["gateway.pem"])
        // However short of room it is: what the former key signed is not forgotten into what nobody could sign.
        try bench.keeper.makeRoom(isFull: true)
        #expect(try PrivateKey.load(path: yard.path).publicKey == new.publicKey)
        // A collector restored from an older copy gets all of it, signed by whoever was in force.
        try bench.keeper.receive(
            receipt: try bench.receipt(
                through: 1, identity: bench.keeper.spool.record(covering: 1, in: bench.keeper.streams[0])?.link))
        #expect(
            kinds(try bench.outgoing(signedBy: old)).prefix(6) == [.birth, .skip, .skip, .skip, .skip, .key])
        try yard.start()
        #expect(bench.keeper.key.publicKey == new.publicKey && bench.keeper.streams.count == 1)
        #expect(bench.keeper.signers.known.contains(old.publicKey))
    }

    /// Nobody receipts the key record: how long it has stood there is the new key's age, over every start.
    @Test func aChangeThatHangsIsSeenAfterAStartToo() throws {
        let yard = try Yard()
        let bench = yard.bench
        try bench.commit()
        #expect(!bench.keeper.keyFigures.progress.hangs && bench.keeper.keyFigures.progress.milliseconds == 0)
        try yard.begin()
        try bench.commit()
        try yard.look()
        #expect(bench.keeper.keyFigures.step == .awaitReceipt && !bench.keeper.keyFigures.progress.hangs)
        let path = bench.folder + "/keys"
        let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
        let spki = try #require(lines.last?.split(separator: " ").last)
        let yesterday = CertificateClock.realTime() + Int64(-90_000_000)
        try Data("\(yesterday) \(spki)\n".utf8).write(to: URL(fileURLWithPath: path))
        try yard.start()
        try yard.look()
        let figures = bench.keeper.keyFigures
        #expect(figures.ageSeconds.map { (90_000...90_600).contains($0) } == true && figures.progress.hangs)
        #expect(
            figures.json.contains("\"rekeying\":\"await-receipt\"") && figures.json.contains("\"rekeying_hangs\":true"))
        let board = StatusBoard(recorder: bench.recorder, buses: [])
        var all = AgentFigures()
        all.key = figures
        board.set(all)
        #expect(board.doctorFindings.map(\.id).contains(.keyChangeHangs))
        #expect(board.wrong.contains { $0.hasPrefix("the change of keys hangs") })
        #expect(board.metrics.contains("\nkilomint_agent_key_age_seconds 90"))
        #expect(board.metrics.contains("\nkilomint_agent_key_change_hangs 1\n"))
        // A receipt, and it is on its way again.
        try yard.receiptAll()
        try yard.look()
        #expect(bench.keeper.keyFigures.step == .keepFormer && !bench.keeper.keyFigures.progress.hangs)
    }

    /// The process dies after each step; the next one goes on from what is there.
    @Test(arguments: ["made", "asked", "durable", "receipted", "aged", "removed"])
    func aCrashAfterAnyStepGoesOn(_ step: String) throws {
        let yard = try Yard()
        let (bench, old) = (yard.bench, yard.bench.key)
        for _ in 0..<2 { try bench.commit() }
        let order = ["made", "asked", "durable", "receipted", "aged", "removed"]
        let at = try #require(order.firstIndex(of: step))
        let made = try KeyRing.candidate(yard.store, beside: old.kid).key.publicKey
        for (index, name) in order.enumerated() {
            switch name {
            case "made": break
            case "asked": try yard.begin()
            case "durable":
                // After a crash in front of it the request is gone: somebody asks again.
                if bench.keeper.rekeying.waiting.isEmpty { try yard.begin() }
                try bench.commit()
            case "receipted": try yard.receiptAll(); try bench.keeper.commit(isFinal: false)
            case "aged": try yard.age()
            default: try yard.look()
            }
            if index == at { try yard.start() }
        }
        // Whatever came between: one key, the one that was made first, one stream, every signature in force.
        #expect(bench.keeper.key.publicKey == made && yard.files == ["gateway.pem"], "\(step)")
        #expect(bench.keeper.streams.count == 1)
        try bench.commit()
        _ = try bench.outgoing(signedBy: old)
    }

    @Test(arguments: [SpoolFault.refused, .answerLost], [1, 2, 3])
    func aKeyRecordThatIsNotStoredChangesNothing(_ fault: SpoolFault, times: Int) throws {
        let yard = try Yard()
        let (bench, old) = (yard.bench, yard.bench.key)
        try bench.commit()
        try yard.begin()
        var left = times
        bench.keeper.spool.fault = { kind in
            guard kind == .commit, left > 0 else { return nil }
            left -= 1
            return fault
        }
        try bench.commit()
        let isThere = try bench.keeper.spool.latestKeyRecord() != nil
        // Refused twice, the record is not there and the old key signs; else it is, and the new one does.
        #expect((bench.keeper.key.publicKey == old.publicKey) == !isThere)
        for _ in 0..<3 { try bench.commit() }
        #expect(bench.keeper.key.publicKey != old.publicKey)
        #expect(kinds(try bench.outgoing(signedBy: old)).count { $0 == .key } == 1)
    }

    @Test func aCrashBeforeTheKeyRecordIsDurableLeavesTheOldKey() throws {
        let yard = try Yard()
        let (bench, old) = (yard.bench, yard.bench.key)
        try bench.commit()
        try yard.begin()
        bench.keeper.spool.fault = { $0 == .commit ? .refused : nil }
        try bench.commit()
        try yard.start()
        #expect(bench.keeper.key.publicKey == old.publicKey)
        #expect(try bench.keeper.rekeyFacts().next(isWanted: false) == .vouch)
        try yard.begin()
        try bench.commit()
        #expect(bench.keeper.key.publicKey != old.publicKey && yard.files.count == 2)
    }

    @Test(arguments: PrivateKey.RemovalStep.allCases, [true, false])
    func givingUpTheFormerKeyFailsTwice(_ step: PrivateKey.RemovalStep, isDone: Bool) throws {
        struct Cut: Error {}
        let place = try TemporaryDirectory()
        let (path, beside) = (place.file("key.pem"), place.file("key.pem.next"))
        let (old, new) = (try PrivateKey.generate(.es256), try PrivateKey.generate(.es256))
        try old.save(to: path)
        try new.save(to: beside)
        #expect(throws: Cut.self) {
            try PrivateKey.retire(old.publicKey, at: .file(path), for: .file(beside)) { if $0 == step { throw Cut() } }
        }
        // Both keys or the new one alone, and always one that is in force.
        let kept = try KeyRing(.file(path)).held.map(\.key.publicKey)
        #expect(kept == (step == .remove ? [old.publicKey, new.publicKey] : [new.publicKey]))
        if isDone { try PrivateKey.retire(old.publicKey, at: .file(path), for: .file(beside)) }
        try PrivateKey.retire(old.publicKey, at: .file(path), for: .file(beside))
        #expect(try KeyRing(.file(path)).held.map(\.key.publicKey) == [new.publicKey])
        // The key in force is never taken for the former one.
        try PrivateKey.retire(old.publicKey, at: .file(path), for: .file(path))
        #expect(try PrivateKey.load(path: path).publicKey == new.publicKey)
    }

    /// The stream ends before the collector took the key record: nobody knows the new key, so the old one opens the next.
    @Test func aStreamThatEndsBeforeItsKeyRecordWasTakenGoesBack() throws {
        let yard = try Yard()
        let (bench, old) = (yard.bench, yard.bench.key)
        for _ in 0..<2 { try bench.commit() }
        try yard.begin()
        try bench.commit()
        let new = bench.keeper.key
        try bench.keeper.receive(receipt: try bench.receipt(through: 2) { $0.ended = (2, "forked") })
        try bench.commit()
        #expect(bench.keeper.streams.count == 2 && bench.keeper.key.publicKey == old.publicKey)
        _ = try bench.outgoing(signedBy: old)
        try yard.start()
        #expect(bench.keeper.key.publicKey == old.publicKey && bench.keeper.streams.count == 2)
        // Asked again, the key that was made takes over in the new stream.
        try yard.begin()
        try bench.commit()
        #expect(bench.keeper.key.publicKey == new.publicKey && yard.files.count == 2)
    }

    /// It was taken, and the receipt that says so is the one that ends the stream: the old key opens nothing any more.
    @Test func aStreamThatEndsAfterItsKeyRecordWasTakenGoesOnWithTheNewKey() throws {
        let yard = try Yard()
        let bench = yard.bench
        for _ in 0..<2 { try bench.commit() }
        try yard.begin()
        try bench.commit()
        let (new, head) = (bench.keeper.key, bench.keeper.chain.head)
        try bench.keeper.receive(receipt: try bench.receipt(through: head) { $0.ended = (head, "forked") })
        try bench.commit()
        #expect(bench.keeper.streams.count == 2 && bench.keeper.key.publicKey == new.publicKey)
        try yard.start()
        #expect(bench.keeper.streams.count == 2 && bench.keeper.key.publicKey == new.publicKey)
    }

    @Test func asecondChangeFollowsTheFirst() throws {
        let yard = try Yard()
        let (bench, first) = (yard.bench, yard.bench.key)
        for round in 1...2 {
            for _ in 0..<2 { try bench.commit() }
            let before = bench.keeper.key
            try yard.begin()
            try bench.commit()
            // Not before the first is over.
            if round == 2 {
                let reply = Mailbox<RekeyRequest.Reply>(itemsMax: 1)
                let other = KeyRing.Held(place: .file("x"), key: try PrivateKey.generate(.es256))
                try bench.keeper.ask(RekeyRequest(next: other, reply: reply))
                guard case .refused? = reply.take(within: 0).first else { throw KitError("not refused") }
            }
            try yard.receiptAll()
            try yard.age()
            try yard.ageSecond()
            try yard.look()
            #expect(bench.keeper.key.publicKey != before.publicKey && yard.files == ["gateway.pem"], "\(round)")
        }
        let records = try bench.outgoing(signedBy: first)
        #expect(kinds(records).count { $0 == .key } == 2)
    }
}

extension RekeyTests.Yard {
    /// Readings between two key records.
    fileprivate func ageSecond() throws {
        let stream = bench.keeper.streams[0]
        let rows = try bench.keeper.spool.outline(of: stream)
        let last = try #require(rows.lastIndex { $0.kind == .key })
        for row in rows[..<last] where row.kind == .readings {
            let run = SpoolPolicy.Run(first: row.sequence, through: row.through, isSacrifice: false)
            try bench.keeper.spool.forget(run, of: stream)
        }
    }
}
