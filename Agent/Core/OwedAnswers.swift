// RTU frames carry no number: an answer that comes after it was given up looks like the answer to the next question of the
// same kind. Which questions a device still owes an answer to, and what to ask first so that none is taken for another.

/// What one device on a line was asked and has not answered.
///
/// A device answers in the order it was asked. So the sound answer to a question whose answer no owed one can look like
/// (another function, or another number of registers) proves that all owed ones are past.
package struct OwedAnswers: Sendable {
    /// What can be told from an answer's frame.
    private struct Shape: Hashable {
        let function: ModbusRequest.Function
        let count: UInt16

        init(_ request: ModbusRequest) { (function, count) = (request.function, request.count) }
    }

    private struct Debt {
        var times = 1
        var asked: Int64
    }

    /// An answer this late is not expected from any device or serial server. Real milliseconds.
    package static let lateMax: Int64 = 120_000
    /// Registers that a question made up here asks beyond those of the one it stands before.
    private static let beyondMax: UInt16 = 8

    /// As many as there are shapes at most; only looked up and counted.
    private var debts: [Shape: Debt] = [:]

    /// What is to come before a question.
    package enum Move: Hashable, Sendable {
        /// Nothing: it may be asked.
        case ask
        /// This other question, whose answer proves that what is owed is past. Unanswered, the one that was wanted waits for the
        /// next attempt.
        case proof(ModbusRequest)
        /// This other question, so that a device that leaves questions out leaves out this one. Unanswered: the same.
        case filler(ModbusRequest)
        /// It may not be asked, and no other question proves anything.
        case wait
    }

    /// Answers in a row before each of which a question stayed without one, until the device is taken for one that leaves
    /// questions out: every second, every third …. Of such a one the proof would be answered each time and the read never,
    /// for both fall into its step.
    private static let gapsMin = 2
    /// Questions left out that are waited for.
    package static let gapMax = 7

    /// Answers in a row that had a gap before them.
    private var gaps = 0
    /// Questions without an answer before the latest answer, and since.
    private var gap = 0
    private var unanswered = 0
    /// Now and then somebody else's read shall have the question that is answered: two reads in turn have a step as well. The
    /// same sequence at each start.
    private var noise: UInt64 = 0

    package init() {}

    /// - Parameter known: other questions that the device is known to answer; they are preferred as proofs, the shortest first.
    package mutating func move(before request: ModbusRequest, known: [ModbusRequest], now: Int64) -> Move {
        if couldMistake(request, now: now) {
            return probe(before: request, known: known, now: now).map { .proof($0) } ?? .wait
        }
        // What is left out must not be what a read of the plan has to be told from.
        guard gaps >= Self.gapsMin, let other = madeUp(before: request, besides: known, now: now) else { return .ask }
        if unanswered < gap { return .filler(other) }
        guard unanswered == gap else { return .ask }
        // The congruential generator of Knuth's MMIX.
        noise = noise &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return noise >> 62 == 0 ? .filler(other) : .ask
    }

    private mutating func keepStep(isAnswered: Bool) {
        guard isAnswered else {
            unanswered = min(unanswered + 1, Self.gapMax)
            return
        }
        gaps = unanswered > 0 ? min(gaps + 1, Self.gapsMin) : 0
        (gap, unanswered) = (unanswered, 0)
    }

    /// A question came to its end.
    ///
    /// - Parameters:
    ///   - isAnswered: with what was asked for.
    ///   - isRefused: with an exception, which may as well be the late answer to an owed question.
    package mutating func finished(_ request: ModbusRequest, isAnswered: Bool, isRefused: Bool, now: Int64) {
        debts = debts.filter { now - $0.value.asked < Self.lateMax }
        keepStep(isAnswered: isAnswered || isRefused)
        if isAnswered { return debts.removeAll() }
        if isRefused {
            if debts.isEmpty { return }
            // One of two has been answered, and it was not the later one alone.
            if debts.count == 1, debts.first?.value.times == 1 { debts.removeAll() }
        }
        debts[Shape(request), default: Debt(times: 0, asked: now)].times += 1
        debts[Shape(request)]?.asked = now
    }

    /// Whether a late answer could be taken for this question's.
    package func couldMistake(_ request: ModbusRequest, now: Int64) -> Bool {
        debts[Shape(request)].map { now - $0.asked < Self.lateMax } ?? false
    }

    /// What to ask before `request`; nil: nothing is left whose answer could not be mistaken itself.
    private func probe(before request: ModbusRequest, known: [ModbusRequest], now: Int64) -> ModbusRequest? {
        let others = known.filter { $0.count > 0 && !couldMistake($0, now: now) }
        if let other = others.min(by: { ($0.count, $0.address) < ($1.count, $1.address) }) { return other }
        return madeUp(before: request, besides: [], now: now)
    }

    /// A part of `request`, or a little more than it, that looks like none of `known` and of what is owed.
    private func madeUp(
        before request: ModbusRequest, besides known: [ModbusRequest], now: Int64
    ) -> ModbusRequest? {
        guard request.count > 0 else { return nil }
        let shapes = Set(known.map { Shape($0) })
        let counts = Array((1..<request.count).reversed()) + Array(request.count + 1...request.count + Self.beyondMax)
        for count in counts where Int(request.address) + Int(count) <= 65_536 {
            guard
                let other = ModbusRequest(
                    unit: request.unit, function: request.function.rawValue, address: request.address, count: count)
            else { continue }
            if !couldMistake(other, now: now), !shapes.contains(Shape(other)) { return other }
        }
        return nil
    }
}
