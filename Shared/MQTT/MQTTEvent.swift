// What a session tells its owner, and why it may refuse a publish.

/// Names one publish of one session: 1, 2, 3 … in the order of the calls.
package struct MQTTPublishID: Hashable, Comparable, Sendable {
    package let number: UInt64
    package static func < (a: MQTTPublishID, b: MQTTPublishID) -> Bool { a.number < b.number }
}

package struct MQTTMessage: Hashable, Sendable {
    package let topic: String
    package let payload: [UInt8]
    package let qos: MQTTQoS
    /// Stood at the broker before we subscribed.
    package let retained: Bool

    package init(topic: String, payload: [UInt8], qos: MQTTQoS = .atLeastOnce, retained: Bool = false) {
        self.topic = topic
        self.payload = payload
        self.qos = qos
        self.retained = retained
    }
}

/// What broker and session agreed at connect.
package struct MQTTAgreement: Hashable, Sendable {
    /// The broker still knew this client: QoS 1 messages of the time between follow.
    package let sessionPresent: Bool
    /// The lower of our ``MQTTOptions/inFlightMax`` and the broker's receive maximum.
    package let inFlightMax: Int
    /// The lower of our ``MQTTOptions/packetBytesMax`` and the broker's.
    package let packetBytesMax: Int

    package init(sessionPresent: Bool, inFlightMax: Int, packetBytesMax: Int) {
        self.sessionPresent = sessionPresent
        self.inFlightMax = inFlightMax
        self.packetBytesMax = packetBytesMax
    }
}

/// In the order things happened. Each accepted QoS 1 publish ends in exactly one of `.acknowledged`, `.refused` or the
/// `lost` of a `.disconnected`; a QoS 0 publish shows up in `lost` at most.
package enum MQTTEvent: Hashable, Sendable {
    case connected(MQTTAgreement)
    /// The broker has answered for every filter; `refused` names those it will not serve. The connection stays.
    case subscribed(refused: [MQTTRefusedFilter])
    /// libmosquitto acknowledges before anybody has stored this: only a receipt of ours proves more.
    case message(MQTTMessage)
    /// The broker has the message (PUBACK); nobody else may.
    case acknowledged(MQTTPublishID)
    /// PUBACK with a refusal: not authorised for the topic, too large, quota. Sending the same again is no use.
    case refused(MQTTPublishID, MQTTReason)
    /// The connection ended, or could not be made. `lost` lists in order what was published and never acknowledged:
    /// the broker may or may not have it. The session connects again by itself.
    case disconnected(MQTTReason, lost: [MQTTPublishID])
    /// The last event, after ``MQTTSession/stop(within:sendingWill:)``.
    case stopped
}

package struct MQTTRefusedFilter: Hashable, Sendable {
    package let filter: String
    package let reason: MQTTReason

    package init(filter: String, reason: MQTTReason) {
        self.filter = filter
        self.reason = reason
    }
}

/// Why a publish was not accepted, in the order the checks run. Nothing was sent, no id was used.
package enum MQTTPublishError: Error, Hashable, Sendable, CustomStringConvertible {
    case invalidTopic
    case stopped
    /// Connect first: the caller's own store is the queue, not this session.
    case notConnected
    /// The packet is larger than broker and options allow; the connection is untouched.
    case tooLarge(bytes: Int, max: Int)
    /// As many publishes are unacknowledged as may be: take events, then publish again.
    case windowFull

    package var description: String {
        switch self {
        case .invalidTopic: "not a topic: it is empty, too long, or holds + or # or a control character"
        case .stopped: "the MQTT session is stopped"
        case .notConnected: "the MQTT session is not connected: wait for its connected event"
        case .tooLarge(let bytes, let max): "the packet would have \(bytes) bytes, more than the \(max) allowed"
        case .windowFull: "too many publishes are unacknowledged: wait for acknowledgements"
        }
    }
}

/// Counts since the session began, and what is held now.
package struct MQTTStats: Hashable, Sendable {
    package var connectAttempts: UInt64 = 0
    package var connects: UInt64 = 0
    /// Connections that were up and ended without our doing.
    package var connectionsLost: UInt64 = 0
    package var messagesIn: UInt64 = 0
    package var bytesIn: UInt64 = 0
    package var published: UInt64 = 0
    package var acknowledged: UInt64 = 0
    package var refused: UInt64 = 0
    package var publishesLost: UInt64 = 0
    /// Times reading stopped because nobody took events.
    package var pauses: UInt64 = 0
    /// Times the broker said that another client took our place.
    package var takenOver: UInt64 = 0
    /// Connections ended because the broker sent what would have ended the process.
    package var unknownPackets: UInt64 = 0
    /// Another client seems to use our client id: the broker said so, or closed five connections in a row without a word.
    package var isRivalled = false
    /// The broker tried last, or connected to.
    package var broker: MQTTBroker?
    package var connected = false
    package var inFlight = 0
    package var eventsQueued = 0
    package var eventBytesQueued = 0

    package init() {}
}
