// A record: what a gateway says, one link of its stream's chain. CDDL and prose: docs/formats/evidence.md.
// Counter rules, marks and findings are not here: the collector computes them, recomputably.

package import CBOR
package import Proofs
package import Quantities

/// The id of one gateway stream: 8 random bytes chosen when the stream opens.
package struct StreamID: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let bytes: [UInt8]

    /// Nil unless exactly 8 bytes.
    package init?(_ bytes: [UInt8]) {
        guard bytes.count == 8 else { return nil }
        self.bytes = bytes
    }

    package static func < (a: StreamID, b: StreamID) -> Bool { a.bytes.lexicographicallyPrecedes(b.bytes) }
    package var description: String { bytes.hex }
}

extension CBORValue {
    /// Uptimes and durations: at most 2^53 − 1 ms (285 000 years), so that sums of them cannot overflow.
    package func milliseconds(_ path: String) throws(ShapeError) -> UInt64 {
        let value = try uint(path)
        guard value < 1 << 53 else { throw ShapeError(path, expected: "less than 2^53 ms") }
        return value
    }
}

/// The pair of clocks read together, with what is known of their quality.
package struct RecordClock: Hashable, Sendable {
    /// 0 unknown, 1 informative, 2 synchronised. Only 2 gives time.
    package let sync: Int
    package let errorMilliseconds: UInt64
    /// 16 bytes; a new one each boot.
    package let boot: [UInt8]
    package let uptimeMilliseconds: UInt64
    package let utc: UTCInstant

    package init(sync: Int, errorMilliseconds: UInt64, boot: [UInt8], uptimeMilliseconds: UInt64, utc: UTCInstant) {
        self.sync = sync
        self.errorMilliseconds = errorMilliseconds
        self.boot = boot
        self.uptimeMilliseconds = uptimeMilliseconds
        self.utc = utc
    }

    package var cbor: CBORValue {
        .array([
            .int(Int64(sync)), .unsigned(errorMilliseconds), .bytes(boot), .unsigned(uptimeMilliseconds),
            .int(utc.milliseconds),
        ])
    }

    package init(_ value: CBORValue, _ path: String) throws(ShapeError) {
        let parts = try value.array(count: 5, path)
        self.init(
            sync: try parts[0].int(in: 0...2, path + "[0]"), errorMilliseconds: try parts[1].milliseconds(path + "[1]"),
            boot: try parts[2].bytes(count: 16, path + "[2]"),
            uptimeMilliseconds: try parts[3].milliseconds(path + "[3]"),
            utc: UTCInstant(milliseconds: try parts[4].int(path + "[4]")))
    }
}

/// Kinds of record by their number on the wire.
package enum RecordKind: UInt64, Hashable, Sendable {
    case birth = 1
    case readings = 2
    case note = 3
    case skip = 4
    case key = 5
}

/// The body of a record of a kind and version we understand.
package enum RecordBody: Hashable, Sendable {
    case birth(Birth)
    case readings(Readings)
    case note(Note)
    case skip(Skip)
    /// SubjectPublicKeyInfo of the next key, signed by the key in force.
    case key([UInt8])
}

/// A record as understood.
package struct Record: Hashable, Sendable {
    package static let version: UInt64 = 1

    package let place: RecordPlace
    package let clock: RecordClock
    /// Uptime of this boot in ms before which every read is in this record or an earlier one.
    package let completeThrough: UInt64
    package let body: RecordBody

    package init(place: RecordPlace, clock: RecordClock, completeThrough: UInt64, body: RecordBody) {
        self.place = place
        self.clock = clock
        self.completeThrough = completeThrough
        self.body = body
    }

    /// The deterministic payload to sign.
    package var encoded: [UInt8] {
        let kind: RecordKind
        let content: CBORValue
        switch body {
        case .birth(let birth): (kind, content) = (.birth, birth.cbor)
        case .readings(let readings): (kind, content) = (.readings, readings.cbor)
        case .note(let note): (kind, content) = (.note, note.cbor)
        case .skip(let skip): (kind, content) = (.skip, skip.cbor)
        case .key(let spki): (kind, content) = (.key, .fields([(1, .bytes(spki))]))
        }
        return CBORValue.fields([
            (1, .unsigned(Self.version)), (2, .text(place.gateway.text)), (3, .bytes(place.stream.bytes)),
            (4, .unsigned(place.sequence)), (5, .bytes(place.previous.bytes)), (6, clock.cbor),
            (7, .unsigned(completeThrough)), (8, .unsigned(kind.rawValue)), (9, content),
        ]).encoded()
    }

    /// Decodes a payload of version 1. What is refused here may still be authentic and next: see ``RecordPlace``.
    package init(decoding payload: [UInt8]) throws(RecordError) {
        let item: CBORValue
        do { item = try CBORValue(decoding: payload) } catch { throw .notCBOR(error) }
        do throws(ShapeError) {
            let fields = try item.fields(1...9, extensible: true, "record")
            guard try fields.uint(1) == Self.version else { throw ShapeError("record.1", expected: "version 1") }
            place = try RecordPlace(fields)
            clock = try RecordClock(try fields.value(6), "record.6")
            completeThrough = try fields.value(7).milliseconds("record.7")
            body = try RecordBody(kind: try fields.uint(8), try fields.value(9))
            if case .skip(let skip) = body, !(place.sequence...UInt64(Int64.max)).contains(skip.to) {
                throw ShapeError("skip.1", expected: "the record's own number or a later one")
            }
        } catch { throw .notUnderstood(error) }
    }
}

/// Why a payload is not a record we understand.
package enum RecordError: Error, Hashable, Sendable {
    case notCBOR(CBORError)
    case notUnderstood(ShapeError)
}

extension RecordBody {
    fileprivate init(kind: UInt64, _ value: CBORValue) throws(ShapeError) {
        switch RecordKind(rawValue: kind) {
        case .birth: self = .birth(try Birth(value))
        case .readings: self = .readings(try Readings(value))
        case .note: self = .note(try Note(value))
        case .skip: self = .skip(try Skip(value))
        case .key: self = .key(try value.fields(1...1, extensible: true, "key").bytes(1))
        case nil: throw ShapeError("record.8", expected: "a kind 1 … 5")
        }
    }
}

/// Where a record stands: gateway, stream, number and what it follows. Enough to decide whether it is next.
package struct RecordPlace: Hashable, Sendable {
    package let gateway: Identifier
    package let stream: StreamID
    /// 1, 2, 3 …
    package let sequence: UInt64
    /// Identity of `sequence` − 1; zeros for 1.
    package let previous: Digest

    package init(gateway: Identifier, stream: StreamID, sequence: UInt64, previous: Digest) {
        self.gateway = gateway
        self.stream = stream
        self.sequence = sequence
        self.previous = previous
    }

    fileprivate init(_ fields: CBORFields) throws(ShapeError) {
        guard let gateway = Identifier(try fields.text(2)) else {
            throw ShapeError("record.2", expected: "1 … 40 characters a-z 0-9 -")
        }
        guard let stream = StreamID(try fields.bytes(count: 8, 3)) else {
            throw ShapeError("record.3", expected: "8 bytes")
        }
        guard let previous = Digest(try fields.bytes(count: 32, 5)) else {
            throw ShapeError("record.5", expected: "32 bytes")
        }
        let sequence = try fields.uint(4)
        guard (1...UInt64(Int64.max)).contains(sequence) else { throw ShapeError("record.4", expected: "1 … 2^63 − 1") }
        self.init(gateway: gateway, stream: stream, sequence: sequence, previous: previous)
    }

    /// The place of a payload of any version and any well-formed spelling, with the last number it stands for: its own,
    /// or, for a skip, `to`. Nil when fields 2 … 5 cannot be read: such a payload is nowhere next.
    package static func lenient(_ payload: [UInt8]) -> (place: RecordPlace, through: UInt64)? {
        do {
            let item = try CBORValue(lenientlyDecoding: payload)
            guard case .map(let pairs) = item else { return nil }
            // First spelling of a key wins; a key twice is not deterministic and becomes a finding.
            let known = pairs.filter { if case .unsigned(2...9) = $0.key { true } else { false } }
            var unique: [CBORValue.Pair] = []
            for pair in known where !unique.contains(where: { $0.key == pair.key }) { unique.append(pair) }
            let fields = try CBORValue.map(unique).fields(2...9, "record")
            let place = try RecordPlace(fields)
            guard fields.optional(8) == .unsigned(RecordKind.skip.rawValue), let body = fields.optional(9),
                case .map(let skip) = body, let to = skip.first(where: { $0.key == .unsigned(1) }),
                case .unsigned(let through) = to.value, through >= place.sequence, through <= UInt64(Int64.max)
            else { return (place, place.sequence) }
            return (place, through)
        } catch { return nil }  // Unreadable in every spelling: the caller refuses it as wrong form.
    }
}
