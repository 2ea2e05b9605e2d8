// How long to wait before connecting again: doubling, with jitter, so that a fleet does not return in one instant.

/// The waits of one session, one after the other. Draws no random numbers itself.
package struct BackOff: Sendable {
    private let shortest: Duration
    private let longest: Duration
    private let stableAfter: Duration
    /// Upper end of the next wait.
    private var ceiling: Duration

    package init(_ options: MQTTOptions) {
        shortest = options.backOffMin
        longest = options.backOffMax
        stableAfter = options.stableAfter
        ceiling = shortest
    }

    /// The wait after an attempt that ended.
    ///
    /// - Parameters:
    ///   - lived: how long the connection was up, nil when it never was. A sound life starts over at the shortest wait;
    ///     coming up alone does not, or a broker that accepts and drops would be stormed.
    ///   - reason: a session taken over, or refused by name, waits longest: coming back soon would only throw the other
    ///     client out, or repeat what the broker has refused.
    ///   - jitter: ppm of the upper half to wait, 0 … 1 000 000.
    package mutating func next(lived: Duration?, reason: MQTTReason, jitter: Int) -> Duration {
        if let lived, lived >= stableAfter { ceiling = shortest }
        switch reason {
        case .sessionTakenOver, .badUserNameOrPassword, .notAuthorized: ceiling = longest
        default: break
        }
        let wait = ceiling / 2 + (ceiling / 2) * min(max(jitter, 0), 1_000_000) / 1_000_000
        ceiling = ceiling > longest / 2 ? longest : ceiling * 2
        return wait
    }
}
