// What a bus is to read again and again, and from when on. When it is due says BusSchedule.

/// A read and how often it is repeated.
package struct ScheduledRead: Hashable, Sendable {
    /// Whether a read comes once, whatever its phase, when the schedule starts.
    package enum Opening: Hashable, Sendable {
        /// It waits for its first multiple.
        case none
        /// At once, and again after each back-off, until it is answered or its next multiple has come. In replay mode
        /// each meter is read like this before the clock begins to run.
        case once
        /// At once, and again after each back-off, until it is answered: identity registers.
        case untilAnswered
    }

    /// Index of the read in the birth.
    package let read: UInt64
    /// Index of the meter in the birth.
    package let meter: UInt64
    /// House milliseconds, at least 1.
    package let interval: Int64
    package let opening: Opening
    /// Registers of the answer: neighbours on the line should differ in it.
    package let length: Int

    package init(read: UInt64, meter: UInt64, interval: Int64, opening: Opening, length: Int = 0) {
        self.read = read
        self.meter = meter
        self.interval = max(1, interval)
        self.opening = opening
        self.length = length
    }
}
