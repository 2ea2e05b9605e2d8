// How long to wait before connecting again: doubling, with jitter, so that a fleet does not return in one instant.

/// The waits of one session, one after the other. Draws no random numbers itself.
package struct BackOff: Sendable {
    private let shortest: Duration
    private let longest: Duration
    private let stableAfter: Duration
    private let rivalLongest: Duration
    /// Upper end of the next wait.
    private var ceiling: Duration
    /// Connections in a row that were up and closed without a word, which is how Mosquitto 2.0 tells that another client
    /// took our place; and how a broker that dies looks.
    private var closed = 0
    /// Waits in a row because of another client.
    private var yielded = 0
    private static let closedMax = 5

    /// Another client seems to use our client id.
    package var isRivalled: Bool { yielded > 0 || closed >= Self.closedMax }

    package init(_ options: MQTTOptions) {
        shortest = options.backOffMin
        longest = options.backOffMax
        stableAfter = options.stableAfter
        rivalLongest = max(options.rivalBackOffMax, options.backOffMax)
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
        let isStable = lived.map { $0 >= stableAfter } ?? false
        if isStable { ceiling = shortest }
        if noticesRival(lived, reason, isStable: isStable) { return yield(jitter) }
        switch reason {
        case .badUserNameOrPassword, .notAuthorized: ceiling = longest
        default: break
        }
        let wait = ceiling / 2 + (ceiling / 2) * min(max(jitter, 0), 1_000_000) / 1_000_000
        ceiling = ceiling > longest / 2 ? longest : ceiling * 2
        return wait
    }

    private mutating func noticesRival(_ lived: Duration?, _ reason: MQTTReason, isStable: Bool) -> Bool {
        if reason == .sessionTakenOver { return true }
        // An alarm and no longer wait: a broker that is started again and again looks the same.
        closed = reason == .closed && lived != nil && !isStable ? closed + 1 : 0
        if lived != nil { yielded = 0 }
        return false
    }

    /// Longer each time: whoever of the two gives way, one of them works meanwhile.
    private mutating func yield(_ jitter: Int) -> Duration {
        var wait = longest
        for _ in 0..<min(yielded, 20) where wait < rivalLongest { wait = min(wait * 2, rivalLongest) }
        yielded += 1
        return wait / 2 + (wait / 2) * min(max(jitter, 0), 1_000_000) / 1_000_000
    }
}
