// When weights are calculated and from what: windows of one UTC year, entities once a window, the same event twice.

import CollectorCore
import Proofs
import Quantities
import Testing

struct GovernanceTests {
    static func verified(_ window: String, _ entity: String, _ wattHours: Int64) -> Event {
        .productionVerified(
            Event.ProductionVerified(
                window: WindowID(window)!, entity: id(entity), settledFrom: anchor, settledThrough: anchor + day,
                verified: Energy(wattHours: wattHours), lowestConfidence: .one, attestations: []))
    }

    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        /// (window, entity, Wh) in Journal order.
        let verified: [(String, String, Int64)]
        let after: String
        /// (entity, Wh, units)
        let weights: [(String, Int64, Int64)]?
    }

    /// Two entities of population 1 each: 3 · P · 2 + ΣP.
    @Test(arguments: [
        Case(
            testDescription: "one window",
            verified: [("W-2016-07-07-1", "serf", 300), ("W-2016-07-07-1", "west", 100)],
            after: "W-2016-07-07-1", weights: [("serf", 300, 687_500), ("west", 100, 312_500)]),
        Case(
            testDescription: "windows of a year add up",
            verified: [
                ("W-2016-07-07-1", "serf", 100), ("W-2016-07-08-1", "serf", 200), ("W-2016-07-08-1", "west", 100),
            ],
            after: "W-2016-07-08-1", weights: [("serf", 300, 687_500), ("west", 100, 312_500)]),
        Case(
            testDescription: "a new year begins at nothing",
            verified: [
                ("W-2016-12-31-1", "serf", 900), ("W-2017-01-01-1", "serf", 300), ("W-2017-01-01-1", "west", 100),
            ],
            after: "W-2017-01-01-1", weights: [("serf", 300, 687_500), ("west", 100, 312_500)]),
        Case(
            testDescription: "once a window",
            verified: [
                ("W-2016-07-07-1", "serf", 300), ("W-2016-07-07-1", "serf", 300), ("W-2016-07-07-1", "west", 100),
            ],
            after: "W-2016-07-07-1", weights: [("serf", 300, 687_500), ("west", 100, 312_500)]),
        Case(
            testDescription: "more import than export weighs nothing",
            verified: [("W-2016-07-07-1", "serf", 300), ("W-2016-07-07-1", "west", -5)],
            after: "W-2016-07-07-1", weights: [("serf", 300, 875_000), ("west", 0, 125_000)]),
        Case(
            testDescription: "whoever produced nothing is there", verified: [("W-2016-07-07-1", "serf", 300)],
            after: "W-2016-07-07-1", weights: [("serf", 300, 875_000), ("west", 0, 125_000)]),
        Case(
            testDescription: "nothing verified", verified: [("W-2016-07-07-1", "serf", 300)], after: "W-2016-07-08-1",
            weights: nil),
    ])
    func calculates(example: Case) throws {
        var house = try TestHouse()
        try house.addEntity("west", point: "west-1", gateway: "gw-2", meters: ("main-2", "check-2"))
        var governance = Governance()
        for (index, event) in example.verified.enumerated() {
            try governance.apply(Self.verified(event.0, event.1, event.2), id: .test("\(index)"))
        }
        func draft() -> JournalDraft? {
            governance.preliminaryWeights(
                after: WindowID(example.after)!, registry: house.registry, manifest: house.registry.firstManifest,
                at: anchor + day)
        }
        guard let expected = example.weights else {
            #expect(draft() == nil)
            return
        }
        let first = try #require(draft())
        let event = try Event(kind: first.kind, body: first.payload.body)
        guard case .weightCalculated(let body) = event else { throw GateScript.ScriptError(text: "no weights") }
        #expect(body.isPreliminary)
        #expect(
            body.weights.map { "\($0.entity) \($0.production.wattHours) \($0.population) \($0.units)" }
                == expected.map { "\($0.0) \($0.1) 1 \($0.2)" })
        // After a crash the same event is drafted with the same id.
        #expect(draft()?.eventID == first.eventID)
        try governance.apply(event, id: first.eventID)
        #expect(governance.weight(of: id("serf"))?.units == expected[0].2)
        #expect(governance.latest?.window == WindowID(example.after))
    }

    @Test func refusesAYearBeyondRange() throws {
        var governance = Governance()
        try governance.apply(Self.verified("W-2016-07-07-1", "serf", .max), id: .test("1"))
        #expect(throws: GovernanceError.outOfRange(entity: "serf")) {
            try governance.apply(Self.verified("W-2016-07-08-1", "serf", 1), id: .test("2"))
        }
    }
}
