// What each meter answered last, for the person who watches. Not evidence: what is signed goes its own way, and this may be
// overwritten while it waits.

internal import Evidence
package import Metering

/// The last answer to each read of the plans in force: bounded by the reads there are.
package struct LatestAnswers: Sendable {
    package struct Answer: Hashable, Sendable {
        /// House milliseconds of uptime at its end, and how long it took.
        package let ended: UInt64
        package let took: UInt64
        package let status: UInt64
        package let words: [UInt8]

        package init(ended: UInt64, took: UInt64, status: UInt64, words: [UInt8]) {
            self.ended = ended
            self.took = took
            self.status = status
            self.words = words
        }
    }

    /// A quantity as it was read last.
    package struct Value: Sendable {
        package let obis: ObisCode
        package let answer: Answer
        /// Nil where the answer has no words.
        package let value: DecodedValue?
    }

    private var plans: [UInt64: MeterPlan] = [:]
    private var answers: [UInt64: Answer] = [:]

    package init() {}

    /// From here on the meter is read by this plan.
    package mutating func planned(_ plan: MeterPlan) {
        for read in plans[plan.meter.index]?.reads ?? [] { answers[read.index] = nil }
        plans[plan.meter.index] = plan
    }

    /// The meter as it is planned; itself where it is not yet.
    package func meter(_ meter: ConfiguredMeter) -> ConfiguredMeter {
        guard let planned = plans[meter.index]?.meter, planned.id == meter.id, planned.versions == meter.versions else {
            return meter
        }
        return planned
    }

    package mutating func answered(_ read: UInt64, _ answer: Answer) { answers[read] = answer }

    /// The quantities of a meter in the order of its plan; identity reads are left out.
    package func values(ofMeter index: UInt64) -> [Value] {
        guard let plan = plans[index] else { return [] }
        return plan.reads.filter { !$0.isIdentity }.flatMap { read -> [Value] in
            guard let answer = answers[read.index] else { return [] }
            let wanted = Set(read.planned.quantities)
            guard answer.status == SampleStatus.good else {
                return read.planned.quantities.map { Value(obis: $0, answer: answer, value: nil) }
            }
            let decoder = ReadDecoder(plan.meter.profile, read.planned.request, chain: plan.chain)
            return decoder.decode(answer.words).filter { wanted.contains($0.obis) }
                .map { Value(obis: $0.obis, answer: answer, value: $0.value) }
        }
    }
}
