// How long buses that ended wait for the exchange of meters, and what becomes of them when it does not come about: a disk
// that fills, or a key's store that goes away, in the middle of it leaves no meter unread.

internal import AgentCore
internal import Settings

/// Nothing was changed: what ran before runs on.
struct ExchangeWithdrawn: Error, Hashable, CustomStringConvertible {
    let seconds: Int64

    var description: String {
        "records could not be signed and stored for \(seconds) s: what ran before goes on; try again when "
            + "kilomint-agent status says that the spool takes commits and the key signs"
    }
}

extension Reloader {
    /// Milliseconds until what was in force before is applied again, should it not have been possible.
    private static let oweFor: Int64 = 30_000

    /// Waits until the keeper has exchanged the meters; a bounded time, in which nobody reads the buses that ended.
    ///
    /// - Parameter ended: begin again when it is withdrawn.
    /// - Returns: false when the agent ends.
    /// - Throws: ``ExchangeWithdrawn``.
    mutating func take(
        _ exchange: MeterExchange, _ requests: Mailbox<ReloadRequest>, else ended: [BusThreads.Ended]
    ) throws(ExchangeWithdrawn) -> Bool {
        let deadline = steadyNanoseconds() + patience
        var isPosted = inbox.post(.exchange(exchange))
        while exchange.done.isOpen {
            guard requests.isOpen else { return false }
            // Done by the keeper in the same instant: then it says so at once.
            if steadyNanoseconds() >= deadline, exchange.decision.decide(done: false) {
                goOn(ended)
                throw ExchangeWithdrawn(seconds: patience / 1_000_000_000)
            }
            _ = exchange.done.take(within: isPosted ? min(1_000_000_000, max(patience, 10_000_000)) : 10_000_000)
            if !isPosted { isPosted = inbox.post(.exchange(exchange)) }
        }
        return true
    }

    /// The keeper knows no other meters: what these read from here on is signed like what they read before.
    private mutating func goOn(_ ended: [BusThreads.Ended]) {
        log.line(.error, "configuration withdrawn", [("begun again", String(ended.count))])
        for bus in ended {
            recorder.open(bus: bus.plan.number, meters: bus.plan.meters.count)
            do throws(SystemError) { try threads.start(bus.plan.atOnce, generations: bus.generations) } catch {
                log.line(
                    .error, "bus could not be started again",
                    [("bus", bus.plan.endpoint.text), ("error", error.description)])
            }
        }
    }

    /// What runs is not what the state says: it is applied once the keeper can sign and store.
    mutating func oweStanding() { remote.standingOwedAt = steadyNanoseconds() / 1_000_000 + Self.oweFor }

    mutating func payStanding(_ requests: Mailbox<ReloadRequest>) {
        guard let at = remote.standingOwedAt, steadyNanoseconds() / 1_000_000 >= at,
            board.snapshot.figures.isWritable, board.snapshot.service.signerProblem == nil
        else { return }
        remote.standingOwedAt = nil
        applyStanding(requests)
    }
}
