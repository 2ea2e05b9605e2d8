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

    package init() {}

    /// A question came to its end.
    ///
    /// - Parameters:
    ///   - isAnswered: with what was asked for.
    ///   - isRefused: with an exception, which may as well be the late answer to an owed question.
    package mutating func finished(_ request: ModbusRequest, isAnswered: Bool, isRefused: Bool, now: Int64) {
        debts = debts.filter { now - $0.value.asked < Self.lateMax }
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
    ///
    /// - Parameter known: other questions that the device is known to answer; they are preferred, the shortest first.
    package func probe(before request: ModbusRequest, known: [ModbusRequest], now: Int64) -> ModbusRequest? {
        let others = known.filter { $0.count > 0 && !couldMistake($0, now: now) }
        if let other = others.min(by: { ($0.count, $0.address) < ($1.count, $1.address) }) { return other }
        guard request.count > 0 else { return nil }
        let counts = Array((1..<request.count).reversed()) + Array(request.count + 1...request.count + Self.beyondMax)
        for count in counts where Int(request.address) + Int(count) <= 65_536 {
            guard
                let other = ModbusRequest(
                    unit: request.unit, function: request.function.rawValue, address: request.address, count: count)
            else { continue }
            if !couldMistake(other, now: now) { return other }
        }
        return nil
    }
}
