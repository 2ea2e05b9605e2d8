// The waits between connections: doubling to the longest, half of it at random, starting over only after a sound life.

import MQTT
import Testing

struct BackOffTests {
    private func backOff() -> BackOff {
        var options = MQTTOptions(host: "broker", clientID: "gateway")
        options.backOffMin = .milliseconds(500)
        options.backOffMax = .seconds(60)
        options.stableAfter = .seconds(30)
        return BackOff(options)
    }

    @Test(
        arguments: [
            (0, [250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]),
            (500_000, [375, 750, 1_500, 3_000, 6_000, 12_000, 24_000, 45_000, 45_000]),
            (1_000_000, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]),
            (9_000_000, [500]), (-1, [250]),
        ] as [(Int, [Int])])
    func waitsDouble(jitter: Int, milliseconds: [Int]) {
        var waits = backOff()
        for wait in milliseconds {
            #expect(waits.next(lived: nil, reason: .closed, jitter: jitter) == .milliseconds(wait))
        }
    }

    @Test(
        arguments: [(nil, 4_000), (.seconds(29), 4_000), (.seconds(30), 500), (.seconds(9_999), 500)]
            as [(Duration?, Int)])
    func onlyASoundLifeStartsOver(lived: Duration?, milliseconds: Int) {
        var waits = backOff()
        for _ in 0..<3 { _ = waits.next(lived: nil, reason: .closed, jitter: 1_000_000) }
        #expect(waits.next(lived: lived, reason: .closed, jitter: 1_000_000) == .milliseconds(milliseconds))
    }

    @Test(arguments: [MQTTReason.sessionTakenOver, .badUserNameOrPassword, .notAuthorized])
    func comingBackSoonWouldNotHelp(reason: MQTTReason) {
        var waits = backOff()
        #expect(waits.next(lived: .seconds(9_999), reason: reason, jitter: 0) == .seconds(30))
    }
}

struct OptionsTests {
    @Test(
        arguments: [
            { $0.port = 0 }, { $0.port = 65_536 }, { $0.clientID = "" }, { $0.clientID = "a\0b" }, { $0.host = "" },
            { $0.password = "secret" }, { $0.keepAliveSeconds = 4 }, { $0.inFlightMax = 0 },
            { $0.inFlightMax = 32_769 },
            { $0.receiveMax = 0 }, { $0.packetBytesMax = 1_023 }, { $0.eventsMax = 0 }, { $0.backOffMin = .zero },
            { $0.backOffMin = .seconds(61) }, { $0.subscriptions = [MQTTSubscription("a/#/b")] },
            { $0.will = MQTTWill(topic: "a/+", payload: []) },
        ] as [@Sendable (inout MQTTOptions) -> Void])
    func outOfRangeIsRefusedBeforeAnythingStarts(damage: @Sendable (inout MQTTOptions) -> Void) {
        var options = MQTTOptions(host: "broker", clientID: "gateway")
        damage(&options)
        #expect(throws: MQTTOptionsError.self) { try MQTTSession(options: options) }
    }

    @Test(arguments: ["", "a/#", "+/a", "a\0b", String(repeating: "a", count: 65_536)])
    func aTopicIsChecked(topic: String) throws {
        let session = try MQTTSession(options: MQTTOptions(host: "127.0.0.1", port: 1, clientID: "gateway"))
        #expect(throws: MQTTPublishError.invalidTopic) { try session.publish(topic: topic, payload: []) }
    }
}
