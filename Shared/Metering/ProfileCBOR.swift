// A profile as deterministic CBOR and back. Transcripts carry this form and records its digest: docs/formats/profile.md.

internal import CBOR
package import Proofs

extension Profile {
    /// The version of this form.
    package static let formatVersion: Int64 = 1
    /// Bytes of one profile. The largest legal one is smaller.
    package static let encodedBytesMax = 65_536

    /// The one encoding of this profile.
    package func encoded() -> [UInt8] { value.encoded() }

    /// What records, registrations and manifests name a profile by: SHA-256 of ``encoded()``.
    package var digest: Digest { Digest(of: encoded()) }

    /// Decodes exactly what ``encoded()`` wrote; the same bytes come out again.
    package init(decoding bytes: [UInt8]) throws {
        guard bytes.count <= Self.encodedBytesMax else {
            throw ShapeError("profile", expected: "at most \(Self.encodedBytesMax) bytes")
        }
        self = try Profile(try CBORValue(decoding: bytes))
        // Fields have exactly one spelling each; this catches a default spelled out or a fraction not reduced.
        guard encoded() == bytes else { throw ShapeError("profile", expected: "the one form of this profile") }
    }

    private var value: CBORValue {
        let holes: [CBORValue] = holes.map { .numbers([UInt64($0.function), UInt64($0.first), UInt64($0.last)]) }
        let texts: [CBORValue]? = contradictions.isEmpty ? nil : contradictions.map { CBORValue.text($0) }
        let source: [CBORValue] = [.text(source.document), .text(source.revision), .text(source.place)]
        let pairs: [(Int64, CBORValue?)] = [
            (1, CBORValue.int(Self.formatVersion)),
            (2, CBORValue.text(name)),
            (3, CBORValue.unsigned(revision)),
            (4, CBORValue.text(vendor)),
            (5, CBORValue.array(models.map { CBORValue.text($0) })),
            (6, CBORValue.array(source)),
            (7, CBORValue.unsigned(UInt64(level.rawValue))),
            (8, limits.value),
            (9, CBORValue.array(holes)),
            (10, sunSpec?.value),
            (11, identity.value),
            (12, CBORValue.array(quantities.map { $0.value })),
            (13, limits.asking),
            (14, firmware.isEmpty ? nil : CBORValue.array(firmware.map { .array([.text($0.from), .text($0.below)]) })),
            (15, checks.isEmpty ? nil : CBORValue.array(checks.map { $0.value })),
            (16, self.source.countsFrom == 0 ? nil : CBORValue.unsigned(self.source.countsFrom)),
            (17, texts.map { CBORValue.array($0) }),
        ]
        return .fields(pairs)
    }

    private init(_ value: CBORValue) throws(ShapeError) {
        let fields = try value.fields(1...17, "profile")
        guard try fields.int(1) == Self.formatVersion else { throw ShapeError("profile.1", expected: "1") }
        name = try fields.boundedText(2)
        revision = try fields.uint(3)
        vendor = try fields.boundedText(4)
        models = try fields.value(5).texts(1, "profile.5")
        let source = try fields.value(6).texts(3, "profile.6")
        guard source.count == 3 else { throw ShapeError("profile.6", expected: "three texts") }
        self.source = Source(document: source[0], revision: source[1], place: source[2])
        guard let level = ProfileLevel(rawValue: UInt8(try fields.int(in: 0...255, 7))) else {
            throw ShapeError("profile.7", expected: "a level 0 … 3")
        }
        self.level = level
        limits = try Limits(try fields.value(8))
        holes = []
        for item in try fields.array(9) {
            let numbers = try item.numbers("profile.9", [3...4, 0...65535, 0...65535])
            holes.append(Hole(function: UInt8(numbers[0]), first: UInt16(numbers[1]), last: UInt16(numbers[2])))
        }
        guard holes.count <= Self.holesMax else { throw ShapeError("profile.9", expected: "fewer holes") }
        sunSpec = nil
        if let value = fields.optional(10) { sunSpec = try SunSpec(value) }
        identity = try Identity(try fields.value(11))
        quantities = []
        for item in try fields.array(12) { quantities.append(try Quantity(item)) }
        guard (1...Self.quantitiesMax).contains(quantities.count) else {
            throw ShapeError("profile.12", expected: "1 … \(Self.quantitiesMax) quantities")
        }
        try readOptional(fields)
        if let problem = problem() {
            throw ShapeError("profile", expected: "a sound profile; \(problem.place) \(problem.problem)")
        }
    }
}

extension Profile {
    /// Keys 13 to 17: absent wherever they say nothing, so that a profile without them keeps its digest.
    private mutating func readOptional(_ fields: CBORFields) throws(ShapeError) {
        if let value = fields.optional(13) { try limits.readAsking(value) }
        for item in try fields.optional(14).orEmpty("profile.14") {
            let ends = try item.array(count: 2, "profile.14")
            let from = try ends[0].text("profile.14")
            firmware.append(FirmwareRange(from: from, below: try ends[1].text("profile.14")))
            guard ends.allSatisfy({ $0 == .text("") || $0.isBoundedText }) else {
                throw ShapeError("profile.14", expected: "texts of at most \(Self.textBytesMax) bytes")
            }
        }
        for item in try fields.optional(15).orEmpty("profile.15") {
            let texts = try item.texts(3, "profile.15")
            guard texts.count == 3 else { throw ShapeError("profile.15", expected: "three texts") }
            checks.append(Check(by: texts[0], on: texts[1], how: texts[2]))
        }
        if let value = fields.optional(16) {
            source.countsFrom = UInt64(try value.int(in: 1...Int(Self.countsFromMax), "profile.16"))
        }
        contradictions = try fields.optional(17)?.texts(1, "profile.17") ?? []
    }
}

extension Profile.Check {
    fileprivate var value: CBORValue { .array([.text(by), .text(on), .text(how)]) }
}

extension CBORValue? {
    /// 1 … 16 items, or none at all where the key is absent.
    fileprivate func orEmpty(_ path: String) throws(ShapeError) -> [CBORValue] {
        guard let self else { return [] }
        let items = try self.array(path)
        guard (1...Profile.alternativesMax).contains(items.count) else {
            throw ShapeError(path, expected: "1 … \(Profile.alternativesMax) items")
        }
        return items
    }
}

extension Profile.Limits {
    /// Key 13; nil where every value is the usual one.
    fileprivate var asking: CBORValue? {
        let pairs: [(Int64, CBORValue?)] = [
            (1, timeoutMaxMilliseconds.map { CBORValue.unsigned(UInt64($0)) }),
            (2, connectPauseMilliseconds == 0 ? nil : CBORValue.unsigned(UInt64(connectPauseMilliseconds))),
            (3, refreshMilliseconds == 0 ? nil : CBORValue.unsigned(UInt64(refreshMilliseconds))),
            (4, hasEcho ? CBORValue.bool(true) : nil), (5, isOneValueOnly ? CBORValue.bool(true) : nil),
            (6, isEitherFunction ? CBORValue.bool(true) : nil),
        ]
        return pairs.contains { $0.1 != nil } ? .fields(pairs) : nil
    }

    fileprivate mutating func readAsking(_ value: CBORValue) throws(ShapeError) {
        let path = "profile.13"
        let fields = try value.fields(1...6, path)
        timeoutMaxMilliseconds = try fields.optional(1).map { value throws(ShapeError) in
            try value.int(in: 50...60_000, path)
        }
        connectPauseMilliseconds = try fields.optional(2)?.int(in: 1...10_000, path) ?? 0
        refreshMilliseconds = try fields.optional(3)?.int(in: 1...3_600_000, path) ?? 0
        hasEcho = try fields.optional(4)?.bool(path) ?? false
        isOneValueOnly = try fields.optional(5)?.bool(path) ?? false
        isEitherFunction = try fields.optional(6)?.bool(path) ?? false
    }

    fileprivate var value: CBORValue {
        .numbers(
            [
                registersMax, gapMax, pauseMilliseconds, turnaroundMilliseconds, timeoutMilliseconds,
                isSingleClient ? 1 : 0,
            ].map { UInt64($0) })
    }

    fileprivate init(_ value: CBORValue) throws(ShapeError) {
        let most = Profile.registersMax
        let numbers = try value.numbers("profile.8", [1...most, 0...most, 0...10_000, 0...10_000, 50...60_000, 0...1])
        self.init(
            registersMax: numbers[0], gapMax: numbers[1], pauseMilliseconds: numbers[2],
            turnaroundMilliseconds: numbers[3], timeoutMilliseconds: numbers[4], isSingleClient: numbers[5] == 1)
    }
}

extension Profile.SunSpec {
    fileprivate var value: CBORValue {
        .array([
            .numbers(bases.map { UInt64($0) }),
            .array(models.map { .array([.unsigned(UInt64($0.id)), .numbers($0.lengths.map { UInt64($0) })]) }),
        ])
    }

    fileprivate init(_ value: CBORValue) throws(ShapeError) {
        let path = "profile.10"
        let parts = try value.array(count: 2, path)
        bases = try parts[0].addresses(path)
        models = []
        for item in try parts[1].array(path) {
            let pair = try item.array(count: 2, path)
            models.append(
                Model(id: UInt16(try pair[0].int(in: 1...0xFFFE, path)), lengths: try pair[1].addresses(path)))
        }
        guard (1...Profile.alternativesMax).contains(models.count), models.allSatisfy({ $0.lengths.first ?? 0 > 0 })
        else { throw ShapeError(path, expected: "1 … \(Profile.alternativesMax) models with lengths from 1") }
    }
}

extension Identity {
    fileprivate var value: CBORValue {
        .fields(Role.allCases.map { role in (Int64(role.rawValue), field(role)?.value) })
    }

    fileprivate init(_ value: CBORValue) throws(ShapeError) {
        self.init()
        let last = Int64(Role.allCases.count)
        let fields = try value.fields(1...last, "profile.11")
        for role in Role.allCases {
            self[role] = try fields.optional(Int64(role.rawValue)).map { value throws(ShapeError) in
                try Field(value, "profile.11.\(role.rawValue)")
            }
        }
    }
}

extension Identity.Field {
    fileprivate var value: CBORValue {
        .array([
            place.value, .unsigned(UInt64(type.rawValue)), .unsigned(UInt64(registers)), order.value,
            .bool(isOptional), .array(expected.map { .text($0) }),
        ])
    }

    fileprivate init(_ value: CBORValue, _ path: String) throws(ShapeError) {
        let parts = try value.array(count: 6, path)
        place = try Place(parts[0], path)
        type = try RegisterType(parts[1], path)
        registers = try parts[2].int(in: 1...64, path)
        order = try RegisterOrder(parts[3], path)
        isOptional = try parts[4].bool(path)
        expected = try parts[5].texts(0, path)
    }
}

// Small shapes shared by the above and by QuantityCBOR.

extension Place {
    var value: CBORValue {
        .numbers([UInt64(function)] + (model.map { [UInt64($0)] } ?? []) + [UInt64(address)])
    }

    init(_ value: CBORValue, _ path: String) throws(ShapeError) {
        if try value.array(path).count == 3 {
            let numbers = try value.numbers(path, [3...4, 1...0xFFFE, 2...0xFFFF])
            self.init(function: UInt8(numbers[0]), model: UInt16(numbers[1]), address: UInt16(numbers[2]))
        } else {
            let numbers = try value.numbers(path, [3...4, 0...0xFFFF])
            self.init(function: UInt8(numbers[0]), address: UInt16(numbers[1]))
        }
    }
}

extension RegisterType {
    init(_ value: CBORValue, _ path: String) throws(ShapeError) {
        guard let type = RegisterType(rawValue: UInt8(try value.int(in: 0...255, path))) else {
            throw ShapeError(path, expected: "a register type 1 … 13")
        }
        self = type
    }
}

extension RegisterOrder {
    /// Bit 0: low word first; bit 1: low byte first.
    var value: CBORValue { .unsigned((lowWordFirst ? 1 : 0) + (lowByteFirst ? 2 : 0)) }

    init(_ value: CBORValue, _ path: String) throws(ShapeError) {
        let bits = try value.int(in: 0...3, path)
        self.init(lowWordFirst: bits & 1 == 1, lowByteFirst: bits & 2 == 2)
    }
}

extension CBORValue {
    static func numbers(_ numbers: [UInt64]) -> CBORValue { .array(numbers.map { .unsigned($0) }) }

    /// An array of exactly these unsigned integers.
    func numbers(_ path: String, _ ranges: [ClosedRange<Int>]) throws(ShapeError) -> [Int] {
        var numbers: [Int] = []
        for (item, range) in zip(try array(count: ranges.count, path), ranges) {
            numbers.append(try item.int(in: range, path))
        }
        return numbers
    }

    /// 1 … 16 register addresses or lengths.
    func addresses(_ path: String) throws(ShapeError) -> [UInt16] {
        let items = try array(path)
        guard (1...Profile.alternativesMax).contains(items.count) else {
            throw ShapeError(path, expected: "1 … \(Profile.alternativesMax) numbers")
        }
        var addresses: [UInt16] = []
        for item in items { addresses.append(UInt16(try item.int(in: 0...0xFFFF, path))) }
        return addresses
    }

    func texts(_ least: Int, _ path: String) throws(ShapeError) -> [String] {
        let items = try array(path)
        guard (least...Profile.alternativesMax).contains(items.count) else {
            throw ShapeError(path, expected: "\(least) … \(Profile.alternativesMax) texts")
        }
        var texts: [String] = []
        for item in items { texts.append(try item.boundedText(path)) }
        return texts
    }

    fileprivate var isBoundedText: Bool {
        guard case .text(let text) = self else { return false }
        return (1...Profile.textBytesMax).contains(text.utf8.count)
            && text.unicodeScalars.allSatisfy { $0.value >= 0x20 && !(0x7F...0x9F).contains($0.value) }
    }

    func boundedText(_ path: String) throws(ShapeError) -> String {
        let text = try text(path)
        guard isBoundedText else {
            throw ShapeError(path, expected: "1 … \(Profile.textBytesMax) bytes without control characters")
        }
        return text
    }
}

extension CBORFields {
    fileprivate func boundedText(_ key: Int64) throws(ShapeError) -> String {
        try value(key).boundedText("\(path).\(key)")
    }
}
