// The days of one entity in one window, numbered from 0. A reading at a day's end belongs to that day.

package import Quantities

/// `count` days of `length` ms from `start`.
package struct DaySpan: Hashable, Sendable {
    package let start: UTCInstant
    package let length: Int64
    package let count: Int

    package init(start: UTCInstant, length: Int64, count: Int) {
        self.start = start
        self.length = length
        self.count = count
    }

    init(_ span: EntitySpan, _ manifest: Manifest) {
        start = span.settledFrom
        length = manifest.dayLength
        // At most daysMax: the inputs' rules refuse more.
        count = Int((span.completeThrough - span.settledFrom) / manifest.dayLength)
    }

    package func start(of day: Int) -> UTCInstant { start + Int64(day) * length }
    package func end(of day: Int) -> UTCInstant { start + Int64(day + 1) * length }

    /// The day d with start(d) < time ≤ end(d); nil outside.
    package func day(of time: UTCInstant) -> Int? {
        let offset = time - start
        guard offset > 0 else { return nil }
        let day = (offset - 1) / length
        return day < Int64(count) ? Int(day) : nil
    }
}
