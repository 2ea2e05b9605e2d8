// What a trace shows: one step after the other from a K$ to the register words, each with what was compared.

package struct TraceCheck: Hashable, Sendable {
    package let isHeld: Bool
    /// What was compared with what.
    package let text: String
}

package struct TraceStep: Hashable, Sendable {
    package let title: String
    /// Figures: name and value.
    package internal(set) var lines: [(name: String, value: String)] = []
    package internal(set) var checks: [TraceCheck] = []

    init(_ title: String) { self.title = title }

    mutating func line(_ name: String, _ value: String) { lines.append((name, value)) }
    mutating func check(_ isHeld: Bool, _ text: String) { checks.append(TraceCheck(isHeld: isHeld, text: text)) }

    package static func == (a: TraceStep, b: TraceStep) -> Bool {
        a.title == b.title && a.checks == b.checks && a.lines.map(\.name) == b.lines.map(\.name)
            && a.lines.map(\.value) == b.lines.map(\.value)
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(title)
        hasher.combine(checks)
    }
}

package struct Trace: Sendable {
    package internal(set) var steps: [TraceStep] = []
    /// Other transfers' parts in the same money, and what must still be believed.
    package internal(set) var notes: [String] = []

    package var isHeld: Bool { steps.allSatisfy { $0.checks.allSatisfy(\.isHeld) } }
}
