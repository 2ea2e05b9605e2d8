// Where an entry is: the log's origin with its epoch, and the position in it.

/// The two logs, by the word that stands in their origins and paths.
package enum LogName: String, CaseIterable, Hashable, Sendable {
    case journal
    case evidence
}

/// A place in a log: the epoch, and the index of the leaf in that epoch's tree.
package struct LogPosition: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// From 1.
    package let epoch: UInt64
    /// From 0.
    package let index: UInt64

    package init(epoch: UInt64, index: UInt64) {
        self.epoch = epoch
        self.index = index
    }

    /// Before everything.
    package static let start = LogPosition(epoch: 1, index: 0)

    package static func < (a: LogPosition, b: LogPosition) -> Bool { (a.epoch, a.index) < (b.epoch, b.index) }

    package var description: String { "\(epoch)/\(index)" }
}

/// A log's origin, the first line of its checkpoints: `<base>/<log>/<epoch>`.
package struct LogOrigin: Hashable, Sendable, CustomStringConvertible {
    /// From genesis: a schema-less URL prefix.
    package let base: String
    package let log: LogName
    /// From 1.
    package let epoch: UInt64

    package init(base: String, log: LogName, epoch: UInt64) {
        self.base = base
        self.log = log
        self.epoch = epoch
    }

    package var description: String { "\(base)/\(log.rawValue)/\(epoch)" }

    /// Nil unless it ends in a log's name and an epoch from 1 in its one spelling.
    package init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count >= 3, let epoch = UInt64(parts[parts.count - 1]), epoch >= 1,
            let log = LogName(rawValue: String(parts[parts.count - 2]))
        else { return nil }
        self.init(base: parts.dropLast(2).joined(separator: "/"), log: log, epoch: epoch)
        guard !base.isEmpty, description == text else { return nil }
    }
}
