// The audit of a house that is sound, and of every way of not being so that somebody could think of.

import CBOR
import CollectorCore
import Evidence
import Keys
import Kit
import Proofs
import Quantities
import Testing

struct HouseAuditTests {
    @Test func aSoundHouseHolds() async throws {
        let house = try PublishedHouse()
        let summary = try await house.verify()
        #expect(summary.windowsSealed == 2)
        #expect(summary.verifiedWattHours == 36_000)
        #expect(summary.supply == 36_000_000)
        #expect(summary.issuances == 4)
        #expect(summary.transfers == 5)
        #expect(summary.records == 52)
        #expect(summary.sources == 1)
        #expect(!summary.isPinned)
    }

    /// A skip may begin before the last number held: it stands at the one after that.
    @Test func aSkipOverWhatIsHeldHolds() async throws {
        let house = try PublishedHouse(
            Misdeed(record: { sequence, record in
                guard sequence == 9 else { return record }
                let skip = Skip(
                    to: 9, identity: .test("lost"), reason: "test", firstClock: record.clock, lastClock: record.clock,
                    losses: [])
                return Record(
                    place: RecordPlace(
                        gateway: record.place.gateway, stream: record.place.stream, sequence: 1, previous: .zero),
                    clock: record.clock, completeThrough: record.completeThrough, body: .skip(skip))
            }))
        #expect(try await house.verify().supply == 36_000_000)
    }

    /// A statement of another span is of another day: the house took it.
    @Test func aStatementOfHalfADayIsNoSecondOne() async throws {
        let house = try PublishedHouse(
            Misdeed(also: { draft in
                guard draft.kind == Event.Kind.statementReceived.rawValue else { return [] }
                let own = TestHouse.statement(.auditor, 0, 12_000)
                let half = SourceStatement(
                    source: own.source, meteringPoint: own.meteringPoint, from: own.from, to: own.from + day / 2,
                    wattHours: 12_000, resolutionWattHours: 10, inputs: [], issuedAt: own.issuedAt, method: "test")
                let message = try SignedMessage.signing(
                    half.encoded, as: .statement, with: PublishedHouse.keyPairs["auditor"]!)
                return [
                    Event.statementReceived(Event.Received(envelope: message.encoded))
                        .draft(commandID: message.identity)
                ]
            }))
        #expect(try await house.verify().statements == 2)
    }

    @Test func pinsNameTheHouse() async throws {
        let house = try PublishedHouse()
        let root = house.keys["root"]!.publicKey.spki
        let raw = Array(house.genesis.keys.log.suffix(32))
        let key = NoteVerifierKey(name: "test.example/house/journal/1", ed25519: raw)
        #expect(try await house.verify(AuditPins(houseKey: key, root: root)).isPinned)
        await #expect(throws: AuditFailure.self) {
            _ = try await house.verify(AuditPins(root: house.keys["owner"]!.publicKey.spki))
        }
        let other = NoteVerifierKey(name: "test.example/house/journal/1", ed25519: Array(raw.reversed()))
        await #expect(throws: AuditFailure.self) { _ = try await house.verify(AuditPins(houseKey: other)) }
    }

    /// No bit of any published file can change unseen.
    @Test func everyFlippedBitIsFound() async throws {
        let house = try PublishedHouse()
        var random = SeededGenerator(seed: 20_160_707)
        for path in house.files.keys.sorted() {
            // A window's checkpoint segment is empty when its inputs fill one segment.
            guard let bytes = house.files[path], !bytes.isEmpty else { continue }
            for _ in 0..<3 {
                var damaged = house
                let bit = Int.random(in: 0..<bytes.count * 8, using: &random)
                var changed = bytes
                changed[bit / 8] ^= 1 << UInt8(bit % 8)
                damaged.replace(path, with: changed)
                await #expect(throws: AuditFailure.self, "bit \(bit) of \(path), seed \(random.seed)") {
                    _ = try await damaged.verify()
                }
            }
        }
    }

    /// Whatever a file holds, the audit and the trace end with an answer.
    @Test func damagedFilesNeverCrash() async throws {
        let house = try PublishedHouse()
        let credit = try #require(house.ledger.entries.first { $0.kind == .issued })
        var random = SeededGenerator(seed: 7)
        var failures = 0
        for path in house.files.keys.sorted() {
            for _ in 0..<4 {
                var damaged = house
                damaged.replace(path, with: random.mutated(try #require(house.files[path])))
                do { _ = try await damaged.verify() } catch is AuditFailure { failures += 1 }
                do { _ = try await Tracer.trace(credit.transfer.id, AuditPins(), damaged.tools) } catch is AuditFailure
                {
                    continue
                }
            }
        }
        // Bytes behind the end of a tile or bundle are no damage; nearly everything else is.
        #expect(failures > house.files.count * 3, "seed \(random.seed)")
    }

    /// An export may be made between a cut and its seal: the cut stands, and nothing may follow from it.
    @Test func aWindowJustCutIsNoFailure() async throws {
        var isCut = false
        // Nothing is written after the first cut.
        var house = try PublishedHouse(
            Misdeed(draft: { draft in
                defer { isCut = isCut || draft.kind == Event.Kind.windowCut.rawValue }
                return isCut ? nil : draft
            }))
        #expect(try await house.verify().windowsCut == 1)
        for path in house.files.keys where path.hasPrefix("segments/") { house.replace(path, with: nil) }
        let summary = try await house.verify()
        #expect(summary.windowsCut == 0)
        #expect(summary.windowsSealed == 0)
    }

    /// The log that was changed is named, not one that follows from it.
    @Test(arguments: [
        ("log/evidence/1/checkpoint", "log/evidence/1/checkpoint"),
        ("log/evidence/1/tile/0/000.p/52", "log/evidence/1/tile"),
        ("log/evidence/1/tile/entries/000.p/52", "log/evidence/1"), ("records/evidence/1/0", "evidence/1"),
        ("log/journal/1/checkpoint", "log/journal/1/checkpoint"), ("records/journal/1/0", "journal/1"),
    ])
    func thePlaceIsNamed(path: String, named: String) async throws {
        var house = try PublishedHouse()
        var bytes = try #require(house.files[path])
        bytes[bytes.count / 2] ^= 1
        house.replace(path, with: bytes)
        let failure = await #expect(throws: AuditFailure.self) { _ = try await house.verify() }
        #expect(failure?.place.description.contains(named) == true, "\(String(describing: failure))")
    }

    @Test func everyMissingFileIsFound() async throws {
        let house = try PublishedHouse()
        for path in house.files.keys.sorted() {
            var damaged = house
            damaged.replace(path, with: nil)
            // What explains a statement need not be published; that it is not is told.
            guard !path.hasPrefix("sources/") else {
                #expect(try await damaged.verify().sourcesMissing == 1)
                continue
            }
            await #expect(throws: AuditFailure.self, "\(path)") { _ = try await damaged.verify() }
        }
    }
}
