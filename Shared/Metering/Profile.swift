// A meter as data: what it is called, how it may be asked, which registers hold what. Read-only by construction.
// Parsing stands in ProfileSettings (YAML) and ProfileCBOR, the rules both share in ProfileRules.

/// How far a profile's addresses and scales have been confirmed. Order is trust.
package enum ProfileLevel: UInt8, Hashable, Comparable, Sendable {
    /// Taken from other programs' drivers.
    case driver = 0
    /// Checked against the vendor's document.
    case document = 1
    /// Read from a simulator that somebody else wrote.
    case simulator = 2
    /// Read from the device, its display beside it.
    case hardware = 3

    package static func < (a: ProfileLevel, b: ProfileLevel) -> Bool { a.rawValue < b.rawValue }
}

package struct Profile: Hashable, Sendable {
    /// The document that the addresses were taken from.
    package struct Source: Hashable, Sendable {
        package var document: String
        package var revision: String
        /// Chapter, table or page.
        package var place: String
    }

    /// How the device may be asked.
    package struct Limits: Hashable, Sendable {
        /// Registers in one request.
        package var registersMax: Int
        /// Registers nobody asked for that a request may carry along between two wanted values.
        package var gapMax: Int
        /// Between the end of an answer and the next request to this device, ms.
        package var pauseMilliseconds: Int
        /// Before the first request after another device on the same bus, ms.
        package var turnaroundMilliseconds: Int
        /// From the end of a request to the first byte of its answer, ms.
        package var timeoutMilliseconds: Int
        /// The device serves one TCP connection only.
        package var isSingleClient: Bool
    }

    /// Registers that must not be read, not even in passing: the device answers an exception.
    package struct Hole: Hashable, Sendable {
        package var function: UInt8
        package var first: UInt16
        /// The last register of the hole.
        package var last: UInt16
    }

    /// SunSpec devices: where the marker may stand, and the models the profile needs with their accepted lengths.
    package struct SunSpec: Hashable, Sendable {
        package struct Model: Hashable, Sendable {
            package var id: UInt16
            /// Ascending.
            package var lengths: [UInt16]
        }

        /// In the order to try.
        package var bases: [UInt16]
        /// By id.
        package var models: [Model]
    }

    /// `vendor/model`, the file's path without `.yaml`.
    package var name: String
    /// Rises with every change of content.
    package var revision: UInt64
    package var vendor: String
    package var models: [String]
    package var level: ProfileLevel
    package var source: Source
    package var limits: Limits
    /// By function, then first register; disjoint.
    package var holes: [Hole]
    package var sunSpec: SunSpec?
    package var identity: Identity
    /// By OBIS code, each once.
    package var quantities: [Quantity]

    package func quantity(_ obis: ObisCode) -> Quantity? { quantities.first { $0.obis == obis } }
}

/// The registers that tell which device answers. Read at start and again from time to time.
package struct Identity: Hashable, Sendable {
    package enum Role: UInt8, Hashable, Comparable, Sendable, CaseIterable {
        case model = 1
        case serial = 2
        case firmware = 3

        package var name: String {
            switch self {
            case .model: "model"
            case .serial: "serial"
            case .firmware: "firmware"
            }
        }

        package static func < (a: Role, b: Role) -> Bool { a.rawValue < b.rawValue }
    }

    package struct Field: Hashable, Sendable {
        package var place: Place
        /// text, u16, u32 or u64.
        package var type: RegisterType
        package var registers: Int
        package var order = RegisterOrder()
        /// Some devices of the model do not have it and answer an exception; it is then the empty text.
        package var isOptional: Bool
        /// `*` stands for any text. Empty: everything is expected.
        package var expected: [String]

        /// Text as it stands, integers in decimal. Nil when the text is not printable ASCII.
        package func decode(_ bytes: ArraySlice<UInt8>) -> String? {
            guard bytes.count == 2 * registers else { return nil }
            return type == .text ? order.text(bytes) : String(order.pattern(bytes))
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

    package var model: Field?
    package var serial: Field?
    package var firmware: Field?

    package func field(_ role: Role) -> Field? {
        switch role {
        case .model: model
        case .serial: serial
        case .firmware: firmware
        }
    }

    /// The fields the profile has, in order of their roles.
    package var fields: [(role: Role, field: Field)] {
        Role.allCases.compactMap { role in field(role).map { (role, $0) } }
    }
}
