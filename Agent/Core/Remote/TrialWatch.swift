// Whether a configuration on trial works: every meter that answered before answers again as the same device, and a receipt
// came for something signed with it. Looked at from time to time; decides, does nothing.

/// One run's watch over a version on trial. Times are real milliseconds that never step.
package struct TrialWatch: Hashable, Sendable {
    /// Meters named in a reason.
    private static let namedMax = 5

    /// What is seen at one instant.
    package struct Sight: Hashable, Sendable {
        /// Meters with a sound answer since the version runs.
        package var answering: Set<String>
        /// What they say their serial numbers are; missing or empty: not known yet, or they have none.
        package var serials: [String: String]
        /// The open stream, and how many records of it are receipted.
        package var stream: String
        package var receipted: UInt64

        package init(answering: Set<String>, serials: [String: String], stream: String, receipted: UInt64) {
            self.answering = answering
            self.serials = serials
            self.stream = stream
            self.receipted = receipted
        }
    }

    package enum Verdict: Hashable, Sendable {
        /// Why not yet, for people.
        case wait(String)
        case confirm
        case rollBack(String)
    }

    private let expected: [RemoteConfiguration.Expected]
    private let stream: String
    private let head: UInt64
    package let until: Int64

    /// - Parameters:
    ///   - expected: meters that answered before and are asked anew.
    ///   - stream: the open stream when the version began to run, and its last record signed before.
    ///   - patience: real milliseconds.
    package init(
        expected: [RemoteConfiguration.Expected], stream: String, head: UInt64, now: Int64, patience: Int64
    ) {
        self.expected = expected
        self.stream = stream
        self.head = head
        until = now + patience
    }

    package func verdict(_ sight: Sight, now: Int64) -> Verdict {
        let silent = expected.filter { !sight.answering.contains($0.meter) }.map(\.meter)
        let unnamed = expected.filter { !$0.serial.isEmpty && (sight.serials[$0.meter] ?? "").isEmpty }.map(\.meter)
        // Another device is no matter of time.
        for meter in expected where !meter.serial.isEmpty {
            guard let serial = sight.serials[meter.meter], !serial.isEmpty, serial != meter.serial else { continue }
            return .rollBack("\(meter.meter) answers with serial number \(serial), before it was \(meter.serial)")
        }
        // In another stream, what was signed before the version does not count.
        let isReceipted = sight.receipted > (sight.stream == stream ? head : 0)
        let missing: String
        if !silent.isEmpty {
            missing = "no longer answering: \(Self.names(silent))"
        } else if !unnamed.isEmpty {
            missing = "no longer saying its serial number: \(Self.names(unnamed))"
        } else if !isReceipted {
            missing = "no receipt came for what was signed with it"
        } else {
            return .confirm
        }
        return now >= until ? .rollBack(missing) : .wait(missing)
    }

    private static func names(_ meters: [String]) -> String {
        let more = meters.count - namedMax
        return meters.sorted().prefix(namedMax).joined(separator: ", ") + (more > 0 ? " and \(more) more" : "")
    }
}
