// What happened between two counts of one register. Whether it is believable (capacity, identity) is the collector's.

/// The step from one count to the next of the same counter, both in the same unit.
package enum CounterStep: Hashable, Sendable {
    /// Stood still or went forward by this.
    case forward(UInt64)
    /// Passed its modulus and started again: this much in all, if nobody reset it.
    case rollover(UInt64)
    /// Went back by this: reset, exchange, glitch or withdrawn decoding.
    case decreased(UInt64)

    /// - Parameter modulus: The count at which the register starts again from 0. Nil: it never does.
    package init(from earlier: UInt64, to later: UInt64, modulus: UInt64?) {
        if later >= earlier {
            self = .forward(later - earlier)
        } else if let modulus, earlier < modulus {
            // later < earlier < modulus: neither term can overflow.
            self = .rollover(modulus - earlier + later)
        } else {
            self = .decreased(earlier - later)
        }
    }
}
