// What one meter said in the last minutes, decoded to whole thousandths of base units, round by round. The installation
// checks look at it; nothing here is signed or settled.

package import Metering
package import Quantities

/// The values of one meter, oldest first.
package struct MeterSeries: Hashable, Sendable {
    /// What the meter is there for, where the configuration says it.
    package enum Role: Hashable, Sendable {
        case unknown
        case production
        case consumption
        /// Both ways: the point where the site meets the grid, or a battery.
        case exchange
    }

    /// The values of about one moment.
    package struct Round: Hashable, Sendable {
        /// Real milliseconds of a clock that never steps.
        package let instant: Int64
        /// Hour of the day on site, 0 … 23; nil: the clock is not to be believed.
        package let hour: Int?
        /// mWh, mW, mV, mA, mHz; of an energy the resolution stands beside. Only looked up.
        package var values: [ObisCode: Int64]

        package init(instant: Int64, hour: Int?, values: [ObisCode: Int64]) {
            self.instant = instant
            self.hour = hour
            self.values = values
        }
    }

    /// Rounds that are looked at.
    package static let roundsMax = 64
    /// Thousandths of a unit: beyond it a value is no value of a meter, and sums of some fit in 64 bits.
    package static let valueMax: Int64 = 1_000_000_000_000_000

    package let id: Identifier
    package let unit: UInt8
    package let role: Role
    package var serial: String
    package var rounds: [Round]
    /// The smallest step of the energy registers, mWh.
    package var energyStep: Int64

    package init(
        id: Identifier, unit: UInt8, role: Role = .unknown, serial: String = "", rounds: [Round] = [],
        energyStep: Int64 = 1_000
    ) {
        self.id = id
        self.unit = unit
        self.role = role
        self.serial = serial
        self.rounds = rounds
        self.energyStep = energyStep
    }

    /// Adds a value: to the round it belongs to, or to a new one.
    ///
    /// - Parameters:
    ///   - span: answers this close together are of one round, milliseconds.
    ///   - every: between the beginnings of two rounds at least; what comes between is left out.
    package mutating func add(
        _ code: ObisCode, _ value: Int64, instant: Int64, hour: Int?, span: Int64, every: Int64
    ) {
        guard (0 - Self.valueMax...Self.valueMax).contains(value) else { return }
        if let last = rounds.indices.last {
            let age = instant - rounds[last].instant
            if age < span, rounds[last].values[code] == nil { rounds[last].values[code] = value }
            // A tenth early is on time: reads wait for each other.
            guard age >= max(span, every - every / 10) else { return }
        }
        rounds.append(Round(instant: instant, hour: hour, values: [code: value]))
        if rounds.count > Self.roundsMax { rounds.removeFirst() }
    }
}

extension ObisCode {
    package static let frequency = known("1-0:14.7.0")
    /// Of L1, L2, L3.
    package static let phasePowers = ["1-0:36.7.0", "1-0:56.7.0", "1-0:76.7.0"].map(known)
    package static let phaseVoltages = ["1-0:32.7.0", "1-0:52.7.0", "1-0:72.7.0"].map(known)
    package static let phaseCurrents = ["1-0:31.7.0", "1-0:51.7.0", "1-0:71.7.0"].map(known)

    private static func known(_ text: String) -> ObisCode { ObisCode(text) ?? .activePower }
}
