// Statements, reviews and lifts of a window by metering point and day: lookups for the rules.

internal import Proofs
internal import Quantities

struct SourceTable: Sendable {
    private struct DayKey: Hashable, Sendable {
        let meteringPoint: Identifier
        let day: UTCInstant
    }

    private var statements: [DayKey: [StatementInput]] = [:]
    private var reviews: [DayKey: ReviewInput] = [:]
    private var lifts: [Identifier: Lift] = [:]
    private let dayLength: Int64

    init(_ inputs: WindowInputs) {
        dayLength = inputs.manifest.manifest.dayLength
        for input in inputs.statements where input.statement.to - input.statement.from == dayLength {
            let key = DayKey(meteringPoint: input.statement.meteringPoint, day: input.statement.from)
            statements[key, default: []].append(input)
        }
        for input in inputs.reviews {
            let key = DayKey(meteringPoint: input.review.meteringPoint, day: input.review.day)
            // By identity already: of two at one instant the later identity stays.
            if let held = reviews[key], held.review.issuedAt > input.review.issuedAt { continue }
            reviews[key] = input
        }
        for lift in inputs.lifts { lifts[lift.meteringPoint] = lift }
    }

    /// The statement of that source that counts: the earliest issued, then the lowest identity.
    func statement(_ source: SourceKind, of point: Identifier, day: UTCInstant) -> StatementInput? {
        var first: StatementInput?
        for input in statements[DayKey(meteringPoint: point, day: day)] ?? [] where input.statement.source == source {
            if let held = first, held.statement.issuedAt <= input.statement.issuedAt { continue }
            first = input
        }
        return first
    }

    /// The person's word that counts: the latest issued, then the highest identity.
    func review(of point: Identifier, day: UTCInstant) -> Review? {
        reviews[DayKey(meteringPoint: point, day: day)]?.review
    }

    func lift(of point: Identifier) -> Lift? { lifts[point] }
}
