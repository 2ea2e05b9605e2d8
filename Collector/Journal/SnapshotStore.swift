// Snapshots of folded state, so that a start need not read the whole Journal. Never the truth: one that is missing or
// damaged costs a refold.
//
// File `<directory>/<consumer>.snapshot`: CBOR [epoch, index, state digest, bytes] ‖ SHA-256 of that CBOR.

internal import CBOR
package import CollectorCore
package import Proofs
package import Quantities

/// Folded state up to a position.
package struct StateSnapshot: Hashable, Sendable {
    /// Everything before it is in the state.
    package let position: LogPosition
    /// The state's own digest, as a full fold would give it.
    package let digest: Digest
    package let bytes: [UInt8]

    package init(position: LogPosition, digest: Digest, bytes: [UInt8]) {
        self.position = position
        self.digest = digest
        self.bytes = bytes
    }
}

package struct SnapshotStore: Sendable {
    package static let snapshotBytesMax = 1_073_741_824

    private let directory: String

    /// Makes the directory when it is not there; its parent must be.
    package init(directory: String) throws(ObjectError) {
        self.directory = directory
        do throws(FileError) { try DurableFile.makeDirectory(directory) } catch { throw .storage("\(error)") }
    }

    /// Replaces the consumer's snapshot; durable on return, and whole at every moment.
    package func save(_ snapshot: StateSnapshot, of consumer: Identifier) throws(ObjectError) {
        let item = CBORValue.array([
            .unsigned(snapshot.position.epoch), .unsigned(snapshot.position.index), .bytes(snapshot.digest.bytes),
            .bytes(snapshot.bytes),
        ]).encoded()
        guard item.count <= Self.snapshotBytesMax else { throw .tooLarge(item.count) }
        do throws(FileError) { try DurableFile.write(item + Digest(of: item).bytes, to: path(consumer)) } catch {
            throw error.isFull ? .full("\(error)") : .storage("\(error)")
        }
    }

    /// The consumer's snapshot, nil when there is none.
    ///
    /// - Throws: `.damaged` for a file that is not what was saved: fold from the beginning instead, and say so.
    package func load(of consumer: Identifier) throws(ObjectError) -> StateSnapshot? {
        let path = path(consumer)
        let file: [UInt8]?
        do throws(FileError) { file = try DurableFile.read(path, bytesMax: Self.snapshotBytesMax + 32) } catch {
            throw .storage("\(error)")
        }
        guard let file else { return nil }
        let item = Array(file.dropLast(32))
        guard Array(file.suffix(32)) == Digest(of: item).bytes, let snapshot = Self.decoded(item) else {
            throw .damaged("\(path) is not what was saved: it is left out and everything is folded again; delete it")
        }
        return snapshot
    }

    private static func decoded(_ bytes: [UInt8]) -> StateSnapshot? {
        do {
            let parts = try CBORValue(decoding: bytes).array(count: 4, "snapshot")
            guard let digest = Digest(try parts[2].bytes("snapshot[2]")) else { return nil }
            let position = LogPosition(epoch: try parts[0].uint("snapshot[0]"), index: try parts[1].uint("snapshot[1]"))
            return StateSnapshot(position: position, digest: digest, bytes: try parts[3].bytes("snapshot[3]"))
        } catch {
            // Whatever it is, it is not a snapshot: the caller says so.
            return nil
        }
    }

    private func path(_ consumer: Identifier) -> String { "\(directory)/\(consumer.text).snapshot" }
}
