// A window's transcript as its seal names it: segments fetched by digest, compared with the seal, replayed. Who may sign a
// seal is the caller's question.

internal import CBOR
internal import Evidence
package import Proofs

/// A seal with the segments it lists, each compared with its digest and size.
package struct SealedTranscript: Sendable {
    package let seal: Seal
    /// Of the seal's envelope.
    package let identity: Digest
    /// Segments of kind 1, in order.
    package let inputs: [[UInt8]]
    /// Kind 2, joined.
    package let checkpoints: [UInt8]
    /// Kind 3.
    package let output: [UInt8]

    /// The seal in an envelope, signed by the house's seal key.
    package static func seal(
        _ envelope: [UInt8], sealKey: [UInt8], at place: AuditPlace, _ tools: AuditTools
    ) throws -> (seal: Seal, identity: Digest) {
        let message: SignedMessage
        do throws(EnvelopeError) {
            message = try SignedMessage(parsing: envelope, as: .seal, bytesMax: SignedMessage.documentBytesMax)
        } catch { throw AuditFailure(place, "its seal is no envelope of ours (\(error))") }
        guard tools.isSigned(message, sealKey) else {
            throw AuditFailure(place, "its seal is not signed by the seal key that genesis fixed")
        }
        do { return (try Seal(decoding: message.payload), message.identity) } catch {
            throw AuditFailure(place, "its seal: \(error)")
        }
    }

    /// Reads what the seal lists.
    package static func load(_ seal: Seal, identity: Digest, _ tools: AuditTools) async throws -> SealedTranscript {
        let place = AuditPlace.window(seal.window)
        let root = Transcript.root(seal.segments)
        guard root == seal.transcriptRoot else {
            throw AuditFailure(
                place, "its seal's transcript root is \(seal.transcriptRoot), the segments it lists give \(root)")
        }
        var bytes: [SegmentReference.Kind: [[UInt8]]] = [:]
        for (index, reference) in seal.segments.enumerated() {
            bytes[reference.kind, default: []].append(
                try await segment(reference.digest, at: .segment(seal.window, index), tools))
            guard bytes[reference.kind]?.last?.count == Int(exactly: reference.size) else {
                throw AuditFailure(.segment(seal.window, index), "has not the \(reference.size) bytes its seal says")
            }
        }
        let kinds = seal.segments.map(\.kind.rawValue)
        guard kinds == kinds.sorted(), let outputs = bytes[.output], outputs.count == 1 else {
            throw AuditFailure(place, "its seal lists not inputs, checkpoints and one output, in this order")
        }
        return SealedTranscript(
            seal: seal, identity: identity, inputs: bytes[.inputs] ?? [],
            checkpoints: (bytes[.checkpoints] ?? []).flatMap(\.self),
            output: outputs[0])
    }

    /// A segment, whose name is its digest.
    static func segment(_ digest: Digest, at place: AuditPlace, _ tools: AuditTools) async throws -> [UInt8] {
        let bytes = try await tools.file("segments/\(digest)")
        let own = Digest(of: bytes)
        guard own == digest else {
            throw AuditFailure(place, "segments/\(digest): its bytes have the digest \(own)")
        }
        return bytes
    }

    /// Computes the window again from its inputs alone.
    package func replayed() throws -> WindowOutcome {
        do throws(ShapeError) { return try replay(segments: inputs) } catch {
            throw AuditFailure(.window(seal.window), "its inputs cannot be computed: \(error)")
        }
    }
}
