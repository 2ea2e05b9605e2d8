// What intake knows of one stream: its head, keys, skipped ranges and end. How it got there stands in the Evidence log.

internal import Evidence
package import Proofs
package import Quantities

/// One stream of one gateway.
package struct StreamState: Hashable, Sendable {
    /// The last record taken.
    package struct Head: Hashable, Sendable {
        /// Everything through this number is held, or named as lost by a skip.
        package let through: UInt64
        /// Of the record at `through`; what the next record follows.
        package let identity: Digest
        package let position: LogPosition
        package let receivedAt: UTCInstant
    }

    /// Which key signs from a number on.
    package struct KeyPeriod: Hashable, Sendable {
        package let from: UInt64
        package let kid: [UInt8]
        /// Nil for the key that opened the stream: the registry, or an earlier stream's key record, has it.
        package let spki: [UInt8]?
    }

    /// A meter as the latest birth numbers it.
    struct MeterIndex: Hashable, Sendable {
        let index: UInt64
        let meter: Identifier
    }

    package internal(set) var head: Head
    /// By `from`; never empty. Judges duplicates too, which were signed by the key of their time.
    package internal(set) var keys: [KeyPeriod]
    /// Ascending, disjoint: numbers that no record will ever be taken for.
    package internal(set) var skipped: [ClosedRange<UInt64>] = []
    /// Records that will never be taken: skips stand for them.
    package var skippedCount: UInt64 { skipped.reduce(0) { $0 + ($1.upperBound - $1.lowerBound + 1) } }
    /// The number in dispute, once two records claim it. The stream takes nothing more.
    package internal(set) var forkedAt: UInt64?
    /// A person closed it after GATEWAY_CLONED. It takes nothing more.
    package internal(set) var isClosed = false
    /// Its birth runs on another clock than the house.
    package internal(set) var isOtherClock = false
    /// Numbers with a finding that holds them, ascending.
    package internal(set) var findings: [UInt64] = []
    /// What its birth named of the stream before it that had not come. It holds nothing.
    package internal(set) var missingTail: MissingTail?
    var meters: [MeterIndex] = []

    /// Nothing more is taken.
    package var isEnded: Bool { forkedAt != nil || isClosed }

    /// Why the gateway should open a new stream, as receipts say it.
    package var endReason: String? {
        if forkedAt != nil { return "forked" }
        return isClosed ? "closed" : nil
    }

    /// The key that must have signed the record at `sequence`.
    package func key(at sequence: UInt64) -> KeyPeriod {
        keys.last { $0.from <= sequence } ?? keys[0]
    }

    /// Whether `sequence` lies in a range that a skip stands for.
    package func isSkipped(_ sequence: UInt64) -> Bool {
        // Binary search: a stream of years may have many ranges, and every duplicate asks.
        var (low, high) = (0, skipped.count)
        while low < high {
            let middle = (low + high) / 2
            if skipped[middle].upperBound < sequence { low = middle + 1 } else { high = middle }
        }
        return low < skipped.count && skipped[low].contains(sequence)
    }

    /// Takes what `record` says about the stream itself. It is the next one: ``IntakeState/decide`` said so, then or now.
    mutating func advance(_ record: TakenRecord, position: LogPosition, first: UInt64) {
        if record.skip != nil { skipped.append(max(record.place.sequence, first)...record.through) }
        head = Head(
            through: record.through, identity: record.throughIdentity, position: position, receivedAt: record.receivedAt
        )
        guard case .success(let content) = record.content else { return }
        switch content.body {
        case .birth(let birth): meters = birth.meters.map { MeterIndex(index: $0.index, meter: $0.id) }
        case .key(let spki): keys.append(KeyPeriod(from: record.through + 1, kid: KeyID.kid(ofSPKI: spki), spki: spki))
        case .readings, .note, .skip: break
        }
    }
}
