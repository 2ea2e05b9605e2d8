// One bus as the doctor sees it: what is configured, and what happened there. The rules are LineRules'.

package import Quantities

/// What is known of a bus and its meters.
package struct LineCase: Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
        case tcp
        /// A serial line of this machine.
        case serial
        /// A serial line behind a server's TCP port.
        case server
    }

    package struct Meter: Hashable, Sendable {
        package let id: Identifier
        package let unit: UInt8
        /// Its profile says that it serves one client.
        package let isSingleClient: Bool

        package init(id: Identifier, unit: UInt8, isSingleClient: Bool = false) {
            self.id = id
            self.unit = unit
            self.isSingleClient = isSingleClient
        }
    }

    /// As the configuration names it: `rtu:/dev/ttyUSB0`.
    package let name: String
    package let kind: Kind
    package let hasEcho: Bool
    /// In the order of the figures' meters.
    package let meters: [Meter]
    package let figures: BusFigures

    package init(name: String, kind: Kind, hasEcho: Bool = false, meters: [Meter], figures: BusFigures) {
        self.name = name
        self.kind = kind
        self.hasEcho = hasEcho
        self.meters = meters
        self.figures = figures
    }

    package var findings: [Finding] { LineRules(self).findings + [characterFinding].compactMap { $0 } }
}

/// Counts and shares as rules need them.
struct MeterCase {
    let meter: LineCase.Meter
    let figures: MeterFigures
    let evidence: UnitEvidence

    /// Requests that reached a line.
    var asked: UInt64 { figures.requests - min(figures.requests, figures.notConnected) }
    /// Answers that came broken.
    var broken: UInt64 { figures.checksums + evidence.partials }
    /// Not a byte came.
    var silent: UInt64 { figures.timeouts - min(figures.timeouts, evidence.partials) }
    func exception(_ code: Int) -> UInt64 { figures.exceptions[code - 1] }
    var exceptions: UInt64 { figures.exceptions.reduce(0, +) }
    /// Somebody of this unit lives: it answered, if only with an exception.
    var isAlive: Bool { figures.good > 0 || exceptions > 0 }
}

extension UInt64 {
    /// `part` of this in percent, rounded; 0 of nothing.
    func percent(_ part: UInt64) -> UInt64 { self == 0 ? 0 : (part * 200 + self) / (2 * self) }
}
