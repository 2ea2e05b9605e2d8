// What may stand in a topic or filter (MQTT 5 §4.7), asked of libmosquitto itself. Not the house's own topic layout.

internal import CMosquitto

/// At most `bytesMax` bytes of UTF-8, and no NUL that would end it early on the other side of C.
func isCString(_ text: String, bytesMax: Int) -> Bool {
    let bytes = text.utf8
    return bytes.count <= bytesMax && !bytes.contains(0)
}

/// A topic to publish to: no wildcards, 1 … 65 535 bytes, at most 200 levels.
func isTopic(_ topic: String) -> Bool {
    guard !topic.isEmpty, isCString(topic, bytesMax: 65_535) else { return false }
    return mosquitto_pub_topic_check(topic) == MOSQ_ERR_SUCCESS.rawValue && isUTF8(topic)
}

/// A filter to subscribe to.
func isTopicFilter(_ filter: String) -> Bool {
    guard !filter.isEmpty, isCString(filter, bytesMax: 65_535) else { return false }
    return mosquitto_sub_topic_check(filter) == MOSQ_ERR_SUCCESS.rawValue && isUTF8(filter)
}

/// MQTT forbids some characters that Swift's strings may hold (U+0000 … 001F, non-characters; §1.5.4).
private func isUTF8(_ text: String) -> Bool {
    mosquitto_validate_utf8(text, Int32(text.utf8.count)) == MOSQ_ERR_SUCCESS.rawValue
}
