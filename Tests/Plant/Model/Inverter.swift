// The plant's inverter, the check meter: SunSpec models 1 and 103. Function codes and faults are not this file's.

/// A three-phase SunSpec inverter with integer registers and scale factors: marker at 40000, model 1, model 103, end
/// marker (SunSpec Information Model Specification; offsets from a model's header in the comments). It counts delivered
/// energy only; its accumulator is 0, which SunSpec reads as "not accumulated", until the first watt-hour.
package struct Inverter: RegisterDevice {
    package let serial: String
    /// Length of model 1: 66, or 65 as some vendors have it (no pad register; model 103 then begins one earlier).
    package let commonLength: Int

    /// The accumulator's unit.
    package static let resolutionWattHours: Int64 = 1
    package static let baseAddress = 40000
    package static let firmware = "1.3.0"

    /// Nil for a length of model 1 other than 65 and 66.
    package init?(serial: String, commonLength: Int = 66) {
        guard commonLength == 65 || commonLength == 66 else { return nil }
        self.serial = serial
        self.commonLength = commonLength
    }

    /// Address of model 103's header: 40070 with a model 1 of 66 registers.
    package var inverterHeader: Int { Self.baseAddress + 4 + commonLength }
    package var energyAddress: Int { inverterHeader + 24 }
    package var powerAddress: Int { inverterHeader + 14 }

    package var identification: [String] { ["Kilomint", "Virtual Inverter", Self.firmware] }

    package var layout: [(address: Int, count: Int)] { [(Self.baseAddress, 2 + 2 + commonLength + 2 + 50 + 2)] }

    package func block(_ index: Int, at state: PlantState, countersZeroed: Bool) -> RegisterBlock {
        var block = RegisterBlock(address: Self.baseAddress)
        block.append(text: "SunS", registers: 2)
        appendCommon(&block)
        appendInverter(&block, state, countersZeroed)
        block.append(0xFFFF as UInt16)  // end model
        block.append(0 as UInt16)
        return block
    }

    private func appendCommon(_ block: inout RegisterBlock) {
        block.append(1 as UInt16)
        block.append(UInt16(commonLength))
        block.append(text: "Kilomint", registers: 16)  // +2 Mn
        block.append(text: "Virtual Inverter", registers: 16)  // +18 Md
        block.append(text: "", registers: 8)  // +34 Opt
        block.append(text: Self.firmware, registers: 8)  // +42 Vr
        block.append(text: serial, registers: 16)  // +50 SN
        block.append(1 as UInt16)  // +66 DA
        if commonLength == 66 { block.append(0x8000 as UInt16) }  // +67 Pad
    }

    private func appendInverter(_ block: inout RegisterBlock, _ state: PlantState, _ zeroed: Bool) {
        // W: rounded towards zero; beyond 16 bits not available.
        let watts = Int16(exactly: state.power.tenMicrowatts / Power.perWatt) ?? Int16.min
        let known = watts != .min
        // Per phase, at 120.0 V: (W ÷ 3) ÷ 120 V in 0.01 A.
        let current = known ? UInt16(watts.magnitude) : 0xFFFF
        let phase = known ? UInt16(UInt32(current) * 100 / 360) : 0xFFFF
        block.append(103 as UInt16)
        block.append(50 as UInt16)
        block.append(known ? UInt16(clamping: UInt32(phase) * 3) : 0xFFFF)  // +2 A, the sum of the phases
        block.append(phase, count: 3)  // +3 AphA, AphB, AphC
        block.append(-2 as Int16)  // +6 A_SF
        block.append(2078 as UInt16, count: 3)  // +7 PPVphAB, BC, CA
        block.append(1200 as UInt16, count: 3)  // +10 PhVphA, B, C
        block.append(-1 as Int16)  // +13 V_SF
        block.append(watts)  // +14 W
        block.append(0 as Int16)  // +15 W_SF
        block.append(6000 as UInt16)  // +16 Hz
        block.append(-2 as Int16)  // +17 Hz_SF
        block.append(known ? Int16(watts.magnitude) : Int16.min)  // +18 VA
        block.append(0 as Int16)  // +19 VA_SF
        block.append(0 as Int16)  // +20 VAr
        block.append(0 as Int16)  // +21 VAr_SF
        block.append(watts == 0 ? 0 as Int16 : 100)  // +22 PF, per cent
        block.append(0 as Int16)  // +23 PF_SF
        // +24 WH, acc32: after 4 294 967 295 the accumulator begins again at 0.
        let energy = state.counts(state.delivered, wattHours: Self.resolutionWattHours, zeroed: zeroed)
        block.append(UInt32(truncatingIfNeeded: energy))
        block.append(0 as Int16)  // +26 WH_SF
        for _ in 0..<2 {
            block.append(0xFFFF as UInt16)  // +27 DCA, +29 DCV: not implemented
            block.append(Int16.min)  // their scale factors
        }
        block.append(Int16.min)  // +31 DCW
        block.append(Int16.min)  // +32 DCW_SF
        for _ in 0..<5 { block.append(Int16.min) }  // +33 TmpCab, TmpSnk, TmpTrns, TmpOt, Tmp_SF
        block.append(state.power.tenMicrowatts > 0 ? 4 as UInt16 : 2)  // +38 St: MPPT or sleeping
        block.append(0xFFFF as UInt16)  // +39 StVnd
        for _ in 0..<6 { block.append(0 as UInt32) }  // +40 Evt1, Evt2, EvtVnd1…4
    }
}
