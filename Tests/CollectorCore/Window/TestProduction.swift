// Days of production for tests: hourly readings of both meters, energy spread evenly over the day.

import CollectorCore
import Quantities

extension TestGateway {
    /// Adds hourly readings of days `from`, `from` + 1, …: the counters start where `state` stands and advance evenly.
    ///
    /// - Parameters:
    ///   - energies: Wh of each day, a multiple of 240, so that every hour's count is whole.
    ///   - checked: Wh of each day by the check meter; nil: the same.
    ///   - change: alters or drops (nil) the revenue meter's exported count of (day, hour).
    mutating func produce(
        _ energies: [Int64], from first: Int64 = 0, checked: [Int64]? = nil, imported: [Int64]? = nil,
        state: inout TestCounters, change: (Int64, Int64, UInt64) -> UInt64? = { $2 }
    ) {
        for (index, energy) in energies.enumerated() {
            let number = first + Int64(index)
            for hour in 1...24 as ClosedRange<Int64> {
                let time = anchor + number * day + hour * 3_600_000
                let exported = state.exported + UInt64(energy / 10 * hour / 24)
                let drawn = state.imported + UInt64((imported?[index] ?? 0) / 10 * hour / 24)
                let check = state.checked + UInt64((checked?[index] ?? energy) * hour / 24)
                let net = energy - (imported?[index] ?? 0)
                var samples: [(time: UTCInstant, read: UInt64, words: [UInt8]?)] = []
                if let count = change(number, hour, exported) {
                    samples.append(
                        (time, 1, Words.revenue(imported: drawn, exported: count, power: Int32(0 - net * 100 / 24))))
                }
                samples.append((time, 2, Words.inverter(check)))
                add(samples)
            }
            state.exported += UInt64(energy / 10)
            state.imported += UInt64((imported?[index] ?? 0) / 10)
            state.checked += UInt64(checked?[index] ?? energy)
        }
    }

    /// The reading that opens the counters, at the first day's start.
    mutating func open(_ state: TestCounters) {
        add([
            (anchor, 1, Words.revenue(imported: state.imported, exported: state.exported, power: 0)),
            (anchor, 2, Words.inverter(state.checked)),
        ])
    }
}

/// What the counters show between two days.
struct TestCounters {
    var exported: UInt64 = 1000
    var imported: UInt64 = 50
    var checked: UInt64 = 77
}

extension TestHouse {
    /// A house whose gateway `gw-1` has opened and produced these days.
    static func producing(
        _ energies: [Int64], cadence: Int64 = day, checked: [Int64]? = nil, imported: [Int64]? = nil,
        direction: MeteringPoint.Direction = .export,
        rate: Manifest.Rate = Manifest.Rate(numerator: 1000, denominator: 1),
        manifest: (Manifest) -> Manifest = { $0 }, change: (Int64, Int64, UInt64) -> UInt64? = { $2 }
    ) throws -> (house: TestHouse, gateway: TestGateway) {
        let house = try TestHouse(cadence: cadence, direction: direction, rate: rate, change: manifest)
        var gateway = TestGateway()
        gateway.bear(interval: 3_600_000)
        var state = TestCounters()
        gateway.open(state)
        gateway.produce(energies, checked: checked, imported: imported, state: &state, change: change)
        return (house, gateway)
    }
}
