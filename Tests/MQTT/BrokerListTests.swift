// Several brokers: the first that can be reached, in order, and back to the first when it is there again.

import Kit
import MQTT
import Testing

@Suite(.serialized) struct BrokerListTests {
    @Test func theNextIsTriedAtOnceAndTheFirstAgainLater() throws {
        let (first, second) = (try Broker(), try Broker())
        var options = testOptions(first, "gateway", subscribe: ["km/#"])
        options.alternates = [MQTTBroker(host: "127.0.0.1", port: second.port)]
        options.returnAfter = .seconds(1)
        let session = try MQTTSession(options: options)
        session.events { $0.isSubscribed }
        #expect(session.stats.broker?.port == first.port)

        first.kill()
        session.events { $0.isConnected }
        #expect(session.stats.broker?.port == second.port)
        // It leaves in good order, finds the first still away, and comes back.
        session.events { $0.disconnected?.reason == .returning }
        session.events { $0.isConnected }
        #expect(session.stats.broker?.port == second.port)

        try first.start()
        session.events { $0.disconnected?.reason == .returning }
        session.events { $0.isSubscribed }
        #expect(session.stats.broker?.port == first.port)
        let id = try session.publish(topic: "km/a", payload: [1])
        session.events { $0 == .acknowledged(id) }
        #expect(session.stop())
    }

    @Test func whereNoneCanBeReachedThereIsAWait() throws {
        let gone = [Int(try freePort()), Int(try freePort())]
        var options = MQTTOptions(host: "127.0.0.1", port: gone[0], clientID: "gateway")
        options.alternates = [MQTTBroker(host: "127.0.0.1", port: gone[1])]
        (options.backOffMin, options.backOffMax) = (.seconds(30), .seconds(60))
        let session = try MQTTSession(options: options)
        session.events { $0.disconnected != nil }
        session.events { $0.disconnected != nil }
        #expect(session.stats.connectAttempts == 2)
        #expect(session.nextEvent(timeout: .milliseconds(500)) == nil)
        #expect(session.stop())
    }
}
