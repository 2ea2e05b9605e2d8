// Which record is sent next, and when to start over: go-back-N on signed receipts. Not the connection, not the bytes.
//
// PUBACK means only that the broker has a message; nothing here ever looks at it.

/// The bounded window of records that were sent and not yet receipted. Times are real milliseconds that never step.
package struct UplinkWindow: Sendable {
    package struct Limits: Hashable, Sendable {
        /// Records and bytes under way.
        package var recordsMax = 64
        package var bytesMax = 1_048_576
        /// Without a receipt for so long, everything from the first unreceipted record is sent again; doubles each time.
        package var resendAfter: Int64 = 30_000
        package var resendAfterMax: Int64 = 600_000
        /// Bytes a second, for links that are paid by the byte; a second's worth may go at once.
        package var bytesPerSecondMax: Int64 = 262_144

        package init() {}

        /// What may change while connected: how many may be under way is agreed with the broker at the start.
        package mutating func take(_ other: Limits) {
            resendAfter = other.resendAfter
            resendAfterMax = other.resendAfterMax
            bytesPerSecondMax = other.bytesPerSecondMax
        }
    }

    private struct Sent {
        let through: UInt64
        let bytes: Int
    }

    package private(set) var limits: Limits
    package private(set) var receipted: UInt64
    /// The number to send next.
    package private(set) var next: UInt64
    /// Highest number ever sent by this process.
    package private(set) var sentThrough: UInt64
    package private(set) var isConnected = false
    /// Times everything was sent again because no receipt came.
    package private(set) var timeouts = 0

    private var inFlight: [Sent] = []
    private var inFlightBytes = 0
    private var deadline: Int64?
    private var attempt = 0
    private var lastGoBack: (to: UInt64, at: Int64)?
    /// Bytes that may go now; may be negative after a large record.
    private var allowance: Int64
    private var allowanceAt: Int64

    /// The same `resend from` is obeyed again after this long.
    static let goBackMilliseconds: Int64 = 1_000
    /// One part in so many of the bytes a second is for screens at most.
    static let showShare: Int64 = 4

    package init(limits: Limits, receipted: UInt64, now: Int64) {
        self.limits = limits
        self.receipted = receipted
        next = receipted + 1
        sentThrough = receipted
        allowance = limits.bytesPerSecondMax
        allowanceAt = now
    }

    /// Other limits from here on: for waits that begin later.
    package mutating func change(_ new: Limits) {
        limits = new
        allowance = min(allowance, new.bytesPerSecondMax)
    }

    package var inFlightCount: Int { inFlight.count }

    /// A connection stands: all that was under way may be lost.
    package mutating func connected(now: Int64) {
        isConnected = true
        attempt = 0
        startOver(from: receipted + 1)
    }

    package mutating func disconnected() {
        isConnected = false
        startOver(from: receipted + 1)
    }

    /// Whether record ``next`` may be sent now, given the stream's `head`.
    package mutating func maySend(head: UInt64, now: Int64) -> Bool {
        guard isConnected, next <= head, inFlight.count < limits.recordsMax, inFlightBytes < limits.bytesMax else {
            return false
        }
        refill(now)
        return allowance > 0
    }

    /// A record was handed to the connection. A skip may begin before ``next``; it counts through its end.
    package mutating func sent(through: UInt64, bytes: Int, now: Int64, jitter: UInt64) {
        inFlight.append(Sent(through: through, bytes: bytes))
        inFlightBytes += bytes
        allowance -= Int64(bytes)
        next = through + 1
        sentThrough = max(sentThrough, through)
        if deadline == nil { deadline = now + timeout(jitter) }
    }

    /// Whether a message that is no record (values for screens) may go now: it has the bytes a second in common with records,
    /// and no place in the window.
    package mutating func mayShow(now: Int64) -> Bool {
        guard isConnected else { return false }
        refill(now)
        return allowance > 0
    }

    /// Such a message was handed to the connection.
    ///
    /// - Returns: milliseconds for which no further one may go, so that records keep all but one part in ``showShare``.
    package mutating func shown(bytes: Int) -> Int64 {
        allowance -= Int64(bytes)
        return Int64(bytes) * Self.showShare * 1000 / limits.bytesPerSecondMax
    }

    /// A verified receipt. Going back is as good as going forward: the collector says what it holds.
    package mutating func receipt(through: UInt64, now: Int64, jitter: UInt64) {
        if through < receipted {
            receipted = through
            attempt = 0
            startOver(from: through + 1)
            return
        }
        guard through > receipted else { return }
        receipted = through
        attempt = 0
        while let first = inFlight.first, first.through <= through {
            inFlightBytes -= first.bytes
            inFlight.removeFirst()
        }
        if next <= through { next = through + 1 }
        deadline = inFlight.isEmpty ? nil : now + timeout(jitter)
    }

    /// The collector asks to go back to `sequence`.
    package mutating func goBack(to sequence: UInt64, now: Int64) {
        guard sequence >= 1, sequence < next else { return }
        if let last = lastGoBack, last.to == sequence, now - last.at < Self.goBackMilliseconds { return }
        lastGoBack = (sequence, now)
        startOver(from: sequence)
    }

    /// Starts over when no receipt came in time.
    ///
    /// - Parameter jitter: any number; spreads what many gateways would do at once.
    /// - Returns: true when it did.
    package mutating func tick(now: Int64) -> Bool {
        guard isConnected, let deadline, now >= deadline else { return false }
        attempt += 1
        timeouts += 1
        startOver(from: receipted + 1)
        return true
    }

    /// When to look again: the deadline, or the moment the rate allows the next record. Nil: only an event helps.
    package func wakeAt(head: UInt64) -> Int64? {
        guard isConnected else { return nil }
        var at = deadline
        if next <= head, inFlight.count < limits.recordsMax, inFlightBytes < limits.bytesMax {
            let missing = max(0, 1 - allowance)
            let wait = (missing * 1000 + limits.bytesPerSecondMax - 1) / limits.bytesPerSecondMax
            at = min(at ?? .max, allowanceAt + wait)
        }
        return at
    }

    private mutating func startOver(from sequence: UInt64) {
        next = sequence
        inFlight = []
        inFlightBytes = 0
        deadline = nil
    }

    private mutating func refill(_ now: Int64) {
        let elapsed = max(0, min(now - allowanceAt, 1000))
        let gained = elapsed * limits.bytesPerSecondMax / 1000
        guard gained > 0 else { return }
        allowance = min(limits.bytesPerSecondMax, allowance + gained)
        allowanceAt = now
    }

    /// T doubled for each attempt, plus up to a quarter.
    private func timeout(_ jitter: UInt64) -> Int64 {
        var wait = limits.resendAfter
        for _ in 0..<min(attempt, 32) where wait < limits.resendAfterMax { wait *= 2 }
        wait = min(wait, limits.resendAfterMax)
        return wait + Int64(jitter % UInt64(wait / 4 + 1))
    }
}
