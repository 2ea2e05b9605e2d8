// What a bus's counters were a while ago: the doctor speaks of the last minutes, not of a fault that was mended long since.

/// Two earlier states of one bus's figures: what came since the older one covers ten to twenty minutes.
package struct FiguresWindow: Hashable, Sendable {
    /// Nanoseconds between two states that are kept.
    package static let every: Int64 = 600_000_000_000

    private var older: BusFigures?
    private var newer: BusFigures?
    private var newerAt: Int64 = 0

    package init() {}

    /// - Parameters:
    ///   - figures: as they are before what happens now is counted.
    ///   - instant: of the clock that never steps.
    package mutating func turn(_ figures: BusFigures, instant: Int64) {
        guard newer != nil else {
            (newer, newerAt) = (figures, instant)
            return
        }
        guard instant - newerAt >= Self.every else { return }
        (older, newer, newerAt) = (newer, figures, instant)
    }

    /// What happened lately, of `figures` as they are now.
    package func recent(_ figures: BusFigures) -> BusFigures { older.map { figures.since($0) } ?? figures }
}
