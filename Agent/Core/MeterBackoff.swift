// How long a meter that does not answer is left alone. Not the schedule: it only says when the next attempt is allowed.

internal import Evidence

/// Back-off of one meter, in real milliseconds.
struct MeterBackoff: Hashable, Sendable {
    /// What a failed request says about the meter. Exceptions 1 … 9 come from a living meter and are no failure here.
    enum Failure: Hashable, Sendable {
        case meter
        /// The way to every meter of the bus is closed.
        case endpoint

        init?(status: UInt64) {
            switch status {
            case SampleStatus.good, 1...9: return nil
            case SampleStatus.connectFailed: self = .endpoint
            default: self = .meter
            }
        }
    }

    static let firstMilliseconds: Int64 = 2_000
    static let millisecondsMax: Int64 = 300_000

    /// Consecutive failed attempts; those a boundary forced before the back-off was over do not count.
    private(set) var failures = 0
    /// No attempt before this, except at a boundary.
    private(set) var retryAt = Int64.min

    mutating func finished(_ failure: Failure?, monotonic: Int64) {
        guard failure != nil else {
            self = MeterBackoff()
            return
        }
        guard monotonic >= retryAt else { return }
        failures += 1
        let doublings = min(failures - 1, 8)
        retryAt = monotonic + min(Self.firstMilliseconds << Int64(doublings), Self.millisecondsMax)
    }
}
