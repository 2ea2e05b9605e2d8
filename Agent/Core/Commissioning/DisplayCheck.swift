// Whether what a person reads on a meter is what the agent reads from it. Serials must be the same; energy may differ by
// the steps of display and register, and by what flows while one walks from the one to the other.

package import Evidence

/// One comparison of a display with a meter's answer.
package struct DisplayCheck: Hashable, Sendable {
    /// Seconds between reading the display and the meter's answer that are forgiven.
    static let walkSeconds: UInt64 = 120

    package struct Register: Hashable, Sendable {
        package let obis: String
        package let displayed: DisplayedEnergy
        /// What the meter answered now; nil: no value.
        package let read: RegisterSeen.Read?
        /// The smallest step the meter itself shows, Wh, rounded up.
        package let resolution: UInt64

        package init(obis: String, displayed: DisplayedEnergy, read: RegisterSeen.Read?, resolution: UInt64) {
            self.obis = obis
            self.displayed = displayed
            self.read = read
            self.resolution = resolution
        }
    }

    package let meter: String
    package let serialTyped: String
    /// Empty: the profile has no register for it.
    package let serialRead: String
    package let registers: [Register]
    /// Power now, W, whichever way; 0 where it is not known.
    package let power: UInt64
    /// Why energies that differ are taken all the same.
    package let accepted: String?

    package init(
        meter: String, serialTyped: String, serialRead: String, registers: [Register], power: UInt64, accepted: String?
    ) {
        self.meter = meter
        self.serialTyped = serialTyped
        self.serialRead = serialRead
        self.registers = registers
        self.power = power
        self.accepted = accepted
    }

    /// Why it is refused, for the person in front of the meter; nil: it is right, or accepted.
    package var refusal: String? {
        if !Self.isSame(serialTyped, serialRead) {
            return
                "the display says serial \(serialTyped), the meter answers \(serialRead): another device answers at this "
                + "unit, or the typing is wrong. A serial that differs is never accepted."
        }
        if let missing = registers.first(where: { $0.read == nil }) {
            return "\(meter) gives no value for \(missing.obis) now; see: kilomint-agent read --meter \(meter)"
        }
        guard accepted == nil, let odd = registers.first(where: { !fits($0) }), let read = odd.read else { return nil }
        return "\(odd.obis): the display says \(DisplayedEnergy.kilowattHours(odd.displayed.wattHours)) kWh, the meter "
            + "answers \(DisplayedEnergy.kilowattHours(read.wattHours)) kWh; at most "
            + "\(DisplayedEnergy.kilowattHours(allowance(odd))) kWh may lie between them\(Self.ratio(odd, read)). Check "
            + "import and export, tariffs, transformer ratio, profile; or say why it is right: --accept-difference REASON"
    }

    /// Of energy: whether any differs by more than it may.
    package var differs: Bool { registers.contains { !fits($0) } }

    private func fits(_ register: Register) -> Bool {
        guard let read = register.read else { return false }
        let (typed, answered) = (register.displayed.wattHours, read.wattHours)
        return max(typed, answered) - min(typed, answered) <= allowance(register)
    }

    private func allowance(_ register: Register) -> UInt64 {
        let walk = min(power, 1_000_000_000) * Self.walkSeconds / 3_600
        return register.displayed.step + max(1, min(register.resolution, 1_000_000)) + walk
    }

    /// Labels have leading zeros and spaces that registers do not, and letters of either case.
    package static func isSame(_ typed: String, _ read: String) -> Bool {
        guard !read.isEmpty else { return !typed.isEmpty }
        return plain(typed) == plain(read)
    }

    private static func plain(_ serial: String) -> String {
        let letters = serial.filter { $0 != " " && $0 != "-" && $0 != "." }.lowercased()
        let digits = letters.drop { $0 == "0" }
        return digits.isEmpty ? letters : String(digits)
    }

    /// The usual mistake is a factor.
    private static func ratio(_ register: Register, _ read: RegisterSeen.Read) -> String {
        let (large, small) = (
            max(register.displayed.wattHours, read.wattHours), min(register.displayed.wattHours, read.wattHours)
        )
        guard small > 0, large / small >= 2, large / small <= 100_000 else { return "" }
        return " (a factor of about \((large + small / 2) / small))"
    }
}
