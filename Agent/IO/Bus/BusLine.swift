// The connection of a bus with what its devices need between requests: silences, and time to answer. Not the schedule.

internal import AgentCore
internal import Evidence
internal import Metering

/// Keeps the pauses that profiles ask for, after an answer of the same device and before another device is asked, and
/// how long each device is waited for.
struct BusLine {
    /// What the line knows of one device.
    private struct Device {
        let limits: Profile.Limits
        var timeout: AnswerTimeout
    }

    /// Questions asked before another one, so that no late answer is taken for its.
    private static let probesMax = 3
    /// A connection is not given up for less: making it anew costs a second and more.
    private static let restMin: Int64 = 10_000_000_000

    private let connection: ModbusConnection
    private var devices: [UInt8: Device]
    private var lastUnit: UInt8?
    /// By unit, on a line without transactions. Only looked up.
    private var owed: [UInt8: OwedAnswers] = [:]
    /// By unit: what its plan asks. Only looked up.
    private var known: [UInt8: [ModbusRequest]] = [:]
    private let isRTU: Bool
    /// Behind it is a device that serves one client only.
    private let isShared: Bool
    /// Milliseconds that a connection takes which is made anew because no answer came, beside the way to the device.
    let renewal: Int64
    /// Between two devices, ms; nil: as their profiles say.
    private let turnaround: Int64?
    /// Nanoseconds of one character on the line; behind a serial server, as at 9 600 baud.
    private let character: Int64
    private var quietSince = Int64.min

    init(_ plan: BusPlan) {
        let limits = plan.meters.flatMap { [$0.profile] + $0.versions }.map(\.limits)
        isRTU = plan.endpoint.framing == .rtu
        switch plan.endpoint {
        case .tcp: character = 0
        case .rtu(let line): character = line.characterNanoseconds
        case .rtuOverTCP: character = SerialLine(device: "", baud: 9_600).characterNanoseconds
        }
        isShared = plan.endpoint.isNetwork && limits.contains(where: \.isSingleClient)
        let connectPause = Int64(limits.map(\.connectPauseMilliseconds).max() ?? 0)
        let reconnectPause = isShared ? BusTiming.singleClientPause : 0
        renewal = plan.endpoint.isNetwork ? connectPause + reconnectPause : 0
        connection = ModbusConnection(
            plan.endpoint, connectMilliseconds: plan.timing.connect, connectPause: connectPause,
            reconnectPause: reconnectPause)
        devices = [:]
        turnaround = plan.timing.turnaround
        for meter in plan.meters {
            let limits = meter.profile.limits
            devices[meter.unit] = Device(limits: adjusted(limits), timeout: plan.timing.timeout(limits))
        }
    }

    /// The device is read with another profile from here on: its pauses count, what was learned of its latency stays.
    mutating func use(_ limits: Profile.Limits, unit: UInt8, requests: [ModbusRequest]) {
        known[unit] = requests
        guard let device = devices[unit] else { return }
        devices[unit] = Device(limits: adjusted(limits), timeout: device.timeout)
    }

    private func adjusted(_ limits: Profile.Limits) -> Profile.Limits {
        var limits = limits
        if let turnaround { limits.turnaroundMilliseconds = Int(turnaround) }
        return limits
    }

    var figures: LineFigures { connection.figures }
    var problem: String? { connection.problem }
    var remark: String? { connection.remark }

    /// Real milliseconds the device is given now, and its smoothed latency in microseconds.
    func timeout(of unit: UInt8) -> AnswerTimeout? { devices[unit]?.timeout }

    func close() { connection.close() }

    /// Nothing is asked for so long: a device with room for one client is left to others meanwhile.
    func rest(for nanoseconds: Int64) {
        guard isShared, nanoseconds >= Self.restMin else { return }
        connection.close()
    }

    /// Waits until the device may be asked.
    func makeRoom<Item>(for request: ModbusRequest, stop: Mailbox<Item>) {
        let rest = rest(before: request)
        guard rest > 0 else { return }
        stop.pause(for: rest)
    }

    /// Nanoseconds until the device may be asked.
    private func rest(before request: ModbusRequest) -> Int64 {
        var instant = Int64.min
        if let lastUnit, let limits = devices[request.unit]?.limits {
            let pause = lastUnit == request.unit ? limits.pauseMilliseconds : limits.turnaroundMilliseconds
            instant = quietSince + Int64(pause) * 1_000_000
        }
        return instant == .min ? 0 : max(0, instant - steadyNanoseconds())
    }

    /// Milliseconds that a request costs beside the wait for its answer: the pause before it, and both on the line.
    func cost(of request: ModbusRequest) -> Int64 {
        (rest(before: request) + Int64(8 + request.answerMax + 3) * character + 999_999) / 1_000_000
    }

    /// On a line a question whose answer an owed one could be taken for is asked after another one.
    ///
    /// - Parameter milliseconds: the longest that others can wait; nil: as long as the device needs.
    mutating func ask(_ request: ModbusRequest, within milliseconds: Int64? = nil) -> ModbusAnswer {
        let given = devices[request.unit]?.timeout.milliseconds ?? AnswerTimeout.startDefault
        let patience = min(given, milliseconds ?? .max)
        if let answer = unsure(of: request, within: patience) { return learned(request, answer, nil) }
        let connects = connection.figures.connects
        let began = steadyNanoseconds()
        let answer = connection.ask(request, within: patience)
        let took = (steadyNanoseconds() - began) / 1000
        settle(request, answer)
        return learned(request, answer, connections(since: connects) == 0 ? took : nil)
    }

    /// - Parameter took: microseconds, where they say something about the device.
    private mutating func learned(_ request: ModbusRequest, _ answer: ModbusAnswer, _ took: Int64?) -> ModbusAnswer {
        if answer.status == SampleStatus.timeout {
            devices[request.unit]?.timeout.timedOut()
        } else if answer.status < MeterWalk.gatewayExceptions.lowerBound, let took {
            // Of a device: what a gateway says of one that it does not reach, it says in its own time. With the time on a serial line: four times as much of it is a bound as good.
            devices[request.unit]?.timeout.answered(after: took)
        }
        return answer
    }

    /// What a person asked for: how long it took teaches nothing about how long the schedule's reads take.
    mutating func askOnce(_ request: ModbusRequest, within milliseconds: Int64) -> ModbusAnswer {
        let until = steadyNanoseconds() + milliseconds * 1_000_000
        if let answer = unsure(of: request, within: milliseconds) { return answer }
        let answer = connection.ask(request, within: max(1, (until - steadyNanoseconds()) / 1_000_000))
        settle(request, answer)
        return answer
    }

    /// Makes sure that nothing owed can be taken for the answer to `request`.
    ///
    /// - Returns: nil: it may be asked. Else what came instead of an answer.
    private mutating func unsure(of request: ModbusRequest, within milliseconds: Int64) -> ModbusAnswer? {
        guard isRTU else { return nil }
        for _ in 0..<Self.probesMax {
            let now = steadyNanoseconds() / 1_000_000
            guard let debts = owed[request.unit], debts.couldMistake(request, now: now) else { return nil }
            guard let probe = debts.probe(before: request, known: known[request.unit] ?? [], now: now) else { break }
            let answer = connection.ask(probe, within: milliseconds)
            settle(probe, answer)
            guard answer.status <= SampleStatus.exceptionMax else { return answer }
            sleepUntil(quietSince + Int64(devices[request.unit]?.limits.pauseMilliseconds ?? 0) * 1_000_000)
        }
        let now = steadyNanoseconds() / 1_000_000
        let isOwed = owed[request.unit]?.couldMistake(request, now: now) ?? false
        return isOwed ? ModbusAnswer(status: SampleStatus.timeout) : nil
    }

    private mutating func settle(_ request: ModbusRequest, _ answer: ModbusAnswer) {
        quietSince = steadyNanoseconds()
        lastUnit = request.unit
        // What was never sent is not owed.
        guard isRTU, answer.status != SampleStatus.connectFailed else { return }
        owed[request.unit, default: OwedAnswers()].finished(
            request, isAnswered: answer.status == SampleStatus.good,
            isRefused: (1...SampleStatus.exceptionMax).contains(answer.status), now: quietSince / 1_000_000)
    }

    private func connections(since before: UInt64) -> UInt64 { connection.figures.connects - before }
}

/// How long a bus waits, real milliseconds.
package struct BusTiming: Hashable, Sendable {
    /// A device with room for one client needs a moment to notice that the last one left.
    static let singleClientPause: Int64 = 1_000

    /// For the first answer of each device; nil: what its profile says, at least ``AnswerTimeout/startDefault``.
    package var timeout: Int64?
    /// Nil: what the profile says, or ``AnswerTimeout/longestDefault``.
    package var timeoutMax: Int64?
    package var connect: Int64 = ModbusConnection.connectMillisecondsDefault
    /// Between two devices; nil: what the profile of the second asks for.
    package var turnaround: Int64?

    package init() {}

    func timeout(_ limits: Profile.Limits) -> AnswerTimeout {
        let start = timeout ?? max(AnswerTimeout.startDefault, Int64(limits.timeoutMilliseconds))
        let longest =
            timeoutMax ?? limits.timeoutMaxMilliseconds.map { Int64($0) } ?? AnswerTimeout.longestDefault
        return AnswerTimeout(start: start, longest: longest)
    }
}
