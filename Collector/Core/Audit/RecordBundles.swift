// What lies beside the entries: payloads with their salts, envelopes. One bundle of 256 at a time, each exactly once.

package import CBOR
internal import Proofs

/// Reads `records/<log>/<epoch>/<N>` in order and keeps the latest.
package struct RecordBundles {
    private let log: LogName
    private let epoch: UInt64
    private var bundle: UInt64?
    private var items: [CBORValue] = []

    package init(_ log: LogName, epoch: UInt64) {
        self.log = log
        self.epoch = epoch
    }

    static func path(_ log: LogName, epoch: UInt64, index: UInt64) -> String {
        "records/\(log.rawValue)/\(epoch)/\(index / UInt64(Tile.width))"
    }

    /// What lies beside entry `index`; null where it was erased.
    package mutating func item(_ index: UInt64, _ tools: AuditTools) async throws -> CBORValue {
        let number = index / UInt64(Tile.width)
        let path = Self.path(log, epoch: epoch, index: index)
        if bundle != number {
            let bytes = try await tools.file(path)
            do { items = try CBORValue(decoding: bytes).array(path) } catch {
                throw AuditFailure(.file(path), "is no deterministic CBOR array (\(error))")
            }
            bundle = number
        }
        let offset = Int(index % UInt64(Tile.width))
        guard offset < items.count else {
            throw AuditFailure(.file(path), "ends after \(items.count) items, entry \(index) is in the signed tree")
        }
        return items[offset]
    }
}
