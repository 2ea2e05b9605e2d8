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

    /// As profiles spell it.
    package var name: String {
        switch self {
        case .driver: "driver"
        case .document: "document"
        case .simulator: "simulator"
        case .hardware: "hardware"
        }
    }

    package static func < (a: ProfileLevel, b: ProfileLevel) -> Bool { a.rawValue < b.rawValue }
}

package struct Profile: Hashable, Sendable {
    /// The document that the addresses were taken from.
    package struct Source: Hashable, Sendable {
        package var document: String
        package var revision: String
        /// Chapter, table or page.
        package var place: String
        /// The number the document gives to wire address 0: 0, 1, 30001 … Addresses of a profile are the wire's.
        package var countsFrom: UInt64 = 0
    }

    /// Somebody compared the profile with a simulator or a device.
    package struct Check: Hashable, Sendable {
        package var by: String
        /// A date, `2026-11-21`.
        package var on: String
        /// With what, and what agreed.
        package var how: String
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
        /// Up to where a timeout that is learned or doubled may grow, ms. Nil: the agent's own maximum.
        package var timeoutMaxMilliseconds: Int?
        /// Between a new connection and the first request on it, ms.
        package var connectPauseMilliseconds = 0
        /// How often the device renews its registers, ms; asking faster gives the same words again. 0: unknown.
        package var refreshMilliseconds = 0
        /// What is sent comes back before the answer.
        package var hasEcho = false
        /// The device answers requests for exactly one value and nothing else.
        package var isOneValueOnly = false
        /// Functions 3 and 4 give the same registers: what stands under one may be read with the other.
        package var isEitherFunction = false
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
    /// The firmware this map is for; empty: every one. A device with another firmware is not this profile's.
    package var firmware: [FirmwareRange] = []
    package var checks: [Check] = []
    /// What the sources disagree about. Such a profile is never billing grade in a real house.
    package var contradictions: [String] = []

    /// Whether registers of `function` may be read with `other`.
    package func answers(_ function: UInt8, as other: UInt8) -> Bool {
        function == other || limits.isEitherFunction
    }

    package func quantity(_ obis: ObisCode) -> Quantity? { quantities.first { $0.obis == obis } }
}
