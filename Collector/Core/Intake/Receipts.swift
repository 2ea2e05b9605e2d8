// What receipts say and how often. Signing and publishing them is the shell's; nothing is receipted that is not durable.

package import Evidence
package import Proofs
package import Quantities

/// What the shell knows and a receipt needs.
package struct ReceiptContext: Sendable {
    /// From genesis: origins are `<base>/evidence/<epoch>`.
    package let originBase: String
    /// Where a stream without a head would stand.
    package let epoch: UInt64
    package let devicesSynced: UInt64
    package let now: UTCInstant
    /// About hourly: a signed checkpoint and the consistency proof from the one the gateway's status names.
    package let checkpoint: (note: [UInt8], consistency: [Digest])?

    package init(
        originBase: String, epoch: UInt64, devicesSynced: UInt64, now: UTCInstant,
        checkpoint: (note: [UInt8], consistency: [Digest])? = nil
    ) {
        self.originBase = originBase
        self.epoch = epoch
        self.devicesSynced = devicesSynced
        self.now = now
        self.checkpoint = checkpoint
    }
}

extension IntakeState {
    /// The cumulative receipt of a stream: what is held durably, and what `answer` adds.
    package func receipt(
        _ gateway: Identifier, _ stream: StreamID, _ context: ReceiptContext, answer: ReceiptAnswer = ReceiptAnswer()
    ) -> Receipt {
        let state = gateways[gateway]?.streams[stream]
        let through = state?.head.through ?? 0
        let epoch = state?.head.position.epoch ?? context.epoch
        var receipt = Receipt(
            gateway: gateway, stream: stream, durableThrough: through, identity: state?.head.identity ?? .zero,
            receivedAt: state?.head.receivedAt ?? context.now,
            logOrigin: LogOrigin(base: context.originBase, log: .evidence, epoch: epoch).description,
            leafIndex: state?.head.position.index ?? 0, devicesSynced: context.devicesSynced,
            versionsAccepted: [Record.version])
        // What came after the question was asked may have answered it.
        receipt.resendFrom = answer.resendFrom.flatMap { $0 > through ? $0 : nil }
        receipt.refusals = answer.refusals
        receipt.checkpoint = context.checkpoint
        receipt.ended = state?.endReason.map { (through, $0) }
        return receipt
    }

    /// Every stream by gateway and birth: their receipts are published again when a collector starts.
    package var streams: [(gateway: Identifier, stream: StreamID)] {
        gatewayIDs.flatMap { id in (gateways[id]?.births ?? []).map { (id, $0) } }
    }
}

/// What a receipt adds to the stream's state.
package struct ReceiptAnswer: Hashable, Sendable {
    /// Refusals a receipt names at most; the gateway sends again what it misses.
    package static let refusalsMax = 16

    package var resendFrom: UInt64?
    package var refusals: [Receipt.Refusal] = []

    package init() {}

    /// Adds what a delivery's outcome has to say.
    mutating func add(_ outcome: IntakeOutcome) {
        switch outcome {
        case .append, .duplicate, .forked: break
        case .notNext(_, let from): resendFrom = from
        case .refuse(let code, let place):
            guard let place else { break }
            let refusal = Receipt.Refusal(sequence: place.sequence, code: code.rawValue)
            if !refusals.contains(refusal), refusals.count < Self.refusalsMax { refusals.append(refusal) }
        }
    }
}

/// When receipts go out: at once when one is due, at most one a second for each stream. Times are monotonic ms.
package struct ReceiptSchedule: Sendable {
    package static let intervalMs: Int64 = 1000
    package static let checkpointIntervalMs: Int64 = 3_600_000
    /// Streams a gateway may wait for at a time: one that makes up streams gets no more answers than this.
    package static let streamsPerGatewayMax = 8

    package struct Due: Hashable, Sendable {
        package let gateway: Identifier
        package let stream: StreamID
        package let answer: ReceiptAnswer
        /// An hour has passed since this stream's receipt last carried a checkpoint.
        package let wantsCheckpoint: Bool
    }

    private struct Key: Hashable, Comparable {
        let gateway: Identifier
        let stream: StreamID

        static func < (a: Key, b: Key) -> Bool { (a.gateway, a.stream) < (b.gateway, b.stream) }
    }

    private struct Sent {
        var receipt: Int64
        var checkpoint: Int64?
    }

    private var waiting: [Key: ReceiptAnswer] = [:]
    /// How many of `waiting` are a gateway's.
    private var waitingStreams: [Identifier: Int] = [:]
    private var sent: [Key: Sent] = [:]
    private var forgetAt = 1024

    package init() {}

    /// A receipt of the stream is wanted. Outcomes without a place ask for none.
    package mutating func want(_ outcome: IntakeOutcome) {
        let place: RecordPlace
        switch outcome {
        case .append(let record, _): place = record.place
        case .duplicate(let own), .notNext(let own, _), .forked(let own, _): place = own
        case .refuse(_, let own):
            guard let own else { return }
            place = own
        }
        let key = Key(gateway: place.gateway, stream: place.stream)
        if waiting[key] == nil {
            guard waitingStreams[place.gateway, default: 0] < Self.streamsPerGatewayMax else { return }
            waitingStreams[place.gateway, default: 0] += 1
        }
        waiting[key, default: ReceiptAnswer()].add(outcome)
    }

    /// A receipt of the stream is wanted whatever came: at the collector's start.
    package mutating func want(_ gateway: Identifier, _ stream: StreamID) {
        let key = Key(gateway: gateway, stream: stream)
        guard waiting[key] == nil else { return }
        waiting[key] = ReceiptAnswer()
        waitingStreams[gateway, default: 0] += 1
    }

    /// Takes what may go out at `uptime` to the gateways asked for, by gateway and stream.
    package mutating func take(uptime: Int64, of isAskedFor: (Identifier) -> Bool = { _ in true }) -> [Due] {
        // Whoever was last sent to more than an interval ago may be sent to at once: nothing to remember but checkpoints.
        let keys = waiting.keys.filter { key in
            isAskedFor(key.gateway) && (sent[key].map { uptime - $0.receipt >= Self.intervalMs } ?? true)
        }.sorted()
        forget(before: uptime - Self.checkpointIntervalMs)
        return keys.map { key in
            let answer = waiting.removeValue(forKey: key) ?? ReceiptAnswer()
            let left = waitingStreams[key.gateway, default: 1] - 1
            waitingStreams[key.gateway] = left > 0 ? left : nil
            let last = sent[key]?.checkpoint
            let wants = last.map { uptime - $0 >= Self.checkpointIntervalMs } ?? true
            sent[key] = Sent(receipt: uptime, checkpoint: wants ? uptime : last)
            return Due(gateway: key.gateway, stream: key.stream, answer: answer, wantsCheckpoint: wants)
        }
    }

    /// Made-up streams are not remembered for ever: once in a while those silent for an hour go.
    private mutating func forget(before uptime: Int64) {
        guard sent.count >= forgetAt else { return }
        sent = sent.filter { $0.value.receipt > uptime }
        forgetAt = max(1024, 2 * sent.count)
    }

    /// When ``take(uptime:)`` next has something; nil when nothing waits.
    package func nextDue(uptime: Int64) -> Int64? {
        waiting.keys.map { key in max(uptime, (sent[key]?.receipt ?? .min / 2) + Self.intervalMs) }.min()
    }
}
