// Reads a window's inputs back from its segments: strict in form, order and references, so that one set of inputs has
// one sequence of bytes and nothing behind it needs to check again.

package import CBOR
internal import Evidence
internal import Metering
internal import Proofs
internal import Quantities

extension WindowInputs {
    /// Decodes the input segments of a transcript, in order.
    ///
    /// - Throws: where they depart from docs/formats/transcript.md. Never traps, whatever the bytes.
    package init(segments: [[UInt8]]) throws(ShapeError) {
        var reader = InputReader()
        for (index, segment) in segments.enumerated() {
            let isLast = index == segments.count - 1
            let items = try reader.read(segment)
            guard items == Self.segmentItems || (isLast && (1..<Self.segmentItems).contains(items)) else {
                throw ShapeError(
                    "transcript segment \(index)", expected: "\(Self.segmentItems) items, at most in the last one")
            }
        }
        self = try reader.finish()
    }
}

/// Collects items in the order of their kinds.
private struct InputReader {
    private var kind: UInt64 = 0
    private var header: WindowHeader?
    private var manifest: ManifestInput?
    private var registrations: [RegisteredDocument] = []
    private var profiles: [ProfileInput] = []
    private var carries: [Carry] = []
    private var openings: [CounterOpening] = []
    private var spans: [EntitySpan] = []
    private var reads: [ReadInput] = []
    private var points: [PointReadings] = []
    private var statements: [StatementInput] = []
    private var reviews: [ReviewInput] = []
    private var lifts: [Lift] = []
    private var commissioned: [CommissionedMeter] = []
    private var commissionings: [CommissioningInput] = []
    private var claims: [SerialClaim] = []
    /// First bytes of the last reading: array head, 8, entity, metering point.
    private var prefix: [UInt8] = []
    /// Readings of the metering point being read; kept apart so that appending never copies.
    private var readings: [InputReading] = []
    private var pointNames: (entity: Identifier, meteringPoint: Identifier)?

    /// - Returns: how many items the segment holds.
    mutating func read(_ segment: [UInt8]) throws(ShapeError) -> Int {
        var cursor = ItemCursor(segment)
        var items = 0
        while !cursor.isAtEnd {
            if cursor.stands([0x89, 0x08]) {
                guard kind <= 8, header != nil else { throw cursor.error("items by their first element") }
                kind = 8
                try readReading(&cursor)
            } else {
                try take(try cursor.item())
            }
            items += 1
        }
        return items
    }

    private mutating func readReading(_ cursor: inout ItemCursor) throws(ShapeError) {
        if !prefix.isEmpty, cursor.stands(prefix) {
            cursor.skip(prefix.count)
        } else {
            try startPoint(&cursor)
        }
        let time = try cursor.number()
        guard time <= HouseBounds.instantMax else { throw cursor.error("an instant before year 10000") }
        let record = try cursor.string(2, max: 32)
        // Samples of one record follow each other: they share its identity.
        let digest: Digest
        if let last = readings.last?.record, last.bytes[...] == record {
            digest = last
        } else {
            guard let new = Digest(record) else { throw cursor.error("an identity of 32 bytes") }
            digest = new
        }
        let sampleIndex = try cursor.head(0)
        let read = try cursor.head(0)
        let status = try cursor.head(0)
        let words = Array(try cursor.string(2, max: Readings.wordsBytesMax))
        guard read < UInt64(reads.count) else { throw cursor.error("the number of a read (item 7)") }
        guard status == 0 || words.isEmpty else { throw cursor.error("no words with a status other than 0") }
        let reading = InputReading(
            time: UTCInstant(milliseconds: time), record: digest, sampleIndex: sampleIndex, read: Int(read),
            status: status,
            words: words)
        if let last = readings.last, !InputReading.isOrdered(last, reading) {
            throw cursor.error("readings in fold order")
        }
        readings.append(reading)
    }

    private mutating func startPoint(_ cursor: inout ItemCursor) throws(ShapeError) {
        let start = cursor.offset
        cursor.skip(2)
        let entity = try identifier(&cursor)
        let meteringPoint = try identifier(&cursor)
        prefix = cursor.slice(from: start)
        if let last = pointNames, !((last.entity, last.meteringPoint) < (entity, meteringPoint)) {
            throw cursor.error("readings by (entity, metering point)")
        }
        closePoint()
        pointNames = (entity, meteringPoint)
    }

    private mutating func closePoint() {
        guard let names = pointNames else { return }
        points.append(PointReadings(entity: names.entity, meteringPoint: names.meteringPoint, readings: readings))
        readings = []
    }

    private func identifier(_ cursor: inout ItemCursor) throws(ShapeError) -> Identifier {
        let text = try cursor.string(3, max: 40)
        guard let text = String(validating: text, as: UTF8.self), let id = Identifier(text) else {
            throw cursor.error("1 … 40 characters a-z 0-9 -")
        }
        return id
    }

    private mutating func take(_ item: CBORValue) throws(ShapeError) {
        let parts = try item.array("item")
        guard let first = parts.first else { throw ShapeError("item", expected: "a kind") }
        let number = try first.uint("item[0]")
        guard number >= kind, (header == nil) == (number == 0) else {
            throw ShapeError("item[0]", expected: "one header, then items by their first element")
        }
        kind = number
        switch number {
        case 0: header = try WindowHeader(item)
        case 1:
            guard manifest == nil else { throw ShapeError("item 1", expected: "one manifest") }
            manifest = try ManifestInput(item)
        case 2: registrations.append(try RegisteredDocument(item))
        case 3: profiles.append(try ProfileInput(item))
        case 4: carries.append(try Carry(parts.dropFirst(), "item 4"))
        case 5: openings.append(try CounterOpening(parts.dropFirst(), "item 5"))
        case 6: spans.append(try EntitySpan(item))
        case 7: reads.append(try ReadInput(item, number: reads.count))
        case 9: statements.append(try StatementInput(item))
        case 10: reviews.append(try ReviewInput(item))
        case 11: lifts.append(try Lift(parts.dropFirst(), "item 11"))
        case 12: commissioned.append(try CommissionedMeter(parts.dropFirst(), "item 12"))
        case 13: commissionings.append(try CommissioningInput(parts.dropFirst(), "item 13"))
        case 14: claims.append(try SerialClaim(parts.dropFirst(), "item 14"))
        default: throw ShapeError("item[0]", expected: "a kind 0 … 14")
        }
    }

    consuming func finish() throws(ShapeError) -> WindowInputs {
        closePoint()
        guard let header else { throw ShapeError("transcript", expected: "a header (item 0)") }
        guard let manifest else { throw ShapeError("transcript", expected: "a manifest (item 1)") }
        let inputs = WindowInputs(
            header: header, manifest: manifest, registrations: registrations, profiles: profiles, carries: carries,
            openings: openings, spans: spans, reads: reads, points: points, statements: statements, reviews: reviews,
            lifts: lifts, commissioned: commissioned, commissionings: commissionings, claims: claims)
        try inputs.requireOrder()
        try inputs.requireReferences()
        return inputs
    }
}
