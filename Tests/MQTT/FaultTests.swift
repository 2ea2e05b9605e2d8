// MQTTSession when things go wrong: killed and frozen brokers, refusals, slow consumers, a second client with our name.

import Glibc
import Kit
import MQTT
import Testing

@Suite(.serialized) struct FaultTests {
    // MARK: Refused

    @Test(
        arguments: [
            ("gateway", "wrong", MQTTReason.notAuthorized), ("nobody", "right", .notAuthorized),
            (nil, nil, .notAuthorized),
        ] as [(String?, String?, MQTTReason)])
    func whoIsNotKnownIsRefusedInWords(user: String?, password: String?, expected: MQTTReason) throws {
        let broker = try Broker(users: [("gateway", "right")])
        var options = testOptions(broker, "gateway")
        options.username = user
        options.password = password
        let session = try MQTTSession(options: options)
        let reason = try #require(session.events { $0.disconnected != nil }.last?.disconnected?.reason)
        #expect(reason == expected || reason == .badUserNameOrPassword)
        #expect(reason.description.contains("broker"))
        #expect(session.stats.connects == 0)
        #expect(throws: MQTTPublishError.notConnected) { try session.publish(topic: "a", payload: []) }
        // It goes on trying: the operator may mend the broker's side.
        session.events { $0.disconnected != nil }
        #expect(session.stats.connectAttempts >= 2)
    }

    @Test func theRightPasswordIsWelcome() throws {
        let broker = try Broker(users: [("gateway", "right")])
        var options = testOptions(broker, "gateway")
        options.username = "gateway"
        options.password = "right"
        let session = try MQTTSession(options: options)
        session.events { $0.isConnected }
        #expect(!"\(options)".contains("right") && !String(reflecting: options).contains("right"))
    }

    @Test func whatTheACLForbidsIsRefusedAndTheConnectionStays() throws {
        let broker = try Broker(
            users: [("gateway", "right")], acl: ["user gateway", "topic write km/mine", "topic read km/receipt"])
        var options = testOptions(broker, "gateway", subscribe: ["km/receipt", "km/other"])
        options.username = "gateway"
        options.password = "right"
        let session = try MQTTSession(options: options)
        let subscribed = session.events { if case .subscribed = $0 { true } else { false } }.last
        // Mosquitto 2.0 grants the filter and withholds the messages; other brokers refuse the filter.
        #expect(
            subscribed == .subscribed(refused: [])
                || subscribed == .subscribed(refused: [MQTTRefusedFilter(filter: "km/other", reason: .notAuthorized)]))
        let forbidden = try session.publish(topic: "km/theirs", payload: [1])
        session.events { $0 == .refused(forbidden, .notAuthorized) }
        let allowed = try session.publish(topic: "km/mine", payload: [1])
        session.events { $0 == .acknowledged(allowed) }
        #expect(session.stats.connectionsLost == 0)
        #expect(session.stats.refused == 1)
    }

    @Test func nobodyListensAndNothingResolves() throws {
        var options = MQTTOptions(host: "127.0.0.1", port: Int(try freePort()), clientID: "gateway")
        options.backOffMin = .milliseconds(20)
        options.backOffMax = .milliseconds(40)
        let refused = try MQTTSession(options: options)
        let reason = refused.events { $0.disconnected != nil }.last?.disconnected?.reason
        #expect(reason?.description.contains("Connection refused") == true)
        options.host = "no-such-host.invalid"
        let lost = try MQTTSession(options: options)
        let words = lost.events(within: .seconds(60)) { $0.disconnected != nil }.last?.disconnected?.reason
        #expect(words?.description.contains("cannot find no-such-host.invalid") == true)
    }

    @Test func aBrokerThatNeverAnswersIsGivenUp() throws {
        let broker = try Broker()
        broker.freeze()
        defer { broker.thaw() }
        var options = testOptions(broker, "gateway")
        options.connectTimeout = .milliseconds(300)
        let session = try MQTTSession(options: options)
        #expect(session.events { $0.disconnected != nil }.last == .disconnected(.silent, lost: []))
        let begin = ContinuousClock.now
        #expect(session.stop(within: .seconds(5)))
        #expect(ContinuousClock.now - begin < .seconds(3), "stopping does not wait for the broker")
    }

    // MARK: Sizes

    @Test func anOversizedPacketIsRefusedWithoutDying() throws {
        let broker = try Broker(lines: ["max_packet_size 2000"])
        let session = try MQTTSession(options: testOptions(broker, "gateway"))
        guard case .connected(let agreed) = session.events(until: \.isConnected).last else { return }
        #expect(agreed.packetBytesMax == 2_000)
        #expect(throws: MQTTPublishError.tooLarge(bytes: 2_011, max: 2_000)) {
            try session.publish(topic: "a", payload: [UInt8](repeating: 1, count: 2_000))
        }
        let id = try session.publish(topic: "a", payload: [UInt8](repeating: 1, count: 1_989))
        session.events { $0 == .acknowledged(id) }
        #expect(session.stats.connectionsLost == 0)
    }

    @Test func theLargestMessageArrives() throws {
        let broker = try Broker()
        let receiver = try MQTTSession(options: testOptions(broker, "receiver", subscribe: ["large"]))
        receiver.events { $0.isSubscribed }
        let sender = try MQTTSession(options: testOptions(broker, "sender"))
        sender.events { $0.isConnected }
        let payload = (0..<131_072).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        _ = try sender.publish(topic: "large", payload: payload)
        #expect(receiver.events { $0.message != nil }.last?.message?.payload == payload)
    }

    @Test func theWindowIsTheOnlyQueue() throws {
        let broker = try Broker(lines: ["max_inflight_messages 7"])
        var options = testOptions(broker, "gateway")
        options.inFlightMax = 5
        let session = try MQTTSession(options: options)
        guard case .connected(let agreed) = session.events(until: \.isConnected).last else { return }
        #expect(agreed.inFlightMax == 5, "the lower of ours and the broker's")
        broker.freeze()
        for _ in 0..<5 { _ = try session.publish(topic: "a", payload: [1]) }
        for patience in [Duration.zero, .milliseconds(50)] {
            #expect(throws: MQTTPublishError.windowFull) {
                try session.publish(topic: "a", payload: [1], patience: patience)
            }
        }
        #expect(session.stats.inFlight == 5)
        broker.thaw()
        let waited = try session.publish(topic: "a", payload: [1], patience: .seconds(10))
        session.events { $0 == .acknowledged(waited) }
        #expect(session.stats.inFlight == 0)
        // QoS 0 takes a place too, until it is written.
        for _ in 0..<50 { _ = try session.publish(topic: "a", payload: [1], qos: .atMostOnce, patience: .seconds(5)) }
        let last = try session.publish(topic: "a", payload: [1], patience: .seconds(5))
        session.events { $0 == .acknowledged(last) }
        #expect(session.stats.inFlight == 0)
    }

    // MARK: Gone and back

    @Test func aKilledBrokerLosesNothingSilently() throws {
        let broker = try Broker()
        var options = testOptions(broker, "gateway", subscribe: ["km/receipt"])
        options.will = MQTTWill(topic: "km/status", payload: Array("offline".utf8))
        let session = try MQTTSession(options: options)
        session.events { $0.isSubscribed }
        let first = try session.publish(topic: "km/evidence", payload: [1])
        session.events { $0 == .acknowledged(first) }
        broker.freeze()
        let pending = try (0..<20).map { try session.publish(topic: "km/evidence", payload: [UInt8($0)]) }
        broker.kill()
        let ended = try #require(session.events { $0.disconnected != nil }.last?.disconnected)
        #expect(ended.lost == pending, "each is lost, in order: the owner sends again from the first")
        #expect(session.stats.connectionsLost == 1)
        #expect(session.stats.publishesLost == 20)
        #expect(session.stats.inFlight == 0)
        #expect(throws: MQTTPublishError.notConnected) { try session.publish(topic: "km/evidence", payload: []) }

        try broker.start()
        session.events { $0.isConnected }
        session.events { $0.isSubscribed }
        let other = try MQTTSession(options: testOptions(broker, "collector"))
        other.events { $0.isConnected }
        _ = try other.publish(topic: "km/receipt", payload: [9])
        #expect(session.events { $0.message != nil }.last?.message?.payload == [9], "the filter was subscribed again")
        let again = try session.publish(topic: "km/evidence", payload: [1])
        session.events { $0 == .acknowledged(again) }
    }

    /// Twenty deaths at unforeseen moments: every publish ends once, as acknowledged or as lost.
    @Test func everyPublishEndsExactlyOnce() throws {
        var generator = SeededGenerator(seed: 20)
        let broker = try Broker()
        let session = try MQTTSession(options: testOptions(broker, "gateway"))
        var open: Set<MQTTPublishID> = []
        var ended = 0
        for round in 0..<20 {
            session.events { event in
                ended += settle(event, &open)
                return event.isConnected
            }
            for _ in 0..<Int.random(in: 1...300, using: &generator) {
                do throws(MQTTPublishError) {
                    let id = try session.publish(topic: "a", payload: generator.bytes(100))
                    #expect(open.insert(id).inserted)
                } catch {
                    for event in session.nextEvents(timeout: .milliseconds(20)) { ended += settle(event, &open) }
                }
            }
            usleep(UInt32.random(in: 0...3_000, using: &generator))
            broker.kill()
            session.events { event in
                ended += settle(event, &open)
                return event.disconnected != nil
            }
            #expect(open.isEmpty, "round \(round) of seed 20")
            try broker.start()
        }
        #expect(session.stats.published == UInt64(ended))
        #expect(session.stats.connects == 20)
    }

    private func settle(_ event: MQTTEvent, _ open: inout Set<MQTTPublishID>) -> Int {
        let ids = event.acknowledged.map { [$0] } ?? event.disconnected?.lost ?? []
        for id in ids { #expect(open.remove(id) != nil, "\(id) ended twice") }
        return ids.count
    }

    @Test func theWillStandsAfterDeathAndNotAfterFarewell() throws {
        let broker = try Broker()
        var options = testOptions(broker, "gateway")
        options.will = MQTTWill(topic: "km/status", payload: Array("offline".utf8))
        let orderly = try MQTTSession(options: options)
        orderly.events { $0.isConnected }
        #expect(orderly.stop())
        let looker = try MQTTSession(options: testOptions(broker, "looker", subscribe: ["km/status"]))
        looker.events { $0.isSubscribed }
        #expect(looker.nextEvent(timeout: .milliseconds(300)) == nil, "an orderly end sends no will")

        let asked = try MQTTSession(options: options)
        asked.events { $0.isConnected }
        #expect(asked.stop(sendingWill: true))
        #expect(looker.events { $0.message != nil }.last?.message?.payload == Array("offline".utf8))
        let late = try MQTTSession(options: testOptions(broker, "late", subscribe: ["km/status"]))
        #expect(late.events { $0.message != nil }.last?.message?.retained == true)
    }

    /// Mosquitto 2.0 closes without a word when it should send DISCONNECT 142; see PeerTests for brokers that do.
    @Test func twoClientsOfOneNameDoNotStormTheBroker() throws {
        let broker = try Broker()
        var options = testOptions(broker, "gateway")
        options.backOffMax = .seconds(30)
        let first = try MQTTSession(options: options)
        first.events { $0.isConnected }
        let second = try MQTTSession(options: options)
        second.events { $0.isConnected }
        let reason = try #require(first.events { $0.disconnected != nil }.last?.disconnected?.reason)
        #expect(reason == .sessionTakenOver || reason == .closed)
        #expect(reason.description.contains("same client id") || reason.description.contains("this client id"))
        usleep(3_000_000)
        // Doubling from 50 ms there is room for six in three seconds; without it there would be sixty or more.
        #expect(first.stats.connects + second.stats.connects <= 16)
        #expect(first.stats.connects + second.stats.connects >= 4)
    }

    @Test func aSilentLinkIsNoticedByTheKeepAlive() throws {
        let broker = try Broker()
        var options = testOptions(broker, "gateway")
        options.keepAliveSeconds = 5
        let session = try MQTTSession(options: options)
        session.events { $0.isConnected }
        broker.freeze()
        defer { broker.thaw() }
        let ended = session.events(within: .seconds(30)) { $0.disconnected != nil }.last
        #expect(ended == .disconnected(.silent, lost: []))
    }

    // MARK: Sessions kept by the broker

    @Test func theBrokerKeepsWhatComesWhileWeAreAway() throws {
        let broker = try Broker()
        var options = testOptions(broker, "collector", subscribe: ["km/evidence"])
        options.cleanStart = false
        options.sessionExpirySeconds = 600
        let before = try MQTTSession(options: options)
        before.events { $0.isSubscribed }
        #expect(before.stop())
        let sender = try MQTTSession(options: testOptions(broker, "sender"))
        sender.events { $0.isConnected }
        let id = try sender.publish(topic: "km/evidence", payload: [7])
        sender.events { $0 == .acknowledged(id) }
        let after = try MQTTSession(options: options)
        guard case .connected(let agreed) = after.events(until: \.isConnected).last else { return }
        #expect(agreed.sessionPresent, "the session expiry reached the broker")
        #expect(after.events { $0.message != nil }.last?.message?.payload == [7])
    }

    // MARK: Slow consumers

    @Test func fiveThousandInOrderPastASlowConsumer() throws {
        let broker = try Broker(lines: ["max_queued_messages 0"])
        var options = testOptions(broker, "collector", subscribe: ["km/evidence"])
        options.eventsMax = 100
        options.inFlightMax = 1
        let receiver = try MQTTSession(options: options)
        receiver.events { $0.isSubscribed }
        let sender = try MQTTSession(options: testOptions(broker, "sender"))
        sender.events { $0.isConnected }
        let total = 5_000
        var sent = 0
        var next = 0
        var mostQueued = 0
        let end = ContinuousClock.now + .seconds(180)
        while next < total, ContinuousClock.now < end {
            while sent < total {
                do throws(MQTTPublishError) {
                    let payload = [UInt8(sent >> 8), UInt8(sent & 255)] + [UInt8](repeating: 0, count: 500)
                    _ = try sender.publish(topic: "km/evidence", payload: payload)
                    sent += 1
                } catch { break }
            }
            _ = sender.nextEvents(timeout: .zero)
            // Nothing is taken until the queue has stood full for a while.
            if sent < total / 2 { continue }
            mostQueued = max(mostQueued, receiver.stats.eventsQueued)
            for event in receiver.nextEvents(max: 10, timeout: .milliseconds(10)) {
                guard let message = event.message else { continue }
                #expect(Int(message.payload[0]) << 8 | Int(message.payload[1]) == next)
                next += 1
            }
        }
        #expect(next == total)
        // What waits, and one packet for each publish in flight and the one being read.
        #expect(mostQueued <= 102)
        #expect(receiver.stats.pauses >= 1)
        #expect(receiver.stats.connectionsLost == 0)
    }

    @Test func aConsumerThatNeverComesEndsTheConnectionNotTheMemory() throws {
        let broker = try Broker(lines: ["max_queued_messages 0"])
        var options = testOptions(broker, "collector", subscribe: ["a"])
        options.eventsMax = 10
        options.keepAliveSeconds = 5
        let receiver = try MQTTSession(options: options)
        let sender = try MQTTSession(options: testOptions(broker, "sender"))
        sender.events { $0.isConnected }
        for _ in 0..<5_000 {
            _ = try sender.publish(topic: "a", payload: [UInt8](repeating: 0, count: 1_000), patience: .seconds(10))
            _ = sender.nextEvents(timeout: .zero)
        }
        let end = ContinuousClock.now + .seconds(30)
        while receiver.stats.connectionsLost == 0, ContinuousClock.now < end { usleep(50_000) }
        #expect(receiver.stats.connectionsLost == 1)
        #expect(receiver.stats.eventsQueued <= 130, "ten, what was in flight, and the end")
        usleep(1_000_000)
        #expect(receiver.stats.connectAttempts == 1, "no new connection while there is no room for its events")
        // Somebody comes at last, and it goes on.
        receiver.events { $0.disconnected?.reason == .consumerStalled }
        receiver.events { $0.isConnected }
    }
}
