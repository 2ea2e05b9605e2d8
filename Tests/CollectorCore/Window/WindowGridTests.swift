// The grid, window ids and completeness at their edges.

import CollectorCore
import Quantities
import Testing

struct WindowGridTests {
    private func grid(_ cadence: Int64) -> WindowGrid {
        WindowGrid(
            anchor: anchor,
            manifest: Manifest(number: 1, effectiveFrom: anchor, cadence: cadence, grace: day, billingGrade: []))
    }

    @Test(
        arguments: [
            (day, 0, "W-2016-07-07-1"), (day, 1, "W-2016-07-08-1"), (7 * day, 1, "W-2016-07-14-1"),
            // 06:00, 12:00, 18:00, 00:00 the next day.
            (6 * hour, 0, "W-2016-07-07-1"), (6 * hour, 2, "W-2016-07-07-3"), (6 * hour, 3, "W-2016-07-08-1"),
            (6 * hour, 6, "W-2016-07-08-4"), (60_000, 1079, "W-2016-07-07-1080"), (60_000, 1080, "W-2016-07-08-1"),
        ] as [(Int64, Int64, String)])
    func names(cadence: Int64, index: Int64, name: String) throws {
        let window = try #require(grid(cadence).window(index))
        #expect(window.id.text == name)
        #expect(WindowID(name) == window.id)
        #expect(grid(cadence).window(containing: window.start) == window)
        #expect(grid(cadence).window(containing: window.end + -1) == window)
        #expect(grid(cadence).window(containing: window.end)?.index == index + 1)
    }

    @Test(arguments: [
        "W-2016-07-07-0", "W-2016-07-07-", "W-2016-13-07-1", "w-2016-07-07-1", "W-2016-07-07-01", "W-2016-07-07-1 ", "",
        "W-2016-07-07-é",
    ])
    func otherTextsAreNoNames(text: String) { #expect(WindowID(text) == nil) }

    @Test func outsideTheGridThereIsNoWindow() {
        #expect(grid(day).window(-1) == nil)
        #expect(grid(day).window(.max) == nil)
        #expect(grid(day).window(containing: anchor + -1) == nil)
    }

    @Test func aWindowIsCutAfterItsGrace() {
        #expect(grid(day).lastWindowToCut(at: anchor + 2 * day + -1) == nil)
        #expect(grid(day).lastWindowToCut(at: anchor + 2 * day)?.index == 0)
        #expect(grid(day).lastWindowToCut(at: anchor + 5 * day + 1)?.index == 3)
        #expect(grid(day).lastWindowToCut(at: UTCInstant(milliseconds: 0)) == nil)
    }

    /// Hours after the anchor up to which each gateway is complete (nil: unknown), settled from → complete through, late.
    @Test(
        arguments: [
            ([72, 80], 0, 72, []), ([71, 80], 0, 48, ["g0"]), ([48, 49], 0, 48, ["g0", "g1"]), ([23], 0, 0, ["g0"]),
            ([nil], 0, 0, ["g0"]),
            ([nil, 80], 24, 24, ["g0"]), ([10], 24, 24, ["g0"]), ([100], 24, 72, []), ([], 24, 72, []),
        ] as [([Int64?], Int64, Int64, [String])])
    func completeness(hours: [Int64?], settled: Int64, through: Int64, late: [String]) throws {
        let grid = grid(3 * day)
        let gateways = hours.enumerated().map { index, hours in (id("g\(index)"), hours.map { anchor + $0 * hour }) }
        let result = Completeness(
            gateways: gateways, settledFrom: anchor + settled * hour, window: try #require(grid.window(0)), grid: grid)
        #expect(result.through == anchor + through * hour)
        #expect(result.late.map(\.text) == late)
    }

    @Test func anEntityCatchesUpByBoundedSteps() throws {
        let grid = grid(60_000)
        let result = Completeness(
            gateways: [], settledFrom: anchor, window: try #require(grid.window(10_000)), grid: grid)
        #expect(result.through == anchor + WindowInputs.daysMax * 60_000)
    }
}
