// What a commit takes and how it becomes records: sizes, order, and the instant each record is complete through.

internal import AgentCore
internal import CBOR
internal import Evidence
internal import Kit
internal import Proofs
internal import Quantities
internal import Testing

struct BatchTests {
    private func read(_ read: UInt64, _ began: UInt64, _ ended: UInt64, words: Int = 4) -> FinishedRead {
        FinishedRead(read: read, began: began, ended: ended, status: 0, words: [UInt8](repeating: 7, count: words))
    }

    @Test(arguments: [
        // No request under way: complete through now. One under way: through its start.
        (openSince: UInt64?.none, now: UInt64(100), through: UInt64(100)), (50, 100, 50), (100, 100, 100),
    ])
    func completeThroughIsTheOldestOpenStart(openSince: UInt64?, now: UInt64, through: UInt64) {
        let batch = Batch([read(1, 10, 20)], now: now, openSince: openSince)
        #expect(batch.parts.map(\.completeThrough) == [through])
        #expect(batch.parts[0].readings.base == 20)
        #expect(batch.parts[0].readings.samples == [.init(read: 1, dt: 0, took: 10, status: 0, words: [7, 7, 7, 7])])
    }

    @Test func earlierPartIsCompleteOnlyThroughWhatALaterOneHolds() {
        // A slow read that began first and ended last stands in the last part.
        let reads = [read(1, 10, 20, words: 250), read(2, 21, 30, words: 250), read(3, 5, 40, words: 250)]
        let batch = Batch(reads, now: 50, openSince: nil, bytesMax: 1_324)
        #expect(batch.parts.map { $0.readings.samples.count } == [1, 1, 1])
        #expect(batch.parts.map(\.completeThrough) == [5, 5, 50])
    }

    @Test(arguments: 0..<20)
    func everyRecordStaysBelowTheSizeAndLosesNothing(seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(seed))
        let count = Int.random(in: 0...800, using: &random)
        var reads: [FinishedRead] = []
        for _ in 0..<count {
            let ended = UInt64.random(in: 0...(seed % 2 == 0 ? 1_000 : 1 << 52), using: &random)
            reads.append(
                read(
                    UInt64.random(in: 0...50, using: &random), ended - min(ended, 20), ended,
                    words: 2 * Int.random(in: 0...125, using: &random)))
        }
        reads.sort { ($0.ended, $0.read) < ($1.ended, $1.read) }
        let batch = Batch(reads, now: 1 << 52, openSince: nil)
        #expect(batch.parts.reduce(0) { $0 + $1.readings.samples.count } == count)
        #expect(batch.parts.map(\.completeThrough) == batch.parts.map(\.completeThrough).sorted())
        var chain = Chain(
            gateway: Identifier(String(repeating: "g", count: 40))!, stream: StreamID([UInt8](repeating: 1, count: 8))!)
        for part in batch.parts {
            let record = chain.append(
                .readings(part.readings),
                clock: RecordClock(
                    sync: 2, errorMilliseconds: 1 << 52, boot: [UInt8](repeating: 1, count: 16),
                    uptimeMilliseconds: 1 << 52,
                    utc: UTCInstant(milliseconds: 1 << 52)), completeThrough: part.completeThrough,
                sign: {
                    SignedMessage.signing(
                        $0, as: .record, algorithm: .es256, kid: [UInt8](repeating: 0, count: 8),
                        with: { _ in [UInt8](repeating: 0, count: 64) })
                })
            #expect(record.envelope.count <= SignedMessage.writtenBytesMax, "seed \(seed)")
            // Sorted, none twice: the decoder refuses anything else.
            let message = try SignedMessage(parsing: record.envelope, as: .record)
            #expect(try Record(decoding: message.payload).body == .readings(part.readings), "seed \(seed)")
        }
    }

    @Test func twoAnswersInOneMillisecondOfAStandingClock() {
        let batch = Batch([read(1, 0, 0), read(1, 0, 0), read(2, 0, 0)], now: 0, openSince: nil)
        let samples = batch.parts[0].readings.samples
        #expect(samples.map(\.read) == [1, 1, 2])
        #expect(samples.map(\.dt) == [0, 1, 1])
    }

    @Test func openCommitKeepsWhatIsUnderWayAndBoundsMemory() {
        var open = OpenCommit(buses: 2)
        open.begin(bus: 0, uptime: 10)
        open.begin(bus: 1, uptime: 20)
        open.end(bus: 0, read(1, 10, 15))
        var cut = open.cut()
        #expect(cut.reads.count == 1 && cut.openSince == 20 && cut.dropped.isEmpty)
        open.end(bus: 1, nil)
        cut = open.cut()
        #expect(cut.reads.isEmpty && cut.openSince == nil)
        for number in 0...OpenCommit.readsMax { open.end(bus: 0, read(UInt64(number % 2), 0, UInt64(number))) }
        cut = open.cut()
        let lost = cut.dropped.reduce(0) { $0 + $1.samples }
        #expect(cut.reads.count + Int(lost) == OpenCommit.readsMax + 1)
        #expect(cut.dropped.map(\.read) == [0, 1])
        // The oldest went.
        #expect(cut.reads.first?.ended == lost)
        #expect(open.cut().dropped.isEmpty)
    }
}
