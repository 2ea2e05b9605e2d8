// One quantity of a meter: what it is, where it stands, how its words are read. Values live in Decoding.

/// What a quantity is, as an OBIS code (IEC 62056-61) `A-B:C.D.E` without leading zeros: `1-0:1.8.0` import and
/// `1-0:2.8.0` export of active energy, `1-0:16.7.0` active power (import positive), `1-0:32.7.0` voltage of L1.
package struct ObisCode: Hashable, Comparable, Sendable, CustomStringConvertible {
    private let a: UInt8
    private let b: UInt8
    package let c: UInt8
    package let d: UInt8
    private let e: UInt8

    /// `A-B:C.D.E`. Made when it is asked for: a gateway's plans hold tens of thousands of codes.
    package var text: String { "\(a)-\(b):\(c).\(d).\(e)" }

    package static let activeImport = ObisCode(electricity: 1, 8)
    package static let activeExport = ObisCode(electricity: 2, 8)
    package static let activePower = ObisCode(electricity: 16, 7)

    private init(electricity c: UInt8, _ d: UInt8) { (a, b, self.c, self.d, e) = (1, 0, c, d, 0) }

    package init?(_ text: String) {
        let marks = text.utf8.filter { !(48...57).contains($0) }
        guard marks.elementsEqual("-:..".utf8) else { return nil }
        let groups = text.split(omittingEmptySubsequences: false) { "-:.".contains($0) }
        var values: [UInt8] = []
        for group in groups {
            guard let value = UInt8(group), String(value) == group else { return nil }
            values.append(value)
        }
        guard values.count == 5 else { return nil }
        (a, b, c, d, e) = (values[0], values[1], values[2], values[3], values[4])
    }

    package var description: String { text }

    /// Byte order of the text.
    package static func < (a: ObisCode, b: ObisCode) -> Bool { a.text.utf8.lexicographicallyPrecedes(b.text.utf8) }
}

/// The unit that a quantity's scale leads to. The raw value is its text in profiles and in CBOR.
package enum BaseUnit: String, Hashable, Sendable, CaseIterable {
    case wattHour = "Wh"
    case varHour = "varh"
    case voltAmpereHour = "VAh"
    case watt = "W"
    case reactive = "var"
    case voltAmpere = "VA"
    case volt = "V"
    case ampere = "A"
    case hertz = "Hz"
    case one = "1"
}

/// Where a value stands on the wire. Addresses count from 0 as sent, whatever the source document counts from.
package struct Place: Hashable, Sendable {
    /// 3 (holding registers) or 4 (input registers).
    package let function: UInt8
    /// The SunSpec model that `address` counts from, its ID register being 0. Nil: `address` is absolute.
    package let model: UInt16?
    package let address: UInt16

    package init(function: UInt8, model: UInt16? = nil, address: UInt16) {
        self.function = function
        self.model = model
        self.address = address
    }

    /// The absolute address, looked up in the chain found at start. Nil when the model is not there.
    package func resolved(_ chain: [SunSpecModel]) -> Int? {
        guard let model else { return Int(address) }
        return chain.first { $0.id == model }.map { Int($0.address) + Int(address) }
    }
}

/// A register that holds the power of ten of another one (SunSpec `sunssf`: s16, 0x8000 = none).
package struct ScaleFactor: Hashable, Sendable {
    /// Counted like the value's own address: same function, same model.
    package let address: UInt16
    /// The exponents expected. One outside makes the value not available: counts keep one unit for ever.
    package let range: ClosedRange<Int>

    package init(address: UInt16, range: ClosedRange<Int>) {
        self.address = address
        self.range = range
    }
}

package struct Quantity: Hashable, Sendable {
    package enum Kind: UInt8, Hashable, Sendable {
        case counter = 1
        case gauge = 2
    }

    /// How the register's own sign is meant.
    package enum Sign: UInt8, Hashable, Sendable {
        /// As it stands.
        case plain = 0
        /// The register holds the negative of the quantity.
        case negated = 1
        /// Devices differ; the amount counts.
        case absolute = 2
    }

    /// How often a quantity is worth asking. Quantities of different classes never share a request.
    package enum PollClass: UInt8, Hashable, Comparable, Sendable {
        case fast = 1
        case normal = 2
        case slow = 3

        package var name: String {
            switch self {
            case .fast: "fast"
            case .normal: "normal"
            case .slow: "slow"
            }
        }

        package static func < (a: PollClass, b: PollClass) -> Bool { a.rawValue < b.rawValue }
    }

    /// Which flow a counter counts, or which flow a gauge's positive register value means.
    package enum Direction: UInt8, Hashable, Sendable {
        case none = 0
        case `import` = 1
        case export = 2
    }

    package var obis: ObisCode
    package var kind: Kind
    package var unit: BaseUnit
    package var place: Place
    package var type: RegisterType
    package var order = RegisterOrder()
    /// Base units that 1 in the register is worth (before a scale factor's power of ten).
    package var scale: Rational
    /// Floats only: base units that one count of the decoded integer is worth.
    package var step: Rational?
    package var scaleFactor: ScaleFactor?
    /// Bit patterns that mean "no value", ascending.
    package var notAvailable: [UInt64] = []
    package var direction: Direction
    /// The register value at which a counter starts again from 0, of a float the count. Nil: it never does in its life.
    package var modulus: UInt64?
    /// Somebody on site can set it to 0.
    package var isResettable = false
    /// Gauges: whole base units outside which the value is taken for a fault.
    package var valid: ClosedRange<Int64>?
    /// The smallest step the device itself shows, in base units.
    package var resolution: Rational
    package var poll = PollClass.normal
    /// Registers of a request that holds this quantity, where the device allows fewer than elsewhere.
    package var registersMax: Int?
    /// Some devices of the profile do not have it and answer an exception: it is read alone.
    package var isOptional = false
    package var sign = Sign.plain
    /// What the sources disagree about.
    package var contradiction: String?

    /// Base units that one decoded count is worth: constant over the life of a profile.
    package var countUnit: Rational? {
        if type.isFloat { return step }
        guard let scaleFactor else { return scale }
        return scale.scaled(byPowerOfTen: scaleFactor.range.lowerBound)
    }
}
