// A house restored from an older copy: it takes nothing until an epoch is opened, and allows nothing until the tail is
// here again. Opened with the collector stopped, as the command does.

@testable import CollectorIO
import CollectorCore
import CollectorJournal
import Evidence
import Foundation
import Keys
import Kit
import Proofs
import Quantities
import Testing

struct EpochTests {
    /// A gateway whose first day is in the copy, and whose second day was receipted after it.
    private struct Restored {
        let yard: HouseYard
        let tail: [SignedMessage]
        /// What the gateway's status shows.
        let receipt: [UInt8]

        init() async throws {
            yard = try HouseYard()
            var gateway = YardGateway(yard)
            yard.set(anchor + day)
            let first = try gateway.bear() + gateway.produceDay()
            try await yard.with { house, _ in _ = await house.deliver(first) }
            let copy = yard.place.file("copy.sqlite")
            let file = yard.configuration.data + "/evidence.sqlite"
            try Self.copyFile(file, to: copy)
            yard.set(anchor + 2 * day)
            let tail = try gateway.produceDay()
            self.tail = tail
            receipt = try await yard.with { house, caller in
                _ = await house.deliver(tail)
                _ = try await caller.get("/log/evidence/1/checkpoint")
                return try await caller.post("/ingest/events?gateway=gw-east", tail[23].encoded).body
            }
            try Self.copyFile(copy, to: file)
        }

        private static func copyFile(_ path: String, to other: String) throws {
            for suffix in ["", "-wal", "-shm"] {
                if FileManager.default.fileExists(atPath: other + suffix) {
                    try FileManager.default.removeItem(atPath: other + suffix)
                }
                if suffix != "-shm", FileManager.default.fileExists(atPath: path + suffix) {
                    try FileManager.default.copyItem(atPath: path + suffix, toPath: other + suffix)
                }
            }
        }

        /// What `kilomint-collector epoch open --log evidence` does; `isNamed` false: it ends before the Journal knows.
        func openEpoch(isNamed: Bool) throws {
            let stores = try yard.stores()
            let note = try Workplace.bytes(of: yard.configuration.witness + "/evidence.checkpoint")
            let ended = try #require(try stores.evidence.epochs().last).origin.description
            let document = EpochDocument(
                log: .evidence, endedOrigin: "collector.example/solar-east/evidence/1", lastCheckpoint: note,
                openedAt: yard.now)
            let envelope = try Document([
                try SignedMessage.signing(document.encoded, as: .epoch, with: yard.key("root"))
            ])
            if ended == document.endedOrigin { try stores.evidence.openEpoch(ended: ended, lastPublished: note) }
            if isNamed {
                let draft = Event.epochOpened(Event.EpochOpened(document: envelope.cbor)).draft(commandID: envelope.id)
                let batch = JournalBatch(
                    stage: .house, after: try stores.journal.sequence(of: .house), drafts: [draft])
                _ = try stores.journal.append(batch, now: yard.now)
            }
            try stores.journal.close()
            try stores.evidence.close()
        }

        func status(receipt: [UInt8]?) -> IncomingMessage {
            let status = GatewayStatus(
                gateway: id("gw-east"), isOnline: true, session: 1, receipt: receipt, checkpoint: nil)
            return IncomingMessage(topic: GatewayTopics(id("gw-east")).status, payload: status.encoded)
        }
    }

    @Test func anOlderCopyTakesNothing() async throws {
        let restored = try await Restored()
        try await restored.yard.with { house, caller in
            let health = try await caller.get("/healthz", as: nil)
            #expect(health.status == 503 && health.text.contains("epoch open"))
            let refused = try await caller.post("/ingest/events?gateway=gw-east", restored.tail[0].encoded)
            #expect(refused.status == 503 && refused.problem == "log-behind")
            #expect(await house.nextJob().map { _ in true } == nil)
            // And again: nothing about it depends on what was tried before.
            #expect(try await caller.post("/ingest/events?gateway=gw-east", restored.tail[0].encoded).status == 503)
        }
    }

    @Test func nothingMovesBeforeTheTailIsHereAgain() async throws {
        let restored = try await Restored()
        try restored.openEpoch(isNamed: true)
        let desk = YardDesk(yard: restored.yard)
        try await restored.yard.with { house, caller in
            #expect(await house.gate.unreconciled == [.evidence])
            let order = try await caller.post("/v1/transactions", try desk.order(1).encoded, as: .owner)
            #expect(order.status == 409 && order.number("code") == 11)
            // Nobody has said what it holds.
            _ = await house.deliver(restored.tail)
            try await house.work()
            #expect(await house.gate.isHalted)
            _ = await house.take([restored.status(receipt: restored.receipt)], .all)
            try await house.work()
            #expect(await house.gate.isHalted == false)
            #expect(try await caller.get("/healthz", as: nil).status == 200)
        }
        // Said once, and known after a restart.
        try await restored.yard.with { (house, _) async throws in
            #expect(await house.gate.isHalted == false)
            #expect(try await house.stores.evidence.epochs().map(\.origin.epoch) == [1, 2])
        }
    }

    @Test func aReceiptForWhatIsNotHereKeepsItHalted() async throws {
        let restored = try await Restored()
        try restored.openEpoch(isNamed: true)
        try await restored.yard.with { house, _ in
            _ = await house.take([restored.status(receipt: restored.receipt)], .all)
            try await house.work()
            #expect(await house.gate.isHalted)
            // A status without a receipt takes nothing back.
            _ = await house.take([restored.status(receipt: nil)], .all)
            try await house.work()
            #expect(await house.gate.isHalted)
            _ = await house.deliver(Array(restored.tail.dropLast()))
            try await house.work()
            #expect(await house.gate.isHalted)
            _ = await house.deliver(restored.tail)
            try await house.work()
            #expect(await house.gate.isHalted == false)
        }
    }

    /// A crash between opening the epoch and naming it: the house does not start until the command was run again.
    @Test func anUnnamedEpochKeepsTheHouseFromStarting() async throws {
        let restored = try await Restored()
        try restored.openEpoch(isNamed: false)
        await #expect(throws: HouseStartError.self) { try await restored.yard.open() }
    }
}
