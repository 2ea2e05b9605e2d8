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
        /// What was good last, where the last answer is not. It is shown with its age and never sent.
        package let held: Held?
    }

    package struct Held: Sendable {
        package let value: DecodedValue
        /// House milliseconds of uptime at the end of its answer.
        package let ended: UInt64
    }

    /// The last answer to a read, and before a failed one the last good one.
    private struct Kept: Sendable {
        var last: Answer
        var good: Answer?
    }

    private var plans: [UInt64: MeterPlan] = [:]
    private var answers: [UInt64: Kept] = [:]
    /// By meter: why it could not be planned, when last tried.
    private var obstacles: [UInt64: String] = [:]

    package init() {}

    /// From here on the meter is read by this plan.
    package mutating func planned(_ plan: MeterPlan) {
        for read in plans[plan.meter.index]?.reads ?? [] { answers[read.index] = nil }
        plans[plan.meter.index] = plan
        obstacles[plan.meter.index] = nil
    }

    /// The meter answers, and cannot be read as its profile asks.
    package mutating func unreadable(_ meter: UInt64, _ reason: String) { obstacles[meter] = reason }

    /// A bus begins anew, perhaps with other meters: who still cannot be read is told again.
    package mutating func forgetObstacles() { obstacles = [:] }

    /// Why nothing is read of the meter; nil where something is, or where it was not found yet.
    package func obstacle(of meter: ConfiguredMeter) -> String? {
        plans[meter.index]?.meter.id == meter.id ? nil : obstacles[meter.index]
    }

    /// The meter as it is planned; itself where it is not yet.
    package func meter(_ meter: ConfiguredMeter) -> ConfiguredMeter {
        guard let planned = plans[meter.index]?.meter, planned.id == meter.id, planned.versions == meter.versions else {
            return meter
        }
        return planned
    }

    package mutating func answered(_ read: UInt64, _ answer: Answer) {
        // A good one needs no second copy of its words.
        let before = answers[read]
        let good = before.flatMap { $0.last.status == SampleStatus.good ? $0.last : $0.good }
        answers[read] = Kept(last: answer, good: answer.status == SampleStatus.good ? nil : good)
    }

    /// What a meter said of itself when the schedule asked it last, by role, without unusable texts.
    package func identity(ofMeter index: UInt64) -> [Identity.Role: String] {
        var texts: [Identity.Role: String] = [:]
        guard let plan = plans[index] else { return texts }
        for read in plan.reads where read.isIdentity {
            guard let kept = answers[read.index] else { continue }
            let words = (kept.good ?? kept.last).words
            for case let (role, text?) in read.planned.identityTexts(words, plan.meter.profile, chain: plan.chain) {
                texts[role] = text
            }
        }
        return texts
    }

    /// The quantities of a meter in the order of its plan; identity reads are left out.
    package func values(ofMeter index: UInt64) -> [Value] {
        guard let plan = plans[index] else { return [] }
        return plan.reads.filter { !$0.isIdentity }.flatMap { read -> [Value] in
            guard let kept = answers[read.index] else { return [] }
            guard kept.last.status == SampleStatus.good else {
                let held = kept.good.map { good in
                    Self.decoded(good, read, plan).map { ($0.obis, Held(value: $0.value, ended: good.ended)) }
                }
                let byCode = Dictionary(held ?? [], uniquingKeysWith: { first, _ in first })
                return read.planned.quantities.map {
                    Value(obis: $0, answer: kept.last, value: nil, held: byCode[$0])
                }
            }
            return Self.decoded(kept.last, read, plan).map {
                Value(obis: $0.obis, answer: kept.last, value: $0.value, held: nil)
            }
        }
    }

    private static func decoded(_ answer: Answer, _ read: MeterPlan.Read, _ plan: MeterPlan) -> [ReadDecoder.Decoded] {
        let wanted = Set(read.planned.quantities)
        return ReadDecoder(plan.meter.profile, read.planned.request, chain: plan.chain).decode(answer.words)
            .filter { wanted.contains($0.obis) }
    }
}
