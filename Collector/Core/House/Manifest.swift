// The policy manifest: every parameter of the computation, signed, numbered, in force from an instant of the grid.

package import CBOR
package import Evidence
package import Proofs
package import Quantities

/// Parameters of windows, rules and gate. Content type `manifest`; defaults in docs/formats/documents.md.
package struct Manifest: HousePayload {
    package static let contentType = ContentType.manifest

    /// Minor units per Wh, as a fraction of two positive integers up to 10^12.
    package struct Rate: Hashable, Sendable {
        package let numerator: Int64
        package let denominator: Int64

        package init(numerator: Int64, denominator: Int64) {
            self.numerator = numerator
            self.denominator = denominator
        }
    }

    /// What the gate asks for.
    package struct Gate: Hashable, Sendable {
        /// F: a proof is fresh for at most this many ms after it was issued.
        package let freshness: Int64
        /// Q: distinct organisations a kind needs.
        package let quorum: Int64
        package let kinds: [ProofKind]

        package init(freshness: Int64, quorum: Int64, kinds: [ProofKind]) {
            self.freshness = freshness
            self.quorum = quorum
            self.kinds = kinds
        }
    }

    /// How far a source may deviate before its agreement falls, in ppm.
    package struct Tolerances: Hashable, Sendable {
        package let midMeter: Int64
        package let inverter: Int64
        package let auditor: Int64
        package let gridOperator: Int64
        package let satellite: Int64

        package init(midMeter: Int64, inverter: Int64, auditor: Int64, gridOperator: Int64, satellite: Int64) {
            self.midMeter = midMeter
            self.inverter = inverter
            self.auditor = auditor
            self.gridOperator = gridOperator
            self.satellite = satellite
        }
    }

    package struct Weights: Hashable, Sendable {
        package let check: Int64
        package let auditor: Int64
        package let gridOperator: Int64

        package init(check: Int64, auditor: Int64, gridOperator: Int64) {
            self.check = check
            self.auditor = auditor
            self.gridOperator = gridOperator
        }
    }

    package let number: UInt64
    package let effectiveFrom: UTCInstant
    /// Length of a window, ms.
    package let cadence: Int64
    /// A window is cut this many ms after its end.
    package let grace: Int64
    /// ``dayLength`` and ``intervalLength`` are what the rules use.
    package let day: Int64
    package let interval: Int64
    package let rate: Rate
    package let gate: Gate
    package let tolerances: Tolerances
    package let weights: Weights
    /// Confidence from which a day is verified, and below which it is disputed; ppm.
    package let verifiedFrom: Int64
    package let reviewFrom: Int64
    /// Base without C, A and D, and above which only an A or D statement lifts; ppm.
    package let baseWithout: Int64
    /// How long an A or D statement lifts, ms after its day's end.
    package let liftDuration: Int64
    /// Longest gap between two readings whose middle counts as covered, ms.
    package let bridgeMax: Int64
    /// Digests of meter profiles that may settle. Sorted.
    package let billingGrade: [Digest]
    /// Of nameplate power, ppm; 1 000 000 is none to spare.
    package let capacityMargin: Int64
    package let energyPowerTolerance: Int64
    /// a and b of the voting weights.
    package let productionWeight: Int64
    package let populationWeight: Int64
    /// Minor units above which an outside replay is required; nil: never.
    package let outsideReplayAbove: UInt64?
    package let performanceRatioMin: Int64
    package let performanceRatioMax: Int64

    package init(
        number: UInt64, effectiveFrom: UTCInstant, cadence: Int64, grace: Int64, day: Int64 = 86_400_000,
        interval: Int64 = 900_000, rate: Rate = Rate(numerator: 1000, denominator: 1), gate: Gate = .standard,
        tolerances: Tolerances = .standard, weights: Weights = .standard, verifiedFrom: Int64 = 950_000,
        reviewFrom: Int64 = 800_000, baseWithout: Int64 = 900_000, liftDuration: Int64 = 31_536_000_000,
        bridgeMax: Int64 = 86_400_000, billingGrade: [Digest], capacityMargin: Int64 = 1_200_000,
        energyPowerTolerance: Int64 = 100_000, productionWeight: Int64 = 3, populationWeight: Int64 = 1,
        outsideReplayAbove: UInt64? = nil, performanceRatioMin: Int64 = 600_000, performanceRatioMax: Int64 = 950_000
    ) {
        self.number = number
        self.effectiveFrom = effectiveFrom
        self.cadence = cadence
        self.grace = grace
        self.day = day
        self.interval = interval
        self.rate = rate
        self.gate = gate
        self.tolerances = tolerances
        self.weights = weights
        self.verifiedFrom = verifiedFrom
        self.reviewFrom = reviewFrom
        self.baseWithout = baseWithout
        self.liftDuration = liftDuration
        self.bridgeMax = bridgeMax
        self.billingGrade = billingGrade.sorted()
        self.capacityMargin = capacityMargin
        self.energyPowerTolerance = energyPowerTolerance
        self.productionWeight = productionWeight
        self.populationWeight = populationWeight
        self.outsideReplayAbove = outsideReplayAbove
        self.performanceRatioMin = performanceRatioMin
        self.performanceRatioMax = performanceRatioMax
    }

    /// What is judged and settled as a whole: a day, or the window where that is shorter.
    package var dayLength: Int64 { min(day, cadence) }
    /// Coverage is counted in these.
    package var intervalLength: Int64 { min(interval, dayLength) }
}

extension Manifest.Gate {
    /// 24 h, one organisation, finance and compliance.
    package static let standard = Manifest.Gate(
        freshness: 86_400_000, quorum: 1, kinds: [.acknowledged, .complianceTested])
}

extension Manifest.Tolerances {
    package static let standard = Manifest.Tolerances(
        midMeter: 10_000, inverter: 40_000, auditor: 5000, gridOperator: 5000, satellite: 250_000)
}

extension Manifest.Weights {
    package static let standard = Manifest.Weights(check: 40, auditor: 40, gridOperator: 40)
}

extension Manifest {
    package var cbor: CBORValue {
        .numbered([
            .int(1), .unsigned(number), .ms(effectiveFrom), .int(cadence), .int(grace),
            .int(day), .int(interval), .numbers([rate.numerator, rate.denominator]),
            .array([.int(gate.freshness), .int(gate.quorum), .array(gate.kinds.map { .text($0.rawValue) })]),
            .numbers([
                tolerances.midMeter, tolerances.inverter, tolerances.auditor, tolerances.gridOperator,
                tolerances.satellite,
            ]),
            .numbers([weights.check, weights.auditor, weights.gridOperator]),
            .numbers([verifiedFrom, reviewFrom]), .int(baseWithout), .int(liftDuration),
            .int(bridgeMax), .array(billingGrade.map { .digest($0) }), .int(capacityMargin),
            .int(energyPowerTolerance), .numbers([productionWeight, populationWeight]),
            outsideReplayAbove.map { .unsigned($0) } ?? .null,
            .numbers([performanceRatioMin, performanceRatioMax]),
        ])
    }

    package init(_ value: CBORValue) throws(ShapeError) {
        let fields = try value.fields(1...21, "manifest")
        try fields.requireVersion()
        let rate = try fields.numbers(2, in: 1...HouseBounds.rateMax, 8)
        let tolerances = try fields.numbers(5, in: 1...333_333, 10)
        let weights = try fields.numbers(3, in: 1...HouseBounds.weightMax, 11)
        let thresholds = try fields.numbers(2, in: 0...1_000_000, 12)
        let shares = try fields.numbers(2, in: 0...HouseBounds.weightMax, 19)
        let ratios = try fields.numbers(2, in: 1...1_000_000, 21)
        let billingGrade = try fields.value(16).digests("manifest.16")
        let outside = try fields.value(20)
        self.init(
            number: try fields.uint(2), effectiveFrom: try fields.instant(3),
            cadence: try fields.number(60_000...31_622_400_000, 4), grace: try fields.duration(5),
            day: try fields.number(60_000...86_400_000, 6), interval: try fields.number(1000...86_400_000, 7),
            rate: Rate(numerator: rate[0], denominator: rate[1]), gate: try Gate(try fields.value(9)),
            tolerances: Tolerances(
                midMeter: tolerances[0], inverter: tolerances[1], auditor: tolerances[2], gridOperator: tolerances[3],
                satellite: tolerances[4]),
            weights: Weights(check: weights[0], auditor: weights[1], gridOperator: weights[2]),
            verifiedFrom: thresholds[0], reviewFrom: thresholds[1], baseWithout: try fields.ppm(13),
            liftDuration: try fields.duration(14), bridgeMax: try fields.number(0...31_622_400_000, 15),
            billingGrade: billingGrade, capacityMargin: try fields.number(1...10_000_000, 17),
            energyPowerTolerance: try fields.ppm(18), productionWeight: shares[0], populationWeight: shares[1],
            outsideReplayAbove: outside.isNull ? nil : try outside.uint("manifest.20"), performanceRatioMin: ratios[0],
            performanceRatioMax: ratios[1])
        guard billingGrade.isStrictlyAscending else { throw ShapeError("manifest.16", expected: "digests in order") }
        try requireGrid()
    }

    /// Days tile windows and intervals tile days; the thresholds and ratios are in order.
    private func requireGrid() throws(ShapeError) {
        guard cadence % dayLength == 0 else {
            throw ShapeError("manifest.4", expected: "a multiple of the day (key 6)")
        }
        guard dayLength % intervalLength == 0 else {
            throw ShapeError("manifest.7", expected: "a divisor of the day (key 6) or of a shorter cadence (key 4)")
        }
        guard reviewFrom <= verifiedFrom else { throw ShapeError("manifest.12", expected: "verified not below review") }
        guard performanceRatioMin <= performanceRatioMax else {
            throw ShapeError("manifest.21", expected: "min not above max")
        }
    }
}

extension Manifest.Gate {
    fileprivate init(_ value: CBORValue) throws(ShapeError) {
        let parts = try value.array(count: 3, "manifest.9")
        let kinds = try parts[2].list("manifest.9[2]", min: 1, max: 3) { (value, path) throws(ShapeError) in
            try ProofKind(value, path)
        }
        guard kinds.map(\.rawValue).isStrictlyAscending else {
            throw ShapeError("manifest.9[2]", expected: "kinds in order")
        }
        self.init(
            freshness: try parts[0].number(1...HouseBounds.durationMax, "manifest.9[0]"),
            quorum: try parts[1].number(1...1000, "manifest.9[1]"), kinds: kinds)
    }
}
