// The waits between connections: doubling to the longest, half of it at random, starting over only after a sound life.

import MQTT
import Testing

struct BackOffTests {
    fileprivate func backOff() -> BackOff {
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

extension BackOffTests {
    @Test func aRivalIsGivenWayToEverLonger() {
        var waits = backOff()
        for seconds in [60, 120, 240, 480, 900, 900] {
            #expect(
                waits.next(lived: .seconds(40), reason: .sessionTakenOver, jitter: 1_000_000) == .seconds(seconds))
            #expect(waits.isRivalled)
        }
        // A link that is cut after a life of its own says that nobody threw us out.
        #expect(waits.next(lived: .seconds(40), reason: .silent, jitter: 1_000_000) == .milliseconds(500))
        #expect(!waits.isRivalled)
    }

    /// Mosquitto 2.0 closes without a word where it should say 142; so does a broker that dies, but not five times in a
    /// row with no connection refused between.
    @Test func fiveShortLivesInARowAreARival() {
        var waits = backOff()
        for _ in 0..<4 {
            _ = waits.next(lived: .seconds(1), reason: .closed, jitter: 0)
            #expect(!waits.isRivalled)
        }
        // An alarm alone: the wait is that of any lost connection.
        #expect(waits.next(lived: .seconds(1), reason: .closed, jitter: 1_000_000) == .seconds(8))
        #expect(waits.isRivalled)
        _ = waits.next(lived: .seconds(30), reason: .closed, jitter: 0)
        #expect(!waits.isRivalled)
        var restarted = backOff()
        for _ in 0..<20 {
            _ = restarted.next(lived: .seconds(1), reason: .closed, jitter: 0)
            _ = restarted.next(lived: nil, reason: .network("refused"), jitter: 0)
            #expect(!restarted.isRivalled)
        }
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
            { $0.alternates = [MQTTBroker(host: "", port: 1)] }, { $0.alternates = [MQTTBroker(host: "b", port: 0)] },
            { $0.alternates = Array(repeating: MQTTBroker(host: "b", port: 1), count: 8) },
            { $0.returnAfter = .zero },
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
