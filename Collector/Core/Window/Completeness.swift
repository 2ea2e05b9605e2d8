// How far an entity can settle: to the end of the last day for which all its gateways are complete.

package import Quantities

/// What completeness says of one entity at a cut.
package struct Completeness: Hashable, Sendable {
    /// End of a whole day of the grid, at least the settled-from given, at most the window's end.
    package let through: UTCInstant
    /// Gateways not complete through the window's end, by id.
    package let late: [Identifier]

    /// - Parameters:
    ///   - gateways: all that must be complete, with how far each is; nil: nothing is known of it yet.
    ///   - settledFrom: end of what is settled; the result never goes below it.
    package init(
        gateways: [(id: Identifier, through: UTCInstant?)], settledFrom: UTCInstant, window: Window, grid: WindowGrid
    ) {
        var complete = window.end
        for gateway in gateways { complete = min(complete, gateway.through ?? settledFrom) }
        let most = settledFrom + WindowInputs.daysMax * grid.dayLength
        let floor = complete <= settledFrom ? settledFrom : grid.dayFloor(min(complete, most))
        through = max(settledFrom, floor)
        late = gateways.filter { ($0.through ?? settledFrom) < window.end }.map(\.id).sorted()
    }
}
