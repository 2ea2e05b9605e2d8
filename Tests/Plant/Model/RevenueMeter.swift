// The plant's revenue meter: an ABB B23 seen over Modbus. Function codes and faults are not this file's.

/// An ABB B23 112-100, big-endian, high word first; registers from ABB's B23/B24 user manual, chapter "Communication
/// with Modbus". A production meter wired so that *export* (0x5004) counts what the plant delivers: power is therefore
/// negative while the sun shines, as the meter's own view has it.
package struct RevenueMeter: RegisterDevice {
    package let serial: UInt32

    package init(serial: UInt32) { self.serial = serial }

    /// The meter's energy unit: 0.01 kWh.
    package static let resolutionWattHours: Int64 = 10
    package static let importAddress = 0x5000
    package static let exportAddress = 0x5004
    package static let powerAddress = 0x5B14
    package static let serialAddress = 0x8900
    package static let firmwareAddress = 0x8908
    package static let modelAddress = 0x8960
    package static let firmware = "B2.3.0"

    /// Phase to neutral in 0.1 V, phase to phase in 0.1 V, frequency in 0.01 Hz: a stiff American grid.
    private static let phaseVoltage: UInt32 = 1200
    private static let lineVoltage: UInt32 = 2078
    private static let frequency: UInt16 = 6000

    package var identification: [String] { ["ABB", "B23 112-100", Self.firmware] }

    package var layout: [(address: Int, count: Int)] { Self.runs }

    private static let runs: [(address: Int, count: Int)] = [
        (importAddress, 12), (0x5460, 24), (0x5B00, 66), (serialAddress, 2), (firmwareAddress, 8), (modelAddress, 6),
    ]

    package func block(_ index: Int, at state: PlantState, countersZeroed: Bool) -> RegisterBlock {
        var block = RegisterBlock(address: layout[index].address)
        switch index {
        case 0: appendTotals(&block, state, countersZeroed)
        case 1: appendPhases(&block, state, countersZeroed)
        case 2: appendInstantaneous(&block, state)
        case 3: block.append(serial)
        case 4: block.append(text: Self.firmware, registers: 8)
        default: block.append(text: "B23 112-100", registers: 6)
        }
        return block
    }

    /// Import, export, net (import − export): u64, u64, s64, 0.01 kWh.
    private func appendTotals(_ block: inout RegisterBlock, _ state: PlantState, _ zeroed: Bool) {
        let drawn = state.counts(state.drawn, wattHours: Self.resolutionWattHours, zeroed: zeroed)
        let delivered = state.counts(state.delivered, wattHours: Self.resolutionWattHours, zeroed: zeroed)
        block.append(drawn)
        block.append(delivered)
        block.append(Int64(clamping: Int128(drawn) - Int128(delivered)))
    }

    /// Import of L1, L2, L3, then export of L1, L2, L3: u64, 0.01 kWh; a third each, rounded down.
    private func appendPhases(_ block: inout RegisterBlock, _ state: PlantState, _ zeroed: Bool) {
        for energy in [state.drawn, state.delivered] {
            let counts = state.counts(energy / 3, wattHours: Self.resolutionWattHours, zeroed: zeroed)
            for _ in 0..<3 { block.append(counts) }
        }
    }

    /// 0x5B00 … 0x5B41: U, I, P, Q, S, f, angles, power factors, quadrants. Unity power factor, balanced phases.
    private func appendInstantaneous(_ block: inout RegisterBlock, _ state: PlantState) {
        // In 0.01 W, seen by the meter: delivering is negative. Rounded towards zero; beyond 32 bits not available.
        let total = Int32(exactly: -state.power.tenMicrowatts / 1000) ?? Int32.max
        let phase = total / 3
        let powers: [Int32] = total == .max ? [.max, .max, .max, .max] : [total, phase, phase, total - 2 * phase]
        for _ in 0..<3 { block.append(Self.phaseVoltage) }  // 5B00 U L1…L3 to N, 0.1 V
        for _ in 0..<3 { block.append(Self.lineVoltage) }  // 5B06 U L1–L2, L3–L2, L1–L3
        for power in powers.dropFirst() {  // 5B0C I L1…L3, 0.01 A: 0.01 W ÷ 0.1 V = 0.1 A
            block.append(
                power == .max ? .max : UInt32(clamping: UInt64(power.magnitude) * 10 / UInt64(Self.phaseVoltage)))
        }
        block.append(UInt32(0))  // 5B12 I N
        for power in powers { block.append(power) }  // 5B14 P total, L1…L3, 0.01 W
        for _ in 0..<4 { block.append(Int32(0)) }  // 5B1C Q total, L1…L3, 0.01 var
        for power in powers { block.append(power == .max ? power : abs(power)) }  // 5B24 S total, L1…L3, 0.01 VA
        block.append(Self.frequency)  // 5B2C f, 0.01 Hz
        block.append(UInt16(0x7FFF), count: 13)  // 5B2D angles: not available
        let factor: Int16 = total == 0 ? 0 : total < 0 ? -1000 : 1000
        for _ in 0..<4 { block.append(factor) }  // 5B3A power factor total, L1…L3, 0.001
        block.append(total < 0 ? UInt16(2) : 1, count: 4)  // 5B3E current quadrant total, L1…L3
    }
}
