// How documents are read strictly: bounds, named fields, and one error that says where. Not the documents themselves.

package import CBOR
package import Evidence
internal import Proofs
internal import Quantities

/// A document's payload: one value, one deterministic spelling.
package protocol HousePayload: Hashable, Sendable {
    /// What its envelope says it is.
    static var contentType: ContentType { get }
    var cbor: CBORValue { get }
    /// - Throws: where the item departs from docs/formats/documents.md.
    init(_ value: CBORValue) throws(ShapeError)
}

extension HousePayload {
    /// The deterministic payload to sign and hash.
    package var encoded: [UInt8] { cbor.encoded() }

    /// Decodes exactly one deterministic item of exactly this shape; unknown keys are refused.
    package init(decoding payload: [UInt8]) throws(ShapeError) {
        try self.init(CBORValue.item(payload, "\(Self.self)"))
    }
}

/// Bounds of everything that comes from outside. Sums and products of bounded values fit in 128 bits by construction,
/// so arithmetic behind a decoder cannot trap.
package enum HouseBounds {
    /// 9999-12-31T23:59:59.999Z.
    package static let instantMax: Int64 = 253_402_300_799_999
    /// 100 years.
    package static let durationMax: Int64 = 3_155_760_000_000
    /// 10^15 Wh: a register, a statement, a day.
    package static let wattHoursMax: Int64 = 1_000_000_000_000_000
    /// 10^12 W.
    package static let wattsMax: Int64 = 1_000_000_000_000
    package static let rateMax: Int64 = 1_000_000_000_000
    package static let ratioMax: Int64 = 1_000_000
    package static let weightMax: Int64 = 1_000_000
    package static let populationMax: Int64 = 100_000_000_000
    package static let textBytesMax = 1024
    /// Shares of an entity, meters of a metering point, keys, profiles, inputs of a statement.
    package static let listMax = 4096
    /// Envelopes of one document.
    package static let envelopesMax = 16
}

extension CBORValue {
    static func item(_ bytes: [UInt8], _ path: String) throws(ShapeError) -> CBORValue {
        do { return try CBORValue(decoding: bytes) } catch {
            throw ShapeError(path, expected: "one deterministic CBOR item (\(error))")
        }
    }

    func identifier(_ path: String) throws(ShapeError) -> Identifier {
        guard let id = Identifier(try text(path)) else {
            throw ShapeError(path, expected: "1 … 40 characters a-z 0-9 -")
        }
        return id
    }

    func digest(_ path: String) throws(ShapeError) -> Digest {
        guard let digest = Digest(try bytes(count: 32, path)) else { throw ShapeError(path, expected: "32 bytes") }
        return digest
    }

    func instant(_ path: String) throws(ShapeError) -> UTCInstant {
        UTCInstant(milliseconds: try number(0...HouseBounds.instantMax, path))
    }

    func number(_ range: ClosedRange<Int64>, _ path: String) throws(ShapeError) -> Int64 {
        let value = try int(path)
        guard range.contains(value) else {
            throw ShapeError(path, expected: "an integer \(range.lowerBound) … \(range.upperBound)")
        }
        return value
    }

    func ppm(_ path: String) throws(ShapeError) -> Int64 { try number(0...1_000_000, path) }

    /// Whole Wh of either sign.
    func energy(_ path: String) throws(ShapeError) -> Int64 {
        try number(-HouseBounds.wattHoursMax...HouseBounds.wattHoursMax, path)
    }

    func shortText(_ path: String, bytesMax: Int = HouseBounds.textBytesMax) throws(ShapeError) -> String {
        let value = try text(path)
        guard value.utf8.count <= bytesMax else {
            throw ShapeError(path, expected: "at most \(bytesMax) bytes of text")
        }
        return value
    }

    /// Every element through `make`, which is told its place.
    func list<Element>(
        _ path: String, min: Int = 0, max: Int = HouseBounds.listMax,
        _ make: (CBORValue, String) throws(ShapeError) -> Element
    ) throws(ShapeError) -> [Element] {
        let items = try array(path)
        guard items.count >= min, items.count <= max else {
            throw ShapeError(path, expected: "\(min) … \(max) elements")
        }
        var elements: [Element] = []
        elements.reserveCapacity(items.count)
        for (index, item) in items.enumerated() { elements.append(try make(item, "\(path)[\(index)]")) }
        return elements
    }

    func identifiers(_ path: String, min: Int = 0) throws(ShapeError) -> [Identifier] {
        try list(path, min: min) { (value, path) throws(ShapeError) in try value.identifier(path) }
    }

    func digests(_ path: String) throws(ShapeError) -> [Digest] {
        try list(path) { (value, path) throws(ShapeError) in try value.digest(path) }
    }
}

extension CBORFields {
    func place(_ key: Int64) -> String { "\(path).\(key)" }

    /// Refuses another format version than 1 under key 1.
    func requireVersion() throws(ShapeError) {
        guard try uint(1) == 1 else { throw ShapeError(place(1), expected: "version 1") }
    }

    func identifier(_ key: Int64) throws(ShapeError) -> Identifier { try value(key).identifier(place(key)) }
    func digest(_ key: Int64) throws(ShapeError) -> Digest { try value(key).digest(place(key)) }
    func instant(_ key: Int64) throws(ShapeError) -> UTCInstant { try value(key).instant(place(key)) }
    func number(_ range: ClosedRange<Int64>, _ key: Int64) throws(ShapeError) -> Int64 {
        try value(key).number(range, place(key))
    }
    func duration(_ key: Int64) throws(ShapeError) -> Int64 { try number(0...HouseBounds.durationMax, key) }
    func ppm(_ key: Int64) throws(ShapeError) -> Int64 { try value(key).ppm(place(key)) }
    func energy(_ key: Int64) throws(ShapeError) -> Int64 { try value(key).energy(place(key)) }
    func shortText(_ key: Int64, bytesMax: Int = HouseBounds.textBytesMax) throws(ShapeError) -> String {
        try value(key).shortText(place(key), bytesMax: bytesMax)
    }
    /// Numbers of a fixed-length array, all in `range`.
    func numbers(_ count: Int, in range: ClosedRange<Int64>, _ key: Int64) throws(ShapeError) -> [Int64] {
        try value(key).list(place(key), min: count, max: count) { (value, path) throws(ShapeError) in
            try value.number(range, path)
        }
    }
}

extension CBORValue {
    /// A map with keys 1, 2, 3 …; nil values are absent, their keys are not reused.
    static func numbered(_ values: [CBORValue?]) -> CBORValue {
        var pairs: [Pair] = []
        for (index, value) in values.enumerated() {
            if let value { pairs.append(Pair(.int(Int64(index) + 1), value)) }
        }
        return .map(pairs)
    }

    static func id(_ id: Identifier) -> CBORValue { .text(id.text) }
    static func digest(_ digest: Digest) -> CBORValue { .bytes(digest.bytes) }
    static func ms(_ instant: UTCInstant) -> CBORValue { .int(instant.milliseconds) }
    static func ids(_ ids: [Identifier]) -> CBORValue { .array(ids.map { .id($0) }) }
    static func numbers(_ values: [Int64]) -> CBORValue { .array(values.map { .int($0) }) }
}

extension Sequence where Element: Comparable {
    /// Whether each element is greater than the one before: sorted, none twice.
    var isStrictlyAscending: Bool {
        var last: Element?
        for element in self {
            if let last, !(last < element) { return false }
            last = element
        }
        return true
    }
}
