// Event bodies: each row of docs/formats/journal.md goes out and comes back; what departs from it is refused by name.

import CBOR
import CollectorCore
import Evidence
import Foundation
import Kit
import Proofs
import Quantities
import Testing

struct EventTests {
    static let id = Identifier("site-1")!
    static let other = Identifier("site-2")!
    static let stream = StreamID([1, 2, 3, 4, 5, 6, 7, 8])!
    static let digest = Digest(of: [1])
    static let noon = UTCInstant("2016-07-07T12:00:00Z")!
    static let window = WindowID("W-2016-07-07-1")!
    static let transfer = Transfer(
        id: TransferID([UInt8](repeating: 7, count: 16))!, debit: id, credit: other, amount: Amount(minorUnits: 5),
        code: .transfer, cause: digest)

    static let day = DayVerdict(
        window: window, entity: id, meteringPoint: other, dayStart: noon, dayEnd: noon + 86_400_000, exported: 9,
        resolution: 1,
        sources: [], coverage: 1_000_000, base: 900_000, satellite: nil, confidence: 900_000, grade: .clean,
        findings: [],
        skipped: [.satelliteLow], outcome: .pending, imported: nil)

    static let house: [Event] = [
        .genesis(.fields([(1, .int(1))])),
        .registered(Event.Registered(document: .array([.bytes([1])]))),
        .epochOpened(Event.EpochOpened(document: .array([.bytes([1])]))),
        .epochReconciled(Event.EpochReconciled(log: .evidence, origin: "house.example/evidence/2")),
        .keyBound(Event.KeyBound(gateway: id, spki: [1], secret: "0123456789ABCDEFGHJK", request: [1])),
        .recordRefused(
            Event.RecordRefused(
                gateway: id, counts: [.init(code: 9, count: 2), .init(code: 2, count: 1)], from: noon, to: noon)),
        .findingMade(
            Event.FindingMade(gateway: id, stream: stream, sequence: 3, identity: digest, finding: 1, text: "why")),
        .streamForked(
            Event.StreamForked(gateway: id, stream: stream, sequence: 3, identityHeld: digest, otherEnvelope: [1])),
        .streamEnded(Event.StreamEnded(gateway: id, stream: stream, lastSequence: 3, reason: "forked")),
        .gatewayCloned(
            Event.GatewayCloned(gateway: id, ended: stream, now: StreamID([UInt8](repeating: 9, count: 8))!)),
        .identityChanged(
            Event.IdentityChanged(
                gateway: id, meter: other, before: .init(model: "a", serial: "1", firmware: ""),
                now: .init(model: "a", serial: "2", firmware: ""))),
    ]

    static let production: [Event] = [
        .windowCut(
            Event.WindowCut(
                window: window, start: noon, end: noon + 86_400_000, manifest: digest,
                evidence: Checkpoint(origin: "house.example/evidence/1", size: 9, root: digest),
                entities: [
                    .init(entity: id, settledThrough: noon, reason: nil, late: []),
                    .init(entity: other, settledThrough: noon, reason: "WATERMARK_STALL", late: [id]),
                ], segments: [digest], inputDigest: digest)),
        .statementReceived(Event.Received(envelope: [1])),
        .reviewReceived(Event.Received(envelope: [1])),
        .reconciliationComplete(Event.ReconciliationComplete(window: window, entity: id, days: [day])),
        .anomalyDetected(
            Event.AnomalyDetected(
                window: window, meteringPoint: id, day: noon, verdict: .disputed,
                findings: [Finding(.gap, count: 2, text: "")])),
        .disputeOpened(Event.DisputeOpened(window: window, meteringPoint: id, day: noon, reason: "low")),
        .productionVerified(
            Event.ProductionVerified(
                window: window, entity: id, settledFrom: noon, settledThrough: noon, verified: Energy(wattHours: -3),
                lowestConfidence: .one, attestations: [[1]])),
    ]

    static let money: [Event] = [
        .allocationCalculated(
            Event.AllocationCalculated(
                window: window, outputDigest: digest,
                allocations: [
                    Allocation(
                        entity: id, principal: id, account: other, ppm: 1_000_000, amount: Amount(minorUnits: .max),
                        verifiedWattHours: 5)
                ], carries: [.init(entity: id, asset: "K$", numerator: -4, denominator: 1)])),
        .transcriptSealed(Event.Received(envelope: [1])),
        .replayCompared(
            Event.ReplayCompared(window: window, outputDigest: digest, replayDigest: nil, isEqual: false, text: "")),
        .proofReceived(Event.Received(envelope: [1])),
        .authorizationDecided(Event.Received(envelope: [1])),
        .issuanceComplete(
            Event.IssuanceComplete(
                window: window, entity: id, principal: id, account: other, amount: Amount(minorUnits: 1),
                outputDigest: digest)),
        .accountOpened(Event.AccountOpened(account: id, principal: nil, entity: other, rule: .debitsWithinCredits)),
        .accountCredited(Event.AccountCredited(transfer: transfer)),
        .transferPosted(Event.Ordered(transfer: transfer, order: [1])),
        .transferRefused(Event.TransferRefused(order: [1], code: 7)),
        .holdPlaced(Event.Ordered(transfer: transfer, order: [1])),
        .holdPosted(Event.HoldResolved(transfer: transfer, order: [1], hold: transfer.id)),
        .holdVoided(Event.HoldResolved(transfer: transfer, order: [1], hold: transfer.id)),
        .weightCalculated(
            Event.WeightCalculated(
                window: window, isPreliminary: true,
                weights: [.init(entity: id, production: Energy(wattHours: 5), population: 2, units: 1_000_000)])),
    ]

    static let all = house + production + money

    @Test func thereIsASampleOfEveryKind() {
        #expect(Set(Self.all.map(\.kind)) == Set(Event.Kind.allCases))
    }

    @Test(arguments: all)
    func comesBackFromItsBytes(event: Event) throws {
        let item = try CBORValue(decoding: event.body.encoded())
        #expect(try Event(kind: event.kind.rawValue, body: item) == event)
    }

    /// Every body but genesis, whose shape is its own document's, refuses a key it does not know and a key left out.
    @Test(arguments: all.filter { $0.kind != .genesis })
    func refusesOtherKeys(event: Event) throws {
        guard case .map(let pairs) = event.body else { throw KitError("\(event.kind) is no map") }
        let more = CBORValue.map(pairs + [.init(.int(99), .null)])
        #expect(throws: EventError.self) { try Event(kind: event.kind.rawValue, body: more) }
        for index in pairs.indices {
            var fewer = pairs
            fewer.remove(at: index)
            #expect(throws: EventError.self, "without \(pairs[index].key)") {
                try Event(kind: event.kind.rawValue, body: .map(fewer))
            }
        }
    }

    @Test func namesAKindItDoesNotKnow() throws {
        let error = #expect(throws: EventError.self) { try Event(kind: "MoneyPrinted", body: .null) }
        #expect(error == .unknownKind("MoneyPrinted"))
        #expect(error?.description.contains("MoneyPrinted") == true)
    }

    @Test func refusesAKindInAnotherStream() {
        let event = Self.money[5]
        let draft = event.draft(commandID: Self.digest)
        let entry = JournalEvent(
            position: .start,
            entry: JournalEntry(
                kind: draft.kind, stage: .settlement, sequence: 1, time: Self.noon, digest: Self.digest),
            payload: draft.payload)
        #expect(throws: EventError.otherStage(kind: .issuanceComplete, stage: .settlement)) { try Event(entry) }
    }

    /// Damaged bodies are refused or decode to something that encodes to the same bytes; nothing traps.
    @Test(arguments: 0..<40 as Range<UInt64>)
    func survivesDamage(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        for event in Self.all {
            let bytes = random.mutated(event.body.encoded())
            do {
                let item = try CBORValue(decoding: bytes)
                let back = try Event(kind: event.kind.rawValue, body: item)
                #expect(back.body.encoded() == bytes, "seed \(seed), \(event.kind)")
            } catch is CBORError {} catch is EventError {}
        }
    }

    /// The page names each kind with its stream, and no other.
    @Test func thePageAgrees() throws {
        let page = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../../docs/formats/journal.md").standardizedFileURL
        var rows: [String: String] = [:]
        for line in try String(contentsOf: page, encoding: .utf8).split(separator: "\n") where line.hasPrefix("| `") {
            let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
            for name in cells[0].split(separator: "/") {
                rows[name.trimmingCharacters(in: CharacterSet(charactersIn: "` "))] = cells[1]
            }
        }
        let code = Dictionary(uniqueKeysWithValues: Event.Kind.allCases.map { ($0.rawValue, $0.stage.rawValue) })
        #expect(rows == code)
    }
}
