// Where bus threads leave what they read and the keeper takes it: the open commit under one lock, with the bus's figures.

package import AgentCore
internal import Evidence
internal import Synchronization

/// Figures of one bus since the start.
package struct BusFigures: Hashable, Sendable {
    package var requests: UInt64 = 0
    package var good: UInt64 = 0
    package var exceptions: UInt64 = 0
    package var timeouts: UInt64 = 0
    package var otherFailures: UInt64 = 0
    package var backedOff: UInt64 = 0
    package var connects: UInt64 = 0
    /// Multiples of an interval that passed unread.
    package var missed: Int64 = 0
    /// Slowest good answer, house milliseconds.
    package var tookMax: UInt64 = 0

    package init() {}
}

/// The open commit, shared by all bus threads and the keeper.
package final class Recorder: Sendable {
    /// Notices kept until the keeper takes them; more are dropped, the figures keep counting.
    private static let noticesMax = 1024

    private struct State {
        var open: OpenCommit
        var notices: [BusNotice] = []
        var figures: [BusFigures]
    }

    private let clock: MachineClock
    private let state: Mutex<State>

    package init(clock: MachineClock, buses: Int) {
        self.clock = clock
        state = Mutex(State(open: OpenCommit(buses: buses), figures: Array(repeating: BusFigures(), count: buses)))
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
    package func end(bus: Int, read: UInt64, began: Moment, status: UInt64, words: [UInt8], connects: UInt64) {
        state.withLock { state in
            let ended = clock.now().uptime
            state.open.end(
                bus: bus,
                FinishedRead(read: read, began: began.uptime, ended: ended, status: status, words: words))
            state.figures[bus].count(status, took: ended - min(ended, began.uptime))
            state.figures[bus].connects = connects
        }
    }

    /// Records that a read was not sent because its meter is backed off.
    package func skipped(bus: Int, read: UInt64) {
        state.withLock { state in
            let now = clock.now().uptime
            state.open.end(
                bus: bus,
                FinishedRead(read: read, began: now, ended: now, status: SampleStatus.backedOff, words: []))
            state.figures[bus].backedOff += 1
        }
    }

    package func notice(_ notice: BusNotice, bus: Int) {
        state.withLock { state in
            if case .overrun(let overrun, _) = notice { state.figures[bus].missed += overrun.missed }
            // A plan must not get lost: readings would have no birth. Plans are few, one a meter and chain.
            if case .planned = notice { return state.notices.append(notice) }
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

    package var figures: [BusFigures] { state.withLock { $0.figures } }
    /// Finished reads that wait for the next commit.
    package var waiting: Int { state.withLock { $0.open.count } }
}

extension BusFigures {
    fileprivate mutating func count(_ status: UInt64, took: UInt64) {
        requests += 1
        switch status {
        case SampleStatus.good:
            good += 1
            tookMax = max(tookMax, took)
        case 1...SampleStatus.exceptionMax: exceptions += 1
        case SampleStatus.timeout: timeouts += 1
        default: otherFailures += 1
        }
    }
}
