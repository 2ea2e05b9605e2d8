// How fast the logs are on this device: appends of growing batches, durable on return. Prints, asserts nothing.

internal import CBOR
internal import CollectorCore
internal import Evidence
internal import Keys
internal import Proofs
internal import Quantities

package enum LogFigures {
    package static let batches = [1, 10, 100, 1000]

    /// Appends to fresh logs in `directory`, which must be empty, and prints a line for each batch size.
    ///
    /// - Parameter seconds: about how long each line may take.
    package static func measure(in directory: String, seconds: Int = 2) throws {
        let key = LogKey(try PrivateKey.generate(.eddsa))
        func configuration(_ name: String) -> LogConfiguration {
            LogConfiguration(
                path: "\(directory)/\(name).sqlite", base: "kilomint.example/figures",
                witnesses: ["\(directory)/\(name).witness"])
        }
        let evidence = try SQLiteEvidenceLog(configuration("evidence"), key: key)
        let journal = try SQLiteJournal(configuration("journal"), key: key)
        var sequence: UInt64 = 0
        for batch in batches {
            try line("evidence records", batch, seconds) {
                _ = try evidence.append(drafts(batch, &sequence))
            }
        }
        var after: UInt64 = 0
        for batch in batches {
            try line("journal events", batch, seconds) {
                after += UInt64(try journal.append(events(batch, after), now: UTCInstant(milliseconds: 0)).count)
            }
        }
        let clock = ContinuousClock()
        let (size, root) = (try evidence.end().index, try evidence.publish().checkpoint.root)
        let took = try clock.measure {
            for step in UInt64(0)..<1000 {
                let proof = try evidence.inclusionProof(of: LogPosition(epoch: 1, index: step * (size / 1000)), size: size)
                precondition(!proof.isEmpty || size == 1)
            }
        }
        print("inclusion proofs of \(size) entries: \(perSecond(1000, took))/s, root \(root)")
    }

    private static func line(_ what: String, _ batch: Int, _ seconds: Int, _ append: () throws -> Void) throws {
        let clock = ContinuousClock()
        let start = clock.now
        var batchesDone = 0
        while clock.now - start < .seconds(seconds) {
            try append()
            batchesDone += 1
        }
        let took = clock.now - start
        print("\(what), batches of \(batch): \(perSecond(batchesDone * batch, took))/s (\(perSecond(batchesDone, took)) commits/s)")
    }

    private static func perSecond(_ count: Int, _ took: Duration) -> Int64 {
        let microseconds = took.components.seconds * 1_000_000 + took.components.attoseconds / 1_000_000_000_000
        return Int64(count) * 1_000_000 / max(1, microseconds)
    }

    /// Envelopes of 700 bytes, as a commit of ten seconds with a dozen reads has, over 100 streams.
    private static func drafts(_ count: Int, _ sequence: inout UInt64) -> [EvidenceDraft] {
        (0..<count).map { _ in
            let number = sequence
            sequence += 1
            let identity = Digest(of: Array("\(number)".utf8))
            let envelope = (0..<22).flatMap { _ in identity.bytes }
            guard let gateway = Identifier("gateway-\(number % 100)"), let stream = StreamID(streamBytes)
            else { preconditionFailure("the names of the measurement are valid") }
            return EvidenceDraft(
                gateway: gateway, stream: stream, sequence: number / 100 + 1, identity: identity, envelope: envelope,
                receivedAt: UTCInstant(milliseconds: 1_500_000_000_000 + Int64(number)))
        }
    }

    private static let streamBytes: [UInt8] = [1, 2, 3, 4, 5, 6, 7, 8]

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
