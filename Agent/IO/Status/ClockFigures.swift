// What the running agent knows of its clock, as part of its status. The doctor's rules stand in MachineRules.

internal import AgentCore
internal import Quantities

/// The kernel's word and the steps of this run.
struct ClockFigures: Hashable, Sendable {
    /// Nil: the house replays the past, and its clock is right by definition.
    var kernel: ClockFacts.Quality? = .unknown("not asked yet")
    /// As the kernel bounds it; of an unknown clock nothing.
    var errorMilliseconds: Int64 = 0
    var steps = 0
    /// Milliseconds, forward positive.
    var stepMax: Int64 = 0

    private var state: (name: String, error: Int64?) {
        switch kernel {
        case nil: ("replayed", nil)
        case .synchronised: ("synchronised", errorMilliseconds)
        case .unsynchronised: ("unsynchronised", errorMilliseconds)
        case .unknown: ("unknown", nil)
        }
    }

    var json: String {
        let (name, error) = state
        return "\"clock\":{\"state\":\(StatusBoard.quoted(name)),\"error_ms\":\(error.map(String.init) ?? "null"),"
            + "\"steps\":\(steps),\"largest_step_ms\":\(stepMax)}"
    }

    /// For people.
    var line: String {
        let word =
            switch kernel {
            case nil: "replays the past"
            case .synchronised: "synchronised, wrong by at most \(errorMilliseconds) ms"
            case .unsynchronised: "NOT SYNCHRONISED, may be wrong by \(errorMilliseconds) ms or more"
            case .unknown(let reason): "UNKNOWN whether it is synchronised: \(reason)"
            }
        return "clock      " + word + (steps == 0 ? "" : "; \(steps) steps, the largest by \(stepMax) ms")
    }
}

extension MachineClock {
    /// With what the kernel says now.
    func figures(steps: (count: Int, largest: Int64)) -> ClockFigures {
        var figures = ClockFigures(steps: steps.count, stepMax: steps.largest)
        guard case .real = house else {
            figures.kernel = nil
            return figures
        }
        let (quality, error) = MachineFactsReader.clockQuality
        figures.kernel = quality
        figures.errorMilliseconds = error
        return figures
    }
}
