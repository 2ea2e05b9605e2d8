// What stays of records whose envelopes are gone: enough to sign one skip that stands for them, should anybody ask.

internal import CBOR
package import Evidence
package import Proofs

/// A run of neighbouring records that were deleted, sacrificed or lost, not (yet) replaced by a signed skip.
package struct ForgottenRange: Hashable, Sendable {
    package let first: UInt64
    package let through: UInt64
    /// Identity of the record at `through`.
    package let link: Digest
    /// For a record nobody can read any more: that of the last readable before it.
    package let firstClock: RecordClock
    package let lastClock: RecordClock
    package let completeThrough: UInt64
    /// In order of the read.
    package let losses: [Skip.Loss]
    package let reason: String

    /// Why ranges are skipped. The texts are signed.
    package static let afterReceipt = "deleted after its receipt"
    package static let spoolFull = "spool full"
    package static let damaged = "damaged in the spool"

    package init(
        first: UInt64, through: UInt64, link: Digest, firstClock: RecordClock, lastClock: RecordClock,
        completeThrough: UInt64, losses: [Skip.Loss], reason: String
    ) {
        self.first = first
        self.through = through
        self.link = link
        self.firstClock = firstClock
        self.lastClock = lastClock
        self.completeThrough = completeThrough
        self.losses = losses
        self.reason = reason
    }

    /// What is left of one record, as understood.
    package init(_ record: Record, link: Digest, reason: String) {
        var losses: [Skip.Loss] = []
        var (through, firstClock) = (record.place.sequence, record.clock)
        switch record.body {
        case .readings(let readings): losses = Self.counted(readings)
        case .skip(let skip): (through, firstClock, losses) = (skip.to, skip.firstClock, skip.losses)
        case .birth, .note, .key: break
        }
        self.init(
            first: record.place.sequence, through: through, link: link, firstClock: firstClock,
            lastClock: record.clock, completeThrough: record.completeThrough, losses: losses, reason: reason)
    }

    /// This range and the one right after it as one.
    package func joined(_ next: ForgottenRange) -> ForgottenRange {
        precondition(next.first == through + 1, "only neighbours join")
        return ForgottenRange(
            first: first, through: next.through, link: next.link, firstClock: firstClock, lastClock: next.lastClock,
            completeThrough: next.completeThrough, losses: Self.sum(losses, next.losses),
            reason: reason == next.reason ? reason : Self.spoolFull)
    }

    /// The skip's body.
    package var skip: Skip {
        Skip(to: through, identity: link, reason: reason, firstClock: firstClock, lastClock: lastClock, losses: losses)
    }

    private static func counted(_ readings: Readings) -> [Skip.Loss] {
        sum(readings.samples.map { Skip.Loss(read: $0.read, samples: 1) }, [])
    }

    private static func sum(_ a: [Skip.Loss], _ b: [Skip.Loss]) -> [Skip.Loss] {
        var result: [Skip.Loss] = []
        for loss in (a + b).sorted(by: { $0.read < $1.read }) {
            if let last = result.last, last.read == loss.read {
                result[result.count - 1] = Skip.Loss(read: loss.read, samples: last.samples &+ loss.samples)
            } else {
                result.append(loss)
            }
        }
        return result
    }
}

extension ForgottenRange {
    /// What the spool keeps beside number, last number and link: docs/formats/spool.md, "summary".
    package var summary: [UInt8] {
        CBORValue.array([
            firstClock.cbor, lastClock.cbor, .unsigned(completeThrough), .text(reason),
            .array(losses.map { .array([.unsigned($0.read), .unsigned($0.samples)]) }),
        ]).encoded()
    }

    /// - Throws: ``ShapeError`` or ``CBORError`` for a damaged summary.
    package init(summary: [UInt8], first: UInt64, through: UInt64, link: Digest) throws {
        let parts = try CBORValue(decoding: summary).array(count: 5, "summary")
        var losses: [Skip.Loss] = []
        for item in try parts[4].array("summary[4]") {
            let loss = try item.array(count: 2, "summary[4][]")
            losses.append(Skip.Loss(read: try loss[0].uint("read"), samples: try loss[1].uint("samples")))
        }
        self.init(
            first: first, through: through, link: link, firstClock: try RecordClock(parts[0], "summary[0]"),
            lastClock: try RecordClock(parts[1], "summary[1]"), completeThrough: try parts[2].uint("summary[2]"),
            losses: losses, reason: try parts[3].text("summary[3]"))
    }
}
