// A window's inputs as a CBOR sequence, cut into segments of whole items. The reader stands in InputReader.

package import CBOR
internal import Metering
internal import Proofs
internal import Quantities

extension WindowInputs {
    /// Items of one segment.
    package static let segmentItems = 4096

    /// The sequence in segments of ``segmentItems`` items; the last one may have fewer. Joined they are the sequence.
    package func segments() -> [[UInt8]] {
        var writer = SegmentWriter()
        writer.add(header.cbor)
        writer.add(.array([.int(1), .digest(manifest.id), .bytes(manifest.payload)]))
        for document in registrations { writer.add(.array([.int(2), .digest(document.id), .bytes(document.payload)])) }
        for profile in profiles { writer.add(.array([.int(3), .digest(profile.digest), .bytes(profile.bytes)])) }
        for carry in carries { writer.add(.array([.int(4)] + carry.fields)) }
        for opening in openings { writer.add(.array([.int(5)] + opening.fields)) }
        for span in spans {
            writer.add(
                .array([.int(6), .id(span.entity), .ms(span.settledFrom), .ms(span.completeThrough), .ids(span.late)]))
        }
        for (number, read) in reads.enumerated() { writer.add(read.cbor(number: number)) }
        for point in points {
            let prefix = point.prefix
            for reading in point.readings { writer.addItem { reading.append(to: &$0, after: prefix) } }
        }
        for statement in statements {
            writer.add(.array([.int(9), .digest(statement.identity), .bytes(statement.payload)]))
        }
        for review in reviews { writer.add(.array([.int(10), .digest(review.identity), .bytes(review.payload)])) }
        for lift in lifts { writer.add(.array([.int(11)] + lift.fields)) }
        for item in commissioned { writer.add(.array([.int(12)] + item.fields)) }
        for item in commissionings { writer.add(.array([.int(13)] + item.fields)) }
        for item in claims { writer.add(.array([.int(14)] + item.fields)) }
        return writer.finish()
    }
}

/// Fills segments item by item.
private struct SegmentWriter {
    private var segments: [[UInt8]] = []
    private var current: [UInt8] = []
    private var items = 0

    mutating func add(_ item: CBORValue) { addItem { item.append(to: &$0) } }

    mutating func addItem(_ append: (inout [UInt8]) -> Void) {
        append(&current)
        items += 1
        if items == WindowInputs.segmentItems {
            segments.append(current)
            current = []
            items = 0
        }
    }

    consuming func finish() -> [[UInt8]] { current.isEmpty ? segments : segments + [current] }
}

extension WindowHeader {
    /// Window id, start, end, tenant, asset: how outputs name their window.
    package var fields: [CBORValue] { [.text(window.text), .ms(start), .ms(end), .id(tenant), .text(asset)] }

    fileprivate var cbor: CBORValue { .array([.int(0)] + fields + [.unsigned(mode)]) }
}

extension Carry {
    package var fields: [CBORValue] { [.id(entity), .text(asset), .int(numerator), .int(denominator)] }
}

extension CounterOpening {
    package var fields: [CBORValue] {
        [
            .id(key.meteringPoint), .id(key.meter), .text(key.quantity.text), .unsigned(epoch), .unsigned(count),
            .array([.unsigned(unit.numerator), .unsigned(unit.denominator)]), .ms(time), .digest(record),
            .unsigned(sampleIndex),
        ]
    }
}

extension Lift {
    package var fields: [CBORValue] {
        [.id(meteringPoint), .ms(day), .text(source.rawValue), .digest(statement), .int(agreement)]
    }
}

extension ReadInput {
    fileprivate func cbor(number: Int) -> CBORValue {
        .array([
            .int(7), .int(Int64(number)), .id(meter), .digest(profile), .unsigned(function), .unsigned(address),
            .unsigned(count), .unsigned(interval),
            .array(chain.map { .array([.unsigned($0.model), .unsigned($0.address), .unsigned($0.length)]) }),
            .array([.text(model), .text(serial), .text(firmware)]), .digest(birth), .unsigned(index),
        ])
    }
}

extension PointReadings {
    /// The first bytes of each of its items: array head, 8, entity, metering point.
    fileprivate var prefix: [UInt8] {
        var bytes: [UInt8] = []
        CBORValue.appendHead(4, 9, to: &bytes)
        CBORValue.int(8).append(to: &bytes)
        CBORValue.id(entity).append(to: &bytes)
        CBORValue.id(meteringPoint).append(to: &bytes)
        return bytes
    }
}

extension InputReading {
    /// Written head by head: a window has a million of these.
    fileprivate func append(to bytes: inout [UInt8], after prefix: [UInt8]) {
        bytes.append(contentsOf: prefix)
        CBORValue.int(time.milliseconds).append(to: &bytes)
        CBORValue.appendHead(2, 32, to: &bytes)
        bytes.append(contentsOf: record.bytes)
        CBORValue.appendHead(0, sampleIndex, to: &bytes)
        CBORValue.appendHead(0, UInt64(read), to: &bytes)
        CBORValue.appendHead(0, status, to: &bytes)
        CBORValue.appendHead(2, UInt64(words.count), to: &bytes)
        bytes.append(contentsOf: words)
    }
}
