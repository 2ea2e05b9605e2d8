// Screens beside records: a real agent and broker. Values come on `live`, whatever of the records waits to be sent, and
// stop none of it.

@testable internal import AgentIO
internal import CBOR
internal import Evidence
internal import Kit
@testable internal import MQTT
internal import Quantities
internal import Testing

@Suite(.serialized) struct LiveTests {
    @Test func screensSeeWhatMetersSay() throws {
        let yard = try Yard()
        try yard.startBroker()
        let zero = Yard.now() + 1_000
        try yard.startPlant(zero: zero)
        let collector = try yard.collector()
        let topic = GatewayTopics(yard.gateway).live
        let screen = try MQTTSession(
            options: MQTTOptions(
                host: "127.0.0.1", port: Int(yard.brokerPort), clientID: "screen",
                subscriptions: [MQTTSubscription(topic)]))
        defer { screen.stop() }
        try yard.startAgent(configuration: "live: 1s\n" + yard.configuration(zero: zero))
        var seen: [String: Set<String>] = [:]
        let deadline = ContinuousClock.now + .seconds(120)
        while seen["meter-1"]?.count ?? 0 < 3 || seen["inverter-1"] == nil || collector.head < 2 {
            guard ContinuousClock.now < deadline else { throw KitError("never: \(seen)\n\(try yard.agentLog())") }
            try collector.step()
            for event in screen.nextEvents(max: 16, timeout: .milliseconds(20)) {
                guard case .message(let message) = event else { continue }
                #expect(message.topic == topic && message.payload.count < 16_384)
                let fields = try CBORValue(decoding: message.payload).fields(1...4, "live")
                #expect(try fields.int(1) == 1 && fields.text(2) == yard.gateway.text)
                for meter in try fields.array(4) {
                    let parts = try meter.array(count: 2, "meter")
                    for value in try parts[1].array("values") {
                        seen[try parts[0].text("id"), default: []].insert(
                            try value.array(count: 4, "value")[0].text("obis"))
                    }
                }
            }
        }
        #expect(seen["meter-1"] == ["1-0:1.8.0", "1-0:2.8.0", "1-0:16.7.0"])
        // Nothing of it is evidence, and records came as ever.
        #expect(collector.refusals == [])
    }

    /// Nobody receipts, the window is one record, so all that is signed after it waits: screens do not.
    @Test func screensSeeWhatMetersSayWhileRecordsWait() throws {
        let yard = try Yard()
        try yard.startBroker()
        let zero = Yard.now() + 1_000
        try yard.startPlant(zero: zero)
        let topics = GatewayTopics(yard.gateway)
        let screen = try MQTTSession(
            options: MQTTOptions(
                host: "127.0.0.1", port: Int(yard.brokerPort), clientID: "screen",
                subscriptions: [MQTTSubscription(topics.live), MQTTSubscription(topics.evidence)]))
        defer { screen.stop() }
        try yard.startAgent(
            configuration: "live: 1s\nwindow: {records_max: 1}\n" + yard.configuration(zero: zero))
        var records: Set<[UInt8]> = []
        var (sends, shown) = (0, 0)
        let deadline = ContinuousClock.now + .seconds(60)
        while shown < 6 {
            guard ContinuousClock.now < deadline else {
                throw KitError("\(shown) shown, \(sends) sends\n\(try yard.agentLog())")
            }
            for event in screen.nextEvents(max: 16, timeout: .milliseconds(20)) {
                guard case .message(let message) = event else { continue }
                if message.topic == topics.evidence {
                    records.insert(message.payload)
                    sends += 1
                } else if sends > 1 {
                    // The record has come again for want of a receipt: by then others wait behind it.
                    shown += 1
                }
            }
        }
        #expect(records.count == 1 && sends > 1)
    }
}

/// A connection that hangs holds one message for screens.
struct LiveDeskTests {
    @Test func oneIsUnderWay() {
        var desk = LiveDesk()
        let ids = (1...3).map { MQTTPublishID(number: $0) }
        desk.acknowledged(ids[2])
        desk.sent(ids[1])
        desk.acknowledged(ids[0])
        #expect(desk.underWay == ids[1])
        desk.acknowledged(ids[2])
        #expect(desk.underWay == nil)
        desk.sent(ids[1])
        desk.left()
        #expect(desk.underWay == nil)
    }
}
