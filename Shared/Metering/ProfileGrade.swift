// Why a profile may not settle money. The collector applies it; lint, show and the installer's tools say it.

/// A reason for which readings under a profile are not billing grade, whatever a manifest lists. The numbers are the
/// order in which they are told.
package enum GradeObstacle: Hashable, Sendable, CustomStringConvertible {
    /// The map was taken from other programs and never checked against a document, simulator or device.
    case driverLevel
    /// Sources disagree about the map, or about this energy counter.
    case contradictory(String)

    package var description: String {
        switch self {
        case .driverLevel:
            "its level is driver: compare it with the vendor's document or the device, and raise level and revision"
        case .contradictory(let what): "sources disagree: \(what)"
        }
    }
}

extension Profile {
    /// Empty: a manifest may list the profile as billing grade. In a house that replays measured time the rules are
    /// waived: nothing it settles is money.
    package func gradeObstacles(isReplay: Bool) -> [GradeObstacle] {
        guard !isReplay else { return [] }
        var obstacles: [GradeObstacle] = level == .driver ? [.driverLevel] : []
        obstacles += contradictions.map { .contradictory($0) }
        for quantity in quantities where quantity.kind == .counter {
            if let text = quantity.contradiction { obstacles.append(.contradictory("\(quantity.obis): \(text)")) }
        }
        return obstacles
    }
}
