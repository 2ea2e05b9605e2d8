// The control socket: takes callers, reads one request line of each, and serves it on a thread of its own. Who may call
// is the socket file's mode. Slow, silent and countless callers cost a bounded number of places and nobody else's time.

internal import Glibc
internal import Synchronization

package final class ControlServer {
    /// Callers whose request is not whole yet. One more, and the oldest of whoever has most is let go.
    static let callersMax = 32
    /// Verbs under way: those that end by themselves, and those that may go on for ever.
    static let quickMax = 8
    static let longMax = 8
    /// Of each kind for one user: others find a place whatever that one does.
    static let userMax = 6
    /// Real milliseconds for the request line, and for reading a piece of the answer.
    static let patience: Int64 = 2_000
    static let readingPatience: Int64 = 10_000
    /// Callers taken before those that are there are looked at again.
    private static let acceptedMax = 8

    private struct Caller {
        let descriptor: Int32
        let peer: ControlPeer
        let deadline: Int64
        var bytes: [UInt8] = []
    }

    private struct Worker {
        let thread: WorkerThread
        let isLong: Bool
        let user: UInt32
        let done: Mailbox<Never>
    }

    private let listener: Int32
    private let context: ControlContext
    private let log: Log
    private var callers: [Caller] = []
    private var workers: [Worker] = []

    package init(listener: Int32, context: ControlContext, log: Log) {
        self.listener = listener
        self.context = context
        self.log = log
    }

    /// Until `stop` is closed; verbs under way then see their callers gone.
    package func run(stop: Mailbox<Never>) {
        while stop.isOpen {
            var entries = [pollfd(fd: listener, events: Int16(POLLIN), revents: 0)]
            entries += callers.map { pollfd(fd: $0.descriptor, events: Int16(POLLIN), revents: 0) }
            if poll(&entries, nfds_t(entries.count), 250) > 0 {
                hear(entries.dropFirst().map { $0.revents != 0 }, stop)
                if entries[0].revents != 0 { welcome(stop) }
            }
            let now = steadyNanoseconds()
            for caller in callers where caller.deadline <= now { Self.refuse(caller.descriptor, "no request came") }
            callers.removeAll { $0.deadline <= now }
            reap()
        }
        for caller in callers { close(caller.descriptor) }
        close(listener)
    }

    /// Joins the threads that have ended.
    private func reap() {
        for worker in workers where !worker.done.isOpen { worker.thread.join() }
        workers.removeAll { !$0.done.isOpen }
    }

    private func welcome(_ stop: Mailbox<Never>) {
        for _ in 0..<Self.acceptedMax {
            let descriptor = accept(listener, nil, nil)
            guard descriptor >= 0 else {
                // No descriptor is free: the buses have them, and asking again at once would only burn time.
                if errno == EMFILE || errno == ENFILE { usleep(50_000) }
                return
            }
            _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
            _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
            guard let peer = ControlPeer(ofSocket: descriptor) else {
                close(descriptor)
                continue
            }
            if callers.count >= Self.callersMax { dropOne() }
            let deadline = steadyNanoseconds() + Self.patience * 1_000_000
            callers.append(Caller(descriptor: descriptor, peer: peer, deadline: deadline))
        }
    }

    /// The oldest caller of the user who has most of them.
    private func dropOne() {
        var counts: [UInt32: Int] = [:]
        for caller in callers { counts[caller.peer.user, default: 0] += 1 }
        let most = counts.values.max() ?? 0
        guard let index = callers.firstIndex(where: { counts[$0.peer.user] == most }) else { return }
        Self.refuse(callers.remove(at: index).descriptor, "too many callers")
    }

    /// Reads what has come and starts each request that is whole.
    private func hear(_ isReady: [Bool], _ stop: Mailbox<Never>) {
        var kept: [Caller] = []
        for (index, var caller) in callers.enumerated() {
            guard isReady[index] else {
                kept.append(caller)
                continue
            }
            var chunk = [UInt8](repeating: 0, count: 1_024)
            let count = recv(caller.descriptor, &chunk, chunk.count, 0)
            if count < 0, errno == EAGAIN || errno == EINTR {
                kept.append(caller)
                continue
            }
            // It went away.
            guard count > 0 else {
                close(caller.descriptor)
                continue
            }
            caller.bytes += chunk[..<count]
            if let end = caller.bytes.firstIndex(of: 0x0A) {
                start(Array(caller.bytes[..<end]), caller, stop)
            } else if caller.bytes.count > ControlRequest.bytesMax {
                Self.refuse(caller.descriptor, "the request is longer than \(ControlRequest.bytesMax) bytes")
            } else {
                kept.append(caller)
            }
        }
        callers = kept
    }

    private func start(_ line: [UInt8], _ caller: Caller, _ stop: Mailbox<Never>) {
        do {
            let request = try ControlRequest(parsing: line)
            let verb = try ControlVerb.named(request)
            reap()
            try checkRoom(for: verb, caller.peer)
            let done = Mailbox<Never>(itemsMax: 1)
            let context = self.context
            let descriptor = caller.descriptor
            let peer = caller.peer
            let thread = try WorkerThread("control-\(verb.name.prefix(7))") { [context, stop] in
                ControlServer.serve(verb, request, descriptor, peer, context, stop)
                close(descriptor)
                done.close()
            }
            workers.append(Worker(thread: thread, isLong: verb.isLong, user: peer.user, done: done))
        } catch {
            Self.refuse(caller.descriptor, "\(error)")
        }
    }

    private func checkRoom(for verb: ControlVerb, _ peer: ControlPeer) throws(ControlRefusal) {
        let running = workers.filter { $0.isLong == verb.isLong }
        guard running.count < (verb.isLong ? Self.longMax : Self.quickMax),
            running.count(where: { $0.user == peer.user }) < Self.userMax
        else { throw ControlRefusal("\(running.count) such requests are under way: try again when one has ended") }
    }

    private static func serve(
        _ verb: ControlVerb, _ request: ControlRequest, _ descriptor: Int32, _ peer: ControlPeer,
        _ context: ControlContext, _ stop: Mailbox<Never>
    ) {
        let caller = ControlCaller(
            peer: peer, write: { send($0, descriptor, readingPatience) },
            hasGone: { !stop.isOpen || hasGone(descriptor) })
        var last = "ok\n"
        do { try verb.serve(request, caller, context) } catch is ControlGone { return } catch {
            last = "error \("\(error)".map { $0.isNewline ? " " : String($0) }.joined())\n"
        }
        _ = send(last, descriptor, readingPatience)
    }

    private static func refuse(_ descriptor: Int32, _ words: String) {
        _ = send("error \(words)\n", descriptor, 0)
        close(descriptor)
    }

    private static func hasGone(_ descriptor: Int32) -> Bool {
        var entry = pollfd(fd: descriptor, events: 0, revents: 0)
        return poll(&entry, 1, 0) > 0 && entry.revents & Int16(POLLHUP | POLLERR | POLLNVAL) != 0
    }

    /// False when the caller is gone, or takes nothing for `patience` milliseconds.
    private static func send(_ text: String, _ descriptor: Int32, _ patience: Int64) -> Bool {
        let bytes = Array(text.utf8)
        var sent = 0
        while sent < bytes.count {
            let went = bytes.withUnsafeBytes { buffer in
                Glibc.send(descriptor, buffer.baseAddress.map { $0 + sent }, buffer.count - sent, Int32(MSG_NOSIGNAL))
            }
            if went > 0 {
                sent += went
                continue
            }
            guard went < 0, errno == EAGAIN || errno == EINTR else { return false }
            var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            guard poll(&entry, 1, Int32(patience)) > 0 else { return false }
        }
        return true
    }
}
