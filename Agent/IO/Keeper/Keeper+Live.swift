// The keeper's side of screens: values on the topic `live`, at once, whatever waits to be sent. Not evidence: of the bytes a
// second records keep three quarters.

internal import AgentCore
internal import Evidence
internal import MQTT

/// How far screens have been told.
struct LiveDesk {
    /// Real milliseconds.
    var nextAt = Int64.min
    /// By position of the meter: uptime of its newest answer that was sent. Only looked up.
    var told: [Int: UInt64] = [:]
    /// Where the next message begins, so that no meter waits for ever.
    var first = 0
    /// The last message, until it is known to have left: a connection that hangs holds one, and no more gather behind it.
    private(set) var underWay: MQTTPublishID?

    mutating func sent(_ id: MQTTPublishID) { underWay = id }

    /// The broker has a later message: on one connection all before it were written.
    mutating func acknowledged(_ id: MQTTPublishID) {
        if let underWay, underWay < id { self.underWay = nil }
    }

    /// A connection begins or is over, or has nothing left to write or to be acknowledged.
    mutating func left() { underWay = nil }
}

extension Keeper {
    /// Sends what was answered since the last time: before the records that wait, for a backlog of hours must not leave
    /// screens dark, and never more of it than the window spares.
    func publishLive() {
        guard let every = settings.live, let session, window.isConnected, !holdsBack else { return }
        let moment = clock.now()
        guard moment.monotonic >= live.nextAt, window.mayShow(now: moment.monotonic) else { return }
        if live.underWay != nil, session.stats.inFlight == 0 { live.left() }
        guard live.underWay == nil else { return }
        live.nextAt = moment.monotonic + every
        let (now, latest) = recorder.latest
        let meters = planner.register.meters
        var message = LiveValues(gateway: settings.gateway, utc: moment.utc)
        var told = live.told
        for step in meters.indices {
            let place = (live.first + step) % meters.count
            let values = latest.values(ofMeter: meters[place].index)
            let before = told[place]
            guard message.add(meters[place].id, values, now: now, isNews: { $0 > before ?? 0 }) else {
                live.first = place
                break
            }
            told[place] = values.map(\.answer.ended).max() ?? before
        }
        guard !message.isEmpty else { return }
        let payload = message.encoded
        do throws(MQTTPublishError) {
            live.sent(try session.publish(topic: topics.live, payload: payload, qos: .atMostOnce))
        } catch { return }  // No room: the next message has it.
        evidence.sent(bytes: payload.count, now: moment.monotonic)
        live.told = told
        live.nextAt = moment.monotonic + max(every, window.shown(bytes: payload.count))
    }
}
