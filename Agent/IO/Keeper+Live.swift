// The keeper's side of screens: values on the topic `live`, between records and never before them.

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
}

extension Keeper {
    /// Sends what was answered since the last time, if records need the link for nothing: all that is signed was sent.
    func publishLive() {
        guard let every = settings.live, let session, window.isConnected, !holdsBack else { return }
        let moment = clock.now()
        let isIdle = sending == streams.count - 1 && window.next > streams[sending].head
        guard moment.monotonic >= live.nextAt, isIdle else { return }
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
        do throws(MQTTPublishError) {
            _ = try session.publish(topic: topics.live, payload: message.encoded, qos: .atMostOnce)
            live.told = told
        } catch { return }  // No room: the next message has it.
    }
}
