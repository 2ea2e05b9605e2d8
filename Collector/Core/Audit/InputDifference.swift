// Where the inputs of a window's transcript part from those that evidence, registry and earlier windows give: in words.

internal import Proofs
internal import Quantities

enum InputDifference {
    /// The first difference, in the order of the items. Nil when there is none.
    static func first(expected: WindowInputs, found: WindowInputs) -> String? {
        if expected.header != found.header {
            return "item 0: another window, tenant, asset or mode than genesis and grid give"
        }
        if expected.manifest != found.manifest {
            return "item 1: manifest \(found.manifest.id), in force is \(expected.manifest.id)"
        }
        if let text = lists(expected.registrations, found.registrations, "items 2 (registrations)", \.id.description) {
            return text
        }
        if let text = lists(expected.carries, found.carries, "items 4 (carry from the window before)", \.entity.text) {
            return text
        }
        if let text = lists(
            expected.openings, found.openings, "items 5 (settled reading from the window before)",
            { "\($0.key.meteringPoint) \($0.key.meter) \($0.key.quantity)" })
        {
            return text
        }
        if let text = lists(expected.spans, found.spans, "items 6 (settled from, complete through)", \.entity.text) {
            return text
        }
        if let text = readings(expected, found) { return text }
        if let text = lists(expected.reads, found.reads, "items 7 (reads)", { "\($0.meter) read \($0.index)" }) {
            return text
        }
        if let text = lists(expected.profiles, found.profiles, "items 3 (profiles)", \.digest.description) {
            return text
        }
        if let text = lists(expected.statements, found.statements, "items 9 (statements)", \.identity.description) {
            return text
        }
        if let text = lists(expected.reviews, found.reviews, "items 10 (reviews)", \.identity.description) {
            return text
        }
        if let text = lists(expected.lifts, found.lifts, "items 11 (statements that lift)", \.meteringPoint.text) {
            return text
        }
        return marks(expected, found)
    }

    /// What gives and takes the billing grade.
    private static func marks(_ expected: WindowInputs, _ found: WindowInputs) -> String? {
        if let text = lists(
            expected.commissioned, found.commissioned, "items 12 (commissioned in a window before)", \.meter.text)
        {
            return text
        }
        if let text = lists(
            expected.commissionings, found.commissionings, "items 13 (commissionings)", { "\($0.meter) at \($0.time)" })
        {
            return text
        }
        return lists(
            expected.claims, found.claims, "items 14 (claims of a serial)",
            { "\($0.meter) by \($0.other) at \($0.gateway)" })
    }

    private static func lists<Item: Equatable>(
        _ expected: [Item], _ found: [Item], _ name: String, _ label: (Item) -> String
    ) -> String? {
        if let index = zip(expected, found).enumerated().first(where: { $0.element.0 != $0.element.1 })?.offset {
            return "\(name): \(label(found[index])) stands where \(label(expected[index])) belongs, or differs from it"
        }
        if expected.count > found.count { return "\(name): \(label(expected[found.count])) is left out" }
        if found.count > expected.count { return "\(name): \(label(found[expected.count])) does not belong there" }
        return nil
    }

    /// Readings compared one by one: nobody picks them.
    private static func readings(_ expected: WindowInputs, _ found: WindowInputs) -> String? {
        for (own, other) in zip(expected.points, found.points) {
            guard own.meteringPoint == other.meteringPoint, own.entity == other.entity else {
                return "items 8: readings of \(other.meteringPoint) stand where those of \(own.meteringPoint) belong"
            }
            let pairs = zip(own.readings, other.readings)
            if let (mine, theirs) = pairs.first(where: { !isSame($0, in: expected, $1, in: found) }) {
                return reading(mine, theirs, own.meteringPoint)
            }
            if own.readings.count > other.readings.count {
                return
                    "items 8: \(name(own.readings[other.readings.count])) of \(own.meteringPoint) is evidence and is left out"
            }
            if other.readings.count > own.readings.count {
                return
                    "items 8: \(name(other.readings[own.readings.count])) of \(own.meteringPoint) is not admissible evidence"
            }
        }
        return lists(
            expected.points.map(\.meteringPoint), found.points.map(\.meteringPoint), "items 8 (readings)", \.text)
    }

    private static func reading(_ own: InputReading, _ other: InputReading, _ point: Identifier) -> String {
        if own.record == other.record, own.sampleIndex == other.sampleIndex {
            return
                "items 8: \(name(other)) of \(point) says \(words(other)), its record says \(words(own)) at \(own.time)"
        }
        return own.time <= other.time
            ? "items 8: \(name(own)) of \(point) is evidence and is left out, or moved"
            : "items 8: \(name(other)) of \(point) is not admissible evidence"
    }

    private static func isSame(
        _ a: InputReading, in expected: WindowInputs, _ b: InputReading, in found: WindowInputs
    ) -> Bool {
        a.time == b.time && a.record == b.record && a.sampleIndex == b.sampleIndex && a.status == b.status
            && a.words == b.words
            && expected.reads.indices.contains(a.read) && found.reads.indices.contains(b.read)
            && expected.reads[a.read] == found.reads[b.read]
    }

    private static func name(_ reading: InputReading) -> String {
        "the reading at \(reading.time) (record \(reading.record), sample \(reading.sampleIndex))"
    }

    private static func words(_ reading: InputReading) -> String {
        reading.status == 0 ? "words \(reading.words.hex)" : "status \(reading.status)"
    }
}
