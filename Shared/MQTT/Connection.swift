// One connection: one libmosquitto client object from connect to end. Never reused; the next connection is a new one.

internal import CMosquitto
internal import CMosquittoGuard
internal import Glibc
internal import Keys

/// mosquitto_lib_init counts without a lock, so it is called once, here. It also initialises OpenSSL for TLS.
private let libraryInitialised = mosquitto_lib_init()

/// Lives on the network thread and nowhere else: not Sendable.
final class Connection {
    let context: ConnectionContext
    private let client: OpaquePointer
    private let options: MQTTOptions
    /// What the client object holds for its callbacks; released after the object is gone.
    private let held: Unmanaged<ConnectionContext>
    /// Made for each connection, so that renewed files count; outlives the client object, whose handshakes use it.
    private var tls: TLSContext?
    /// Until when CONNECT waits for what the broker makes of our certificate; nil before our half of TLS is done.
    private var patientUntil: Moment?
    /// The TCP handshake has finished.
    private(set) var reached = false
    /// What the system said first of a connection that died: whoever asks takes it away, and later it is a broken pipe.
    private var firstError: Int32 = 0

    /// -1 when there is none (any more).
    var socket: Int32 { mosquitto_socket(client) }
    var wantsToWrite: Bool { mayWrite && mosquitto_want_write(client) }

    /// TLS 1.3 lets us speak before the broker has looked at our certificate. A broker that refuses it then closes with
    /// our CONNECT unread, and the reset can overtake its reason: so its tickets or its alert are awaited first.
    var mayWrite: Bool { tls == nil || patientUntil.map { Moment.now >= $0 } ?? false }
    /// Set while CONNECT waits for the broker's first word.
    var awaited: Moment? { mayWrite ? nil : patientUntil }
    private static let patience: Duration = .milliseconds(200)

    init(_ options: MQTTOptions) throws(MQTTStartError) {
        self.options = options
        context = ConnectionContext(options)
        held = Unmanaged.passRetained(context)
        guard libraryInitialised == MOSQ_ERR_SUCCESS.rawValue,
            let client = mosquitto_new(options.clientID, options.cleanStart, held.toOpaque())
        else {
            held.release()
            throw MQTTStartError(call: "mosquitto_new", reason: systemText(errno))
        }
        self.client = client
        setCallbacks()
    }

    deinit {
        // Closes the socket without a farewell if it is still open. May call back, hence the order.
        mosquitto_destroy(client)
        held.release()
    }

    // MARK: Opening

    /// Applies the options and starts to connect; does not wait for the network.
    func open(address: String) {
        do throws(TLSProblem) { tls = try options.tls?.context(for: options.host) } catch {
            return context.end(.tls(error))
        }
        var rc = configure()
        guard rc == MOSQ_ERR_SUCCESS.rawValue else { return end(rc, doing: "set up") }
        let keepAlive = Int32(options.keepAliveSeconds)
        var properties = connectProperties()
        defer { mosquitto_property_free_all(&properties) }
        // The call that does not wait takes no properties. The waiting one stores them before it looks at the port and
        // refuses −1 without touching the network; tests see session expiry arrive at the broker.
        mosquitto_connect_bind_v5(client, address, -1, keepAlive, nil, properties)
        // As if another thread wrote: CONNECT is only queued, and goes out when ``mayWrite`` says so.
        mosquitto_threaded_set(client, true)
        errno = 0
        rc = mosquitto_connect_bind_async(client, address, Int32(options.port), keepAlive, nil)
        // The handshake that it begins is told of a refusal on this very machine, and nobody after it.
        if isDeath(errno) { firstError = errno }
        mosquitto_threaded_set(client, false)
        guard rc == MOSQ_ERR_SUCCESS.rawValue || rc == MOSQ_ERR_CONN_PENDING.rawValue else {
            return end(rc, doing: "connect to \(address):\(options.port)")
        }
        setUnansweredTimeout()
        // libmosquitto begins the handshake inside the call, and a broker close by may be through with us already.
        guard tls?.isShaken == true else { return }
        reached = true
        patientUntil = .now + Self.patience
    }

    private func configure() -> Int32 {
        var rc = mosquitto_int_option(client, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5)
        let calls: [() -> Int32] = [
            { [self] in mosquitto_int_option(client, MOSQ_OPT_TCP_NODELAY, 1) },
            { [self] in mosquitto_int_option(client, MOSQ_OPT_RECEIVE_MAXIMUM, Int32(options.receiveMax)) },
            // libmosquitto must never hold back what we hand over: the window is ours, the broker's can only lower it.
            { [self] in mosquitto_int_option(client, MOSQ_OPT_SEND_MAXIMUM, Int32(options.inFlightMax)) },
            { [self] in mosquitto_username_pw_set(client, options.username, options.password) },
            { [self] in setWill() },
            { [self] in setTLS() },
        ]
        for call in calls where rc == MOSQ_ERR_SUCCESS.rawValue { rc = call() }
        return rc
    }

    private func connectProperties() -> OpaquePointer? {
        var properties: OpaquePointer?
        mosquitto_property_add_int32(
            &properties, Int32(MQTT_PROP_MAXIMUM_PACKET_SIZE.rawValue), UInt32(options.packetBytesMax))
        mosquitto_property_add_int32(
            &properties, Int32(MQTT_PROP_SESSION_EXPIRY_INTERVAL.rawValue), options.sessionExpirySeconds)
        return properties
    }

    private func setWill() -> Int32 {
        guard let will = options.will else { return MOSQ_ERR_SUCCESS.rawValue }
        var properties: OpaquePointer?
        if will.delaySeconds > 0 {
            mosquitto_property_add_int32(
                &properties, Int32(MQTT_PROP_WILL_DELAY_INTERVAL.rawValue), will.delaySeconds)
        }
        let rc = mosquitto_will_set_v5(
            client, will.topic, Int32(will.payload.count), will.payload, Int32(will.qos.rawValue), will.retain,
            properties)
        // Taken over by the client object only when it succeeds.
        if rc != MOSQ_ERR_SUCCESS.rawValue { mosquitto_property_free_all(&properties) }
        return rc
    }

    /// Our own context, as it is: libmosquitto adds nothing to it, and verifies nothing by itself.
    private func setTLS() -> Int32 {
        guard let tls else { return MOSQ_ERR_SUCCESS.rawValue }
        let rc = mosquitto_int_option(client, MOSQ_OPT_SSL_CTX_WITH_DEFAULTS, 0)
        guard rc == MOSQ_ERR_SUCCESS.rawValue else { return rc }
        return mosquitto_void_option(client, MOSQ_OPT_SSL_CTX, UnsafeMutableRawPointer(tls.pointer))
    }

    /// Without it a cut link is noticed only after two keep-alives; the keep-alive stays as the second line.
    private func setUnansweredTimeout() {
        var milliseconds = UInt32(clamping: options.unansweredTimeout.nanosecondsClamped / 1_000_000)
        // Refused only by kernels before 2.6.37, and then the keep-alive is all there is.
        setsockopt(socket, Int32(IPPROTO_TCP), TCP_USER_TIMEOUT, &milliseconds, socklen_t(MemoryLayout<UInt32>.size))
    }

    // MARK: Driving

    /// poll(2) says the socket is writable or failed for the first time.
    func handshakeEnded() {
        var error: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size)
        if error == 0 { error = firstError }
        firstError = error
        // Reset after ClientHello: what came before it, an alert perhaps, can still be read.
        guard error == 0 || (error == ECONNRESET && tls != nil) else {
            return context.end(.network("cannot connect to \(options): \(systemText(error))"))
        }
        reached = true
    }

    /// Reads until nothing is left, `room` is used up, or enough for one round.
    ///
    /// - Returns: true when there may be more to read now.
    func read(room: Room) -> Bool {
        let wasShaken = tls?.isShaken ?? true
        defer {
            if let tls, tls.isShaken { patientUntil = wasShaken ? .now : .now + Self.patience }
        }
        for _ in 0..<Self.readsMax {
            guard context.ended == nil else { return false }
            guard context.report.events.count < room.events, context.report.eventBytes < room.bytes else { return true }
            // libmosquitto tells "nothing left" only by errno; the callbacks leave errno as they find it.
            errno = 0
            var isCaught: Int32 = 0
            let rc = kilomint_loop_read(UnsafeMutableRawPointer(client), &isCaught)
            let said = errno
            let nothingLeft = said == EAGAIN
            guard isCaught == 0 else {
                context.end(.unknownPacket)
                return false
            }
            guard rc == MOSQ_ERR_SUCCESS.rawValue else {
                end(rc, doing: "read")
                return false
            }
            if nothingLeft { return false }
            // libmosquitto 2.0.11 takes a connection that died in its TLS handshake for one that is still at it.
            if let tls, !tls.isShaken, isDeath(said) {
                let reason = systemText(firstError != 0 ? firstError : said)
                context.end(.network("the TLS handshake was cut off (\(options)): \(reason)"))
                return false
            }
        }
        // A handshake never has so much to read; what it ends of, nobody says.
        if let tls, !tls.isShaken { context.end(.network("the TLS handshake does not go on (\(options))")) }
        return true
    }

    /// Reads in one round; after them the owner gets its events and the outbox its turn.
    private static let readsMax = 256

    func write() {
        let rc = mosquitto_loop_write(client, 1)
        if rc != MOSQ_ERR_SUCCESS.rawValue { end(rc, doing: "write") }
    }

    /// Keep-alive; to be called about once a second.
    func tick() {
        let rc = mosquitto_loop_misc(client)
        if rc != MOSQ_ERR_SUCCESS.rawValue { end(rc, doing: "keep alive") }
    }

    func publish(_ message: Outgoing) {
        var packet: Int32 = 0
        let rc = mosquitto_publish_v5(
            client, &packet, message.topic, Int32(message.payload.count), message.payload,
            Int32(message.qos.rawValue), message.retain, nil)
        switch rc {
        case MOSQ_ERR_SUCCESS.rawValue:
            if !context.handedOver(message, as: packet) { context.end(.library("packet identifiers used up")) }
        case MOSQ_ERR_OVERSIZE_PACKET.rawValue:
            context.refused(message, .packetTooLarge)
        case MOSQ_ERR_INVAL.rawValue, MOSQ_ERR_PAYLOAD_SIZE.rawValue, MOSQ_ERR_QOS_NOT_SUPPORTED.rawValue,
            MOSQ_ERR_MALFORMED_UTF8.rawValue:
            context.refused(message, .library(String(cString: mosquitto_strerror(rc))))
        default:
            // Whether any of it was written is unknown: it counts as handed over, and so as lost.
            context.abandon(message)
            end(rc, doing: "publish")
        }
    }

    /// Subscribes to every filter, some in a packet.
    func subscribeAll() {
        for qos in [MQTTQoS.atMostOnce, .atLeastOnce] {
            let filters = options.subscriptions.filter { $0.qos == qos }.map(\.filter)
            for start in stride(from: 0, to: filters.count, by: Self.filtersMax) {
                subscribe(Array(filters[start..<min(start + Self.filtersMax, filters.count)]), qos)
            }
        }
    }

    /// Filters in one SUBSCRIBE, so that its packet stays small for any broker.
    private static let filtersMax = 64

    private func subscribe(_ filters: [String], _ qos: MQTTQoS) {
        var copies = filters.map { strdup($0) }
        defer { for copy in copies { free(copy) } }
        var packet: Int32 = 0
        let rc = mosquitto_subscribe_multiple(
            client, &packet, Int32(copies.count), &copies, Int32(qos.rawValue), 0, nil)
        guard rc == MOSQ_ERR_SUCCESS.rawValue else { return end(rc, doing: "subscribe") }
        context.subscribing(filters, as: packet)
    }

    /// Sends DISCONNECT; the callback tells when it is written.
    func farewell(_ request: StopRequest) {
        context.leaving = true
        let code = request.sendingWill ? MQTT_RC_DISCONNECT_WITH_WILL_MSG : MQTT_RC_NORMAL_DISCONNECTION
        let rc = mosquitto_disconnect_v5(client, Int32(code.rawValue), nil)
        if rc != MOSQ_ERR_SUCCESS.rawValue { end(rc, doing: "disconnect") }
    }

    /// `reason`, or what stands behind it: TLS ends a connection in ways that look like a link that was cut.
    func explained(_ reason: MQTTReason) -> MQTTReason {
        guard let tls, reason != .stopped, reason != .returning else { return reason }
        if let problem = tls.problem { return .tls(problem) }
        guard reached, !tls.isShaken, reason != .silent else { return reason }
        return .tls(.handshake(context.lastError ?? "\(reason)"))
    }

    private func end(_ rc: Int32, doing action: String) {
        // errno first: everything below may change it.
        let systemError = errno
        if rc == MOSQ_ERR_TLS.rawValue {
            return context.end(.tls(.handshake(context.lastError ?? String(cString: mosquitto_strerror(rc)))))
        }
        if rc == MOSQ_ERR_ERRNO.rawValue, systemError != 0 {
            return context.end(.network("cannot \(action) (\(options)): \(systemText(systemError))"))
        }
        context.end(MQTTReason(code: rc, systemError: systemError))
    }
}

extension Connection {
    /// Every callback finds its context in the pointer given to mosquitto_new, and leaves errno as it found it: the
    /// library reads it after the callback returns.
    private func setCallbacks() {
        mosquitto_connect_v5_callback_set(client) { client, pointer, code, flags, properties in
            withContext(pointer) { $0.connackArrived(code: code, flags: flags, properties: properties) }
            // Lines are formatted even when nobody wants them: off once TLS stands.
            mosquitto_log_callback_set(client, nil)
        }
        mosquitto_disconnect_v5_callback_set(client) { _, pointer, code, _ in
            withContext(pointer) { $0.disconnectArrived(code: code) }
        }
        mosquitto_message_v5_callback_set(client) { _, pointer, message, _ in
            if let message { withContext(pointer) { $0.messageArrived(message.pointee) } }
        }
        mosquitto_publish_v5_callback_set(client) { _, pointer, packet, code, _ in
            withContext(pointer) { $0.publishEnded(packet: packet, code: code) }
        }
        mosquitto_subscribe_v5_callback_set(client) { _, pointer, packet, count, codes, _ in
            let granted = UnsafeBufferPointer(start: codes, count: codes == nil ? 0 : Int(max(count, 0)))
            withContext(pointer) { $0.subackArrived(packet: packet, granted: granted) }
        }
        mosquitto_log_callback_set(client) { _, pointer, level, text in
            guard level == MOSQ_LOG_ERR, let text else { return }
            withContext(pointer) { $0.lastError = String(cString: text) }
        }
    }
}

/// Whether a socket that said so is of no use any more.
private func isDeath(_ error: Int32) -> Bool {
    [
        EPIPE, ECONNRESET, ECONNREFUSED, ECONNABORTED, ETIMEDOUT, EHOSTUNREACH, ENETUNREACH, EHOSTDOWN, ENETDOWN,
        ENETRESET,
    ].contains(error)
}

/// Unretained is right: the client object holds a reference of its own (`held`) until after mosquitto_destroy, and it
/// alone makes these calls, on the network thread.
private func withContext(_ pointer: UnsafeMutableRawPointer?, _ body: (ConnectionContext) -> Void) {
    guard let pointer else { return }
    let saved = errno
    kilomint_callback_begins()
    defer {
        kilomint_callback_ends()
        errno = saved
    }
    body(Unmanaged<ConnectionContext>.fromOpaque(pointer).takeUnretainedValue())
}
