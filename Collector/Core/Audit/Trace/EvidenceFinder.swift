// Finds single records in the Evidence log and checks each by itself: entry, signature, chain, inclusion.

internal import CBOR
internal import Evidence
internal import Proofs
internal import Quantities

/// Owned by one trace.
final class EvidenceFinder {
    struct Place {
        let position: LogPosition
        let entry: EvidenceEntry
    }

    struct FoundRecord {
        let place: Place
        let message: SignedMessage
        let record: Record
    }

    private struct Key: Hashable {
        let stream: StreamID
        let sequence: UInt64
    }

    let images: [LogImage]
    private let tools: AuditTools
    private var byIdentity: [Digest: Place] = [:]
    private var byPlace: [Key: Place] = [:]
    private var bundles: [UInt64: RecordBundles] = [:]

    init(_ images: [LogImage], _ tools: AuditTools) {
        self.images = images
        self.tools = tools
        for image in images {
            for (index, bytes) in image.entries.enumerated() {
                let position = LogPosition(epoch: image.origin.epoch, index: UInt64(index))
                if position.epoch > 1, position.index == 0 { continue }
                // What is no entry is found by nobody: the step that needs it then says that it is missing.
                do throws(LogEntryError) {
                    let place = Place(position: position, entry: try EvidenceEntry(decoding: bytes))
                    byIdentity[place.entry.identity] = place
                    byPlace[Key(stream: place.entry.stream, sequence: place.entry.sequence)] = place
                } catch { continue }
            }
        }
    }

    func place(_ stream: StreamID, _ sequence: UInt64) -> Place? { byPlace[Key(stream: stream, sequence: sequence)] }

    /// The record with this identity, its envelope compared with its entry.
    func record(_ identity: Digest) async throws -> FoundRecord {
        guard let place = byIdentity[identity] else {
            throw AuditFailure(.file("log/evidence"), "has no record \(identity), which a transcript names")
        }
        let entry = place.entry
        let at = AuditPlace.record(
            place.position, gateway: entry.gateway, stream: entry.stream, sequence: entry.sequence)
        var reader = bundles[place.position.epoch] ?? RecordBundles(.evidence, epoch: place.position.epoch)
        let item = try await reader.item(place.position.index, tools)
        bundles[place.position.epoch] = reader
        guard case .bytes(let envelope) = item else { throw AuditFailure(at, "its envelope was erased or is none") }
        do {
            let message = try SignedMessage(parsing: envelope, as: .record)
            guard message.identity == identity else {
                throw AuditFailure(at, "its envelope has another identity than its entry")
            }
            return FoundRecord(place: place, message: message, record: try Record(decoding: message.payload))
        } catch let error as AuditFailure { throw error } catch { throw AuditFailure(at, "is no record (\(error))") }
    }

    /// RFC 6962 inclusion in the tree that a checkpoint names.
    func isIncluded(_ place: Place, in checkpoint: Checkpoint) -> (isHeld: Bool, hashes: Int) {
        guard let origin = LogOrigin(checkpoint.origin), origin.epoch == place.position.epoch,
            origin.epoch <= UInt64(images.count)
        else { return (false, 0) }
        let image = images[Int(origin.epoch) - 1]
        guard checkpoint.size <= image.size, place.position.index < checkpoint.size else { return (false, 0) }
        let proof = image.inclusionProof(index: place.position.index, size: checkpoint.size)
        let isHeld = MerkleTree.verifyInclusion(
            leaf: image.leaves[Int(place.position.index)], index: place.position.index, size: checkpoint.size,
            proof: proof,
            root: checkpoint.root)
        return (isHeld, proof.count)
    }
}
