// What a sound profile may still have wrong, and what whoever uses it should know. Rules that refuse a profile stand in
// ProfileRules; this file refuses nothing.

package struct LintFinding: Hashable, Sendable, CustomStringConvertible {
    package enum Severity: UInt8, Hashable, Sendable {
        /// To be put right before the profile ships.
        case warning = 1
        /// A fact about the device that whoever uses it should know.
        case note = 2
    }

    package let severity: Severity
    /// The key path: `quantities[1-0:2.8.0].modulus`.
    package let place: String
    /// Reads on from the place; says what would be right.
    package let text: String

    package var description: String { "\(severity == .warning ? "warning" : "note"): `\(place)` \(text)" }
}

extension Profile {
    /// Warnings first, each kind in the order of the file.
    package var lint: [LintFinding] {
        let found = documentFindings + limitFindings + identityFindings + quantityFindings + overlapFindings
        return found.filter { $0.severity == .warning } + found.filter { $0.severity == .note }
    }

    private var documentFindings: [LintFinding] {
        var found: [LintFinding] = []
        if level >= .simulator, checks.isEmpty {
            found.append(.warning("level", "claims a comparison nobody signed for; add `checked` with by, on and how"))
        }
        if level < .simulator, !checks.isEmpty {
            found.append(.warning("checked", "says more than `level`; raise the level to simulator or hardware"))
        }
        for obstacle in gradeObstacles(isReplay: false) {
            found.append(.note("level", "is never billing grade in a real house: \(obstacle)"))
        }
        return found
    }

    private var limitFindings: [LintFinding] {
        var found: [LintFinding] = []
        if limits.gapMax >= limits.registersMax {
            found.append(.warning("limits.gap-max", "is no limit beside registers-max; make it smaller"))
        }
        if limits.isOneValueOnly, limits.gapMax > 0 {
            found.append(.warning("limits.gap-max", "means nothing with one-value; make it 0"))
        }
        for (index, hole) in holes.enumerated() where !isNear(hole) {
            found.append(.note("holes[\(index)]", "touches no request that this profile makes"))
        }
        return found
    }

    /// Whether the hole lies between registers that gap-max would join.
    private func isNear(_ hole: Hole) -> Bool {
        var spans = quantities.filter { $0.place.model == nil && answers(hole.function, as: $0.place.function) }
            .map(\.span)
        for (_, field) in identity.fields where field.place.model == nil {
            spans.append(Int(field.place.address)..<Int(field.place.address) + field.registers)
        }
        let below = spans.map(\.upperBound).filter { $0 <= Int(hole.first) }.max()
        let above = spans.map(\.lowerBound).filter { $0 > Int(hole.last) }.min()
        guard let below, let above else { return false }
        return above - below <= limits.gapMax
    }

    private var identityFindings: [LintFinding] {
        var found: [LintFinding] = []
        if identity.field(.serial) == nil {
            found.append(.note("identity", "has no serial: an exchanged meter is not noticed"))
        }
        if identity.field(.model) == nil, sunSpec == nil {
            found.append(.note("identity", "has no model: another device at this address is not noticed"))
        } else if let model = identity.field(.model), model.expected.isEmpty, sunSpec == nil {
            found.append(.note("identity.model", "expects nothing: every device passes"))
        }
        return found
    }

    private var quantityFindings: [LintFinding] {
        quantities.flatMap { quantity in quantity.findings.map { $0.below("quantities[\(quantity.obis)]") } }
    }

    /// Registers that two quantities share without being the same value: one of the two is wrong.
    private var overlapFindings: [LintFinding] {
        var found: [LintFinding] = []
        for (index, one) in quantities.enumerated() {
            for other in quantities[(index + 1)...] where one.place.model == other.place.model {
                guard answers(one.place.function, as: other.place.function), one.valueSpan != other.valueSpan,
                    one.valueSpan.overlaps(other.valueSpan)
                else { continue }
                found.append(.warning("quantities[\(other.obis)]", "shares registers with \(one.obis); check both"))
            }
        }
        return found
    }
}

extension Quantity {
    /// The value alone, without its scale factor.
    fileprivate var valueSpan: Range<Int> { Int(place.address)..<Int(place.address) + type.registers }

    fileprivate var findings: [LintFinding] {
        var found: [LintFinding] = []
        if place.model != nil, !type.isFloat, !type.isAccumulator, notAvailable.isEmpty {
            found.append(.warning("not-available", "is missing; SunSpec says \"not implemented\" with a pattern"))
        }
        if let contradiction { found.append(.note("contradictory", "\(contradiction)")) }
        guard kind == .counter else { return found }
        if isResettable {
            found.append(.note("resettable", "is true: somebody on site can set it to 0"))
        }
        if type == .f32 {
            // 2^26 Wh is 67 MWh and its last bit 8 Wh; the spacing doubles with the value, in kWh and in Wh registers alike.
            found.append(.note("type", "is f32: above 67 MWh its steps are 8 Wh and wider"))
        }
        if modulus == nil, type.registers <= 2, !type.isFloat {
            found.append(.note("modulus", "is not known: a rollover is never taken for one, but for a decrease"))
        }
        return found
    }
}

extension LintFinding {
    fileprivate static func warning(_ place: String, _ text: String) -> LintFinding {
        LintFinding(severity: .warning, place: place, text: text)
    }

    fileprivate static func note(_ place: String, _ text: String) -> LintFinding {
        LintFinding(severity: .note, place: place, text: text)
    }

    fileprivate func below(_ parent: String) -> LintFinding {
        LintFinding(severity: severity, place: "\(parent).\(place)", text: text)
    }
}
