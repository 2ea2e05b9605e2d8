// How a window's output moves the standing on.

extension Standing {
    /// Takes over the trailer of a window's output. Windows in order; the same one twice changes nothing.
    package mutating func settle(_ output: WindowOutput) {
        settle(
            through: output.settled.map { ($0.entity, $0.through) }, openings: output.openings, carries: output.carries,
            lifts: output.lifts, commissioned: output.commissioned)
    }
}
