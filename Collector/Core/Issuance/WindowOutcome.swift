// A window computed: the one function from inputs to output that house, replay and auditor share.

package import CBOR
package import Proofs

/// What a window's inputs come to.
package struct WindowOutcome: Hashable, Sendable {
    /// By entity.
    package let verdicts: [EntityVerdict]
    package let output: WindowOutput
    /// ``WindowOutput/encoded``, computed once.
    package let outputBytes: [UInt8]

    package var inputDigest: Digest { output.inputDigest }
    /// SHA-256 of the output's bytes: what seal, proofs and decisions bind.
    package let outputDigest: Digest

    /// - Parameter inputDigest: SHA-256 of the sequence that `inputs` came from or was written to.
    package init(computing inputs: WindowInputs, inputDigest: Digest) {
        let plant = InputPlant(inputs)
        let rate = inputs.manifest.manifest.rate
        var verdicts: [EntityVerdict] = []
        var allocations: [Allocation] = []
        var carries: [Carry] = []
        for (verdict, carry) in zip(Verification.verify(inputs), inputs.carries) {
            guard verdict.isSettled else {
                verdicts.append(verdict)
                carries.append(carry)
                continue
            }
            let allocation = plant.entity(verdict.entity).flatMap {
                EntityAllocation(entity: $0, verifiedWattHours: verdict.verifiedWattHours, carry: carry, rate: rate)
            }
            if let allocation {
                verdicts.append(verdict)
                allocations += allocation.allocations
                carries.append(allocation.carry)
            } else {
                // Unknown, or beyond 64 bits: one entity waits, the window goes on.
                verdicts.append(verdict.withoutSettlement(inputs))
                carries.append(carry)
            }
        }
        self.verdicts = verdicts
        output = WindowOutput(
            header: inputs.header, allocations: allocations,
            settled: verdicts.map { WindowOutput.Settled(entity: $0.entity, through: $0.settledThrough) },
            manifest: inputs.manifest.id, inputDigest: inputDigest,
            openings: verdicts.flatMap(\.openings).sorted { $0.key < $1.key }, carries: carries,
            verdictsDigest: Self.digest(of: verdicts),
            lifts: verdicts.flatMap(\.lifts).sorted { $0.meteringPoint < $1.meteringPoint },
            commissioned: verdicts.flatMap(\.commissioned).sorted { $0.meter < $1.meter })
        outputBytes = output.encoded
        outputDigest = Digest(of: outputBytes)
    }

    private static func digest(of verdicts: [EntityVerdict]) -> Digest {
        var hash = RunningHash()
        for verdict in verdicts { for day in verdict.days { hash.update(day.encoded) } }
        return hash.finish()
    }
}

/// A transcript: segments addressed by their digests, and what they come to.
package struct Transcript: Hashable, Sendable {
    package struct Segment: Hashable, Sendable {
        package let reference: SegmentReference
        package let bytes: [UInt8]

        init(_ kind: SegmentReference.Kind, _ bytes: [UInt8]) {
            reference = SegmentReference(kind: kind, size: UInt64(bytes.count), digest: Digest(of: bytes))
            self.bytes = bytes
        }
    }

    /// Inputs in order, then checkpoints, then the output.
    package let segments: [Segment]

    /// RFC 6962 root over the segments' digests.
    package var root: Digest { Self.root(segments.map(\.reference)) }

    /// The root of what a seal lists.
    package static func root(_ references: [SegmentReference]) -> Digest {
        MerkleTree.root(ofLeafHashes: references.map { MerkleTree.leafHash($0.digest.bytes) })
    }

    init(inputs: [[UInt8]], output: [UInt8]) {
        let inputs = inputs.map { Segment(.inputs, $0) }
        var items = 0
        var digest = Digest.zero
        var checkpoints: [UInt8] = []
        for segment in inputs.dropLast() {
            items += WindowInputs.segmentItems
            digest = Digest(of: digest.bytes, segment.reference.digest.bytes)
            CBORValue.array([.int(Int64(items)), .digest(digest)]).append(to: &checkpoints)
        }
        segments = inputs + [Segment(.checkpoints, checkpoints), Segment(.output, output)]
    }
}

/// SHA-256 of the joined input segments: a window's input digest.
package func inputDigest(of segments: [[UInt8]]) -> Digest {
    var hash = RunningHash()
    for segment in segments { hash.update(segment) }
    return hash.finish()
}

/// Computes a window and writes its transcript. Deterministic: the same inputs, the same bytes, on every machine.
package func computeWindow(_ inputs: WindowInputs) -> (outcome: WindowOutcome, transcript: Transcript) {
    let segments = inputs.segments()
    let outcome = WindowOutcome(computing: inputs, inputDigest: inputDigest(of: segments))
    return (outcome, Transcript(inputs: segments, output: outcome.outputBytes))
}

/// Computes a window again from its input segments alone, as anyone can who does not trust the house.
///
/// - Parameter segments: the segments of kind 1, in order.
/// - Throws: where they are no window's inputs. Never traps, whatever the bytes.
package func replay(segments: [[UInt8]]) throws(ShapeError) -> WindowOutcome {
    let inputs = try WindowInputs(segments: segments)
    return WindowOutcome(computing: inputs, inputDigest: inputDigest(of: segments))
}
