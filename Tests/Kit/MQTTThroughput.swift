// How many QoS 1 messages a second one sender, one broker and one receiver carry on this machine. A figure, not a test.

internal import Foundation
internal import MQTT

package struct MQTTThroughput: Sendable, CustomStringConvertible {
    package let messages: Int
    package let payloadBytes: Int
    package let time: Duration

    package var perSecond: Int { messages * 1_000 / max(Int(time / .milliseconds(1)), 1) }

    package var description: String {
        "MQTT QoS 1, \(payloadBytes) bytes: \(perSecond) messages/s from session through broker to session"
    }

    /// Sends `messages` through `broker` as fast as the window allows and waits for the last to arrive.
    ///
    /// - Throws: ``KitError`` when they do not all arrive in order within `timeout`.
    package static func measure(
        through broker: Broker, messages: Int, payloadBytes: Int, inFlightMax: Int = 1_000,
        timeout: Duration = .seconds(120)
    ) throws -> MQTTThroughput {
        let topic = "bench/throughput"
        let end = ContinuousClock.now + timeout
        let receiver = try MQTTSession(
            options: MQTTOptions(
                host: "127.0.0.1", port: broker.port, clientID: "bench-receiver",
                subscriptions: [MQTTSubscription(topic)]))
        while receiver.nextEvent(timeout: .milliseconds(100)) != .subscribed(refused: []) {
            guard ContinuousClock.now < end else { throw KitError("the broker never granted the subscription") }
        }
        var options = MQTTOptions(host: "127.0.0.1", port: broker.port, clientID: "bench-sender")
        options.inFlightMax = inFlightMax
        let sender = try MQTTSession(options: options)
        while !sender.stats.connected {
            _ = sender.nextEvents(timeout: .milliseconds(10))
            guard ContinuousClock.now < end else { throw KitError("the broker never accepted the sender") }
        }
        let begin = ContinuousClock.now
        Thread.detachNewThread { send(messages, payloadBytes, topic, sender) }
        var arrived = 0
        while arrived < messages {
            for case .message(let message) in receiver.nextEvents(timeout: .milliseconds(100)) {
                guard message.payload.prefix(8).reduce(0, { $0 << 8 | Int($1) }) == arrived else {
                    throw KitError("message \(arrived) is missing: set max_queued_messages 0 in the broker")
                }
                arrived += 1
            }
            guard ContinuousClock.now < end else { throw KitError("only \(arrived) of \(messages) arrived in time") }
        }
        return MQTTThroughput(
            messages: messages, payloadBytes: payloadBytes, time: ContinuousClock.now - begin)
    }

    /// Ends early when the session does.
    private static func send(_ messages: Int, _ payloadBytes: Int, _ topic: String, _ sender: MQTTSession) {
        var payload = [UInt8](repeating: 0x5A, count: max(payloadBytes, 8))
        for number in 0..<messages {
            for place in 0..<8 { payload[place] = UInt8(truncatingIfNeeded: number >> (56 - 8 * place)) }
            while true {
                do throws(MQTTPublishError) {
                    _ = try sender.publish(topic: topic, payload: payload)
                    break
                } catch {
                    guard error == .windowFull else { return }
                    _ = sender.nextEvents(timeout: .milliseconds(100))
                }
            }
        }
        while sender.stats.inFlight > 0, sender.stats.connected { _ = sender.nextEvents(timeout: .milliseconds(100)) }
    }
}
