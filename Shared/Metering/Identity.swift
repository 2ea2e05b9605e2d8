// The registers that say which device answers and how it is set up. What a change of them means is the collector's.

/// The registers that tell which device answers. Read at start and again from time to time.
package struct Identity: Hashable, Sendable {
    package enum Role: UInt8, Hashable, Comparable, Sendable, CaseIterable {
        case model = 1
        case serial = 2
        case firmware = 3
        /// The measuring mode that decides what the registers mean: EM24's application H.
        case mode = 4
        /// A switch or lock on the device's front.
        case selector = 5
        /// Wiring, or measuring system: phases and neutral.
        case wiring = 6
        case currentRatio = 7
        case voltageRatio = 8
        case currentPrimary = 9
        case currentSecondary = 10
        case voltagePrimary = 11
        case voltageSecondary = 12
        case maker = 13
        case hardware = 14

        package var name: String {
            switch self {
            case .model: "model"
            case .serial: "serial"
            case .firmware: "firmware"
            case .mode: "mode"
            case .selector: "selector"
            case .wiring: "wiring"
            case .currentRatio: "ct-ratio"
            case .voltageRatio: "pt-ratio"
            case .currentPrimary: "ct-primary"
            case .currentSecondary: "ct-secondary"
            case .voltagePrimary: "pt-primary"
            case .voltageSecondary: "pt-secondary"
            case .maker: "maker"
            case .hardware: "hardware"
            }
        }

        package static func < (a: Role, b: Role) -> Bool { a.rawValue < b.rawValue }
    }

    package struct Field: Hashable, Sendable {
        package var place: Place
        /// text, chars, u16, u32, u64 or f32.
        package var type: RegisterType
        package var registers: Int
        package var order = RegisterOrder()
        /// Some devices of the model do not have it and answer an exception; it is then the empty text.
        package var isOptional: Bool
        /// `*` stands for any text. Empty: everything is expected.
        package var expected: [String]

        /// Text as it stands, integers in decimal, floats in decimal to the nearest thousandth, ties to the even one.
        /// Nil when the text is not printable ASCII or the float is no number of 64 bits.
        package func decode(_ bytes: ArraySlice<UInt8>) -> String? {
            guard bytes.count == 2 * registers else { return nil }
            switch type {
            case .text: return order.text(bytes)
            case .chars: return order.characters(bytes)
            case .f32:
                let parts = FloatParts(binary32: order.pattern(bytes))
                return parts?.rounded(times: Rational.thousand).map(Self.thousandths)
            default: return String(order.pattern(bytes))
            }
        }

        /// `-0.5`, `100`: without trailing zeros.
        private static func thousandths(_ count: Int64) -> String {
            let (whole, rest) = count.magnitude.quotientAndRemainder(dividingBy: 1000)
            var digits = String(1000 + rest).dropFirst()
            while digits.last == "0" { digits = digits.dropLast() }
            return (count < 0 ? "-" : "") + String(whole) + (digits.isEmpty ? "" : "." + digits)
        }

        /// Whether the device of this profile may answer so.
        package func accepts(_ text: String) -> Bool {
            expected.isEmpty || expected.contains { Self.matches(Array(text.utf8)[...], Array($0.utf8)[...]) }
        }

        /// Linear in text × pattern: one saved position per star suffices.
        private static func matches(_ text: ArraySlice<UInt8>, _ pattern: ArraySlice<UInt8>) -> Bool {
            var (text, pattern) = (text, pattern)
            var retry: (text: ArraySlice<UInt8>, pattern: ArraySlice<UInt8>)?
            while true {
                if pattern.first == UInt8(ascii: "*") {
                    pattern = pattern.dropFirst()
                    retry = (text, pattern)
                } else if let expected = pattern.first, text.first == expected {
                    (text, pattern) = (text.dropFirst(), pattern.dropFirst())
                } else if pattern.isEmpty && text.isEmpty {
                    return true
                } else if let saved = retry, !saved.text.isEmpty {
                    text = saved.text.dropFirst()
                    pattern = saved.pattern
                    retry = (text, pattern)
                } else {
                    return false
                }
            }
        }
    }

    /// Only looked up, walked by ``fields``.
    private var byRole: [Role: Field] = [:]

    package init() {}

    package subscript(role: Role) -> Field? {
        get { byRole[role] }
        set { byRole[role] = newValue }
    }

    package func field(_ role: Role) -> Field? { byRole[role] }

    /// The fields the profile has, in order of their roles.
    package var fields: [(role: Role, field: Field)] {
        Role.allCases.compactMap { role in field(role).map { (role, $0) } }
    }
}
