// Records that are not understood, and what can still be told of them: their place.

import CBOR
import Evidence
import Kit
import Proofs
import Quantities
import Testing

/// A payload as a map that tests change field by field.
struct LoosePayload {
    var fields: [(Int64, CBORValue?)]

    init(_ record: Record) throws {
        guard case .map(let pairs) = try CBORValue(decoding: record.encoded) else {
            throw KitError("a record is a map")
        }
        fields = try pairs.map { (try $0.key.int("key"), $0.value) }
    }

    func with(_ key: Int64, _ value: CBORValue?) -> [UInt8] {
        CBORValue.fields(fields.filter { $0.0 != key } + [(key, value)]).encoded()
    }
}

struct RecordTests {
    private let readings = Golden.record(72, .readings(Readings(base: 5, samples: [])))
    private static let clock: [CBORValue] = [
        .unsigned(2), .unsigned(5), .bytes(Array(0..<16)), .unsigned(60_500), .int(-1),
    ]

    private static func clock(_ place: Int, _ value: CBORValue) -> CBORValue {
        var parts = clock
        parts[place] = value
        return .array(parts)
    }

    /// Field, value in its place (nil: left out), path of the error.
    static let notUnderstood: [(Int64, CBORValue?, String)] = [
        (1, .unsigned(2), "record.1"), (1, nil, "record.1"), (2, .text("GW"), "record.2"), (2, nil, "record.2"),
        (3, .bytes([1]), "record.3"), (4, .unsigned(0), "record.4"), (4, .unsigned(1 << 63), "record.4"),
        (4, .int(-1), "record.4"),
        (5, .bytes([]), "record.5"), (6, .array([]), "record.6"), (6, clock(0, .unsigned(3)), "record.6[0]"),
        (6, clock(2, .bytes([])), "record.6[2]"), (6, clock(3, .unsigned(1 << 53)), "record.6[3]"),
        (6, clock(1, .unsigned(.max)), "record.6[1]"), (6, clock(4, .unsigned(.max)), "record.6[4]"),
        (7, .unsigned(1 << 53), "record.7"), (7, nil, "record.7"), (8, .unsigned(0), "record.8"),
        (8, .unsigned(6), "record.8"),
        (9, nil, "record.9"), (9, .null, "readings"), (10, .null, "record.10"), (0, .null, "record.0"),
    ]

    @Test(arguments: notUnderstood)
    func isNotUnderstood(key: Int64, value: CBORValue?, path: String) throws {
        let payload = try LoosePayload(readings).with(key, value)
        let error = try #require(throws: RecordError.self) { try Record(decoding: payload) }
        guard case .notUnderstood(let shape) = error else {
            Issue.record("\(error)")
            return
        }
        #expect(shape.path == path)
        // Its place stands as long as fields 2 … 5 do.
        #expect((RecordPlace.lenient(payload)?.place == readings.place) == !(2...5).contains(key))
    }

    /// Body of a readings record and the path of its error.
    static let badReadings: [(CBORValue, String)] = [
        (.array([.unsigned(0)]), "readings"), (.array([.unsigned(1 << 53), .array([])]), "readings[0]"),
        (.array([.unsigned(0), .null]), "readings[1]"), (samples([[0, 1, 1, 0]]), "sample"),
        (samples([[0, 1 << 53, 1, 0, nil]]), "sample[1]"), (samples([[0, 1, 1 << 53, 0, nil]]), "sample[2]"),
        (
            .array([
                .unsigned(0), .array([.array([.unsigned(0), .unsigned(1), .unsigned(1), .unsigned(2), .bytes([1])])]),
            ]), "sample[4]"
        ),
        (
            .array([
                .unsigned(0),
                .array([
                    .array([
                        .unsigned(0), .unsigned(1), .unsigned(1), .unsigned(0),
                        .bytes([UInt8](repeating: 0, count: Readings.wordsBytesMax + 1)),
                    ])
                ]),
            ]), "sample[4]"
        ),
        (samples([[0, 2, 1, 0, nil], [0, 1, 1, 0, nil]]), "readings[1]"),
        (samples([[0, 1, 1, 0, nil], [0, 1, 1, 0, nil]]), "readings[1]"),
        (samples([[1, 1, 1, 0, nil], [0, 1, 1, 0, nil]]), "readings[1]"),
    ]

    /// Numbers as they are, nil as an empty byte string.
    private static func samples(_ rows: [[UInt64?]]) -> CBORValue {
        .array([.unsigned(0), .array(rows.map { row in .array(row.map { $0.map { .unsigned($0) } ?? .bytes([]) }) })])
    }

    @Test(arguments: badReadings)
    func readingsAreNotUnderstood(body: CBORValue, path: String) throws {
        let payload = try LoosePayload(readings).with(9, body)
        #expect(throws: RecordError.self) { try Record(decoding: payload) }
        guard
            case .failure(.notUnderstood(let shape)) = Result(catching: { () throws(RecordError) in
                try Record(decoding: payload)
            })
        else { return }
        #expect(shape.path == path)
    }

    /// (bytes of each text of a device, models of its chain) and whether a window could carry it.
    @Test(arguments: [(1024, 4096, true), (1025, 1, false), (1, 4097, false)])
    func devicesSayWhatWindowsCanCarry(text: Int, models: Int, isUnderstood: Bool) {
        let meter = Birth.Meter(
            index: 0, id: Golden.meter.id, profileName: "p", profileDigest: Golden.profile, model: "m", serial: "1",
            firmware: String(repeating: "f", count: text), unit: 1, endpoint: "tcp://x:502",
            chain: [Birth.Meter.Model](repeating: .init(id: 1, address: 2, length: 3), count: models))
        let birth = Birth(agentVersion: "1", predecessor: nil, meters: [meter], reads: [], replay: nil)
        let payload = Golden.record(1, .birth(birth)).encoded
        #expect(RecordPlace.lenient(payload)?.place.sequence == 1)
        do throws(RecordError) {
            _ = try Record(decoding: payload)
            #expect(isUnderstood)
        } catch { #expect(!isUnderstood, "\(error)") }
    }

    @Test func extensionsAreIgnored() throws {
        #expect(try Record(decoding: try LoosePayload(readings).with(-5, .text("later"))) == readings)
    }

    @Test(
        arguments: [(74, false), (75, true), (90, true), (UInt64(Int64.max), true), (UInt64(Int64.max) + 1, false)]
            as [(UInt64, Bool)])
    func aSkipEndsAtItsOwnNumberOrLater(to: UInt64, understood: Bool) throws {
        let clock = Golden.clock(1, 2)
        let skip = Skip(to: to, identity: .zero, reason: "", firstClock: clock, lastClock: clock, losses: [])
        let record = Golden.record(75, .skip(skip))
        #expect((try? Record(decoding: record.encoded)) == (understood ? record : nil))
        #expect(RecordPlace.lenient(record.encoded)?.through == (understood ? to : 75))
    }

    @Test func notCBORIsSaidSo() {
        #expect(throws: RecordError.notCBOR(.truncated(offset: 0))) { try Record(decoding: []) }
        #expect(throws: RecordError.notCBOR(.truncated(offset: 0))) { try Receipt(decoding: []) }
        #expect(throws: RecordError.notCBOR(.truncated(offset: 0))) { try KeyList(decoding: []) }
        #expect(throws: RecordError.notCBOR(.truncated(offset: 0))) { try GatewayStatus(decoding: []) }
    }
}

struct LenientPlaceTests {
    private let record = Golden.record(7, .readings(Readings(base: 5, samples: [])))

    /// The same map with its fields in the other order and a long head: authentic, next, and kept with a finding.
    private func respelled() throws -> [UInt8] {
        guard case .map(let pairs) = try CBORValue(decoding: record.encoded) else {
            throw KitError("a record is a map")
        }
        return [0xBF] + pairs.reversed().flatMap { $0.key.encoded() + $0.value.encoded() } + [0xFF]
    }

    @Test func anySpellingHasAPlace() throws {
        let bytes = try respelled()
        #expect(throws: RecordError.self) { try Record(decoding: bytes) }
        #expect(RecordPlace.lenient(bytes)?.place == record.place)
        #expect(RecordPlace.lenient(bytes)?.through == 7)
    }

    @Test func anyVersionAndAnyFurtherFieldHasAPlace() throws {
        let loose = try LoosePayload(record)
        for payload in [
            loose.with(1, .unsigned(2)), loose.with(1, nil), loose.with(99, .text("later")),
            loose.with(8, .text("kind")),
            loose.with(9, .bool(true)), loose.with(6, nil),
        ] {
            #expect(RecordPlace.lenient(payload)?.place == record.place)
        }
        let withText = CBORValue.map([.init(.text("note"), .null)] + loose.fields.map { .init(.int($0.0), $0.1!) })
            .encoded()
        #expect(RecordPlace.lenient(withText)?.place == record.place)
        let withFloat =
            try respelled().dropLast() + [0x18, 0x2A, 0xFB, 0x3F, 0xF1, 0x99, 0x99, 0x99, 0x99, 0x99, 0x9A, 0xFF]
        #expect(RecordPlace.lenient(Array(withFloat))?.place == record.place)
    }

    @Test func theFirstOfTwoKeysCounts() throws {
        let second = CBORValue.unsigned(4).encoded() + CBORValue.unsigned(8).encoded()
        let twice = try respelled().dropLast() + second + [0xFF]
        #expect(RecordPlace.lenient(Array(twice))?.place.sequence == 7)
    }

    @Test(arguments: ["", "00", "80", "a0", "f6", "bf", "bfff", "ff", "a10101"])
    func whatHasNoPlaceIsNowhere(hex: String) throws {
        #expect(RecordPlace.lenient(try bytes(hex)) == nil)
    }
}

struct EvidenceFuzzTests {
    /// Damaged payloads of every kind: nothing traps, and what decodes encodes to the same bytes but for extensions.
    @Test(arguments: [61, 62, 63] as [UInt64])
    func damageNeverTraps(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let seeds = try EvidenceVector.all().sorted { $0.key < $1.key }.map { try $0.value.payloadBytes }
        var understood = 0
        for _ in 0..<4000 {
            let payload = generator.mutated(seeds.randomElement(using: &generator)!, changesMax: 3)
            _ = RecordPlace.lenient(payload)
            // Refusing is right for most of these; what is looked at is what was taken.
            if let record = try? Record(decoding: payload) {
                understood += 1
                #expect(try Record(decoding: record.encoded) == record, "seed \(seed)")
                #expect(RecordPlace.lenient(payload)?.place == record.place, "seed \(seed)")
            }
            if let receipt = try? Receipt(decoding: payload) {
                #expect(try Receipt(decoding: receipt.encoded) == receipt, "seed \(seed)")
            }
            if let list = try? KeyList(decoding: payload) {
                #expect(try KeyList(decoding: list.encoded) == list, "seed \(seed)")
            }
            if let status = try? GatewayStatus(decoding: payload) {
                #expect(try GatewayStatus(decoding: status.encoded) == status, "seed \(seed)")
            }
        }
        #expect(understood > 50, "seed \(seed): hardly any damage is survivable; the fuzz looks at refusals only")
    }
}
