// Everything a session is told before it starts. Fixed for its life: another broker is another session.

package import Keys

/// Delivery promise of one message. QoS 2 is not used: our receipts make QoS 1 exact.
package enum MQTTQoS: UInt8, Hashable, Sendable {
    case atMostOnce = 0
    case atLeastOnce = 1
}

/// What the broker publishes for us when the connection ends without our farewell.
package struct MQTTWill: Hashable, Sendable {
    package var topic: String
    package var payload: [UInt8]
    package var qos: MQTTQoS
    package var retain: Bool
    /// Seconds the broker waits first; reconnecting within them cancels the will.
    package var delaySeconds: UInt32

    package init(
        topic: String, payload: [UInt8], qos: MQTTQoS = .atLeastOnce, retain: Bool = true, delaySeconds: UInt32 = 0
    ) {
        self.topic = topic
        self.payload = payload
        self.qos = qos
        self.retain = retain
        self.delaySeconds = delaySeconds
    }
}

/// Where a broker listens.
package struct MQTTBroker: Hashable, Sendable, CustomStringConvertible {
    package var host: String
    package var port: Int

    package init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    package var description: String { "\(host):\(port)" }
}

/// A topic filter, subscribed anew at each connect.
package struct MQTTSubscription: Hashable, Sendable {
    package var filter: String
    package var qos: MQTTQoS

    package init(_ filter: String, qos: MQTTQoS = .atLeastOnce) {
        self.filter = filter
        self.qos = qos
    }
}

/// Options of an ``MQTTSession``. Defaults suit a gateway's uplink; ``MQTTSession/init(options:)`` checks the ranges.
package struct MQTTOptions: Sendable, CustomStringConvertible, CustomDebugStringConvertible {
    package var host: String
    /// 1 … 65 535.
    package var port: Int
    /// Tried in this order when host and port cannot be reached, each with its own name for TLS.
    package var alternates: [MQTTBroker] = []
    /// 1 … 128 bytes. One client id is one session: a second client takes the first one's place.
    package var clientID: String
    package var username: String?
    package var password: String?
    /// TLS 1.3; the certificate is verified against `host`. Nil: none.
    package var tls: TLSClient?
    package var will: MQTTWill?
    package var subscriptions: [MQTTSubscription]

    /// 5 … 65 535 s without traffic before a ping; twice that without an answer ends the connection.
    package var keepAliveSeconds = 30
    /// Forget the broker's session state when connecting.
    package var cleanStart = true
    /// Seconds the broker keeps the session after the connection has ended.
    package var sessionExpirySeconds: UInt32 = 0
    /// QoS 1 messages the broker may have unacknowledged towards us, 1 … 65 535.
    package var receiveMax = 1_000
    /// Largest packet sent or accepted. A broker that ignores it is bound by MQTT's own 256 MiB alone.
    package var packetBytesMax = 262_144
    /// Publishes handed over and not yet acknowledged, 1 … 32 768; the broker's own limit counts if it is lower.
    package var inFlightMax = 100
    /// Events waiting for ``MQTTSession/nextEvents(max:timeout:)``; at this many the socket is read no more. One read
    /// of the library may overshoot by as many packets as publishes are in flight.
    package var eventsMax = 10_000
    /// The same in bytes of topic and payload.
    package var eventBytesMax = 16_777_216
    /// First wait before connecting again; doubles up to the longest, each with jitter: half of it to all of it.
    package var backOffMin: Duration = .milliseconds(500)
    package var backOffMax: Duration = .seconds(60)
    /// Longest wait while another client seems to use our client id: each return would throw it out again.
    package var rivalBackOffMax: Duration = .seconds(900)
    /// A connection to an alternate ends in good order after this long, and the first broker is tried again.
    package var returnAfter: Duration = .seconds(1_800)
    /// A connection that lived this long counts as sound: the next wait is the first again.
    package var stableAfter: Duration = .seconds(30)
    /// From the first packet to the broker's answer.
    package var connectTimeout: Duration = .seconds(20)
    /// TCP_USER_TIMEOUT: how long sent bytes may stay unanswered before the kernel gives the connection up.
    package var unansweredTimeout: Duration = .seconds(30)

    package init(
        host: String, port: Int = 1883, clientID: String, username: String? = nil, password: String? = nil,
        tls: TLSClient? = nil, will: MQTTWill? = nil, subscriptions: [MQTTSubscription] = []
    ) {
        self.host = host
        self.port = port
        self.clientID = clientID
        self.username = username
        self.password = password
        self.tls = tls
        self.will = will
        self.subscriptions = subscriptions
    }

    /// Never shows the password.
    package var description: String { "\(clientID)@\(host):\(port)" }
    package var debugDescription: String { description }

    /// Most brokers of one list.
    package static let brokersMax = 8

    /// All brokers, in the order of preference.
    package var brokers: [MQTTBroker] { [MQTTBroker(host: host, port: port)] + alternates }

    /// Most filters of one session: 256 partitions and some to spare.
    package static let subscriptionsMax = 1_024

    /// The first option out of its range.
    func check() throws(MQTTOptionsError) {
        func require(_ holds: Bool, _ option: String, _ allowed: String) throws(MQTTOptionsError) {
            guard holds else { throw MQTTOptionsError(option: option, allowed: allowed) }
        }
        try require(isCString(host, bytesMax: 253) && !host.isEmpty, "host", "a host name or address")
        try require(1...65_535 ~= port, "port", "1 to 65535")
        try require(alternates.count < Self.brokersMax, "brokers", "at most \(Self.brokersMax)")
        for broker in alternates {
            let isPlace = isCString(broker.host, bytesMax: 253) && !broker.host.isEmpty && 1...65_535 ~= broker.port
            try require(isPlace, "broker \(broker)", "a host name or address, port 1 to 65535")
        }
        try require(returnAfter > .zero && returnAfter <= .seconds(86_400), "return", "at most a day")
        try require(rivalBackOffMax > .zero && rivalBackOffMax <= .seconds(86_400), "back-off", "at most a day")
        try require(isCString(clientID, bytesMax: 128) && !clientID.isEmpty, "client id", "1 to 128 bytes")
        try require(isCString(username ?? "", bytesMax: 65_535), "username", "at most 65535 bytes without NUL")
        try require(isCString(password ?? "", bytesMax: 65_535), "password", "at most 65535 bytes without NUL")
        try require(password == nil || username != nil, "password", "a username beside it")
        try require(5...65_535 ~= keepAliveSeconds, "keep alive", "5 to 65535 s")
        try require(1...65_535 ~= receiveMax, "receive maximum", "1 to 65535")
        try require(1_024...268_435_455 ~= packetBytesMax, "packet bytes", "1024 to 268435455")
        try require(1...32_768 ~= inFlightMax, "in flight", "1 to 32768")
        try require(eventsMax >= 1, "events", "at least 1")
        try require(eventBytesMax >= 1, "event bytes", "at least 1")
        try require(backOffMin > .zero && backOffMin <= backOffMax, "back-off", "0 < shortest ≤ longest")
        try require(backOffMax <= .seconds(86_400), "back-off", "at most a day")
        try require(connectTimeout > .zero && connectTimeout <= .seconds(3_600), "connect timeout", "up to an hour")
        try require(
            unansweredTimeout > .zero && unansweredTimeout <= .seconds(3_600), "unanswered timeout", "up to an hour")
        try require(subscriptions.count <= Self.subscriptionsMax, "subscriptions", "at most \(Self.subscriptionsMax)")
        for subscription in subscriptions {
            try require(isTopicFilter(subscription.filter), "subscription \(subscription.filter)", "a topic filter")
        }
        if let will {
            try require(isTopic(will.topic), "will topic", "a topic without wildcards")
            try require(will.payload.count <= 65_535, "will payload", "at most 65535 bytes")
        }
    }
}

/// An option outside its range.
package struct MQTTOptionsError: Error, Hashable, Sendable, CustomStringConvertible {
    package let option: String
    package let allowed: String
    package var description: String { "MQTT \(option) is out of range: allowed is \(allowed)" }
}
