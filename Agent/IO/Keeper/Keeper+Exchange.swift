// Other meters while the agent runs. No sample is lost or left unexplained: what the buses that ended read is signed
// under the birth that stands, and only then does the register change, so that the next birth explains what follows.

package import AgentCore
internal import Evidence
internal import Synchronization

/// Whether an exchange is done or withdrawn: who says so first decides, the keeper that does it or the reloader that has
/// waited long enough.
package final class ExchangeDecision: Sendable {
    private let isDone = Mutex<Bool?>(nil)

    /// - Returns: whether it is as `done` says, from now on and for ever.
    func decide(done: Bool) -> Bool {
        isDone.withLock { decided in
            if decided == nil { decided = done }
            return decided == done
        }
    }

    var isWithdrawn: Bool { isDone.withLock { $0 == false } }
}

/// What a new configuration means for the keeper.
package struct MeterExchange: Sendable {
    package let meters: [ConfiguredMeter]
    /// Indexes of meters whose bus goes on as it is.
    package let kept: Set<UInt64>
    /// Real milliseconds between commits.
    package let commitEvery: Int64
    package let limits: UplinkWindow.Limits
    /// Where the stream stands when it is done: what follows is signed with the new configuration.
    package let standing: Mailbox<Standing>
    /// Closed when it is done: the buses that begin may begin.
    package let done: Mailbox<Never>
    let decision = ExchangeDecision()

    package struct Standing: Hashable, Sendable {
        package let stream: String
        package let head: UInt64
    }

    package init(meters: [ConfiguredMeter], kept: Set<UInt64>, commitEvery: Int64, limits: UplinkWindow.Limits) {
        self.meters = meters
        self.kept = kept
        self.commitEvery = commitEvery
        self.limits = limits
        standing = Mailbox(itemsMax: 1)
        done = Mailbox(itemsMax: 1)
    }
}

extension Keeper {
    /// Does what was asked for, or leaves it for the next commit while the spool refuses this one.
    func exchangeMeters() throws {
        guard let exchange else { return }
        guard !exchange.decision.isWithdrawn else { return self.exchange = nil }
        // What is signed already was cut before the last buses ended: it has to be out of the way first.
        if pending != nil { try commit(isFinal: false) }
        guard pending == nil, try openStreamIfNeeded() else { return }
        pending = try prepare()
        // Not while the key's store does not sign: what was read would stand behind a birth that does not explain it.
        guard unsigned == nil else { return }
        // A crash from here to the next commit loses what any crash loses: what was not stored.
        if pending != nil { try commit(isFinal: false) }
        self.exchange = nil
        // Withdrawn by now: the buses that were to end go on, under the birth that stands.
        guard exchange.decision.decide(done: true) else { return }
        planner.exchange(exchange.meters, kept: exchange.kept)
        settings.commitEvery = exchange.commitEvery
        startedAt = clock.now().monotonic
        settings.limits.take(exchange.limits)
        window.change(settings.limits)
        exchange.standing.post(
            MeterExchange.Standing(
                stream: chain.stream.description, head: pending.map(\.chain.head) ?? chain.head))
        exchange.done.close()
    }
}
