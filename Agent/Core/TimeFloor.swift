// What time it is at least, where the clock cannot be believed: a gateway without a battery and without NTP wakes in 1970.
// Decides only how certificates are judged; records carry the clock as it is.

package import Quantities

/// Instants that have passed, by how well that is known.
package struct TimeFloor: Hashable, Sendable {
    /// How far what the disk says may reach beyond what is proven: a clock that once stood in the future must not make
    /// every certificate look ended for ever. Milliseconds: 366 days.
    package static let hintsAheadMax: Int64 = 366 * 86_400_000

    /// The program was built, a certificate began, a receipt was signed: each is somebody's word.
    package let proven: UTCInstant
    /// Files were written, by a clock that may have been wrong.
    package let hinted: UTCInstant?

    package init(proven: [UTCInstant], hints: [UTCInstant]) {
        let floor = proven.max() ?? UTCInstant(milliseconds: 0)
        self.proven = floor
        let bound = floor + Self.hintsAheadMax
        hinted = hints.filter { floor < $0 && $0 <= bound }.max()
    }

    /// How far somebody's word may lie ahead of a synchronised clock and still be proof. Milliseconds: a day.
    package static let aheadMax: Int64 = 86_400_000
    /// No clock that is before it is synchronised, whatever it is said to be.
    package static let beginning = UTCInstant(milliseconds: 1_767_225_600_000)  // 2026-01-01T00:00:00Z

    /// Whether what a receipt or a certificate says is proof: a collector whose clock once stood in the future must not make
    /// every certificate and key look ended for ever. Where nobody knows the time, the collector does.
    package static func takes(_ word: UTCInstant, clock: UTCInstant, isSynchronised: Bool) -> Bool {
        !isSynchronised || clock < beginning || word <= clock + aheadMax
    }

    /// The latest instant known to have passed; nil when `clock` is not before what is proven, and so is believed.
    package func instead(of clock: UTCInstant) -> UTCInstant? {
        clock >= proven ? nil : max(proven, hinted ?? proven)
    }
}
