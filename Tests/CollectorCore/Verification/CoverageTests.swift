// Rule 4 on one day of four intervals of six hours, read every hour.

@testable import CollectorCore
import Quantities
import Testing

struct CoverageTests {
    static let days = DaySpan(start: anchor, length: day, count: 1)

    /// Minutes of good counts, longest bridge in minutes → covered intervals.
    @Test(
        arguments: [
            ([], 5, 0),
            // One reading: no interval has both ends.
            ([720], 5, 0),
            // Every end has a reading.
            ([0, 360, 720, 1080, 1440], 360, 4),
            // Bridged by exactly the longest bridge, and by one minute less.
            ([0, 1440], 1440, 4), ([0, 1440], 1439, 0),
            // Two read intervals old at an end is fresh, a minute older is not.
            ([0, 360, 720, 960, 1320], 360, 4), ([0, 360, 720, 959, 1320], 360, 2),
            // A hole over one interval's end takes both intervals beside it.
            ([0, 300, 500, 1080, 1440], 360, 2),
            // Before the day: fresh at its start, and no more.
            ([-120, 360, 720, 1080, 1440], 360, 4), ([-121, 360, 720, 1080, 1440], 360, 3),
        ] as [([Int64], Int64, Int64)])
    func covered(minutes: [Int64], bridgeMinutes: Int64, expected: Int64) throws {
        let goods = minutes.map { GoodCount(time: anchor + $0 * 60_000, count: 1, interval: hour, reading: 0) }
        let coverage = Coverage.days(goods, Self.days, interval: 6 * hour, bridgeMax: bridgeMinutes * 60_000)
        #expect(try #require(coverage.first).covered == expected)
        #expect(coverage.first?.share == expected * 250_000)
    }

    @Test func anOpeningIsFreshOnlyAtItsInstant() {
        let opening = GoodCount(time: anchor, count: 1, interval: 0, reading: nil)
        let reading = GoodCount(time: anchor + 6 * hour, count: 1, interval: hour, reading: 0)
        #expect(Coverage.days([opening, reading], Self.days, interval: 6 * hour, bridgeMax: 0).map(\.covered) == [1])
        let earlier = GoodCount(time: anchor + -1, count: 1, interval: 0, reading: nil)
        #expect(Coverage.days([earlier, reading], Self.days, interval: 6 * hour, bridgeMax: 0).map(\.covered) == [0])
    }
}
