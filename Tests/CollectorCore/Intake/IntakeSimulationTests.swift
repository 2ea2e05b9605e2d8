// A gateway and a collector over a channel that loses, doubles and reorders, with crashes of the collector: in the end
// every committed record stands in the evidence log exactly once, or inside a skip the gateway signed.

import CollectorCore
import Evidence
import Kit
import Quantities
import Testing

struct IntakeSimulationTests {
    static let gateway = Identifier("gateway-1")!

    /// Go-back-N as the agent does it: a window, receipts, resend from, time-outs, and now and then a sacrifice.
    struct Sender {
        var stream: TestStream
        let total: UInt64
        let window: UInt64
        var receipted: UInt64 = 0
        var next: UInt64 = 1
        var silent = 0
        /// Ranges given up; sent as one skip each.
        var skips: [ClosedRange<UInt64>] = []

        mutating func burst() -> [SignedMessage] {
            silent += 1
            if silent > 20 { (next, silent) = (receipted + 1, 0) }
            var sent: [SignedMessage] = []
            while next <= min(total, receipted + window) {
                if let range = skips.first(where: { $0.contains(next) }) {
                    sent.append(stream.skip(range.lowerBound, range.upperBound))
                    next = range.upperBound + 1
                } else {
                    sent.append(stream.record(next))
                    next += 1
                }
            }
            return sent
        }

        mutating func sacrifice(_ random: inout SeededGenerator) {
            // From the second record on: births stay. What was sent before may have arrived all the same.
            let from = receipted + 2 + UInt64.random(in: 0...3, using: &random)
            let range = from...(from + UInt64.random(in: 0...4, using: &random))
            guard range.upperBound < total, !skips.contains(where: { $0.overlaps(range) }) else { return }
            skips.append(range)
        }

        mutating func receive(_ receipt: Receipt) {
            if receipt.durableThrough > receipted { (receipted, silent) = (receipt.durableThrough, 0) }
            next = max(next, receipted + 1)
            if let from = receipt.resendFrom, from > receipted { next = min(next, from) }
        }
    }

    @Test(arguments: 1...24 as ClosedRange<UInt64>)
    func everyCommittedRecordExactlyOnce(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var sender = Sender(stream: TestStream(Self.gateway, 1, key: TestKey("first")), total: 120, window: 8)
        var collector = TestCollector([TestKey("first")])
        var wire: [SignedMessage] = []
        var receipts: [Receipt] = []
        var schedule = ReceiptSchedule()
        for step in 0..<20_000 where sender.receipted < sender.total {
            wire += sender.burst()
            if Int.random(in: 0..<25, using: &random) == 0 { sender.sacrifice(&random) }
            if !wire.isEmpty {
                // Mostly in order; sometimes any other; sometimes it stays on the wire and comes again.
                let place =
                    Int.random(in: 0..<4, using: &random) == 0 ? Int.random(in: 0..<wire.count, using: &random) : 0
                let message = Int.random(in: 0..<8, using: &random) == 0 ? wire[place] : wire.remove(at: place)
                switch Int.random(in: 0..<12, using: &random) {
                case 0: break  // Lost.
                case 1: try collector.crashAfterAppending(Self.gateway, message)
                default: schedule.want(collector.deliver(Self.gateway, message))
                }
            }
            if Int.random(in: 0..<60, using: &random) == 0 {
                try collector.restart()
                schedule = ReceiptSchedule()
                for (gateway, stream) in collector.state.streams { schedule.want(gateway, stream) }
            }
            for due in schedule.take(uptime: Int64(step) * 300) {
                receipts.append(
                    collector.state.receipt(due.gateway, due.stream, collector.context, answer: due.answer))
            }
            if !receipts.isEmpty, Bool.random(using: &random) {
                let receipt = receipts.removeFirst()
                if Int.random(in: 0..<5, using: &random) != 0 { sender.receive(receipt) }
            }
        }
        #expect(sender.receipted == sender.total, "seed \(seed): the stream does not come to its end")
        try check(collector, sender, seed)
    }

    /// Reads the evidence log alone, as an auditor would.
    private func check(_ collector: TestCollector, _ sender: Sender, _ seed: UInt64) throws {
        var through: UInt64 = 0
        for entry in collector.evidence {
            let record = try #require(TakenRecord(entry.message, receivedAt: entry.receivedAt))
            #expect(record.through > through, "seed \(seed): \(record.place.sequence) stands twice")
            if record.skip == nil {
                #expect(record.place.sequence == through + 1, "seed \(seed): nothing stands at \(through + 1)")
                #expect(record.identity == sender.stream.identity(record.place.sequence), "seed \(seed)")
            } else {
                #expect(record.place.sequence <= through + 1, "seed \(seed): nothing stands at \(through + 1)")
            }
            through = record.through
        }
        #expect(through == sender.total, "seed \(seed)")
        #expect(collector.journal.isEmpty, "seed \(seed): an honest gateway gave \(collector.journal.map(\.kind))")
    }
}
