// The threads of the buses, each with its own way to be stopped. One thread owns this; it starts and ends the others.

/// The buses that run.
struct BusThreads {
    private struct Running {
        let plan: BusPlan
        let stop: Mailbox<Never>
        let thread: WorkerThread
    }

    private let recorder: Recorder
    private let clock: MachineClock
    private var running: [Running] = []

    init(recorder: Recorder, clock: MachineClock) {
        self.recorder = recorder
        self.clock = clock
    }

    var plans: [BusPlan] { running.map(\.plan) }

    mutating func start(_ plan: BusPlan) throws(SystemError) {
        let stop = Mailbox<Never>(itemsMax: 1)
        let (recorder, clock) = (recorder, clock)
        let thread = try WorkerThread("bus-\(plan.number)") {
            var runner = BusRunner(plan: plan, recorder: recorder, clock: clock, stop: stop)
            runner.run()
        }
        running.append(Running(plan: plan, stop: stop, thread: thread))
    }

    /// Returns when the requests under way have ended, each within its own time-outs, and are recorded.
    mutating func end(_ numbers: [Int]) {
        let ended = running.filter { numbers.contains($0.plan.number) }
        running.removeAll { numbers.contains($0.plan.number) }
        for bus in ended { bus.stop.close() }
        for bus in ended { bus.thread.join() }
    }

    /// Tells all to end and waits for none: one may wait for a meter, and what it would still read belongs to no commit.
    func abandon() {
        for bus in running { bus.stop.close() }
    }
}
