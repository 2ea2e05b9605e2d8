// Screens beside records: a real agent and broker. Values come on `live` while the link has nothing else to do, and while
// records wait for receipts in vain none of it stops them.

internal import AgentIO
internal import CBOR
internal import Evidence
internal import Kit
internal import MQTT
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
}
