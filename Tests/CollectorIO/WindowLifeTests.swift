// A window's way inside one process and over restarts: from signed readings to K$, whatever write fails on the way.

@testable import CollectorIO
import CBOR
import Foundation
import HTTPTypes
import Kit
import Settings
import CollectorCore
import CollectorJournal
import Evidence
import Keys
import Proofs
import Quantities
import Synchronization
import Testing

/// What must be the same after every restart.
struct Standstill: Equatable {
    let ledger: Digest
    let windows: [String]
    let supply: Int128
    let heads: [String]
    let statements: [Digest]

    init(_ house: House) async {
        ledger = await house.ledger.digest
        supply = await house.supply
        windows = await house.state.windows.map { window in
            "\(window.window.text) \(window.step.rawValue) \(window.cut.inputDigest) \(window.allocation?.body.outputDigest.description ?? "") "
                + "\(window.issued.map { "\($0.body.principal) \($0.body.amount)" }) \(window.isWeighed) \(String(describing: window.supplyAfter))"
        }
        heads = await house.intake.streams.map { gateway, stream in "\(gateway) \(stream)" }
        statements = await house.state.statements.map(\.identity)
    }
}

struct WindowLifeTests {
    @Test func evidenceBecomesMoney() async throws {
        let yard = try HouseYard()
        let house = try await yard.open()
        let windows = try await yard.settle(house, days: 2)
        #expect(windows == ["W-2016-07-07-1", "W-2016-07-08-1"])
        // 24 000 Wh a day at the manifest's rate, shared 60 to 40.
        let issued = await house.state.windows.map {
            $0.issued.map { "\($0.body.principal) \($0.body.amount.minorUnits)" }
        }
        #expect(issued == [["coop 14400000", "fund 9600000"], ["coop 14400000", "fund 9600000"]])
        #expect(await house.supply == 48_000_000)
        #expect(await house.state.windows.allSatisfy { $0.isSettled && $0.isWeighed })
        #expect(await house.troubles == [])
    }

    @Test func restartChangesNothing() async throws {
        let yard = try HouseYard()
        let first = try await yard.open()
        _ = try await yard.settle(first, days: 2)
        let before = await Standstill(first)
        try await yard.close(first)
        for _ in 0..<2 {
            let again = try await yard.open()
            #expect(await Standstill(again) == before)
            try await again.work()
            #expect(await Standstill(again) == before)
            try await yard.close(again)
        }
    }

    /// How far a gateway is complete depends on the clock error it was registered with: after a restart too.
    @Test func completenessIsTheSameAfterARestart() async throws {
        let yard = try HouseYard()
        let house = try await yard.open()
        var gateway = YardGateway(yard)
        _ = await house.deliver(try gateway.bear())
        // The day's last reading is 3.6 s ahead of the house; the registered error allows 1 s.
        yard.set(anchor + (day - 3600))
        _ = await house.deliver(try gateway.produceDay())
        #expect(await house.admission.completeThrough(id("gw-east")) == anchor + (day - 2600))
        try await yard.close(house)
        let again = try await yard.open()
        #expect(await again.admission.completeThrough(id("gw-east")) == anchor + (day - 2600))
        try await yard.close(again)
    }

    /// Every write of the Journal on a window's way, in both failing halves: `commit` refuses, `answer` writes and loses
    /// the answer. The process goes on, or is started again; the outcome is the one of an undisturbed run.
    @Test(arguments: [LogStep.commit, .answer], [false, true])
    func interruptedAnywhereItEndsTheSame(failing: LogStep, restarts: Bool) async throws {
        let undisturbed = try await Self.run(yard: try HouseYard(), failing: nil, at: 0, restarts: false)
        #expect(undisturbed.outcome.supply == 24_000_000)
        #expect(undisturbed.writes > 10)
        for number in 0..<undisturbed.writes {
            let run = try await Self.run(yard: try HouseYard(), failing: failing, at: number, restarts: restarts)
            #expect(run.didFail, "write \(number)")
            #expect(run.outcome == undisturbed.outcome, "write \(number)")
        }
    }

    /// What does not depend on keys and times.
    struct Outcome: Equatable {
        let amounts: [String]
        let supply: Int128
        let steps: [String]
    }

    private static func run(
        yard: HouseYard, failing: LogStep?, at number: Int, restarts: Bool
    ) async throws -> (outcome: Outcome, writes: Int, didFail: Bool) {
        let count = Mutex(0)
        let failed = Mutex(false)
        let house = Mutex(try await yard.open())
        yard.fail { log, step in
            guard step == (failing ?? .commit) else { return }
            let now = count.withLock { count in
                count += 1
                return count - 1
            }
            guard failing != nil, now == number else { return }
            failed.withLock { $0 = true }
            throw InjectedFault()
        }
        var gateway = YardGateway(yard)
        let records = try gateway.bear() + gateway.produceDay()
        let statement = try YardDesk(yard: yard).statement()
        yard.set(anchor + day)
        for _ in 0..<4 {
            let now = house.withLock { $0 }
            // A request that failed is sent again: the same bytes.
            _ = await now.deliver(records)
            do { _ = try await now.take(statement: statement) } catch {}
            if restarts, failed.withLock({ $0 }) { try await restart(yard, house) }
        }
        yard.set(anchor + 2 * day)
        for _ in 0..<4 {
            let now = house.withLock { $0 }
            try await now.work()
            do { try await yard.prove(now) } catch {}
            if restarts, failed.withLock({ $0 }) { try await restart(yard, house) }
        }
        let last = house.withLock { $0 }
        let state = await last.state
        let outcome = Outcome(
            amounts: state.windows.flatMap { $0.issued.map { "\($0.body.principal) \($0.body.amount.minorUnits)" } },
            supply: await last.supply, steps: state.windows.map { "\($0.step) \($0.isWeighed)" })
        try await last.ledger.checkConservation()
        try await yard.close(last)
        return (outcome, count.withLock { $0 }, failed.withLock { $0 })
    }

    private static func restart(_ yard: HouseYard, _ house: borrowing Mutex<House>) async throws {
        try await yard.close(house.withLock { $0 })
        let again = try await yard.open()
        house.withLock { $0 = again }
    }
}
