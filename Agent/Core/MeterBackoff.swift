// How long a meter that does not answer is left alone. Not the schedule: it only says when the next attempt is allowed.

internal import Evidence

/// Back-off of one meter, in real milliseconds.
struct MeterBackoff: Hashable, Sendable {
    /// What a failed request says about the meter. Exceptions 1 … 9 come from a living meter and are no failure here.
    enum Failure: Hashable, Sendable {
        /// Silence: asking again costs everybody on the line the same wait.
        case meter
        /// Something came, but no answer: noise passes, so it takes several to be left alone.
        case unsound
        /// The way to every meter of the bus is closed.
        case endpoint

        init?(status: UInt64) {
            switch status {
            case SampleStatus.good, 1...9: return nil
            case SampleStatus.connectFailed: self = .endpoint
            case SampleStatus.checksum, SampleStatus.wrongAnswer, SampleStatus.busError: self = .unsound
            default: self = .meter
            }
        }
    }

    static let firstMilliseconds: Int64 = 2_000
    static let millisecondsMax: Int64 = 300_000
    private static let suspectMilliseconds: Int64 = 60_000
    /// Unsound answers in a row that are forgiven.
    static let unsoundMax = 2

    /// Consecutive failed attempts; those a boundary forced before the back-off was over do not count.
    private(set) var failures = 0
    /// No attempt before this, except at a boundary.
    private(set) var retryAt = Int64.min
    /// No attempt before this, not even at a boundary: what is late may still come, and is thrown away.
    private(set) var quietUntil = Int64.min
    private var unsound = 0

    /// Whether the meter gives way to those that answer; for a minute only once it may be asked again, because a full bus
    /// must not forget it.
    func isSuspect(monotonic: Int64) -> Bool { retryAt != .min && monotonic < retryAt + Self.suspectMilliseconds }

    mutating func finished(_ failure: Failure?, monotonic: Int64) {
        guard let failure else {
            self = MeterBackoff()
            return
        }
        if failure == .unsound, retryAt == .min {
            unsound += 1
            guard unsound > Self.unsoundMax else {
                failures += 1
                return
            }
        }
        quietUntil = monotonic + Self.firstMilliseconds
        guard monotonic >= retryAt else { return }
        failures += 1
        let doublings = min(failures - 1 - min(unsound, Self.unsoundMax), 8)
        retryAt = monotonic + min(Self.firstMilliseconds << Int64(max(0, doublings)), Self.millisecondsMax)
    }
}
