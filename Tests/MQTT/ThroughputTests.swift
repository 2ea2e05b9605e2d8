// Prints what this machine carries; asserts only that all of it arrives in order.

import Kit
import Testing

struct ThroughputTests {
    @Test(arguments: [(20_000, 600)]) func allArrives(messages: Int, payloadBytes: Int) throws {
        let broker = try Broker(lines: ["max_queued_messages 0", "max_inflight_messages 1000", "log_type none"])
        let result = try MQTTThroughput.measure(through: broker, messages: messages, payloadBytes: payloadBytes)
        #expect(result.messages == messages)
        print(result)
    }
}
