// When a second profile agrees with the first, and what a difference does to the count.

internal import AgentCore
internal import Metering
internal import Quantities
internal import Testing

struct ShadowComparisonTests {
    private func counter(_ count: UInt64, _ numerator: UInt64 = 1, _ denominator: UInt64 = 1) -> DecodedValue {
        let unit = Rational(numerator, denominator)!
        return .counter(RegisterCount(count: count, unit: unit, modulus: nil, resolution: unit))
    }

    private func gauge(_ count: Int64, _ denominator: UInt64 = 1) -> DecodedValue {
        .gauge(GaugeReading(count: count, unit: Rational(1, denominator)!))
    }

    private func verdict(_ shadow: DecodedValue, _ before: DecodedValue, _ after: DecodedValue) -> String {
        switch ShadowVerdict(shadow, before: before, after: after, text: { "\($0)" }) {
        case .agrees: "agrees"
        case .differs: "differs"
        case .nothing: "nothing"
        }
    }

    @Test func aValueBetweenTwoReadsAgrees() {
        #expect(verdict(counter(5), counter(5), counter(5)) == "agrees")
        #expect(verdict(counter(5), counter(4), counter(6)) == "agrees")
        #expect(verdict(counter(5), counter(6), counter(4)) == "agrees")
        #expect(verdict(counter(7), counter(4), counter(6)) == "differs")
        #expect(verdict(gauge(-3), gauge(-3), gauge(-3)) == "agrees")
        #expect(verdict(gauge(3), gauge(-3), gauge(-3)) == "differs")
        // Other units, the same energy: 12.5 kWh as 12 500 Wh and as 125 × 100 Wh; and one that is off by the least.
        #expect(verdict(counter(125, 100), counter(12_500), counter(12_500)) == "agrees")
        #expect(verdict(counter(12_500_001, 1, 1_000), counter(12_500), counter(12_500)) == "differs")
        #expect(verdict(gauge(-25, 10), gauge(-250, 100), gauge(-250, 100)) == "agrees")
        #expect(verdict(gauge(-26, 10), gauge(-250, 100), gauge(-250, 100)) == "differs")
        #expect(verdict(counter(.max, 1_000_000_000_000), counter(.max, 1_000_000_000_000), counter(.max)) == "agrees")
    }

    @Test func withoutAValueTheReasonMustBeTheSame() {
        let none = DecodedValue.notAvailable(.declared)
        #expect(verdict(none, none, none) == "agrees")
        #expect(verdict(counter(1), none, none) == "differs")
        #expect(verdict(none, counter(1), counter(1)) == "differs")
        #expect(verdict(counter(1), none, counter(1)) == "nothing")
        #expect(verdict(.notAvailable(.notANumber), none, none) == "differs")
    }

    @Test func aDifferenceBeginsTheCountAnew() {
        var tally = ShadowTally()
        func at(_ second: Int64) -> UTCInstant { UTCInstant(milliseconds: second * 1_000) }
        let agreement = (1...3).map { tally.count(.agrees, at: at($0)) }
        #expect(agreement == [false, false, false] && tally.agreed == 3 && tally.since == at(1))
        // Told once.
        let differences = [4, 5].map { tally.count(.differs("1", "2"), at: at($0)) }
        #expect(differences == [true, false])
        #expect(tally.since == nil && tally.differed == 2 && tally.difference?.shadow == "1")
        let rest = [(6, ShadowVerdict.nothing), (7, .agrees), (8, .differs("3", "2"))].map {
            tally.count($1, at: at($0))
        }
        #expect(rest == [false, false, true])
        #expect(tally.agreed == 1 && tally.differed == 3 && tally.since == nil)
    }
}
