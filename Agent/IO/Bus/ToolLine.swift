// One way to devices for a tool: through the bus that owns the line, or over a line of the tool's own.

package import AgentCore
internal import Evidence
internal import Glibc

/// What came of a tool's question.
package struct ToolAnswer: Sendable {
    package let answer: ModbusAnswer
    /// Microseconds from the question to the answer, without the wait for a gap in the schedule.
    package let took: Int64
    /// Milliseconds its answer was waited for.
    package let within: Int64
    /// Why nothing was asked at all; nil: it was.
    package let problem: String?
}

/// One way to devices for one caller, who asks one question at a time.
package final class ToolLine {
    private enum Way {
        case bus(BusDesk, Int)
        case own
    }

    /// Real milliseconds a question waits for a gap in the schedule.
    package static let gapMilliseconds: Int64 = 20_000

    private let way: Way
    private var line: BusLine?
    /// Units whose time-outs the line learns.
    private let units: Set<UInt8>
    package let endpoint: BusEndpoint
    private let pause: Int64
    private var notBefore = Int64.min

    init(_ desk: BusDesk, _ plan: BusPlan) {
        way = .bus(desk, plan.number)
        units = []
        endpoint = plan.endpoint
        pause = 0
    }

    /// - Parameter plan: its meters say what pauses and time-outs they need; it may have none.
    init(own plan: BusPlan, perSecond: Int64) {
        way = .own
        line = BusLine(plan)
        units = Set(plan.meters.map(\.unit))
        endpoint = plan.endpoint
        pause = 1_000_000_000 / max(1, perSecond)
    }

    package var isThroughBus: Bool {
        switch way {
        case .bus: true
        case .own: false
        }
    }

    /// For a person.
    package var text: String {
        isThroughBus ? "\(endpoint.text), through the running agent" : "\(endpoint.text), directly"
    }

    /// Blocks until there is an answer, or a reason why there is none.
    ///
    /// - Parameters:
    ///   - patience: real milliseconds the answer is waited for, unless the bus knows the device better.
    ///   - isGone: asked while it waits; true ends the wait.
    /// A device that says it is busy is asked again, as the schedule does.
    package func ask(_ request: ModbusRequest, patience: Int64, isGone: () -> Bool = { false }) -> ToolAnswer {
        var answer = askOnce(request, patience, isGone)
        for pause in BusSchedule.busyPauses where answer.answer.status == BusSchedule.busy && !isGone() {
            sleepUntil(steadyNanoseconds() + pause * 1_000_000)
            answer = askOnce(request, patience, isGone)
        }
        return answer
    }

    private func askOnce(_ request: ModbusRequest, _ patience: Int64, _ isGone: () -> Bool) -> ToolAnswer {
        switch way {
        case .bus(let desk, let number):
            return Self.ask(request, patience, desk, number, isGone)
        case .own: return askDirectly(request, patience)
        }
    }

    private func askDirectly(_ request: ModbusRequest, _ patience: Int64) -> ToolAnswer {
        line?.makeRoom(for: request, stop: Mailbox<Never>(itemsMax: 1))
        sleepUntil(notBefore)
        let from = steadyNanoseconds()
        let within = line?.timeout(of: request.unit)?.milliseconds ?? patience
        let answer =
            units.contains(request.unit) ? line?.ask(request) : line?.askOnce(request, within: within)
        let to = steadyNanoseconds()
        notBefore = to + pause
        let status = answer?.status ?? SampleStatus.connectFailed
        return ToolAnswer(
            answer: answer ?? ModbusAnswer(status: status), took: (to - from) / 1_000, within: within,
            problem: status == SampleStatus.connectFailed ? line?.problem ?? "no connection" : nil)
    }

    private static func ask(
        _ request: ModbusRequest, _ patience: Int64, _ desk: BusDesk, _ number: Int, _ isGone: () -> Bool
    ) -> ToolAnswer {
        let giveUpAt = steadyNanoseconds() + gapMilliseconds * 1_000_000
        let reply = Mailbox<PersonAnswer>(itemsMax: 1)
        let ask = PersonAsk(request: request, patience: patience, giveUpAt: giveUpAt, reply: reply)
        func failed(_ words: String) -> ToolAnswer {
            ToolAnswer(
                answer: ModbusAnswer(status: SampleStatus.connectFailed), took: 0, within: patience, problem: words)
        }
        while true {
            guard let box = desk.asks(number) else { return failed("the bus ended: the configuration changed") }
            if box.post(ask) { break }
            guard box.isOpen else { return failed("the bus ended: the configuration changed") }
            guard steadyNanoseconds() < giveUpAt, !isGone() else { return failed("too many ask on this bus already") }
            usleep(20_000)
        }
        // The bus may be at a walk or a request of its own when the time is over: it answers then.
        let last = giveUpAt + 60_000_000_000
        while steadyNanoseconds() < last, !isGone() {
            switch reply.take(within: 250_000_000).first {
            case .asked(let answer, let took, let within)?:
                return ToolAnswer(answer: answer, took: took, within: within, problem: nil)
            case .noRoom?:
                return failed(
                    "the schedule left no gap on this bus within \(gapMilliseconds / 1_000) s; raise `interval` or split the bus"
                )
            case .notOpen(let problem)?: return failed(problem)
            case .ended?: return failed("the bus ended: the configuration changed, or the agent stops")
            case nil: continue
            }
        }
        return failed("the bus did not come round")
    }

    package func close() { line?.close() }
}
