// One quantity of a profile as CBOR and back. The rest of the profile stands in ProfileCBOR.

internal import CBOR

extension Quantity {
    var value: CBORValue {
        let range: CBORValue? = valid.map { CBORValue.array([CBORValue.int($0.lowerBound), .int($0.upperBound)]) }
        let pairs: [(Int64, CBORValue?)] = [
            (1, CBORValue.text(obis.text)),
            (2, CBORValue.unsigned(UInt64(kind.rawValue))),
            (3, CBORValue.text(unit.rawValue)),
            (4, place.value),
            (5, CBORValue.unsigned(UInt64(type.rawValue))),
            (6, order.value),
            (7, scale.value),
            (8, step?.value),
            (9, scaleFactor?.value),
            (10, CBORValue.numbers(notAvailable)),
            (11, CBORValue.unsigned(UInt64(direction.rawValue))),
            (12, modulus.map { CBORValue.unsigned($0) }),
            (13, CBORValue.bool(isResettable)),
            (14, range),
            (15, resolution.value),
            (17, poll == .normal ? nil : CBORValue.unsigned(UInt64(poll.rawValue))),
            (18, registersMax.map { CBORValue.unsigned(UInt64($0)) }),
            (19, isOptional ? CBORValue.bool(true) : nil),
            (20, sign == .plain ? nil : CBORValue.unsigned(UInt64(sign.rawValue))),
            (21, contradiction.map { CBORValue.text($0) }),
        ]
        return .fields(pairs)
    }

    init(_ value: CBORValue) throws(ShapeError) {
        let path = "profile.12"
        let fields = try value.fields(1...21, path)
        guard let obis = ObisCode(try fields.text(1)), let kind = Kind(rawValue: UInt8(try fields.int(in: 0...255, 2))),
            let unit = BaseUnit(rawValue: try fields.text(3)),
            let direction = Direction(rawValue: UInt8(try fields.int(in: 0...255, 11)))
        else { throw ShapeError(path, expected: "a known OBIS code, kind, unit and direction") }
        self.obis = obis
        self.kind = kind
        self.unit = unit
        self.direction = direction
        place = try Place(try fields.value(4), path)
        type = try RegisterType(try fields.value(5), path)
        order = try RegisterOrder(try fields.value(6), path)
        scale = try Rational(try fields.value(7), path)
        step = try fields.optional(8).map { value throws(ShapeError) in try Rational(value, path) }
        scaleFactor = try fields.optional(9).map { value throws(ShapeError) in try ScaleFactor(value, path) }
        let patterns = try fields.array(10)
        guard patterns.count <= Profile.alternativesMax else { throw ShapeError(path, expected: "fewer values") }
        for pattern in patterns { notAvailable.append(try pattern.uint(path)) }
        modulus = try fields.optional(12).map { value throws(ShapeError) in try value.uint(path) }
        isResettable = try fields.value(13).bool(path)
        if let value = fields.optional(14) {
            let ends = try value.array(count: 2, path)
            let least = try ends[0].int(path)
            let most = try ends[1].int(path)
            guard least <= most else { throw ShapeError(path, expected: "a range") }
            valid = least...most
        }
        resolution = try Rational(try fields.value(15), path)
        try readOptional(fields, path)
    }

    /// Keys 17 to 21: absent wherever they say nothing.
    private mutating func readOptional(_ fields: CBORFields, _ path: String) throws(ShapeError) {
        registersMax = try fields.optional(18).map { value throws(ShapeError) in
            try value.int(in: 1...Profile.registersMax, path)
        }
        isOptional = try fields.optional(19)?.bool(path) ?? false
        contradiction = try fields.optional(21)?.boundedText(path)
        if let value = fields.optional(17) {
            guard let poll = PollClass(rawValue: UInt8(try value.int(in: 0...255, path))) else {
                throw ShapeError(path, expected: "a poll class 1 … 3")
            }
            self.poll = poll
        }
        guard let value = fields.optional(20) else { return }
        guard let sign = Sign(rawValue: UInt8(try value.int(in: 0...255, path))) else {
            throw ShapeError(path, expected: "a sign 0 … 2")
        }
        self.sign = sign
    }
}

extension ScaleFactor {
    var value: CBORValue {
        .array([.unsigned(UInt64(address)), .int(Int64(range.lowerBound)), .int(Int64(range.upperBound))])
    }

    init(_ value: CBORValue, _ path: String) throws(ShapeError) {
        let parts = try value.array(count: 3, path)
        let least = try parts[1].int(path)
        let most = try parts[2].int(path)
        guard least >= -10, least <= most, most <= 10 else { throw ShapeError(path, expected: "exponents -10 … 10") }
        self.init(address: UInt16(try parts[0].int(in: 0...0xFFFF, path)), range: Int(least)...Int(most))
    }
}

extension Rational {
    /// [numerator, denominator] in lowest terms.
    var value: CBORValue { .numbers([numerator, denominator]) }

    init(_ value: CBORValue, _ path: String) throws(ShapeError) {
        let parts = try value.array(count: 2, path)
        guard let rational = Rational(try parts[0].uint(path), try parts[1].uint(path)) else {
            throw ShapeError(path, expected: "a positive fraction with parts up to 10^12")
        }
        self = rational
    }
}
