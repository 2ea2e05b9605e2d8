// What the network thread and the session's owner share, and every rule between them. No I/O: the lock is SessionCore's.

/// A publish that waits for the network thread.
struct Outgoing: Sendable {
    let id: MQTTPublishID
    let topic: String
    let payload: [UInt8]
    let qos: MQTTQoS
    let retain: Bool

    /// Upper bound of the packet: fixed header, topic and its length, packet id, no properties (MQTT 5 §3.3).
    static func packetBytes(topic: String, payload: [UInt8]) -> Int { 10 + topic.utf8.count + payload.count }
}

/// What one round of the network thread has to report.
struct Report: Sendable {
    /// Set in the round in which the broker accepted us: from its exchange on publishes are accepted.
    var agreement: MQTTAgreement?
    var events: [MQTTEvent] = []
    var eventBytes = 0
    /// Publishes that ended in this round: their places in the window are free.
    var finished = 0
    var acknowledged: UInt64 = 0
    var refused: UInt64 = 0
    var messages: UInt64 = 0

    mutating func add(_ event: MQTTEvent) {
        events.append(event)
        eventBytes &+= event.weight
    }
}

/// What the network thread is to do next.
struct Orders: Sendable {
    var outbox: [Outgoing]
    var stop: StopRequest?
    /// Events and bytes that may still be received; none = do not read.
    var room: Room
}

struct Room: Sendable {
    var events: Int
    var bytes: Int
    var isEmpty: Bool { events <= 0 || bytes <= 0 }
}

struct StopRequest: Sendable {
    let sendingWill: Bool
}

struct SessionState: Sendable {
    /// Set while connected.
    private(set) var agreement: MQTTAgreement?
    private(set) var stop: StopRequest?
    /// The network thread has ended; nothing is appended any more.
    private(set) var ended = false
    /// The bell was rung and the network thread has not looked since.
    private(set) var rung = false
    /// The network thread waits for room.
    private var paused = false
    private var nextNumber: UInt64 = 1
    private var outbox: [Outgoing] = []
    private var queue = EventQueue()
    private var counts = MQTTStats()

    var stats: MQTTStats {
        var now = counts
        now.connected = agreement != nil
        now.eventsQueued = queue.count
        now.eventBytesQueued = queue.bytes
        return now
    }

    // MARK: The owner's side

    /// Nil when the window is full.
    mutating func publish(
        _ topic: String, _ payload: [UInt8], _ qos: MQTTQoS, _ retain: Bool
    ) throws(MQTTPublishError) -> MQTTPublishID? {
        guard stop == nil, !ended else { throw .stopped }
        guard let agreement else { throw .notConnected }
        let bytes = Outgoing.packetBytes(topic: topic, payload: payload)
        guard bytes <= agreement.packetBytesMax else { throw .tooLarge(bytes: bytes, max: agreement.packetBytesMax) }
        guard counts.inFlight < agreement.inFlightMax else { return nil }
        let id = MQTTPublishID(number: nextNumber)
        nextNumber += 1
        counts.inFlight += 1
        counts.published += 1
        outbox.append(Outgoing(id: id, topic: topic, payload: payload, qos: qos, retain: retain))
        return id
    }

    /// Nil when there is nothing to take yet; empty when there never will be.
    mutating func takeEvents(max: Int, _ options: MQTTOptions) -> (events: [MQTTEvent], resume: Bool)? {
        if queue.count == 0 { return ended ? ([], false) : nil }
        let events = queue.take(max: max)
        // Reading goes on at half, not at the first free place: one wake-up for many events.
        let resume =
            paused && queue.count <= options.eventsMax / 2 && queue.bytes <= options.eventBytesMax / 2
        if resume { paused = false }
        return (events, resume)
    }

    mutating func requestStop(_ request: StopRequest) {
        if stop == nil { stop = request }
    }

    /// Whether the bell must be rung for what just changed.
    mutating func mustRing() -> Bool {
        defer { rung = true }
        return !rung
    }

    // MARK: The network thread's side

    func room(_ options: MQTTOptions) -> Room {
        paused
            ? Room(events: 0, bytes: 0)
            : Room(events: options.eventsMax - queue.count, bytes: options.eventBytesMax - queue.bytes)
    }

    /// One round: takes over what happened, hands out what is to be done.
    mutating func exchange(_ report: Report, _ options: MQTTOptions) -> Orders {
        rung = false
        absorb(report)
        if !paused, room(options).isEmpty {
            paused = true
            counts.pauses += 1
        }
        defer { outbox.removeAll() }
        return Orders(outbox: outbox, stop: stop, room: room(options))
    }

    private mutating func absorb(_ report: Report) {
        if let agreed = report.agreement {
            agreement = agreed
            counts.connects += 1
        }
        queue.append(contentsOf: report.events)
        counts.inFlight -= report.finished
        counts.acknowledged &+= report.acknowledged
        counts.refused &+= report.refused
        counts.messagesIn &+= report.messages
        counts.bytesIn &+= UInt64(report.eventBytes)
    }

    mutating func countAttempt(_ broker: MQTTBroker) {
        counts.connectAttempts += 1
        counts.broker = broker
    }

    mutating func note(isRivalled: Bool, _ reason: MQTTReason) {
        counts.isRivalled = isRivalled
        if reason == .sessionTakenOver { counts.takenOver += 1 }
    }

    /// The attempt or the connection is over. Nothing can be published between the list of the lost and this: one lock.
    mutating func disconnected(_ reason: MQTTReason, _ report: Report, unacknowledged: [MQTTPublishID]) {
        absorb(report)
        let lost = unacknowledged + outbox.map(\.id)
        outbox.removeAll()
        if agreement != nil, stop == nil { counts.connectionsLost += 1 }
        if reason == .unknownPacket { counts.unknownPackets += 1 }
        agreement = nil
        counts.inFlight = 0
        counts.publishesLost &+= UInt64(lost.count)
        queue.append(.disconnected(reason, lost: lost.sorted()))
    }

    mutating func end() {
        queue.append(.stopped)
        ended = true
    }
}
