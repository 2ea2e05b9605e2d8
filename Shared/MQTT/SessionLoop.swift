// The network thread: connect, carry, wait, connect again, until told to stop. Rules are in SessionState, C in Connection.

internal import Glibc

/// Made and used on the network thread.
final class SessionLoop {
    private let core: SessionCore
    /// Those of the broker being tried.
    private var options: MQTTOptions
    /// How long a connection to this broker lasts; nil: as long as it can.
    private var returnAfter: Duration?

    init(core: SessionCore) {
        self.core = core
        options = core.options
    }

    func run() {
        var backOff = BackOff(core.options)
        var place = 0
        while true {
            // A connection's events need a place before there is a connection: flapping cannot grow the queue.
            guard waitForRoom() else { break }
            options = core.options
            let broker = options.brokers[place]
            (options.host, options.port) = (broker.host, broker.port)
            returnAfter = place == 0 ? nil : options.returnAfter
            core.monitor.change { $0.countAttempt(broker) }
            let (reason, lived) = attempt()
            if reason == .returning {
                place = 0
                continue
            }
            // Not reached: the next one at once. Reached and lost, or none reached: a wait, then the first again.
            place = lived == nil && place + 1 < options.brokers.count ? place + 1 : 0
            if place > 0, reason != .stopped { continue }
            place = 0
            let wait = backOff.next(lived: lived, reason: reason, jitter: .random(in: 0...1_000_000))
            core.monitor.change { $0.note(isRivalled: backOff.isRivalled, reason) }
            guard sleep(until: .now + wait) else { break }
        }
        core.monitor.change { $0.end() }
    }

    // MARK: One attempt

    /// Tries the host's addresses in turn until one answers, and stays with that connection to its end.
    private func attempt() -> (MQTTReason, lived: Duration?) {
        let addresses: [String]
        do throws(MQTTReasonError) {
            addresses = try resolve(options.host)
        } catch {
            return finish(nil, error.reason)
        }
        for (index, address) in addresses.enumerated() {
            let connection: Connection
            do throws(MQTTStartError) {
                connection = try Connection(options)
            } catch {
                return finish(nil, .network(error.description))
            }
            connection.open(address: address)
            let (reason, lived) = drive(connection)
            if !connection.reached, index + 1 < addresses.count, reason != .stopped { continue }
            return finish(connection, connection.explained(reason), lived)
        }
        return finish(nil, .network("\(options.host) has no address"))
    }

    private func finish(
        _ connection: Connection?, _ reason: MQTTReason, _ lived: Duration? = nil
    ) -> (MQTTReason, lived: Duration?) {
        let report = connection?.context.takeReport() ?? Report()
        let lost = connection?.context.unacknowledged ?? []
        core.monitor.change { $0.disconnected(reason, report, unacknowledged: lost) }
        return (reason, lived)
    }

    /// Carries traffic until the connection ends.
    private func drive(_ connection: Connection) -> (MQTTReason, lived: Duration?) {
        let context = connection.context
        let answerBy = Moment.now + options.connectTimeout
        var up: Moment?
        var farewellBy: Moment?
        var returnBy: Moment?
        var nextTick = Moment.now + .seconds(1)
        var moreToRead = false
        while true {
            let report = context.takeReport()
            let orders = core.monitor.change { $0.exchange(report, options) }
            if report.agreement != nil {
                up = .now
                returnBy = returnAfter.map { .now + $0 }
                connection.subscribeAll()
            }
            for message in orders.outbox {
                if context.ended == nil { connection.publish(message) } else { context.abandon(message) }
            }
            let isDue = returnBy.map { Moment.now >= $0 } ?? false
            if let request = orders.stop ?? (isDue ? StopRequest(sendingWill: false) : nil), farewellBy == nil {
                guard up != nil, context.ended == nil else { return (context.ended ?? .stopped, nil) }
                farewellBy = .now + .seconds(2)
                connection.farewell(request)
            }
            let isOver = farewellBy.map { Moment.now >= $0 } ?? false
            if let reason = context.ended ?? (isOver ? .stopped : nil) {
                // A farewell that nobody asked for was ours: back to the first broker.
                return (reason == .stopped && orders.stop == nil ? .returning : reason, lived(since: up))
            }
            if up == nil, Moment.now >= answerBy { return (.silent, nil) }

            let mayRead = !orders.room.isEmpty
            let awaited = connection.awaited
            let due = min(nextTick, up == nil ? answerBy : nextTick, awaited ?? nextTick)
            let wait = moreToRead && mayRead ? .now : due
            let ready = poll(connection, reading: mayRead, until: wait)
            // TLS may hold decrypted bytes that poll(2) cannot see; not while we wait for the first ones.
            if mayRead, connection.reached, ready.readable || moreToRead || (options.tls != nil && awaited == nil) {
                moreToRead = connection.read(room: orders.room)
            }
            if ready.writable, connection.mayWrite, connection.reached, context.ended == nil { connection.write() }
            if Moment.now >= nextTick, connection.reached, context.ended == nil {
                nextTick = .now + .seconds(1)
                connection.tick()
                settle(up)
                if context.ended == .silent, !mayRead { return (.consumerStalled, lived(since: up)) }
            }
        }
    }

    /// Whoever is connected for long enough has no rival any more.
    private func settle(_ up: Moment?) {
        guard let up, Moment.now >= up + options.stableAfter else { return }
        core.monitor.change { $0.note(isRivalled: false, .stopped) }
    }

    private func lived(since up: Moment?) -> Duration? {
        up.map { .nanoseconds(Moment.now.nanoseconds &- $0.nanoseconds) }
    }

    // MARK: Waiting

    private func poll(
        _ connection: Connection, reading: Bool, until deadline: Moment
    ) -> (readable: Bool, writable: Bool) {
        var events: Int16 = reading && connection.reached ? Int16(POLLIN) : 0
        if !connection.reached || connection.wantsToWrite { events |= Int16(POLLOUT) }
        // With nothing to ask for, the socket is left out: poll(2) reports a closed one for ever, and nobody would read.
        var descriptors = [
            pollfd(fd: core.wakeUp.descriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: events == 0 ? -1 : connection.socket, events: events, revents: 0),
        ]
        Glibc.poll(&descriptors, 2, deadline.pollMilliseconds(max: 1_000))
        if descriptors[0].revents != 0 { core.wakeUp.drain() }
        let socket = descriptors[1].revents
        let failed = socket & Int16(POLLERR | POLLHUP) != 0
        if !connection.reached, socket != 0 {
            connection.handshakeEnded()
            // Both, so that TLS begins and CONNECT goes out.
            return (true, true)
        }
        return (failed || socket & Int16(POLLIN) != 0, failed || socket & Int16(POLLOUT) != 0)
    }

    /// False when asked to stop.
    private func waitForRoom() -> Bool {
        while true {
            let orders = core.monitor.change { $0.exchange(Report(), options) }
            if orders.stop != nil { return false }
            if !orders.room.isEmpty { return true }
            rest(until: .now + .seconds(3_600))
        }
    }

    /// False when asked to stop meanwhile.
    private func sleep(until deadline: Moment) -> Bool {
        while true {
            let orders = core.monitor.change { $0.exchange(Report(), options) }
            if orders.stop != nil { return false }
            if Moment.now >= deadline { return true }
            rest(until: deadline)
        }
    }

    /// Until the bell rings or `deadline`.
    private func rest(until deadline: Moment) {
        var bell = pollfd(fd: core.wakeUp.descriptor, events: Int16(POLLIN), revents: 0)
        Glibc.poll(&bell, 1, deadline.pollMilliseconds(max: .max))
        core.wakeUp.drain()
    }
}
