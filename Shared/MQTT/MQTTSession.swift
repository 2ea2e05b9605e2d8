// An MQTT 5 client as its owner sees it: publish, take events, stop. One network thread behind it does all the rest.
//
// Known limit: Debian's libmosquitto 2.0.11 ends the process by an assertion when the broker sends a property that
// MQTT 5 does not define (fixed upstream later). Brokers do not; who can write into a connection without TLS can. The
// service manager starts the process again, and nothing committed is lost.

/// A session with one broker, connecting again by itself until it is stopped.
///
/// Our window is the only queue: what is accepted is in flight until its event says how it ended, and there are never
/// more in flight than ``MQTTOptions/inFlightMax``. Received events wait in a bounded queue; when it is full the socket
/// is not read, so the broker keeps what nobody here takes. Any thread may call any method; the methods that wait block
/// their thread and must not be called from async code.
package final class MQTTSession: Sendable {
    private let core: SessionCore

    /// Starts the network thread, which begins to connect at once.
    ///
    /// - Throws: ``MQTTOptionsError``, ``MQTTStartError``.
    package init(options: MQTTOptions) throws {
        try options.check()
        core = try SessionCore(options)
        try core.start()
    }

    /// A session nobody holds stops by itself, without waiting.
    deinit { core.requestStop(StopRequest(sendingWill: false)) }

    /// Hands a message over. On return it counts as in flight; the ``MQTTEvent`` with its id says how it ended.
    ///
    /// - Parameter patience: how long to wait for a place in the window. A thread that also takes the events must not
    ///   wait: places become free only while events are taken.
    /// - Throws: ``MQTTPublishError``; then nothing was sent.
    package func publish(
        topic: String, payload: [UInt8], qos: MQTTQoS = .atLeastOnce, retain: Bool = false,
        patience: Duration = .zero
    ) throws(MQTTPublishError) -> MQTTPublishID {
        guard isTopic(topic) else { throw .invalidTopic }
        return try core.publish(topic, payload, qos, retain, until: .now + patience)
    }

    /// The next event, waiting up to `timeout` for one; nil when none came, or none will after `.stopped`.
    package func nextEvent(timeout: Duration) -> MQTTEvent? { nextEvents(max: 1, timeout: timeout).first }

    /// The oldest events, at least one unless `timeout` passes first. One call for many events is what makes tens of
    /// thousands a second cheap.
    package func nextEvents(max: Int = 1_024, timeout: Duration) -> [MQTTEvent] {
        core.takeEvents(max: max, until: .now + timeout)
    }

    package var stats: MQTTStats { core.monitor.look { $0.stats } }

    /// Says farewell to the broker, ends the thread, and waits for it.
    ///
    /// What is not acknowledged is reported lost: whoever wants it delivered waits for the acknowledgements first.
    ///
    /// - Parameters:
    ///   - within: how long to wait; a name server that does not answer can hold the thread for half a minute.
    ///   - sendingWill: let the broker publish the will although the end is orderly.
    /// - Returns: whether the thread has ended.
    @discardableResult
    package func stop(within: Duration = .seconds(5), sendingWill: Bool = false) -> Bool {
        core.requestStop(StopRequest(sendingWill: sendingWill))
        return core.monitor.wait(until: .now + within) { $0.ended ? true : nil } ?? false
    }
}

/// The shared state with its lock, and the bell of the network thread.
final class SessionCore: Sendable {
    let options: MQTTOptions
    let monitor = Monitor(SessionState())
    let wakeUp: WakeUp

    init(_ options: MQTTOptions) throws(MQTTStartError) {
        self.options = options
        wakeUp = try WakeUp()
    }

    func start() throws(MQTTStartError) {
        try startThread { [self] in SessionLoop(core: self).run() }
    }

    func publish(
        _ topic: String, _ payload: [UInt8], _ qos: MQTTQoS, _ retain: Bool, until deadline: Moment
    ) throws(MQTTPublishError) -> MQTTPublishID {
        let result = monitor.wait(until: deadline) { state -> Result<(MQTTPublishID, Bool), MQTTPublishError>? in
            do throws(MQTTPublishError) {
                guard let id = try state.publish(topic, payload, qos, retain) else { return nil }
                return .success((id, state.mustRing()))
            } catch { return .failure(error) }
        }
        guard let result else { throw .windowFull }
        let (id, ring) = try result.get()
        if ring { wakeUp.ring() }
        return id
    }

    func takeEvents(max: Int, until deadline: Moment) -> [MQTTEvent] {
        let taken = monitor.wait(until: deadline) { state -> (events: [MQTTEvent], ring: Bool)? in
            guard let (events, resume) = state.takeEvents(max: max, options) else { return nil }
            return (events, resume && state.mustRing())
        }
        guard let taken else { return [] }
        if taken.ring { wakeUp.ring() }
        return taken.events
    }

    func requestStop(_ request: StopRequest) {
        let ring = monitor.change { state in
            state.requestStop(request)
            return state.mustRing()
        }
        if ring { wakeUp.ring() }
    }
}
