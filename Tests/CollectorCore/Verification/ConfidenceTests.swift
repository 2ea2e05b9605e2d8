// Rule 5's arithmetic at its bounds.

@testable import CollectorCore
import Quantities
import Testing

struct ConfidenceTests {
    @Test(
        arguments: [
            // Equal, both zero, within two resolutions, just outside.
            (1000, 1000, 0, 0, 1_000_000), (0, 0, 0, 0, 1_000_000), (1020, 1000, 10, 0, 1_000_000),
            (1021, 1000, 10, 20_568, 985_800),
            // One of them zero: all of it deviates. Opposite signs: twice.
            (0, 1000, 0, 1_000_000, 0), (1000, 0, 0, 1_000_000, 0), (-1000, 1000, 0, 2_000_000, 0),
            // At the tolerance of 2 %, one ppm beyond, half way, one ppm before three times it, at three times it.
            (1_000_000, 980_000, 0, 20_000, 1_000_000), (1_000_000, 979_999, 0, 20_001, 999_975),
            (1_000_000, 960_000, 0, 40_000, 500_000), (1_000_000, 940_001, 0, 59_999, 25),
            (1_000_000, 940_000, 0, 60_000, 0),
            // The largest values a statement may have.
            (1_000_000_000_000_000, -1_000_000_000_000_000, 0, 2_000_000, 0),
        ] as [(Int64, Int64, Int64, Int64, Int64)])
    func agreement(value: Int64, measured: Int64, resolution: Int64, deviation: Int64, agreement: Int64) {
        let result = Agreement(of: value, with: measured, resolution: resolution, tolerance: 20_000)
        #expect(result.deviation == deviation)
        #expect(result.agreement == agreement)
    }

    private func source(_ kind: SourceKind, _ agreement: Int64, _ weight: Int64) -> SourceComparison {
        SourceComparison(source: kind, name: "", wattHours: 0, deviation: 0, agreement: agreement, weight: weight)
    }

    @Test func baseIsTheWeightedMeanAndHeldWithoutALift() {
        let check = source(.checkMeter, 1_000_000, 40)
        let auditor = source(.auditor, 500_000, 20)
        let satellite = source(.satellite, 0, 0)
        #expect(Confidence.base([], isLifted: true, without: 900_000) == 900_000)
        #expect(Confidence.base([satellite], isLifted: true, without: 900_000) == 900_000)
        #expect(Confidence.base([check], isLifted: false, without: 900_000) == 900_000)
        #expect(Confidence.base([check], isLifted: true, without: 900_000) == 1_000_000)
        #expect(Confidence.base([check, auditor, satellite], isLifted: true, without: 900_000) == 833_333)
        #expect(Confidence.base([check, auditor], isLifted: false, without: 900_000) == 833_333)
    }

    @Test(
        arguments: [
            (1_000_000, 1_000_000, nil, 1_000_000), (1_000_000, 1_000_000, 1_000_000, 1_000_000),
            (1_000_000, 1_000_000, 0, 800_000), (1_000_000, 1_000_000, 4, 800_000), (1_000_000, 1_000_000, 5, 800_001),
            (999_999, 900_000, nil, 899_999), (333_333, 333_333, 333_333, 96_296), (0, 1_000_000, 1_000_000, 0),
        ] as [(Int64, Int64, Int64?, Int64)])
    func confidence(coverage: Int64, base: Int64, satellite: Int64?, expected: Int64) {
        #expect(Confidence.value(coverage: coverage, base: base, satellite: satellite) == expected)
    }
}
