// When a request that a person asked for may go out: between the schedule's own reads, never before one that is due,
// and not more often than configured. Decides only; the schedule says how much room there is.

/// The turns of one bus. Real milliseconds.
package struct PersonTurns: Hashable, Sendable {
    package enum Turn: Hashable, Sendable {
        /// Send it now and wait so long for its answer, beside the time on the line.
        case ask(within: Int64)
        /// Nothing can be sent for so long at least.
        case wait(Int64)
    }

    package static let perSecondDefault: Int64 = 10
    package static let perSecondRange: ClosedRange<Int64> = 1...100
    /// Left free before the schedule's next read: a line that must be drained or a connection made anew costs it.
    package static let marginMilliseconds: Int64 = 50
    /// Below it a busy machine, not a device that is not there, would be found.
    package static let leastMilliseconds: Int64 = 50

    /// The same for a device that the bus does not know.
    package static let leastUnknownMilliseconds: Int64 = 250

    private let pause: Int64
    private var notBefore = Int64.min

    /// - Parameter perSecond: requests that people may add to the bus each second.
    package init(perSecond: Int64) { pause = 1_000 / max(1, min(perSecond, 1_000)) }

    /// - Parameters:
    ///   - cost: pauses before the request and the time that it and its answer take on the line.
    ///   - need: how long the answer is waited for beside that, where there is room.
    ///   - least: the shortest time in which an answer that comes at all has come.
    ///   - room: until the schedule's next read, ``BusSchedule/room(now:monotonic:)``.
    ///   - monotonic: of a clock that never steps.
    package func turn(cost: Int64, need: Int64, least: Int64, room: Int64, monotonic: Int64) -> Turn {
        guard monotonic >= notBefore else { return .wait(notBefore - monotonic) }
        let free = room - Self.marginMilliseconds - max(0, cost)
        guard free >= min(need, max(least, Self.leastMilliseconds)) else { return .wait(max(1, room)) }
        return .ask(within: min(need, free))
    }

    /// A request was sent.
    package mutating func asked(monotonic: Int64) { notBefore = monotonic + pause }
}
