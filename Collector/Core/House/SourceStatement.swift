// What a source other than the meters says about a day, and what a person says about a verdict.

package import CBOR
package import Evidence
package import Proofs
package import Quantities

/// Sources of a day's energy beside the revenue meter, by their letter on the wire.
package enum SourceKind: String, Hashable, Sendable, CaseIterable {
    /// Check meter: read, never stated.
    case checkMeter = "C"
    case auditor = "A"
    case gridOperator = "D"
    case satellite = "S"

    init(_ value: CBORValue, _ path: String) throws(ShapeError) {
        guard let kind = Self(rawValue: try value.text(path)) else { throw ShapeError(path, expected: "C, A, D or S") }
        self = kind
    }

    /// Who signs such a statement; nil for a check meter.
    package var role: KeyRole? {
        switch self {
        case .checkMeter: nil
        case .auditor: .auditor
        case .gridOperator: .gridOperator
        case .satellite: .satellite
        }
    }
}

/// A day's energy as an auditor, the grid operator or the satellite model states it.
package struct SourceStatement: HousePayload {
    package static let contentType = ContentType.statement

    package let source: SourceKind
    package let meteringPoint: Identifier
    package let from: UTCInstant
    package let to: UTCInstant
    package let wattHours: Int64
    package let resolutionWattHours: Int64
    /// Raw input, stored beside.
    package let inputs: [Digest]
    package let issuedAt: UTCInstant
    package let method: String

    package init(
        source: SourceKind, meteringPoint: Identifier, from: UTCInstant, to: UTCInstant, wattHours: Int64,
        resolutionWattHours: Int64, inputs: [Digest], issuedAt: UTCInstant, method: String
    ) {
        self.source = source
        self.meteringPoint = meteringPoint
        self.from = from
        self.to = to
        self.wattHours = wattHours
        self.resolutionWattHours = resolutionWattHours
        self.inputs = inputs
        self.issuedAt = issuedAt
        self.method = method
    }

    package var cbor: CBORValue {
        .numbered([
            .int(1), .text(source.rawValue), .id(meteringPoint), .ms(from), .ms(to),
            .int(wattHours), .int(resolutionWattHours), .array(inputs.map { .digest($0) }),
            .ms(issuedAt), .text(method),
        ])
    }

    package init(_ value: CBORValue) throws(ShapeError) {
        let fields = try value.fields(1...10, "statement")
        try fields.requireVersion()
        let source = try SourceKind(try fields.value(2), "statement.2")
        guard source != .checkMeter else { throw ShapeError("statement.2", expected: "A, D or S") }
        self.init(
            source: source, meteringPoint: try fields.identifier(3), from: try fields.instant(4),
            to: try fields.instant(5),
            wattHours: try fields.energy(6), resolutionWattHours: try fields.number(0...HouseBounds.wattHoursMax, 7),
            inputs: try fields.value(8).digests("statement.8"), issuedAt: try fields.instant(9),
            method: try fields.shortText(10))
        guard from < to else { throw ShapeError("statement.5", expected: "an instant after key 4") }
    }
}

/// A person's decision on a day that the rules left pending.
package struct Review: HousePayload {
    package static let contentType = ContentType.review

    package let meteringPoint: Identifier
    package let day: UTCInstant
    package let isAccepted: Bool
    package let reason: String
    package let issuedAt: UTCInstant

    package init(meteringPoint: Identifier, day: UTCInstant, isAccepted: Bool, reason: String, issuedAt: UTCInstant) {
        self.meteringPoint = meteringPoint
        self.day = day
        self.isAccepted = isAccepted
        self.reason = reason
        self.issuedAt = issuedAt
    }

    package var cbor: CBORValue {
        .numbered([
            .int(1), .id(meteringPoint), .ms(day), .int(isAccepted ? 1 : 2), .text(reason),
            .ms(issuedAt),
        ])
    }

    package init(_ value: CBORValue) throws(ShapeError) {
        let fields = try value.fields(1...6, "review")
        try fields.requireVersion()
        self.init(
            meteringPoint: try fields.identifier(2), day: try fields.instant(3),
            isAccepted: try fields.number(1...2, 4) == 1,
            reason: try fields.shortText(5), issuedAt: try fields.instant(6))
    }
}
