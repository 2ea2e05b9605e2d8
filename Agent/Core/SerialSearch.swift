// The order in which a serial line is searched: every unit at one speed and parity, then the next. Decides only.

/// The steps of one search, with how far it has come.
package struct SerialSearch: Sendable {
    package struct Mode: Hashable, Sendable {
        package enum Parity: Hashable, Sendable {
            case none, even, odd
        }

        package let baud: Int
        package let parity: Parity
        package let stopBits: Int

        package init(baud: Int, parity: Parity, stopBits: Int) {
            self.baud = baud
            self.parity = parity
            self.stopBits = stopBits
        }
    }

    package let modes: [Mode]
    package let units: [UInt8]
    private var place = 0
    private var spent: Int64 = 0

    package init(modes: [Mode], units: [UInt8]) {
        self.modes = modes
        self.units = units
    }

    package var total: Int { modes.count * units.count }
    package var done: Int { place }

    /// Nil: that was all.
    package var next: (mode: Mode, unit: UInt8)? {
        guard place < total else { return nil }
        return (modes[place / units.count], units[place % units.count])
    }

    /// - Parameter milliseconds: how long the step took.
    package mutating func finished(after milliseconds: Int64) {
        place += 1
        spent += max(0, milliseconds)
    }

    /// What is left at the pace so far, real seconds; nil before the first step.
    package var secondsLeft: Int64? {
        place > 0 ? (spent * Int64(total - place) / Int64(place) + 999) / 1_000 : nil
    }

    /// `1-247`, `1,2,5-9`: units of a serial line, each once; nil for anything else.
    package static func units(_ text: String) -> [UInt8]? {
        var units: [UInt8] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let ends = part.split(separator: "-", omittingEmptySubsequences: false)
            guard (1...2).contains(ends.count), let first = UInt8(ends[0]), let last = UInt8(ends[ends.count - 1]),
                first <= last
            else { return nil }
            for unit in first...last where !units.contains(unit) { units.append(unit) }
        }
        return units.isEmpty ? nil : units
    }
}
