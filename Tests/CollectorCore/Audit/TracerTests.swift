// The walk from a K$ to the register words: complete for an issuance's credit and for a transfer, and honest when not.

import CollectorCore
import Proofs
import Quantities
import Testing

struct TracerTests {
    @Test func anIssuanceIsWalkedToItsWords() async throws {
        let house = try PublishedHouse()
        let credit = try #require(house.ledger.entries.first { $0.kind == .issued })
        let trace = try await Tracer.trace(credit.transfer.id, AuditPins(), house.tools)
        #expect(trace.isHeld, "\(trace.steps.flatMap(\.checks).filter { !$0.isHeld }.map(\.text))")
        let lines = trace.steps.flatMap(\.lines)
        // 1 000 counts of 10 Wh open, 24 000 Wh later 3 400 close: the words of both are shown.
        #expect(lines.contains { $0.name == "words" && $0.value.contains("03e8") })
        #expect(lines.contains { $0.name == "words" && $0.value.contains("0d48") })
        #expect(lines.contains { $0.name == "difference" && $0.value == "24.000 kWh" })
        #expect(lines.contains { $0.name == "serial" && $0.value == "serial-main read and typed" })
        #expect(trace.notes.contains { $0.contains("the meters") })
    }

    @Test func aTransferIsFollowedFirstInFirstOut() async throws {
        let house = try PublishedHouse()
        let payment = try #require(house.ledger.entries.first { $0.kind == .transferred })
        let trace = try await Tracer.trace(payment.transfer.id, AuditPins(), house.tools)
        #expect(trace.isHeld, "\(trace.steps.flatMap(\.checks).filter { !$0.isHeld }.map(\.text))")
        #expect(trace.steps.map(\.title).contains { $0.hasPrefix("Where it came from") })
    }

    @Test func anAlteredAmountShows() async throws {
        let house = try PublishedHouse(
            Misdeed(draft: { draft in
                guard draft.kind == Event.Kind.issuanceComplete.rawValue,
                    case .issuanceComplete(let body) = try Event(kind: draft.kind, body: draft.payload.body)
                else { return draft }
                let more = Event.IssuanceComplete(
                    window: body.window, entity: body.entity, principal: body.principal, account: body.account,
                    amount: Amount(minorUnits: body.amount.minorUnits + 1), outputDigest: body.outputDigest)
                return Event.issuanceComplete(more).draft(
                    commandID: draft.payload.commandID, ordinal: draft.payload.ordinal)
            }))
        let credit = try #require(house.ledger.entries.first { $0.kind == .issued })
        let trace = try await Tracer.trace(credit.transfer.id, AuditPins(), house.tools)
        #expect(!trace.isHeld)
    }

    @Test func anUnknownTransferIsSaid() async throws {
        let house = try PublishedHouse()
        await #expect(throws: AuditFailure.self) {
            _ = try await Tracer.trace(TransferID([UInt8](repeating: 9, count: 16))!, AuditPins(), house.tools)
        }
    }
}
