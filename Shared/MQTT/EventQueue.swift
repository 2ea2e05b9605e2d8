// Events on their way from the network thread to the session's owner, first in first out, counted in bytes.

/// The bounds are kept by whoever appends: see ``SessionState/room(_:)``.
struct EventQueue: Sendable {
    private var items: [MQTTEvent?] = []
    private var head = 0
    /// Topic and payload bytes of the messages inside.
    private(set) var bytes = 0

    var count: Int { items.count - head }

    mutating func append(contentsOf events: [MQTTEvent]) {
        for event in events { bytes &+= event.weight }
        items.append(contentsOf: events)
    }

    mutating func append(_ event: MQTTEvent) { append(contentsOf: [event]) }

    /// The oldest `max` events or fewer.
    mutating func take(max: Int) -> [MQTTEvent] {
        let end = head + min(Swift.max(max, 0), count)
        var taken: [MQTTEvent] = []
        taken.reserveCapacity(end - head)
        for index in head..<end {
            guard let event = items[index] else { continue }
            items[index] = nil
            bytes &-= event.weight
            taken.append(event)
        }
        head = end
        if head == items.count {
            items.removeAll(keepingCapacity: items.capacity <= 1_024)
            head = 0
        } else if head >= 1_024, head >= items.count / 2 {
            // Moves each event at most once per time the queue doubles its head: constant cost an event.
            items.removeFirst(head)
            head = 0
        }
        return taken
    }
}

extension MQTTEvent {
    /// Bytes this event holds that a peer chose.
    var weight: Int {
        if case .message(let message) = self { message.payload.count + message.topic.utf8.count } else { 0 }
    }
}
