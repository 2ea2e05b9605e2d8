// The threads of the buses, each with its own way to be stopped. One thread owns this; it starts and ends the others.

/// The buses that run.
struct BusThreads {
    private struct Running {
        let plan: BusPlan
        let stop: Mailbox<PersonAsk>
        let thread: WorkerThread
        /// Posted when it has ended.
        let generations: Mailbox<[UInt64]>
    }

    /// A bus that ended, with what it takes to go on: numbers of reads that were used are not used again.
    struct Ended {
        let plan: BusPlan
        let generations: [UInt64]
    }

    private let recorder: Recorder
    private let clock: MachineClock
    /// Told which buses run, so that people can ask through them.
    private let desk: BusDesk
    private var running: [Running] = []

    init(recorder: Recorder, clock: MachineClock, desk: BusDesk) {
        self.recorder = recorder
        self.clock = clock
        self.desk = desk
    }

    var plans: [BusPlan] { running.map(\.plan) }

    /// - Parameter generations: by meter, of a bus that goes on.
    mutating func start(_ plan: BusPlan, generations: [UInt64] = []) throws(SystemError) {
        let stop = Mailbox<PersonAsk>(itemsMax: PeopleAtBus.asksMax)
        let last = Mailbox<[UInt64]>(itemsMax: 1)
        let (recorder, clock, perSecond) = (recorder, clock, desk.perSecond)
        let thread = try WorkerThread("bus-\(plan.number)") {
            var runner = BusRunner(
                plan: plan, recorder: recorder, clock: clock, stop: stop, asksPerSecond: perSecond)
            runner.goOn(from: generations)
            runner.run()
            last.post(runner.meters.map(\.generation))
        }
        running.append(Running(plan: plan, stop: stop, thread: thread, generations: last))
        desk.opened(plan, asks: stop)
    }

    /// Returns when the requests under way have ended, each within its own time-outs, and are recorded.
    @discardableResult mutating func end(_ numbers: [Int]) -> [Ended] {
        let ended = running.filter { numbers.contains($0.plan.number) }
        running.removeAll { numbers.contains($0.plan.number) }
        for bus in ended { bus.stop.close() }
        for bus in ended {
            bus.thread.join()
            desk.ended(bus.plan.number)
        }
        return ended.map { Ended(plan: $0.plan, generations: $0.generations.take(within: 0).first ?? []) }
    }

    /// The same of all.
    mutating func endAll() { end(plans.map(\.number)) }
}
