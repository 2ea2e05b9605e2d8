// What a person asked for, answered by the bus's own thread between the schedule's reads. Nothing of it is recorded:
// such an answer is no evidence.

package import AgentCore
internal import Evidence
internal import Quantities

/// One request that somebody waits for.
package struct PersonAsk: Sendable {
    package let request: ModbusRequest
    /// Real milliseconds its answer is waited for where the bus does not know the device.
    package let patience: Int64
    /// Nobody waits any more after this, by ``steadyNanoseconds()``.
    package let giveUpAt: Int64
    /// Takes one answer.
    package let reply: Mailbox<PersonAnswer>
}

/// What became of it.
package enum PersonAnswer: Sendable {
    /// - Parameters:
    ///   - took: microseconds.
    ///   - within: milliseconds its answer was waited for.
    case asked(ModbusAnswer, took: Int64, within: Int64)
    /// The schedule left no gap that was long enough.
    case noRoom
    /// The bus is not open: why.
    case notOpen(String)
    /// The bus ended: the configuration changed, or the agent stops.
    case ended
}

/// The requests of people that wait at one bus.
package struct PeopleAtBus {
    /// Requests that wait in the box, and as many with the thread.
    package static let asksMax = 8

    fileprivate var turns: PersonTurns
    fileprivate var asks: [PersonAsk] = []
    /// Real milliseconds: no turn before.
    private(set) var wakeAt = Int64.max

    init(perSecond: Int64) { turns = PersonTurns(perSecond: perSecond) }

    /// Waits, and takes what is asked meanwhile.
    mutating func wait(_ box: Mailbox<PersonAsk>, within nanoseconds: Int64) {
        guard asks.count < Self.asksMax else { return box.pause(for: nanoseconds) }
        asks += box.take(within: nanoseconds)
        wakeAt = asks.isEmpty ? .max : 0
    }

    /// The oldest that somebody still waits for.
    fileprivate mutating func first() -> PersonAsk? {
        let now = steadyNanoseconds()
        for ask in asks where ask.giveUpAt <= now { ask.reply.post(.noRoom) }
        asks.removeAll { $0.giveUpAt <= now }
        wakeAt = .max
        return asks.first
    }

    fileprivate mutating func rest(until monotonic: Int64) { wakeAt = monotonic }
}

extension BusRunner {
    /// Asks what the person who has waited longest wants, if there is room now.
    ///
    /// - Returns: whether something was sent: the schedule is looked at again before anything else.
    mutating func servePerson() -> Bool {
        guard let ask = people.first() else { return false }
        let now = clock.now()
        let timeout = line.timeout(of: ask.request.unit)
        if let problem = line.problem {
            people.answered(.notOpen(problem))
            return true
        }
        let need = timeout?.milliseconds ?? ask.patience
        let least = min(need, timeout?.latency.map { 4 * $0 / 1_000 } ?? PersonTurns.leastUnknownMilliseconds)
        // While a replayed clock stands nothing comes due.
        let room = min(schedule.room(now: now.utc, monotonic: now.monotonic), .max / 2) + clock.standstill
        switch people.turns.turn(
            cost: line.cost(of: ask.request), need: need, least: least, room: room, monotonic: now.monotonic)
        {
        case .wait(let milliseconds):
            let expires = (ask.giveUpAt - steadyNanoseconds()) / 1_000_000 + 1
            people.rest(until: now.monotonic + max(1, min(milliseconds, expires)))
            return false
        case .ask(let within):
            line.makeRoom(for: ask.request, stop: stop)
            let from = steadyNanoseconds()
            let answer = line.askOnce(ask.request, within: within)
            let to = steadyNanoseconds()
            people.turns.asked(monotonic: clock.now().monotonic)
            compare(ask.request, answer)
            recorder.askedByPerson(bus: plan.number, from: from, to: to, line: line.figures)
            people.answered(.asked(answer, took: (to - from) / 1_000, within: within))
            return true
        }
    }

    /// The bus ends: whoever waits is told.
    mutating func dismissPeople() {
        people.wait(stop, within: 0)
        while people.first() != nil { people.answered(.ended) }
    }
}

extension PeopleAtBus {
    fileprivate mutating func answered(_ answer: PersonAnswer) {
        asks.removeFirst().reply.post(answer)
        // Others may wait in the box: look at once.
        wakeAt = 0
    }
}
