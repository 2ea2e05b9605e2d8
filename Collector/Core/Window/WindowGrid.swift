// Where windows and days lie: a grid from genesis' anchor with the manifest's cadence. It tiles time; no clock here.

package import Quantities

/// A half-open span of the grid: [start, end).
package struct Window: Hashable, Sendable {
    package let id: WindowID
    /// 0 for the window that starts at the anchor.
    package let index: Int64
    package let start: UTCInstant
    package let end: UTCInstant
}

package struct WindowGrid: Hashable, Sendable {
    package let anchor: UTCInstant
    /// ms, 60 000 or more.
    package let cadence: Int64
    /// A window is cut this many ms after its end.
    package let grace: Int64
    /// ``Manifest/dayLength``: a divisor of `cadence`.
    package let dayLength: Int64

    package init(anchor: UTCInstant, manifest: Manifest) {
        self.anchor = anchor
        cadence = manifest.cadence
        grace = manifest.grace
        dayLength = manifest.dayLength
    }

    /// Window n, n ≥ 0. Nil beyond year 9999.
    package func window(_ index: Int64) -> Window? {
        let (offset, overflowed) = index.multipliedReportingOverflow(by: cadence)
        guard index >= 0, !overflowed, offset <= HouseBounds.instantMax - anchor.milliseconds - cadence else {
            return nil
        }
        let start = anchor + offset
        return Window(id: id(of: start, index: index), index: index, start: start, end: start + cadence)
    }

    /// The window that `instant` lies in; nil before the anchor.
    package func window(containing instant: UTCInstant) -> Window? {
        instant < anchor ? nil : window((instant - anchor) / cadence)
    }

    /// The first instant at which the window may be cut.
    package func cutInstant(of window: Window) -> UTCInstant { window.end + grace }

    /// The last window that may be cut at `instant`; nil when none may.
    package func lastWindowToCut(at instant: UTCInstant) -> Window? {
        let elapsed = instant - anchor - grace
        return elapsed < cadence ? nil : window(elapsed / cadence - 1)
    }

    /// The end of the last whole day of the grid at or before `instant`, which is not before the anchor.
    package func dayFloor(_ instant: UTCInstant) -> UTCInstant {
        anchor + (instant - anchor) / dayLength * dayLength
    }

    /// n-th window that starts on the UTC day of `start`, counted from 1.
    private func id(of start: UTCInstant, index: Int64) -> WindowID {
        let day = start.milliseconds / 86_400_000 * 86_400_000
        let earlier = min(index, (start.milliseconds - day) / cadence)
        return WindowID(date: start.date, ordinal: earlier + 1)
    }
}
