// Which meters a person has compared with their displays, and which exchange of a meter is half done. The signed notes are
// the proof; this is what the agent remembers of them, so that its status can say what is still to do.

package import Evidence
package import Proofs
package import Quantities

/// What the agent remembers, by meter.
package struct CommissioningBook: Hashable, Sendable {
    /// One meter's comparison.
    package struct Entry: Hashable, Sendable {
        package let meter: Identifier
        package let serial: String
        package let profile: Digest
        package let by: Signatory
        package let at: UTCInstant
        package let registers: [RegisterSeen]
        package let accepted: String?

        package init(
            meter: Identifier, serial: String, profile: Digest, by: Signatory, at: UTCInstant,
            registers: [RegisterSeen], accepted: String?
        ) {
            self.meter = meter
            self.serial = serial
            self.profile = profile
            self.by = by
            self.at = at
            self.registers = registers
            self.accepted = accepted
        }
    }

    /// The last values of a meter that is being exchanged.
    package struct Farewell: Hashable, Sendable {
        package let meter: Identifier
        package let serial: String
        package let last: [RegisterSeen]
        package let at: UTCInstant

        package init(meter: Identifier, serial: String, last: [RegisterSeen], at: UTCInstant) {
            self.meter = meter
            self.serial = serial
            self.last = last
            self.at = at
        }
    }

    /// How a meter stands.
    package enum Standing: Hashable, Sendable {
        case commissioned(Entry)
        case never
        /// Then it was another device.
        case otherSerial(Entry)
        /// Then it was read by another profile.
        case otherProfile(Entry)

        package var words: String {
            switch self {
            case .commissioned: "commissioned"
            case .never: "not commissioned"
            case .otherSerial(let entry): "commissioned as serial \(entry.serial), another device answers now"
            case .otherProfile: "commissioned with another profile"
            }
        }

        package var isDone: Bool { if case .commissioned = self { true } else { false } }
    }

    /// Meters that are remembered: as many as a configuration may have.
    package static let entriesMax = 2_000

    /// By meter, in order of the ids.
    package private(set) var entries: [Entry] = []
    package private(set) var farewells: [Farewell] = []

    package init() {}

    package func entry(_ meter: Identifier) -> Entry? { entries.first { $0.meter == meter } }
    package func farewell(_ meter: Identifier) -> Farewell? { farewells.first { $0.meter == meter } }

    package mutating func record(_ entry: Entry) {
        entries.removeAll { $0.meter == entry.meter }
        guard entries.count < Self.entriesMax else { return }
        entries.append(entry)
        entries.sort { $0.meter < $1.meter }
    }

    package mutating func record(_ farewell: Farewell) {
        farewells.removeAll { $0.meter == farewell.meter }
        guard farewells.count < Self.entriesMax else { return }
        farewells.append(farewell)
        farewells.sort { $0.meter < $1.meter }
    }

    /// The meter was exchanged: what was said of the old one ends.
    package mutating func exchanged(_ meter: Identifier) {
        entries.removeAll { $0.meter == meter }
        farewells.removeAll { $0.meter == meter }
    }

    /// - Parameter serial: what the meter says now; empty: it was not heard yet, or does not say.
    package func standing(of meter: Identifier, profile: Digest, serial: String) -> Standing {
        guard let entry = entry(meter) else { return .never }
        guard entry.profile == profile else { return .otherProfile(entry) }
        guard serial.isEmpty || DisplayCheck.isSame(entry.serial, serial) else { return .otherSerial(entry) }
        return .commissioned(entry)
    }
}
