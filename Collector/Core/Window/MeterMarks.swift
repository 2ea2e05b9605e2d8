// What happened to a meter, as far as the billing grade hangs on it: somebody commissioned it, somebody else claims its
// serial. What follows from it is Verification's.

internal import CBOR
internal import Metering
package import Proofs
package import Quantities

/// A commissioning (note 5) as a window reads it: items 13.
package struct CommissioningInput: Hashable, Sendable {
    package let meter: Identifier
    /// When the note was written.
    package let time: UTCInstant
    /// Identity of its record.
    package let record: Digest
    /// As a person typed it; what the meter gave, if it gave one, was the same.
    package let serial: String
    package let profile: Digest

    package init(meter: Identifier, time: UTCInstant, record: Digest, serial: String, profile: Digest) {
        self.meter = meter
        self.time = time
        self.record = record
        self.serial = serial
        self.profile = profile
    }

    static func isOrdered(_ a: CommissioningInput, _ b: CommissioningInput) -> Bool {
        (a.meter, a.time, a.record) < (b.meter, b.time, b.record)
    }
}

/// The commissioning that the settled readings of a meter stood under, with what the device said of itself since: items 12.
package struct CommissionedMeter: Hashable, Sendable {
    package struct Text: Hashable, Sendable {
        /// ``Identity/Role``: 1 model, 3 firmware, 4 … setup.
        package let role: UInt64
        package let text: String

        package init(role: UInt64, text: String) {
            self.role = role
            self.text = text
        }
    }

    /// Roles there are, and a few to come.
    package static let textsMax = 32

    package let commissioning: CommissioningInput
    /// By role; each as first heard.
    package let texts: [Text]

    package init(commissioning: CommissioningInput, texts: [Text]) {
        self.commissioning = commissioning
        self.texts = texts
    }

    package var meter: Identifier { commissioning.meter }
}

/// A birth in which another meter, or another gateway, has this meter's serial and model: items 14.
package struct SerialClaim: Hashable, Sendable {
    package let meter: Identifier
    package let time: UTCInstant
    /// Identity of the birth's record.
    package let birth: Digest
    package let gateway: Identifier
    /// The meter's id at that gateway.
    package let other: Identifier

    package init(meter: Identifier, time: UTCInstant, birth: Digest, gateway: Identifier, other: Identifier) {
        self.meter = meter
        self.time = time
        self.birth = birth
        self.gateway = gateway
        self.other = other
    }

    static func isOrdered(_ a: SerialClaim, _ b: SerialClaim) -> Bool {
        if a.meter != b.meter { return a.meter < b.meter }
        return (a.time, a.birth, a.gateway, a.other) < (b.time, b.birth, b.gateway, b.other)
    }
}

// MARK: - On the wire

extension CommissioningInput {
    var fields: [CBORValue] { [.id(meter), .ms(time), .digest(record), .text(serial), .digest(profile)] }

    init(_ parts: ArraySlice<CBORValue>, _ path: String) throws(ShapeError) {
        let parts = Array(parts)
        guard parts.count == 5 else { throw ShapeError(path, expected: "meter, time, record, serial, profile") }
        self.init(
            meter: try parts[0].identifier(path), time: try parts[1].instant(path), record: try parts[2].digest(path),
            serial: try parts[3].shortText(path), profile: try parts[4].digest(path))
    }
}

extension CommissionedMeter {
    var fields: [CBORValue] {
        commissioning.fields + [.array(texts.map { .array([.unsigned($0.role), .text($0.text)]) })]
    }

    init(_ parts: ArraySlice<CBORValue>, _ path: String) throws(ShapeError) {
        guard parts.count == 6, let last = parts.last else {
            throw ShapeError(path, expected: "meter, time, record, serial, profile, texts")
        }
        let texts = try last.list(path, max: Self.textsMax) { (value, path) throws(ShapeError) in
            let parts = try value.array(count: 2, path)
            return Text(role: try parts[0].uint(path), text: try parts[1].shortText(path))
        }
        guard texts.map(\.role).isStrictlyAscending else { throw ShapeError(path, expected: "roles in order") }
        self.init(commissioning: try CommissioningInput(parts.dropLast(), path), texts: texts)
    }
}

extension SerialClaim {
    var fields: [CBORValue] { [.id(meter), .ms(time), .digest(birth), .id(gateway), .id(other)] }

    init(_ parts: ArraySlice<CBORValue>, _ path: String) throws(ShapeError) {
        let parts = Array(parts)
        guard parts.count == 5 else { throw ShapeError(path, expected: "meter, time, birth, gateway, other meter") }
        self.init(
            meter: try parts[0].identifier(path), time: try parts[1].instant(path), birth: try parts[2].digest(path),
            gateway: try parts[3].identifier(path), other: try parts[4].identifier(path))
    }
}
