// Which meter of a bus is asked next what it is, and how long it may be waited for: between the schedule's reads, so that
// devices that are not there cost nobody a read. Decides only; what is asked is MeterWalk's.

/// The turns of one bus. Real milliseconds of a clock that never steps.
package struct WalkTurns: Sendable {
    /// What a question to one meter takes.
    package struct Cost: Hashable, Sendable {
        /// Pauses before it, it and its answer on the line, and the line made anew where no answer comes.
        package let line: Int64
        /// The shortest time in which an answer that comes at all has come.
        package let least: Int64
        /// How long it is waited for where there is room, and where there is much.
        package let need: Int64
        package let most: Int64

        package init(line: Int64, least: Int64, need: Int64, most: Int64) {
            self.line = line
            self.least = least
            self.need = need
            self.most = most
        }
    }

    package struct Turn: Hashable, Sendable {
        /// Position on the bus.
        package let meter: Int
        /// Wait so long for the answer, beside its time on the line.
        package let within: Int64
    }

    private struct Seeker {
        /// No walk begins before; never for meters that need none.
        var wantedAt: Int64
        var backoff = MeterBackoff()
        /// When in the order of all questions; 0: never.
        var askedAt: UInt64 = 0
        /// It answered the last question of this walk.
        var speaks = false

        var readyAt: Int64 { wantedAt == .max ? .max : max(wantedAt, backoff.retryAt) }
    }

    /// Where the schedule leaves no gap, one part in twenty of the time is taken all the same: a full bus must not forget
    /// a meter.
    package static let overdraftPart: Int64 = 20
    /// So long a question is waited for then at least.
    package static let overdraftMilliseconds: Int64 = 500

    /// A device that could not say all of what it is may be able to some minutes later.
    package static let unsettledMilliseconds: Int64 = 300_000

    private var seekers: [Seeker]
    private var questions: UInt64 = 0
    /// No question beyond its room before this.
    private var overdrawnUntil = Int64.min
    private var earliest = Int64.max

    /// - Parameter isSought: by position on the bus.
    package init(isSought: [Bool]) {
        seekers = isSought.map { Seeker(wantedAt: $0 ? .min : .max) }
        review()
    }

    /// Failed walks of a meter in a row.
    package func failures(of meter: Int) -> Int { seekers[meter].backoff.failures }

    /// Whether a meter waits for a question.
    package func isReady(_ monotonic: Int64) -> Bool { earliest <= monotonic }

    /// Those that do, in the order of their turns: who speaks first, then who was asked longest ago.
    package func ready(_ monotonic: Int64) -> [Int] {
        guard isReady(monotonic) else { return [] }
        return seekers.indices.filter { seekers[$0].readyAt <= monotonic }.sorted { a, b in
            let (first, second) = (seekers[a], seekers[b])
            if first.speaks != second.speaks { return first.speaks }
            return (first.askedAt, a) < (second.askedAt, b)
        }
    }

    /// When the next meter will be ready that is not; `.max`: none will.
    package func wakeAt(after monotonic: Int64) -> Int64 {
        if earliest > monotonic { return earliest }
        return seekers.lazy.map(\.readyAt).filter { $0 > monotonic }.min() ?? .max
    }

    /// The next question that may be asked now.
    ///
    /// - Parameters:
    ///   - room: until the schedule's next read.
    ///   - shortest: the shortest interval of the schedule: half of it a read may come late without being missed.
    package func turn(room: Int64, shortest: Int64, monotonic: Int64, cost: (Int) -> Cost) -> Turn? {
        for meter in ready(monotonic) {
            let cost = cost(meter)
            let free = room - PersonTurns.marginMilliseconds - cost.line
            if free >= cost.need { return Turn(meter: meter, within: max(1, min(cost.most, free))) }
            if monotonic >= overdrawnUntil {
                let late = max(free + min(shortest / 2, .max / 4), Self.overdraftMilliseconds)
                return Turn(meter: meter, within: max(1, min(cost.need, late)))
            }
            if free >= max(cost.least, PersonTurns.leastMilliseconds) { return Turn(meter: meter, within: free) }
        }
        return nil
    }

    /// A question was asked.
    ///
    /// - Parameters:
    ///   - took: with all pauses.
    ///   - room: as ``turn(room:shortest:monotonic:cost:)`` was told.
    package mutating func asked(_ meter: Int, isAnswered: Bool, took: Int64, room: Int64, monotonic: Int64) {
        questions += 1
        seekers[meter].askedAt = questions
        seekers[meter].speaks = isAnswered
        let beyond = took - max(0, room)
        if beyond > 0 { overdrawnUntil = monotonic + beyond * (Self.overdraftPart - 1) }
    }

    /// Milliseconds after which a meter whose walk came to its end is walked again; nil: when it says something else.
    ///
    /// - Parameters:
    ///   - isSettled: it refused nothing in trouble, and is read as what was found says, with a version that is for it.
    ///   - identityInterval: real milliseconds.
    package static func again(isSunSpec: Bool, isSettled: Bool, identityInterval: Int64) -> Int64? {
        if !isSettled { return min(identityInterval, unsettledMilliseconds) }
        return isSunSpec ? identityInterval : nil
    }

    /// The meter is to be walked, again or for the first time, from then on; `.max`: not any more.
    package mutating func want(_ meter: Int, at monotonic: Int64) {
        seekers[meter].wantedAt = monotonic
        review()
    }

    /// The walk came to its end; the next one begins then.
    package mutating func found(_ meter: Int, next: Int64) {
        seekers[meter].backoff = MeterBackoff()
        seekers[meter].speaks = false
        want(meter, at: next)
    }

    /// The walk ended before its end: the meter is left alone for 2 s … 300 s.
    package mutating func failed(_ meter: Int, monotonic: Int64) {
        seekers[meter].backoff.finished(.meter, monotonic: monotonic)
        seekers[meter].speaks = false
        review()
    }

    /// There is no way to any meter of the bus: all of them are left alone.
    package mutating func endpointFailed(monotonic: Int64) {
        for meter in seekers.indices where seekers[meter].wantedAt != .max {
            seekers[meter].backoff.finished(.endpoint, monotonic: monotonic)
            seekers[meter].speaks = false
        }
        review()
    }

    private mutating func review() { earliest = seekers.lazy.map(\.readyAt).min() ?? .max }
}
