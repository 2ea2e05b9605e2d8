// How long one device is given to answer. Learned from what it does; not the back-off, which is about asking at all.

/// Real milliseconds, from the end of a request to the last byte of its answer, without the time on the line.
package struct AnswerTimeout: Hashable, Sendable {
    /// Below it a busy machine, not a slow device, decides.
    package static let learnedMin: Int64 = 500
    package static let startDefault: Int64 = 1_500
    /// Where the profile names no longest.
    package static let longestDefault: Int64 = 6_000

    package let start: Int64
    package let longest: Int64
    package private(set) var milliseconds: Int64
    /// Smoothed latency in microseconds, after the first answer.
    package private(set) var latency: Int64?

    package init(start: Int64, longest: Int64) {
        self.start = max(1, start)
        self.longest = max(self.start, longest)
        milliseconds = self.start
    }

    /// The device answered, soundly, after so many microseconds.
    package mutating func answered(after microseconds: Int64) {
        let sample = max(0, min(microseconds, 3_600_000_000))
        let smoothed = latency.map { $0 + (sample - $0) / 8 } ?? sample
        latency = smoothed
        milliseconds = min(longest, max(Self.learnedMin, 4 * smoothed / 1000))
    }

    package mutating func timedOut() { milliseconds = min(longest, milliseconds * 2) }
}
