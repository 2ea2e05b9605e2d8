// What must hold between a profile's fields, whichever form it came in. The parsers check single fields themselves.

/// A rule that a profile breaks. `place` is the key path: `quantities[1-0:2.8.0].step`.
struct ProfileProblem: Hashable, Sendable {
    let place: String
    let problem: String
}

extension Profile {
    package static let quantitiesMax = 64
    package static let holesMax = 64
    package static let textBytesMax = 200
    /// Alternatives of one field: models, expected texts, not-available values, base addresses, lengths.
    package static let alternativesMax = 16
    /// The number that wire address 0 has in a document: 400 001 for six-digit Modicom addresses.
    package static let countsFromMax: UInt64 = 1_000_000
    /// The Modbus limit (Application Protocol 1.1b3, 6.3): registers of one request.
    package static let registersMax = 125

    /// The first rule broken; nil for a sound profile.
    func problem() -> ProfileProblem? {
        if !Self.isName(name) { return ProfileProblem(place: "profile", problem: "is not of the form vendor/model") }
        if let problem = holesProblem() ?? sunSpecProblem() ?? deviceProblem() { return problem }
        for (role, field) in identity.fields {
            let span = Int(field.place.address)..<Int(field.place.address) + field.registers
            if let problem = identityProblem(field) ?? spanProblem(field.place, span) {
                return ProfileProblem(place: "identity.\(role.name)", problem: problem)
            }
        }
        for (index, quantity) in quantities.enumerated() {
            if index > 0, !(quantities[index - 1].obis < quantity.obis) {
                return ProfileProblem(
                    place: "quantities[\(quantity.obis)]", problem: "stands there twice or out of order")
            }
            if let problem = quantity.problem() ?? spanProblem(quantity.place, quantity.span, quantity.registersMax) {
                return ProfileProblem(place: "quantities[\(quantity.obis)]", problem: problem)
            }
        }
        return nil
    }

    private static func isName(_ name: String) -> Bool {
        let parts = name.split(separator: "/", omittingEmptySubsequences: false)
        return parts.count == 2
            && parts.allSatisfy { part in
                (1...40).contains(part.utf8.count)
                    && part.utf8.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2D }
            }
    }

    private func holesProblem() -> ProfileProblem? {
        for (index, hole) in holes.enumerated() {
            let place = "holes[\(index)]"
            if hole.first > hole.last { return ProfileProblem(place: place, problem: "ends before it begins") }
            guard index > 0 else { continue }
            let before = holes[index - 1]
            guard (before.function, before.last) < (hole.function, hole.first) else {
                return ProfileProblem(place: place, problem: "overlaps another hole or is out of order")
            }
        }
        return nil
    }

    /// Limits, firmware ranges and checks.
    private func deviceProblem() -> ProfileProblem? {
        if let most = limits.timeoutMaxMilliseconds, most < limits.timeoutMilliseconds {
            return ProfileProblem(place: "limits.timeout-max", problem: "is below timeout")
        }
        for (index, range) in firmware.enumerated() {
            let place = "firmware[\(index)]"
            guard !range.from.isEmpty || !range.below.isEmpty else {
                return ProfileProblem(place: place, problem: "names neither `from` nor `below`")
            }
            guard range.from.isEmpty || range.below.isEmpty || FirmwareRange.isOlder(range.from, than: range.below)
            else { return ProfileProblem(place: place, problem: "ends before it begins") }
        }
        guard firmware.isEmpty || identity.field(.firmware) != nil else {
            return ProfileProblem(place: "firmware", problem: "needs `identity.firmware` to be told by")
        }
        let malformed = checks.firstIndex { !Self.isDate($0.on) }
        return malformed.map { ProfileProblem(place: "checked[\($0)].on", problem: "is not a date such as 2026-11-21") }
    }

    private static func isDate(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        guard bytes.count == 10, bytes[4] == 0x2D, bytes[7] == 0x2D else { return false }
        let digits = bytes.filter { (48...57).contains($0) }.map { Int($0) - 48 }
        guard digits.count == 8 else { return false }
        return (1...12).contains(digits[4] * 10 + digits[5]) && (1...31).contains(digits[6] * 10 + digits[7])
    }

    private func sunSpecProblem() -> ProfileProblem? {
        guard let sunSpec else { return nil }
        for (index, model) in sunSpec.models.enumerated() {
            let isAscending = index == 0 || sunSpec.models[index - 1].id < model.id
            let lengthsAscend = zip(model.lengths, model.lengths.dropFirst()).allSatisfy { $0 < $1 }
            guard isAscending, lengthsAscend, !model.lengths.isEmpty else {
                return ProfileProblem(place: "sunspec.models[\(index)]", problem: "is out of order or has no length")
            }
        }
        return nil
    }

    private func identityProblem(_ field: Identity.Field) -> String? {
        switch field.type {
        case .text, .chars:
            return (1...64).contains(field.registers) ? nil : "has \(field.registers) registers, not 1 … 64"
        case .u16, .u32, .u64, .f32:
            return field.registers == field.type.registers ? nil : "has a wrong number of registers"
        default: return "has a type that names no device; use text, chars, u16, u32, u64 or f32"
        }
    }

    /// What is read together lies in the address space, in one request, in one model, in no hole.
    private func spanProblem(_ place: Place, _ span: Range<Int>, _ registersMax: Int? = nil) -> String? {
        guard span.count <= min(limits.registersMax, registersMax ?? limits.registersMax) else {
            return "needs more registers than one request may have"
        }
        guard let id = place.model else {
            guard span.upperBound <= 65536 else { return "ends above register 65535" }
            let crosses = holes.contains {
                answers($0.function, as: place.function) && Int($0.first) < span.upperBound
                    && span.lowerBound <= Int($0.last)
            }
            return crosses ? "lies in a hole" : nil
        }
        guard let model = sunSpec?.models.first(where: { $0.id == id }), let length = model.lengths.first else {
            return "uses model \(id), which sunspec.models does not list"
        }
        // Offsets count from the ID register; ID and L themselves are no values.
        guard span.lowerBound >= 2, span.upperBound <= Int(length) + 2 else { return "lies outside model \(id)" }
        return nil
    }
}

extension Quantity {
    /// The first rule that this quantity breaks on its own.
    func problem() -> String? {
        guard !type.isText else { return "is text; a quantity is a number" }
        if type.isFloat {
            guard step != nil else { return "is a float and needs `step`, the unit of its counts" }
            guard floatFactor != nil else { return "has a scale and step too far apart" }
            guard scaleFactor == nil else { return "is a float and has a scale factor" }
        } else {
            guard step == nil else { return "has a step; an integer's unit is its scale" }
        }
        guard sign == .plain || type.isSigned || type.isFloat else {
            return "has a sign of its own and an unsigned type"
        }
        guard countUnit != nil else { return "has a scale and scale factor too far apart" }
        if let range = scaleFactor?.range, range.count > 19 || range.lowerBound < -10 || range.upperBound > 10 {
            return "has a scale-factor range beyond -10 … 10 or wider than 18"
        }
        guard notAvailable.allSatisfy({ $0 <= type.patternMax }),
            zip(notAvailable, notAvailable.dropFirst()).allSatisfy({ $0 < $1 })
        else { return "has a not-available value that is too large, twice there or out of order" }
        return kind == .counter ? counterProblem() : gaugeProblem()
    }

    private func counterProblem() -> String? {
        guard [.wattHour, .varHour, .voltAmpereHour].contains(unit) else { return "is a counter of no energy unit" }
        guard direction != .none else { return "is a counter and needs a direction" }
        if obis.d == 8, obis.c == 1 || obis.c == 2 {
            let expected: Direction = obis.c == 1 ? .import : .export
            guard unit == .wattHour, direction == expected else {
                return "contradicts its OBIS code in unit or direction"
            }
        }
        guard valid == nil else { return "is a counter and has a valid range" }
        guard let modulus else { return nil }
        let greatest = type.isFloat ? UInt64(Int64.max) : type.patternMax
        guard modulus >= 2, modulus - 1 <= greatest else {
            return "has a modulus its type has not"
        }
        return nil
    }

    private func gaugeProblem() -> String? {
        guard modulus == nil, !isResettable else {
            return "is a gauge and has a modulus or is resettable"
        }
        guard !type.isAccumulator else { return "is an accumulator and no counter" }
        guard direction == .none || unit == .watt else { return "has a direction but is no active power" }
        guard unit != .watt || direction != .none else { return "is active power and needs a direction" }
        return nil
    }
}
