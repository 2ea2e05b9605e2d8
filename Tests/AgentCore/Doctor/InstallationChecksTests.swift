// Readings of a meter that is wired right, and of the same meter wired wrong.

internal import AgentCore
internal import Metering
internal import Quantities
internal import Testing

/// A three-phase meter that takes or gives so much, read every minute.
private struct Wired {
    var role = MeterSeries.Role.unknown
    var serial = "123"
    var hour = 12
    var count = 10
    /// W of each phase, V, and the energy that the registers count of it in percent.
    var watts: [Int64] = [1_000, 1_100, 1_050]
    var total: Int64?
    var volts: [Int64] = [230_100, 229_800, 231_000]
    var amperes: Int64 = 5_000
    var frequency: Int64 = 49_990
    var counted: Int64 = 100
    var isFrozen = false

    func series(_ name: String = "m-1", unit: UInt8 = 1) -> MeterSeries {
        var series = MeterSeries(id: Identifier(name)!, unit: unit, role: role, serial: serial, energyStep: 1_000)
        var energy: Int64 = 5_000_000_000
        for round in 0..<Int64(count) {
            let swing = isFrozen ? 0 : (round % 3) * 1_000
            let instant = round * 60_000
            var values: [ObisCode: Int64] = [.frequency: frequency]
            for phase in 0..<3 {
                values[ObisCode.phasePowers[phase]] = watts[phase] * 1_000 + swing
                values[ObisCode.phaseVoltages[phase]] = volts[phase] + swing / 10
                values[ObisCode.phaseCurrents[phase]] = amperes
            }
            let power = total.map { $0 * 1_000 } ?? watts.reduce(0, +) * 1_000
            values[.activePower] = power + 3 * swing
            values[.activeImport] = energy
            values[.activeExport] = 0
            energy += power / 60 * counted / 100
            for (code, value) in values.sorted(by: { $0.key < $1.key }) {
                series.add(code, value, instant: instant, hour: hour, span: 30_000, every: 60_000)
            }
        }
        return series
    }

    var found: [Finding] { InstallationChecks.findings([series()]) }
}

private func wired(_ change: (inout Wired) -> Void) -> Wired {
    var meter = Wired()
    change(&meter)
    return meter
}

struct InstallationChecksTests {
    private static let cases: [(Wired, [FindingID], String)] = [
        (Wired(), [], ""), (wired { $0.count = 2 }, [], ""),
        (
            wired {
                $0.watts = [1_000, -1_100, 1_050]
                $0.total = 3_150
            }, [.phasesSum], "L1 1000 + L2 -1100 + L3 1050 W make 950 W; the total says 3150 W"
        ),
        (wired { $0.watts = [1_000, -1_100, 1_050] }, [.phasesSum], "Turn the current transformer of L2"),
        // Of a house whose phases differ one may well deliver.
        (
            wired {
                $0.watts = [1_000, -200, 4_000]; $0.amperes = 18_000
            }, [.powerFactor], "power factor below 0.6"
        ),
        (
            wired {
                $0.role = .consumption; $0.watts = [-1_000, -1_100, -1_050]
            }, [.directionReversed], "consumption"
        ),
        (wired { $0.role = .production }, [.directionReversed], "around noon (12 o'clock)"),
        (
            wired {
                $0.role = .production; $0.hour = 9
            }, [], ""
        ),
        (
            wired {
                $0.hour = 23
                $0.watts = [-1_000, -1_100, -1_050]
            }, [.directionReversed], "at night (23 o'clock)"
        ),
        (
            wired {
                $0.role = .exchange; $0.hour = 23; $0.watts = [-1_000, -1_100, -1_050]
            }, [], ""
        ),
        (wired { $0.counted = 1_000 }, [.energyPower], "a factor of about 10"),
        (wired { $0.counted = 0 }, [.energyPower], "the registers stand still"),
        (wired { $0.counted = -100 }, [.energyPower], "their directions are opposite"),
        (wired { $0.counted = 110 }, [], ""),
        (wired { $0.amperes = 3_000 }, [.powerFactor], "more than there can be"),
        (wired { $0.amperes = 10_000 }, [.powerFactor], "a power factor below 0.6"),
        (
            wired {
                $0.volts[1] = 10_000; $0.amperes = 0; $0.watts = [0, 0, 0]
            }, [.voltageOdd], "L2 has 10"
        ),
        (
            wired {
                $0.volts = [400_000, 401_000, 399_000]; $0.amperes = 2_900
            }, [], ""
        ),
        (wired { $0.frequency = 0 }, [.frequencyOdd], "0 Hz"), (wired { $0.frequency = 60_010 }, [], ""),
        (wired { $0.isFrozen = true }, [.valueStuck], "in each of 10 rounds of 9 min"),
        (
            wired {
                $0.isFrozen = true; $0.count = 7
            }, [], ""
        ),
    ]

    @Test(arguments: cases.indices)
    func wiringAndFindings(number: Int) {
        let (meter, ids, word) = Self.cases[number]
        #expect(meter.found.map(\.id) == ids, "\(meter.found)")
        #expect(ids.isEmpty || meter.found.contains { ($0.evidence + $0.remedy).contains(word) }, "\(meter.found)")
    }

    @Test func serialsOfTwoMeters() {
        let (a, b) = (Wired().series("m-1", unit: 1), Wired().series("m-2", unit: 2))
        let found = InstallationChecks.findings([a, b])
        #expect(found.map(\.id) == [.serialTwice])
        #expect(found.first?.evidence == "2 meters say serial number 123")
        for serial in ["", "000", "124"] {
            let other = wired { $0.serial = serial }.series("m-2", unit: 2)
            let first = serial == "124" ? a : wired { $0.serial = serial }.series()
            #expect(InstallationChecks.findings([first, other]).isEmpty)
        }
    }

    @Test func extremesDoNotTrap() {
        for extreme in [Int64.min, .max, 0, MeterSeries.valueMax, 0 - MeterSeries.valueMax] {
            var series = MeterSeries(id: Identifier("m")!, unit: 1)
            let codes = [ObisCode.activeImport, .activeExport, .activePower, .frequency]
            for round in 0..<10 {
                for code in codes + ObisCode.phasePowers + ObisCode.phaseVoltages + ObisCode.phaseCurrents {
                    series.add(code, extreme, instant: Int64(round) * 60_000, hour: 12, span: 1_000, every: 60_000)
                }
            }
            _ = InstallationChecks.findings([series])
        }
    }
}
