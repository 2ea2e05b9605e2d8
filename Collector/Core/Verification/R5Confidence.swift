// Rule 5: the day's sources beside the revenue meter, how far they agree, and what confidence follows. Integers, floor.

internal import Quantities

/// Deviation and agreement of a source with M, in ppm.
struct Agreement: Hashable, Sendable {
    let deviation: Int64
    let agreement: Int64

    /// - Parameters:
    ///   - value: Wh of the source; `measured`: of the revenue meter.
    ///   - resolution: the coarser of both, Wh.
    ///   - tolerance: ppm, at most a third of the whole.
    init(of value: Int64, with measured: Int64, resolution: Int64, tolerance: Int64) {
        let difference = (Int128(value) - Int128(measured)).magnitude
        let largest = max(value.magnitude, measured.magnitude)
        if difference <= 2 * UInt128(resolution) || largest == 0 {
            deviation = 0
        } else {
            // Opposite signs give at most 2 000 000.
            deviation = Int64(difference * 1_000_000 / UInt128(largest))
        }
        if deviation <= tolerance {
            agreement = 1_000_000
        } else if deviation >= 3 * tolerance {
            agreement = 0
        } else {
            agreement = (3 * tolerance - deviation) * 1_000_000 / (2 * tolerance)
        }
    }
}

enum Confidence {
    /// Base of a day: the weighted mean of the agreements of C, A and D, held at `floor` unless an A or D lifts it.
    static func base(_ sources: [SourceComparison], isLifted: Bool, without floor: Int64) -> Int64 {
        var weights: Int64 = 0
        var sum: Int64 = 0
        // At most 4 096 sources of weight 10^6 and agreement 10^6: below 2^52.
        for source in sources where source.source != .satellite {
            weights += source.weight
            sum += source.weight * source.agreement
        }
        guard weights > 0 else { return floor }
        let mean = sum / weights
        return isLifted ? mean : min(mean, floor)
    }

    /// ⌊q × base × (800 000 + ⌊a_S / 5⌋) / 10^12⌋; without S ⌊q × base / 10^6⌋.
    static func value(coverage: Int64, base: Int64, satellite: Int64?) -> Int64 {
        // At most 10^18: fits in 63 bits.
        guard let satellite else { return coverage * base / 1_000_000 }
        return coverage * base * (800_000 + satellite / 5) / 1_000_000_000_000
    }
}
