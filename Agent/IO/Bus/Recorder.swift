// Where bus threads leave what they read and the keeper takes it: the open commit under one lock, with the bus's figures.

package import AgentCore
internal import Evidence
internal import Synchronization

/// What a request came to beside its sample: for the figures.
package struct AskedOnBus {
    /// Position on the bus.
    let meter: Int
    let answer: ModbusAnswer
    /// Nanoseconds of the clock that never steps.
    let from: Int64
    let to: Int64
    let timeout: AnswerTimeout?
    let line: LineFigures
    /// Asked again soon, because the device is busy.
    let isAskedAgain: Bool
}

/// The open commit, shared by all bus threads and the keeper.
package final class Recorder: Sendable {
    /// Notices kept until the keeper takes them; more are dropped, the figures keep counting.
    private static let noticesMax = 1024

    private struct State {
        var open: OpenCommit
        var notices: [BusNotice] = []
        var figures: [BusFigures]
        var windows: [FiguresWindow]
        var latest = LatestAnswers()
    }

    /// When each bus thread last came round.
    package let liveness = Liveness()
    private let clock: MachineClock
    private let state: Mutex<State>

    /// - Parameter meters: their number on each bus.
    package init(clock: MachineClock, meters: [Int]) {
        self.clock = clock
        state = Mutex(
            State(
                open: OpenCommit(buses: meters.count), figures: meters.map { BusFigures(meters: $0) },
                windows: meters.map { _ in FiguresWindow() }))
    }

    /// A bus begins while others run; its figures begin with it.
    ///
    /// - Parameter meters: their number on it.
    package func open(bus: Int, meters: Int) {
        state.withLock { state in
            state.open.reserve(buses: bus + 1)
            while state.figures.count <= bus {
                state.figures.append(BusFigures(meters: 0))
                state.windows.append(FiguresWindow())
            }
            state.latest.forgetObstacles()
            state.figures[bus] = BusFigures(meters: meters)
            state.windows[bus] = FiguresWindow()
        }
    }

    /// Registers the start of a request and reads the clock in one step: no cut between the two can call an instant
    /// complete that lies after this start.
    package func begin(bus: Int) -> Moment {
        state.withLock { state in
            let now = clock.now()
            state.open.begin(bus: bus, uptime: now.uptime)
            return now
        }
    }

    /// Records the answer of the request under way.
    package func end(bus: Int, read: UInt64, began: Moment, status: UInt64, words: [UInt8]) {
        state.withLock { state in
            let ended = clock.now().uptime
            state.latest.answered(
                read,
                LatestAnswers.Answer(
                    ended: ended, took: ended - min(began.uptime, ended), status: status, words: words))
            state.open.end(
                bus: bus,
                FinishedRead(read: read, began: began.uptime, ended: ended, status: status, words: words))
        }
    }

    /// The request under way gave no sample: it is asked again.
    package func abandon(bus: Int) { state.withLock { $0.open.end(bus: bus, nil) } }

    /// Counts a request, whether or not it gives a sample.
    package func count(bus: Int, _ asked: AskedOnBus) {
        state.withLock { state in
            let took = (asked.to - asked.from) / 1000
            state.windows[bus].turn(state.figures[bus], instant: asked.to)
            state.figures[bus].meters[asked.meter].count(asked.answer, microseconds: took)
            if asked.isAskedAgain { state.figures[bus].meters[asked.meter].busyRetries += 1 }
            if let timeout = asked.timeout {
                state.figures[bus].meters[asked.meter].latency = timeout.latency
                state.figures[bus].meters[asked.meter].timeoutMilliseconds = timeout.milliseconds
            }
            state.figures[bus].load.add(from: asked.from, to: asked.to)
            state.figures[bus].connects = asked.line.connects
            state.figures[bus].strayBytes = asked.line.strayBytes
            state.figures[bus].babbles = asked.line.babbles
            state.figures[bus].evidence = asked.line.evidence
            state.figures[bus].characters = asked.line.characters
        }
    }

    /// A request that a person asked for: the bus was busy with it, and it is no meter's figure.
    func askedByPerson(bus: Int, from: Int64, to: Int64, line: LineFigures) {
        state.withLock { state in
            state.figures[bus].askedByPeople += 1
            state.figures[bus].load.add(from: from, to: to)
            state.figures[bus].connects = line.connects
            state.figures[bus].strayBytes = line.strayBytes
            state.figures[bus].babbles = line.babbles
        }
    }

    /// What one should know of the line now.
    package func line(bus: Int, problem: String?, remark: String?) {
        state.withLock { state in
            state.figures[bus].problem = problem
            state.figures[bus].remark = remark
        }
    }

    /// Records that a read was not sent because its meter is backed off.
    ///
    /// - Parameter meter: position on the bus.
    package func skipped(bus: Int, meter: Int, read: UInt64) {
        state.withLock { state in
            let now = clock.now().uptime
            state.open.end(
                bus: bus,
                FinishedRead(read: read, began: now, ended: now, status: SampleStatus.backedOff, words: []))
            state.figures[bus].meters[meter].backedOff += 1
        }
    }

    package func notice(_ notice: BusNotice, bus: Int) {
        state.withLock { state in
            if case .overrun(let overrun, _) = notice { state.figures[bus].missed += overrun.missed }
            if case .cycle(let isTooShort, _) = notice { state.figures[bus].isCycleTooShort = isTooShort }
            if case .unreadable(let meter, let reason) = notice { state.latest.unreadable(meter, reason) }
            // A plan must not get lost: readings would have no birth. Plans are few, one a meter and chain.
            if case .planned(let plan) = notice {
                state.latest.planned(plan)
                return state.notices.append(notice)
            }
            if state.notices.count < Self.noticesMax { state.notices.append(notice) }
        }
    }

    /// Takes what is finished, with the moment of the cut.
    package func cut() -> (moment: Moment, cut: OpenCommit.Cut, notices: [BusNotice]) {
        state.withLock { state in
            let notices = state.notices
            state.notices = []
            return (clock.now(), state.open.cut(), notices)
        }
    }

    /// What meters answered last, and now in house milliseconds of uptime.
    package var latest: (now: UInt64, answers: LatestAnswers) { state.withLock { (clock.now().uptime, $0.latest) } }
    package var figures: [BusFigures] { state.withLock { $0.figures } }
    /// The same of the last ten to twenty minutes.
    package var recentFigures: [BusFigures] {
        state.withLock { state in zip(state.windows, state.figures).map { $0.recent($1) } }
    }
    /// Finished reads that wait for the next commit.
    package var waiting: Int { state.withLock { $0.open.count } }
}
