// Late answers on a line without numbers: whatever a slave answers late, refuses or swallows, no value is taken for the
// answer to a later question.

internal import AgentCore
internal import Kit
internal import Testing

private func ask(_ count: UInt16, at address: UInt16 = 100, function: UInt8 = 3) -> ModbusRequest {
    ModbusRequest(unit: 1, function: function, address: address, count: count)!
}

struct OwedAnswersTests {
    @Test func theSameKindIsAskedOnlyAfterAnother() {
        var owed = OwedAnswers()
        #expect(!owed.couldMistake(ask(4), now: 0))
        owed.finished(ask(4), isAnswered: false, isRefused: false, now: 0)
        #expect(owed.couldMistake(ask(4, at: 7), now: 1) && !owed.couldMistake(ask(4, function: 4), now: 1))
        #expect(!owed.couldMistake(ask(3), now: 1))
        #expect(owed.probe(before: ask(4), known: [], now: 1) == ask(3))
        // What the device is known to answer comes first, unless it looks the same.
        #expect(owed.probe(before: ask(4), known: [ask(4, at: 9), ask(40), ask(20)], now: 1) == ask(20))
        owed.finished(ask(3), isAnswered: false, isRefused: false, now: 1)
        #expect(owed.probe(before: ask(4), known: [], now: 2) == ask(2))
        #expect(owed.probe(before: ask(1), known: [], now: 2) == ask(2))
        owed.finished(ask(2), isAnswered: true, isRefused: false, now: 3)
        #expect(!owed.couldMistake(ask(4), now: 3) && !owed.couldMistake(ask(3), now: 3))
    }

    @Test func aRefusalProvesOnlySoMuch() {
        var owed = OwedAnswers()
        owed.finished(ask(9), isAnswered: false, isRefused: true, now: 0)
        #expect(!owed.couldMistake(ask(9), now: 0))
        owed.finished(ask(4), isAnswered: false, isRefused: false, now: 0)
        // It may be 4's, then 3 is still owed; 4 is past either way.
        owed.finished(ask(3), isAnswered: false, isRefused: true, now: 1)
        #expect(!owed.couldMistake(ask(4), now: 2) && owed.couldMistake(ask(3), now: 2))
        // Of three owed one was refused: nobody knows which.
        for count in 4...5 { owed.finished(ask(UInt16(count)), isAnswered: false, isRefused: false, now: 2) }
        owed.finished(ask(2), isAnswered: false, isRefused: true, now: 3)
        #expect((2...5).allSatisfy { owed.couldMistake(ask($0), now: 4) })
        #expect(!owed.couldMistake(ask(4), now: 3 + OwedAnswers.lateMax))
    }

    /// A slave that answers in order, each question late by a random time, sometimes with an exception or not at all; a
    /// master that gives up by a clock of its own.
    @Test func noValueIsEverSomebodyElses() {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededGenerator(seed: seed)
        for _ in 0..<400 {
            var owed = OwedAnswers()
            /// In the order of the questions: number, shape, what comes of it.
            var queue: [(number: Int, count: UInt16, isRefusal: Bool)] = []
            var now: Int64 = 0
            var number = 0
            let wanted: [UInt16] = [2, 2, 4]
            for _ in 0..<60 {
                var question = ask(wanted[Int.random(in: 0..<3, using: &random)])
                if owed.couldMistake(question, now: now) {
                    guard let probe = owed.probe(before: question, known: [], now: now) else { continue }
                    question = probe
                }
                number += 1
                if Int.random(in: 0..<10, using: &random) > 0 {
                    queue.append((number, question.count, Int.random(in: 0..<5, using: &random) == 0))
                }
                now += 1_000
                // Of what is queued some comes in time; all of it is looked at as if it were the answer.
                var (isAnswered, isRefused) = (false, false)
                for _ in 0..<Int.random(in: 0...queue.count, using: &random) where !isAnswered && !isRefused {
                    let next = queue.removeFirst()
                    if next.isRefusal {
                        isRefused = true
                    } else if next.count == question.count {
                        isAnswered = true
                        #expect(next.number == number, "seed \(seed)")
                    } else {
                        break
                    }
                }
                owed.finished(question, isAnswered: isAnswered, isRefused: isRefused, now: now)
            }
        }
    }
}
