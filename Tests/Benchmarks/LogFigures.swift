// How fast the logs are on this device: appends of growing batches, durable on return. Measures, asserts nothing.

internal import CBOR
internal import CollectorCore
internal import CollectorJournal
internal import Evidence
internal import Glibc
internal import Keys
internal import Proofs
internal import Quantities

enum LogFigures {
    static let batches = [1, 10, 100, 1000]

    /// Appends to fresh logs in `directory`, which must be empty.
    ///
    /// - Parameters:
    ///   - seconds: about how long each line may take.
    ///   - report: takes a line of text as soon as it is measured.
    static func measure(in directory: String, seconds: Int = 2, report: (String) -> Void) throws {
        let key = LogKey(try PrivateKey.generate(.eddsa))
        func configuration(_ name: String) -> LogConfiguration {
            LogConfiguration(
                path: "\(directory)/\(name).sqlite", base: "kilomint.example/figures",
                witnesses: ["\(directory)/\(name).witness"])
        }
        let evidence = try SQLiteEvidenceLog(configuration("evidence"), key: key)
        var sequence: UInt64 = 0
        for batch in batches {
            report(
                try line("evidence records", batch, seconds) {
                    try drafts(batch, &sequence)
                } append: { drafts in
                    _ = try evidence.append(drafts)
                })
        }
        let journal = try SQLiteJournal(configuration("journal"), key: key)
        var after: UInt64 = 0
        for batch in batches {
            report(
                try line("journal events", batch, seconds) {
                    events(batch, after)
                } append: { events in
                    after += UInt64(try journal.append(events, now: UTCInstant(milliseconds: 0)).count)
                })
        }
        report(try proofs(evidence))
        try evidence.close()
        try journal.close()
    }

    private static func line<Batch>(
        _ what: String, _ batch: Int, _ seconds: Int, make: () throws -> Batch, append: (Batch) throws -> Void
    ) throws -> String {
        let clock = ContinuousClock()
        var (took, worked) = (Duration.zero, Duration.zero)
        var commits = 0
        while took < .seconds(seconds) {
            let made = try make()
            let before = processorTime()
            took += try clock.measure { try append(made) }
            worked += processorTime() - before
            commits += 1
        }
        let each = worked / (commits * batch)
        return
            "\(what), batches of \(batch): \(perSecond(commits * batch, took))/s, \(perSecond(commits, took)) commits/s, "
            + "\(each.components.attoseconds / 1_000_000_000_000) µs of processor each"
    }

    private static func proofs(_ log: SQLiteEvidenceLog) throws -> String {
        let count: UInt64 = 1000
        let size = try log.publish().checkpoint.size
        let took = try ContinuousClock().measure {
            for step in 0..<count {
                _ = try log.inclusionProof(of: LogPosition(epoch: 1, index: step * size / count), size: size)
            }
        }
        return "inclusion proofs in a tree of \(size): \(perSecond(Int(count), took))/s"
    }

    /// What this process has used: on a busy machine the rates say more about the others.
    private static func processorTime() -> Duration {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return .seconds(Int64(time.tv_sec)) + .nanoseconds(Int64(time.tv_nsec))
    }

    private static func perSecond(_ count: Int, _ took: Duration) -> Int64 {
        let microseconds = took.components.seconds * 1_000_000 + took.components.attoseconds / 1_000_000_000_000
        return Int64(count) * 1_000_000 / max(1, microseconds)
    }

    /// Envelopes of 704 bytes, as ten seconds of a dozen reads give, over 100 streams.
    private static func drafts(_ count: Int, _ sequence: inout UInt64) throws -> [EvidenceDraft] {
        var drafts: [EvidenceDraft] = []
        for _ in 0..<count {
            let identity = Digest(of: Array("\(sequence)".utf8))
            guard let gateway = Identifier("gateway-\(sequence % 100)"),
                let stream = StreamID([1, 2, 3, 4, 5, 6, 7, 8])
            else { throw LogError.refused("the names of the measurement are none") }
            drafts.append(
                EvidenceDraft(
                    gateway: gateway, stream: stream, sequence: sequence / 100 + 1, identity: identity,
                    envelope: Array((0..<22).map { _ in identity.bytes }.joined()),
                    receivedAt: UTCInstant(milliseconds: 1_500_000_000_000 + Int64(sequence))))
            sequence += 1
        }
        return drafts
    }

    private static func events(_ count: Int, _ after: UInt64) -> JournalBatch {
        let drafts = (0..<count).map { offset in
            JournalDraft(
                kind: "TransferPosted", stage: .settlement, commandID: Digest(of: Array("\(after)".utf8)),
                ordinal: UInt64(offset), body: .bytes([UInt8](repeating: 7, count: 200)))
        }
        return JournalBatch(
            stage: .settlement, after: after, drafts: drafts,
            advancing: CursorAdvance("figures", to: LogPosition(epoch: 1, index: after)))
    }
}
