// Which devices a virtual plant has, behind which listener and unit id. Sockets are the command's.

/// The plant's devices: copies of the revenue meter, up to 200 behind one listener, and one inverter behind its own.
package struct House: Sendable {
    package static let metersMax = 1000
    package static let unitsPerListenerMax = 200

    package let meters: Int
    private let serial: UInt32
    private let inverter: Inverter

    /// - Parameters:
    ///   - meters: 1 … `metersMax`.
    ///   - serial: the first meter's; the others count up from it.
    package init?(meters: Int, serial: UInt32, inverter: Inverter) {
        guard (1...Self.metersMax).contains(meters) else { return nil }
        guard serial <= UInt32.max - UInt32(meters) else { return nil }
        self.meters = meters
        self.serial = serial
        self.inverter = inverter
    }

    /// Listeners that the meters need.
    package var meterListeners: Int { (meters + Self.unitsPerListenerMax - 1) / Self.unitsPerListenerMax }

    /// Meters behind listener `index`: their unit ids are 1 … this.
    package func units(behind index: Int) -> Int {
        min(Self.unitsPerListenerMax, meters - index * Self.unitsPerListenerMax)
    }

    /// Position of a meter among all: 0 … `meters` − 1; nil when no such unit is behind that listener.
    package func meterIndex(listener: Int, unit: UInt8) -> Int? {
        guard unit >= 1, Int(unit) <= units(behind: listener) else { return nil }
        return listener * Self.unitsPerListenerMax + Int(unit) - 1
    }

    package func meter(_ index: Int) -> RevenueMeter {
        RevenueMeter(serial: serial + UInt32(index))
    }

    /// Answers for unit 1 behind the inverter's listener.
    package var checkMeter: Inverter { inverter }
}
