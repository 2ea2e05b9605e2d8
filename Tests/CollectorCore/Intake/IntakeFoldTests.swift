// What intake remembers and journals: findings, clones, forks, changed meters; receipts, their rate, counted refusals.

import CBOR
import CollectorCore
import Evidence
import Proofs
import Quantities
import Testing

struct IntakeFoldTests {
    static let gateway = Identifier("gateway-1")!
    static let key = TestKey("first")
    static let replay = HouseClock.replayed(start: TestStream.start, speed: 3600, zero: TestStream.start)

    static func kinds(_ collector: TestCollector) -> [String] { collector.journal.map(\.kind) }

    /// A clock `offset` ms from the receipt, and what is found; exactly at a bound nothing is.
    @Test(
        arguments: [
            (0, nil), (300_000, nil), (300_001, .timeAbsurd), (.max - TestStream.start.milliseconds, .timeAbsurd),
            (-7_776_000_000, nil), (-7_776_000_001, .late), (.min, .timeAbsurd),
        ] as [(Int64, IntakeFinding?)])
    func findsAbsurdTimes(offset: Int64, finding: IntakeFinding?) throws {
        var stream = TestStream(Self.gateway, 1, key: Self.key)
        var collector = TestCollector([Self.key])
        _ = collector.deliver(Self.gateway, stream.record(1))
        let utc = UTCInstant(milliseconds: TestStream.start.milliseconds &+ (offset == .min ? .min / 2 : offset))
        let record = stream.sign(2, .readings(Readings(base: 1, samples: [])), previous: stream.identity(1), utc: utc)
        _ = collector.deliver(Self.gateway, record)
        let found = try collector.journal.map { try Event(kind: $0.kind, body: $0.payload.body) }
        guard let finding else {
            #expect(found.isEmpty)
            #expect(collector.state.gateway(Self.gateway)?.hold(stream.id, 2) == nil)
            return
        }
        guard case .findingMade(let event)? = found.first, found.count == 1 else {
            Issue.record("no finding but \(found)")
            return
        }
        #expect(event.finding == finding.rawValue)
        #expect(event.identity == record.identity)
        #expect(collector.state.gateway(Self.gateway)?.hold(stream.id, 2) == .finding)
        #expect(collector.state.gateway(Self.gateway)?.hold(stream.id, 1) == nil)
    }

    /// Payloads that are authentic and next but not understood are kept with a finding.
    @Test func keepsWhatItDoesNotUnderstand() {
        var stream = TestStream(Self.gateway, 1, key: Self.key)
        var collector = TestCollector([Self.key])
        _ = collector.deliver(Self.gateway, stream.record(1))
        func fields(_ version: UInt64, _ kind: UInt64) -> CBORValue {
            .fields([
                (1, .unsigned(version)), (2, .text("gateway-1")), (3, .bytes(stream.id.bytes)), (4, .unsigned(2)),
                (5, .bytes(stream.identity(1).bytes)), (6, .some(TestStream.clock().cbor)), (7, .unsigned(1)),
                (8, .unsigned(kind)), (9, .array([.unsigned(1), .array([])])),
            ])
        }
        // The same content with a map head that is longer than it need be.
        let loose = [0xB8, 0x09] + fields(1, 2).encoded().dropFirst()
        let cases: [([UInt8], IntakeFinding)] = [
            (fields(2, 2).encoded(), .unknownVersion), (fields(1, 9).encoded(), .notUnderstood),
            (loose, .notDeterministic),
        ]
        for (payload, finding) in cases {
            var collector = collector
            _ = collector.deliver(Self.gateway, stream.sign(payload: payload, by: Self.key))
            #expect(collector.evidence.count == 2, "\(finding) was not kept")
            #expect(collector.journal.map(\.payload.ordinal) == [finding.rawValue])
            #expect(collector.state.gateway(Self.gateway)?.hold(stream.id, 2) == .finding)
        }
    }

    /// Every event that a record causes can be read back, however long its texts: one that could not would keep the
    /// house from ever starting again.
    @Test(arguments: [1024, 1025, 20_000])
    func eventsOfLongTextsCanBeRead(bytes: Int) throws {
        var stream = TestStream(Self.gateway, 1, key: Self.key)
        var collector = TestCollector([Self.key])
        for number in 1...3 as ClosedRange<UInt64> {
            let serial = String(repeating: number.isMultiple(of: 2) ? "b" : "a", count: bytes)
            _ = collector.deliver(Self.gateway, stream.record(number, TestStream.birth(serial: serial)))
        }
        #expect(collector.evidence.count == 3)
        #expect(collector.journal.count == (bytes > 1024 ? 3 : 2))
        for draft in collector.journal { _ = try Event(kind: draft.kind, body: draft.payload.body) }
    }

    /// (the house's clock, the birth's) and whether the stream is held.
    @Test(arguments: [
        (HouseClock.real, false, false), (.real, true, true), (replay, true, false), (replay, false, true),
    ])
    func holdsStreamsOfAnotherClock(house: HouseClock, isReplayed: Bool, isHeld: Bool) {
        var stream = TestStream(Self.gateway, 1, key: Self.key)
        var collector = TestCollector([Self.key], clock: house)
        _ = collector.deliver(
            Self.gateway, stream.record(1, TestStream.birth(replay: isReplayed ? (TestStream.start, 3600) : nil)))
        _ = collector.deliver(Self.gateway, stream.record(2))
        #expect(collector.state.gateway(Self.gateway)?.hold(stream.id, 2) == (isHeld ? .otherClock : nil))
        #expect(Self.kinds(collector) == (isHeld ? ["FindingMade"] : []))
    }

    /// The former goes on after a new birth: both are held until a person chooses; then the other takes nothing more.
    @Test(arguments: [false, true])
    func holdsClones(keepsFormer: Bool) throws {
        var (first, second) = (TestStream(Self.gateway, 1, key: Self.key), TestStream(Self.gateway, 2, key: Self.key))
        var collector = TestCollector([Self.key])
        _ = collector.deliver(Self.gateway, first.record(1))
        _ = collector.deliver(Self.gateway, second.record(1))
        #expect(Self.kinds(collector) == ["StreamEnded"])
        #expect(collector.state.gateway(Self.gateway)?.hold(second.id, 1) == nil)
        _ = collector.deliver(Self.gateway, first.record(2))
        _ = collector.deliver(Self.gateway, second.record(2))
        _ = collector.deliver(Self.gateway, first.record(3))
        #expect(Self.kinds(collector) == ["StreamEnded", "GatewayCloned"])
        #expect(collector.evidence.count == 5)
        for id in [first.id, second.id] { #expect(collector.state.gateway(Self.gateway)?.hold(id, 1) == .cloned) }

        let (kept, closed) = keepsFormer ? (first.id, second.id) : (second.id, first.id)
        let drafts = collector.state.choosing(kept, of: Self.gateway, commandID: Digest(of: [1]))
        #expect(drafts.count == 1)
        collector.note(drafts)
        try collector.restart()
        #expect(collector.state.gateway(Self.gateway)?.hold(kept, 1) == nil)
        #expect(collector.state.gateway(Self.gateway)?.open == kept)
        #expect(collector.state.receipt(Self.gateway, closed, collector.context).ended?.reason == "closed")
        #expect(collector.state.receipt(Self.gateway, kept, collector.context).ended == nil)
        let outcome = collector.deliver(Self.gateway, keepsFormer ? second.record(3) : first.record(4))
        #expect(outcome.refusal == .streamEnded)
        #expect(collector.state.choosing(kept, of: Self.gateway, commandID: Digest(of: [2])).isEmpty)
    }

    @Test func holdsAForkFromItsNumberOn() {
        var stream = TestStream(Self.gateway, 1, key: Self.key)
        var collector = TestCollector([Self.key])
        for number in 1...5 as ClosedRange<UInt64> { _ = collector.deliver(Self.gateway, stream.record(number)) }
        let other = stream.other(3)
        _ = collector.deliver(Self.gateway, other)
        let state = collector.state.gateway(Self.gateway)
        #expect((1...5).map { state?.hold(stream.id, $0) } == [nil, nil, .forked, .forked, .forked])
        #expect(collector.evidence.count == 5)
        #expect(
            collector.journal.map(\.payload.body) == [
                Event.streamForked(
                    Event.StreamForked(
                        gateway: Self.gateway, stream: stream.id, sequence: 3, identityHeld: stream.identity(3),
                        otherEnvelope: other.encoded)
                ).body
            ])
        let receipt = collector.state.receipt(Self.gateway, stream.id, collector.context)
        #expect(receipt.ended?.lastSequence == 5)
        #expect(receipt.ended?.reason == "forked")
    }

    /// A crash between the evidence log and the Journal: the events come again with the same ids, once.
    @Test func journalsAfterACrashWhatItHadNoTimeFor() throws {
        var (first, second) = (TestStream(Self.gateway, 1, key: Self.key), TestStream(Self.gateway, 2, key: Self.key))
        var collector = TestCollector([Self.key])
        _ = collector.deliver(Self.gateway, first.record(1))
        try collector.crashAfterAppending(Self.gateway, second.record(1, TestStream.birth(serial: "2")))
        #expect(Self.kinds(collector) == ["StreamEnded", "IdentityChanged"])
        try collector.crashAfterAppending(Self.gateway, first.record(2))
        #expect(Self.kinds(collector) == ["StreamEnded", "IdentityChanged", "GatewayCloned"])
        guard case .duplicate = collector.deliver(Self.gateway, first.record(2)) else {
            Issue.record("sent again after the crash, it is a duplicate")
            return
        }
    }

    @Test func tellsOfAChangedMeterOnce() throws {
        var stream = TestStream(Self.gateway, 1, key: Self.key)
        var collector = TestCollector([Self.key])
        func identity(_ serial: String) -> CBORValue { .array([.text("m"), .text(serial), .text("f")]) }
        let note = Note(
            uptimeMilliseconds: 1, code: .identityChanged,
            details: [(1, .unsigned(0)), (2, identity("1")), (3, identity("2"))])
        for body in [
            TestStream.birth(serial: "1"), .note(note), TestStream.birth(serial: "2"), TestStream.birth(serial: "3"),
        ] {
            _ = collector.deliver(Self.gateway, stream.record(UInt64(stream.records.count + 1), body))
        }
        let changes = try collector.journal.map { try Event(kind: $0.kind, body: $0.payload.body) }
        let serials = changes.map { event -> [String] in
            if case .identityChanged(let change) = event { [change.before.serial, change.now.serial] } else { [] }
        }
        #expect(serials == [["1", "2"], ["2", "3"]])
    }

    @Test func receiptsAreCumulative() {
        var stream = TestStream(Self.gateway, 1, key: Self.key)
        var collector = TestCollector([Self.key])
        func receipt() -> Receipt { collector.state.receipt(Self.gateway, stream.id, collector.context) }
        #expect(receipt().durableThrough == 0)
        #expect(receipt().identity == .zero)
        _ = collector.deliver(Self.gateway, stream.record(1))
        _ = collector.deliver(Self.gateway, stream.skip(2, 4))
        #expect(receipt().durableThrough == 4)
        #expect(receipt().identity == stream.identity(4))
        #expect(receipt().leafIndex == 1)
        #expect(receipt().logOrigin == "house.example/evidence/1")
    }

    /// At most one a second a stream; what was said in between goes with the next; a question that was answered is not.
    @Test func receiptsAreAtMostOneASecond() {
        var stream = TestStream(Self.gateway, 1, key: Self.key)
        var collector = TestCollector([Self.key])
        var schedule = ReceiptSchedule()
        schedule.want(collector.deliver(Self.gateway, stream.record(1)))
        #expect(schedule.take(uptime: 0).map(\.wantsCheckpoint) == [true])
        schedule.want(collector.deliver(Self.gateway, stream.record(3)))
        schedule.want(
            collector.deliver(Self.gateway, stream.sign(2, TestStream.birth(), previous: .zero, by: TestKey("x"))))
        #expect(schedule.take(uptime: 999).isEmpty)
        #expect(schedule.nextDue(uptime: 999) == 1000)
        let due = schedule.take(uptime: 1000)
        #expect(due.map(\.answer.resendFrom) == [2])
        #expect(due.map(\.wantsCheckpoint) == [false])
        #expect(due[0].answer.refusals == [Receipt.Refusal(sequence: 2, code: RefusalCode.unknownKey.rawValue)])
        func receipt() -> Receipt {
            collector.state.receipt(Self.gateway, stream.id, collector.context, answer: due[0].answer)
        }
        #expect(receipt().resendFrom == 2)
        _ = collector.deliver(Self.gateway, stream.record(2))
        #expect(receipt().resendFrom == nil)
        #expect(schedule.nextDue(uptime: 1000) == nil)
        schedule.want(Self.gateway, stream.id)
        #expect(schedule.take(uptime: 3_600_000).map(\.wantsCheckpoint) == [true])
    }

    @Test func aGatewayThatMakesUpStreamsWaitsForFewOfThem() {
        var schedule = ReceiptSchedule()
        for number in 0..<50 as Range<UInt8> {
            let stream = StreamID([UInt8](repeating: number, count: 8))!
            let place = RecordPlace(gateway: Self.gateway, stream: stream, sequence: 4, previous: .zero)
            schedule.want(.notNext(place, resendFrom: 1))
        }
        #expect(schedule.take(uptime: 0).count == ReceiptSchedule.streamsPerGatewayMax)
    }

    @Test func aShareTakesItsOwnGatewaysReceipts() {
        var schedule = ReceiptSchedule()
        let stream = StreamID([UInt8](repeating: 1, count: 8))!
        let (mine, other) = (Identifier("gw-1")!, Identifier("gw-2")!)
        for gateway in [mine, other] { schedule.want(gateway, stream) }
        #expect(schedule.take(uptime: 0, of: { $0 == mine }).map(\.gateway) == [mine])
        #expect(schedule.take(uptime: 0, of: { $0 == other }).map(\.gateway) == [other])
    }

    @Test func countsRefusalsOnceAMinute() throws {
        var counter = RefusalCounter()
        let other = Identifier("gateway-0")!
        let now = TestStream.start
        counter.count(.badSignature, gateway: Self.gateway, at: now)
        counter.count(.malformed, gateway: Self.gateway, at: now + 1)
        counter.count(.badSignature, gateway: Self.gateway, at: now + 2)
        counter.count(.notNext, gateway: other, at: now + 3)
        #expect(counter.take(at: now + 59_999).isEmpty)
        let drafts = counter.take(at: now + 60_003)
        #expect(
            try drafts.map { try Event(kind: $0.kind, body: $0.payload.body) } == [
                .recordRefused(
                    .init(gateway: other, counts: [.init(code: 12, count: 1)], from: now + 3, to: now + 60_003)),
                .recordRefused(
                    .init(
                        gateway: Self.gateway, counts: [.init(code: 2, count: 1), .init(code: 9, count: 2)], from: now,
                        to: now + 60_003)),
            ])
        #expect(Set(drafts.map(\.eventID)).count == 2)
        #expect(counter.take(at: now + 999_999).isEmpty)
        #expect(counter.totals.filter { $0.count > 0 }.map(\.count) == [1, 2, 1])
    }
}
