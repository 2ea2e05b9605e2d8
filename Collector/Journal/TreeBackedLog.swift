// What both SQLite logs answer with their tree alone.

internal import CollectorCore
internal import Proofs

/// A log over ``SQLiteTree``.
protocol TreeBackedLog: TransparencyLog {
    var tree: SQLiteTree { get }
}

extension TreeBackedLog {
    package var name: LogName { tree.name }
    package func end() throws(LogError) -> LogPosition { try tree.end() }
    package func epochs() throws(LogError) -> [LogEpoch] { try tree.epochs() }
    package func standing() throws(LogError) -> LogStanding { try tree.standing() }
    package func close() throws(LogError) { try tree.file.close() }
    package func publish() throws(LogError) -> PublishedCheckpoint { try tree.publish() }
    package func published(epoch: UInt64?) throws(LogError) -> PublishedCheckpoint? { try tree.published(epoch: epoch) }

    @discardableResult
    package func learned(checkpoint note: [UInt8], from holder: String) throws(LogError) -> LogStanding {
        try tree.learned(checkpoint: note, from: holder)
    }

    @discardableResult
    package func openEpoch(ended: String, lastPublished: [UInt8]) throws(LogError) -> LogPosition {
        try tree.openEpoch(ended: ended, lastPublished: lastPublished)
    }

    package func entries(from: LogPosition, limit: Int) throws(LogError) -> [[UInt8]] {
        try tree.entries(from: from, limit: limit)
    }

    package func root(epoch: UInt64, size: UInt64) throws(LogError) -> Digest {
        try tree.root(epoch: epoch, size: size)
    }

    package func inclusionProof(of position: LogPosition, size: UInt64) throws(LogError) -> [Digest] {
        try tree.inclusionProof(of: position, size: size)
    }

    package func consistencyProof(epoch: UInt64, old: UInt64, new: UInt64) throws(LogError) -> [Digest] {
        try tree.consistencyProof(epoch: epoch, old: old, new: new)
    }

    package func file(epoch: UInt64, path: String) throws(LogError) -> [UInt8]? {
        try tree.file(epoch: epoch, path: path)
    }
}
