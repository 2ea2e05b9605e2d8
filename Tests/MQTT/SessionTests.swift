// MQTTSession against a real Mosquitto: connecting, publishing, receiving, refusing.

import Kit
import MQTT
import Testing

/// Options that suit loopback: short waits, everything else as delivered.
func testOptions(_ broker: Broker, _ clientID: String, subscribe filters: [String] = []) -> MQTTOptions {
    var options = MQTTOptions(
        host: "127.0.0.1", port: broker.port, clientID: clientID,
        subscriptions: filters.map { MQTTSubscription($0) })
    options.backOffMin = .milliseconds(50)
    options.backOffMax = .milliseconds(400)
    options.connectTimeout = .seconds(5)
    return options
}

extension MQTTSession {
    /// The events up to and with the first that `isLast` accepts; fails the test when it does not come in time.
    @discardableResult
    func events(
        within: Duration = .seconds(20), location: SourceLocation = #_sourceLocation,
        until isLast: (MQTTEvent) -> Bool
    ) -> [MQTTEvent] {
        let end = ContinuousClock.now + within
        var seen: [MQTTEvent] = []
        while ContinuousClock.now < end {
            guard let event = nextEvent(timeout: .milliseconds(200)) else { continue }
            seen.append(event)
            if isLast(event) { return seen }
        }
        Issue.record("the event did not come; seen: \(seen.suffix(20))", sourceLocation: location)
        return seen
    }
}

extension MQTTEvent {
    var isConnected: Bool { if case .connected = self { true } else { false } }
    var isSubscribed: Bool { self == .subscribed(refused: []) }
    var message: MQTTMessage? { if case .message(let message) = self { message } else { nil } }
    var acknowledged: MQTTPublishID? { if case .acknowledged(let id) = self { id } else { nil } }
    var disconnected: (reason: MQTTReason, lost: [MQTTPublishID])? {
        if case .disconnected(let reason, let lost) = self { (reason, lost) } else { nil }
    }
}

@Suite(.serialized) struct SessionTests {
    @Test func aPublishIsAcknowledgedAndArrives() throws {
        let broker = try Broker()
        let receiver = try MQTTSession(options: testOptions(broker, "receiver", subscribe: ["km/#"]))
        receiver.events { $0.isSubscribed }
        let sender = try MQTTSession(options: testOptions(broker, "sender"))
        sender.events { $0.isConnected }

        let id = try sender.publish(topic: "km/1/evidence", payload: [0, 1, 2, 255])
        sender.events { $0 == .acknowledged(id) }
        let arrived = receiver.events { $0.message != nil }.last?.message
        #expect(arrived?.topic == "km/1/evidence")
        #expect(arrived?.payload == [0, 1, 2, 255])
        #expect(arrived?.qos == .atLeastOnce)
        #expect(arrived?.retained == false)

        #expect(sender.stats.acknowledged == 1)
        #expect(sender.stats.inFlight == 0)
        #expect(receiver.stats.messagesIn == 1)
        #expect(sender.stop())
        #expect(sender.events { $0 == .stopped }.contains(.disconnected(.stopped, lost: [])))
        #expect(throws: MQTTPublishError.stopped) { try sender.publish(topic: "km/1/evidence", payload: []) }
        #expect(sender.nextEvents(timeout: .seconds(60)).isEmpty, "nothing follows .stopped, and nobody waits for it")
    }
}
