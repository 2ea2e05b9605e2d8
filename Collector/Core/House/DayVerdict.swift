// The verdict on one metering point's day with every number that led to it: the payload of an attestation.

package import CBOR
package import Evidence
package import Quantities

package enum Grade: String, Hashable, Sendable {
    case clean = "A"
    case warned = "B"
    case incomplete = "C"
    case blocked = "F"
}

package enum DayOutcome: String, Hashable, Sendable {
    case verified
    case pending
    case disputed
}

/// What a rule found, by its name in attestations, in the order in which findings stand. Names are signed: never rename.
package enum FindingKind: String, Hashable, Sendable, CaseIterable {
    case gap = "GAP"
    case zeroGlitch = "ZERO_GLITCH"
    case registerDecreased = "REGISTER_DECREASED"
    case rollover = "ROLLOVER"
    case capacity = "CAPACITY"
    /// A count in another unit than its counter's: another profile reads the register.
    case unitChanged = "UNIT_CHANGED"
    case energyPower = "ENERGY_POWER"
    case checkMeter = "CHECK_METER"
    case satelliteLow = "SATELLITE_LOW"
    case identity = "IDENTITY"
    case notBillingGrade = "NOT_BILLING_GRADE"
    /// Profile, model, firmware or setup (mode, wiring, transformers) are not those it was commissioned with.
    case deviceChanged = "DEVICE_CHANGED"
    /// The profile is not for this device: another firmware, mode or model, or not the registered one.
    case deviceUnfit = "DEVICE_UNFIT"
    /// Another meter, or another gateway, has the same serial.
    case serialTwice = "SERIAL_TWICE"
    /// Nobody commissioned the meter, or not since something happened to it.
    case notCommissioned = "NOT_COMMISSIONED"
    /// Readings that count for nothing because the meter was commissioned later; blocks nothing.
    case beforeCommissioning = "BEFORE_COMMISSIONING"
}

package struct Finding: Hashable, Sendable {
    package let kind: FindingKind
    package let count: UInt64
    /// The meter's id; of `SATELLITE_LOW` the statement's identity in hex.
    package let text: String

    package init(_ kind: FindingKind, count: UInt64, text: String) {
        self.kind = kind
        self.count = count
        self.text = text
    }

    package var cbor: CBORValue { .array([.text(kind.rawValue), .unsigned(count), .text(text)]) }
}

/// A source other than M, beside M.
package struct SourceComparison: Hashable, Sendable {
    package let source: SourceKind
    /// Meter id of C; identity of the statement in hex.
    package let name: String
    package let wattHours: Int64
    /// ppm.
    package let deviation: Int64
    package let agreement: Int64
    /// 0 for S, which weighs nothing and can only lower.
    package let weight: Int64

    package init(source: SourceKind, name: String, wattHours: Int64, deviation: Int64, agreement: Int64, weight: Int64)
    {
        self.source = source
        self.name = name
        self.wattHours = wattHours
        self.deviation = deviation
        self.agreement = agreement
        self.weight = weight
    }

    fileprivate var cbor: CBORValue {
        .array([.text(source.rawValue), .text(name), .int(wattHours), .int(deviation), .int(agreement), .int(weight)])
    }
}

package struct DayVerdict: HousePayload {
    package static let contentType = ContentType.attestation

    package let window: WindowID
    package let entity: Identifier
    package let meteringPoint: Identifier
    package let dayStart: UTCInstant
    package let dayEnd: UTCInstant
    /// Export through the revenue meter, Wh; nil without a good reading.
    package let exported: Int64?
    /// Of the revenue meter, Wh; 0 without a good reading.
    package let resolution: Int64
    /// In order C, A, D, S, then by name.
    package let sources: [SourceComparison]
    /// ppm, as ``base``, ``satellite`` and ``confidence``.
    package let coverage: Int64
    package let base: Int64
    package let satellite: Int64?
    package let confidence: Int64
    package let grade: Grade
    /// In order of rules, then meters.
    package let findings: [Finding]
    /// Names of findings whose rule had no inputs.
    package let skipped: [FindingKind]
    package let outcome: DayOutcome
    package let imported: Int64?

    package init(
        window: WindowID, entity: Identifier, meteringPoint: Identifier, dayStart: UTCInstant, dayEnd: UTCInstant,
        exported: Int64?, resolution: Int64, sources: [SourceComparison], coverage: Int64, base: Int64,
        satellite: Int64?,
        confidence: Int64, grade: Grade, findings: [Finding], skipped: [FindingKind], outcome: DayOutcome,
        imported: Int64?
    ) {
        self.window = window
        self.entity = entity
        self.meteringPoint = meteringPoint
        self.dayStart = dayStart
        self.dayEnd = dayEnd
        self.exported = exported
        self.resolution = resolution
        self.sources = sources
        self.coverage = coverage
        self.base = base
        self.satellite = satellite
        self.confidence = confidence
        self.grade = grade
        self.findings = findings
        self.skipped = skipped
        self.outcome = outcome
        self.imported = imported
    }

    package var cbor: CBORValue {
        .numbered([
            .text(window.text), .id(entity), .id(meteringPoint), .ms(dayStart), .ms(dayEnd),
            .array([exported.map { .int($0) } ?? .null, .int(resolution)]), .array(sources.map(\.cbor)),
            .int(coverage), .int(base), satellite.map { .int($0) } ?? .null, .int(confidence),
            .text(grade.rawValue), .array(findings.map(\.cbor)), .array(skipped.map { .text($0.rawValue) }),
            .text(outcome.rawValue), imported.map { .int($0) } ?? .null,
        ])
    }

    package init(_ value: CBORValue) throws(ShapeError) {
        let fields = try value.fields(1...16, "day verdict")
        let measured = try fields.value(6).array(count: 2, "day verdict.6")
        let imported = try fields.value(16)
        let satellite = try fields.value(10)
        guard let grade = Grade(rawValue: try fields.text(12)) else {
            throw ShapeError("day verdict.12", expected: "A, B, C or F")
        }
        guard let outcome = DayOutcome(rawValue: try fields.text(15)) else {
            throw ShapeError("day verdict.15", expected: "verified, pending or disputed")
        }
        self.init(
            window: try WindowID(try fields.value(1), "day verdict.1"), entity: try fields.identifier(2),
            meteringPoint: try fields.identifier(3), dayStart: try fields.instant(4), dayEnd: try fields.instant(5),
            exported: measured[0].isNull ? nil : try measured[0].energy("day verdict.6[0]"),
            resolution: try measured[1].number(0...HouseBounds.wattHoursMax, "day verdict.6[1]"),
            sources: try fields.value(7).list("day verdict.7") { (value, path) throws(ShapeError) in
                try SourceComparison(value, path)
            },
            coverage: try fields.ppm(8), base: try fields.ppm(9),
            satellite: satellite.isNull ? nil : try satellite.ppm("day verdict.10"), confidence: try fields.ppm(11),
            grade: grade,
            findings: try fields.value(13).list("day verdict.13") { (value, path) throws(ShapeError) in
                try Finding(value, path)
            },
            skipped: try fields.value(14).list("day verdict.14") { (value, path) throws(ShapeError) in
                try FindingKind(value, path)
            },
            outcome: outcome, imported: imported.isNull ? nil : try imported.energy("day verdict.16"))
    }
}

extension FindingKind {
    fileprivate init(_ value: CBORValue, _ path: String) throws(ShapeError) {
        guard let kind = Self(rawValue: try value.text(path)) else {
            throw ShapeError(path, expected: "the name of a finding")
        }
        self = kind
    }
}

extension Finding {
    fileprivate init(_ value: CBORValue, _ path: String) throws(ShapeError) {
        let parts = try value.array(count: 3, path)
        self.init(
            try FindingKind(parts[0], path + "[0]"), count: try parts[1].uint(path + "[1]"),
            text: try parts[2].shortText(path + "[2]"))
    }
}

extension SourceComparison {
    fileprivate init(_ value: CBORValue, _ path: String) throws(ShapeError) {
        let parts = try value.array(count: 6, path)
        self.init(
            source: try SourceKind(parts[0], path + "[0]"), name: try parts[1].shortText(path + "[1]"),
            wattHours: try parts[2].energy(path + "[2]"), deviation: try parts[3].number(0...2_000_000, path + "[3]"),
            agreement: try parts[4].ppm(path + "[4]"),
            weight: try parts[5].number(0...HouseBounds.weightMax, path + "[5]"))
    }
}
