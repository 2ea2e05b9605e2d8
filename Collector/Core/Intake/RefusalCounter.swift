// Counts what intake refuses, so that the Journal tells of a flood in one event a minute and not in a flood of its own.

package import Evidence
internal import Proofs
package import Quantities

/// Refusals by gateway since the last batch. Volatile: a crash loses at most a minute's counts, which are news, not money.
package struct RefusalCounter: Sendable {
    /// A batch of a gateway covers at least this long, ms of the house's time.
    package static let batchMs: Int64 = 60_000
    /// Gateways counted by name at a time; the rest are counted together as `-`.
    package static let gatewaysMax = 10_000
    package static let rest: Identifier = {
        guard let id = Identifier("-") else { preconditionFailure("a hyphen is an identifier") }
        return id
    }()

    private struct Batch {
        let from: UTCInstant
        var counts: [RefusalCode: UInt64] = [:]
    }

    private var batches: [Identifier: Batch] = [:]
    /// Since this one was made; for metrics. By code, in order.
    package private(set) var totals: [(code: RefusalCode, count: UInt64)] = RefusalCode.allCases.map { ($0, 0) }

    package init() {}

    /// - Parameter gateway: of the topic: the only name somebody vouched for.
    package mutating func count(_ code: RefusalCode, gateway: Identifier, at now: UTCInstant) {
        let isNamed = batches[gateway] != nil || batches.count < Self.gatewaysMax
        batches[isNamed ? gateway : Self.rest, default: Batch(from: now)].counts[code, default: 0] += 1
        for index in totals.indices where totals[index].code == code { totals[index].count += 1 }
    }

    /// Takes the batches that are a minute old, by gateway, for intake's stream of the Journal.
    package mutating func take(at now: UTCInstant) -> [JournalDraft] {
        let ripe = batches.keys.sorted().filter { id in batches[id].map { now >= $0.from + Self.batchMs } ?? false }
        return ripe.compactMap { id in
            guard let batch = batches.removeValue(forKey: id) else { return nil }
            let counts = RefusalCode.allCases.compactMap { code in
                batch.counts[code].map { Event.RecordRefused.Count(code: code.rawValue, count: $0) }
            }
            let event = Event.RecordRefused(gateway: id, counts: counts, from: batch.from, to: now)
            return Event.recordRefused(event).draft(commandID: Self.commandID(event))
        }
    }

    /// Caused by time: SHA-256("time" ‖ "record-refused" ‖ gateway ‖ "/" ‖ from in ms as decimal ASCII).
    private static func commandID(_ event: Event.RecordRefused) -> Digest {
        CommandID.time(purpose: "record-refused", window: "\(event.gateway.text)/\(event.from.milliseconds)")
    }
}
