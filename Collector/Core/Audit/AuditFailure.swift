// The first thing that did not hold, and where. What holds is not told here but counted in AuditSummary.

package import Evidence
package import Quantities

/// Where in a house something stands.
package enum AuditPlace: Hashable, Sendable, CustomStringConvertible {
    /// A file of the layout in docs/formats/logs.md.
    case file(String)
    /// An entry of a log.
    case entry(LogName, LogPosition)
    /// An event of the Journal.
    case event(LogPosition, kind: String)
    /// A record of the Evidence log.
    case record(LogPosition, gateway: Identifier, stream: StreamID, sequence: UInt64)
    case window(WindowID)
    /// A segment of a window's transcript, counted from 0 as its seal lists them.
    case segment(WindowID, Int)

    package var description: String {
        switch self {
        case .file(let path): path
        case .entry(let log, let position): "log/\(log.rawValue)/\(position.epoch) entry \(position.index)"
        case .event(let position, let kind): "log/journal/\(position.epoch) entry \(position.index) (\(kind))"
        case .record(let position, let gateway, let stream, let sequence):
            "log/evidence/\(position.epoch) entry \(position.index) (gateway \(gateway), stream \(stream), seq \(sequence))"
        case .window(let window): "window \(window)"
        case .segment(let window, let index): "window \(window), segment \(index)"
        }
    }
}

/// A check that failed. The first one ends an audit: what stands on it means nothing any more.
package struct AuditFailure: Error, Hashable, Sendable, CustomStringConvertible {
    package let place: AuditPlace
    /// What was compared, what was found.
    package let finding: String

    package init(_ place: AuditPlace, _ finding: String) {
        self.place = place
        self.finding = finding
    }

    package var description: String { "\(place): \(finding)" }
}
