// From the words of one answer to values. Total: any words give a value or a reason, never a trap.

/// Decodes the answers to one request under one profile. Prepared once, used for every answer.
package struct ReadDecoder: Sendable {
    package struct Decoded: Hashable, Sendable {
        package let obis: ObisCode
        package let value: DecodedValue
    }

    private struct Entry: Sendable {
        let quantity: Quantity
        /// Byte offsets into the answer.
        let value: Int
        let scaleFactor: Int?
        let unit: Rational
    }

    package let request: ReadRequest
    private let entries: [Entry]

    /// Which quantities the answers hold, by OBIS code: those whose registers and scale factor lie in the request.
    package var quantities: [ObisCode] { entries.map(\.quantity.obis) }

    package init(_ profile: Profile, _ request: ReadRequest, chain: [SunSpecModel] = []) {
        self.request = request
        let first = Int(request.address)
        let registers = first..<first + Int(request.count)
        entries = profile.quantities.compactMap { quantity in
            guard profile.answers(quantity.place.function, as: request.function),
                let start = quantity.place.resolved(chain),
                let unit = quantity.countUnit
            else { return nil }
            let span = quantity.span
            let spanStart = start + span.lowerBound - Int(quantity.place.address)
            guard registers.lowerBound <= spanStart, spanStart + span.count <= registers.upperBound else { return nil }
            let factor = quantity.scaleFactor.map { start + Int($0.address) - Int(quantity.place.address) - first }
            return Entry(quantity: quantity, value: 2 * (start - first), scaleFactor: factor.map { 2 * $0 }, unit: unit)
        }
    }

    /// The values of one answer, by OBIS code.
    ///
    /// - Parameter words: The registers' bytes as sent, big-endian words, without header and checksum.
    package func decode(_ words: [UInt8]) -> [Decoded] {
        let isWhole = words.count == 2 * Int(request.count)
        return entries.map { entry in
            Decoded(
                obis: entry.quantity.obis,
                value: isWhole ? Self.value(entry, words) : .notAvailable(.wrongLength))
        }
    }

    private static func value(_ entry: Entry, _ words: [UInt8]) -> DecodedValue {
        let quantity = entry.quantity
        let pattern = quantity.order.pattern(words[entry.value..<entry.value + 2 * quantity.type.registers])
        var magnitude: UInt64
        var isNegative: Bool
        if quantity.type.isFloat {
            let parts = quantity.type == .f32 ? FloatParts(binary32: pattern) : FloatParts(binary64: pattern)
            guard let parts else { return .notAvailable(.notANumber) }
            guard !quantity.notAvailable.contains(pattern) else { return .notAvailable(.declared) }
            guard let factor = quantity.floatFactor, let count = parts.rounded(times: factor) else {
                return .notAvailable(.overflow)
            }
            (magnitude, isNegative) = (count.magnitude, quantity.sign.applied(count < 0, count == 0))
        } else {
            guard !quantity.notAvailable.contains(pattern) else { return .notAvailable(.declared) }
            guard !quantity.type.isAccumulator || pattern != 0 else { return .notAvailable(.zeroAccumulator) }
            (magnitude, isNegative) = quantity.type.signed(pattern)
            isNegative = quantity.sign.applied(isNegative, magnitude == 0)
        }
        var power: UInt64 = 1
        if let offset = entry.scaleFactor, let factor = quantity.scaleFactor {
            let exponent = Int(Int16(truncatingIfNeeded: quantity.order.pattern(words[offset..<offset + 2])))
            // 0x8000, "no scale factor", is −32768: outside every range.
            guard factor.range.contains(exponent),
                let value = PowersOfTen.value(exponent - factor.range.lowerBound)
            else { return .notAvailable(.scaleFactor) }
            power = value
        }
        let (scaled, overflowed) = magnitude.multipliedReportingOverflow(by: power)
        switch quantity.kind {
        case .counter:
            guard !isNegative else { return .notAvailable(.negativeCounter) }
            guard !overflowed else { return .notAvailable(.overflow) }
            return counter(entry, scaled, power)
        case .gauge:
            guard !overflowed, let exact = Int64(exactly: scaled) else { return .notAvailable(.overflow) }
            return gauge(entry, isNegative ? 0 - exact : exact)
        }
    }

    private static func counter(_ entry: Entry, _ count: UInt64, _ power: UInt64) -> DecodedValue {
        // A modulus that leaves 64 bits is never reached.
        let modulus = entry.quantity.modulus?.multipliedReportingOverflow(by: power)
        let step = Rational(power).flatMap { entry.unit * $0 } ?? entry.unit
        return .counter(
            RegisterCount(
                count: count, unit: entry.unit, modulus: modulus.flatMap { $0.overflow ? nil : $0.partialValue },
                resolution: max(entry.quantity.resolution, entry.quantity.scaleFactor == nil ? entry.unit : step)))
    }

    private static func gauge(_ entry: Entry, _ registerCount: Int64) -> DecodedValue {
        // The register's own sign may mean export; decoded power is positive for import.
        let count = entry.quantity.direction == .export ? 0 - registerCount : registerCount
        if let valid = entry.quantity.valid {
            // 63 + 40 bits on either side.
            let value = Int128(registerCount) * Int128(entry.unit.numerator)
            let denominator = Int128(entry.unit.denominator)
            guard Int128(valid.lowerBound) * denominator <= value, value <= Int128(valid.upperBound) * denominator
            else {
                return .notAvailable(.invalid)
            }
        }
        return .gauge(GaugeReading(count: count, unit: entry.unit))
    }
}

extension RegisterType {
    /// Magnitude and sign of a bit pattern of this type.
    fileprivate func signed(_ pattern: UInt64) -> (magnitude: UInt64, isNegative: Bool) {
        guard isSigned, pattern > patternMax / 2 else { return (pattern, false) }
        return ((patternMax &- pattern) &+ 1, true)
    }
}

extension Quantity.Sign {
    /// Whether the quantity is negative when its register is. Zero has no sign.
    fileprivate func applied(_ isNegative: Bool, _ isZero: Bool) -> Bool {
        switch self {
        case .plain: isNegative
        case .negated: !isNegative && !isZero
        case .absolute: false
        }
    }
}

extension Quantity {
    /// Counts that 1.0 in a float register is worth.
    var floatFactor: Rational? { step.flatMap { scale * $0.inverse } }
}

extension PlannedRead {
    /// The identity texts in an answer, in order of their roles. A field whose text is unusable is nil.
    package func identityTexts(
        _ words: [UInt8], _ profile: Profile, chain: [SunSpecModel] = []
    ) -> [(role: Identity.Role, text: String?)] {
        identity.map { role in
            guard words.count == 2 * Int(request.count), let field = profile.identity.field(role),
                let address = field.place.resolved(chain)
            else { return (role, nil) }
            let start = 2 * (address - Int(request.address))
            guard start >= 0, start + 2 * field.registers <= words.count else { return (role, nil) }
            return (role, field.decode(words[start..<start + 2 * field.registers]))
        }
    }
}
