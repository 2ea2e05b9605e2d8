// What a collector does with a gateway's records, in the smallest form that is right: verify, next in chain, receipt.
// And what may go wrong on the way: it can swallow receipts, forget its tail, refuse.

internal import AgentIO
internal import Evidence
internal import Keys
internal import MQTT
internal import Proofs
internal import Quantities

/// Takes one gateway's evidence from a broker. Used by one test at a time, from one thread.
final class MiniCollector {
    struct Taken {
        let record: Record?
        let place: RecordPlace
        let through: UInt64
        let envelope: [UInt8]
    }

    let gateway: Identifier
    let gatewayKey: PublicKey
    let key: PrivateKey
    private let session: MQTTSession
    /// By stream, in the order they were born; each in order of its records.
    private(set) var streams: [(id: StreamID, taken: [Taken])] = []
    /// What was wrong with a message; empty when everything was authentic and next.
    private(set) var refusals: [String] = []
    private(set) var duplicates = 0
    var isSilent = false
    private(set) var statuses: [GatewayStatus] = []
    private(set) var births = 0

    init(port: UInt16, gateway: Identifier, gatewayKey: PublicKey, key: PrivateKey) throws {
        self.gateway = gateway
        self.gatewayKey = gatewayKey
        self.key = key
        let topics = GatewayTopics(gateway)
        session = try MQTTSession(
            options: MQTTOptions(
                host: "127.0.0.1", port: Int(port), clientID: "collector",
                subscriptions: [topics.evidence, topics.status, topics.birth].map { MQTTSubscription($0) }))
    }

    deinit { session.stop() }

    var current: [Taken] { streams.last?.taken ?? [] }
    var records: [Record] { current.compactMap(\.record) }
    var head: UInt64 { current.last?.through ?? 0 }

    /// Takes what comes within `timeout`.
    func step(_ timeout: Duration = .milliseconds(50)) throws {
        for event in session.nextEvents(max: 256, timeout: timeout) {
            guard case .message(let message) = event else { continue }
            let topics = GatewayTopics(gateway)
            switch message.topic {
            case topics.evidence: try take(message.payload)
            case topics.status: statuses.append(try GatewayStatus(decoding: message.payload))
            case topics.birth: births += 1
            default: break
            }
        }
    }

    private func take(_ envelope: [UInt8]) throws {
        let message = try SignedMessage(parsing: envelope, as: .record)
        guard message.isSigned(by: gatewayKey), let (place, through) = RecordPlace.lenient(message.payload),
            place.gateway == gateway
        else { return refusals.append("not authentic") }
        if streams.last?.id != place.stream {
            if let old = streams.firstIndex(where: { $0.id == place.stream }) {
                return refusals.append("old stream \(old)")
            }
            guard place.sequence == 1 else { return try receipt(place.stream, 0, .zero, resendFrom: 1) }
            streams.append((place.stream, []))
        }
        let last = current.last
        let held = last?.through ?? 0
        if through <= held {
            duplicates += 1
            return try receipt()
        }
        let isNext = place.sequence == held + 1 && place.previous == (last.map(link) ?? .zero)
        let isSkipOver = through > place.sequence && place.sequence <= held + 1
        guard isNext || isSkipOver else { return try receipt(resendFrom: held + 1) }
        var record: Record?
        do { record = try Record(decoding: message.payload) } catch { refusals.append("\(error)") }
        if place.sequence == 1, case .birth? = record?.body {
        } else if place.sequence == 1, through == 1 {
            refusals.append("not born")
        }
        streams[streams.count - 1].taken.append(
            Taken(record: record, place: place, through: through, envelope: envelope))
        try receipt()
    }

    private func link(_ taken: Taken) -> Digest {
        if case .skip(let skip)? = taken.record?.body { return skip.identity }
        do { return try SignedMessage(parsing: taken.envelope, as: .record).identity } catch { return .zero }
    }

    /// The current receipt, newly signed.
    func receipt(resendFrom: UInt64? = nil, refusals: [Receipt.Refusal] = [], ended: String? = nil) throws {
        guard let stream = streams.last else { return }
        try receipt(
            stream.id, head, stream.taken.last.map(link) ?? .zero, resendFrom: resendFrom, refusals: refusals,
            ended: ended)
    }

    private func receipt(
        _ stream: StreamID, _ through: UInt64, _ identity: Digest, resendFrom: UInt64? = nil,
        refusals: [Receipt.Refusal] = [], ended: String? = nil
    ) throws {
        guard !isSilent else { return }
        var receipt = Receipt(
            gateway: gateway, stream: stream, durableThrough: through, identity: identity,
            receivedAt: UTCInstant(milliseconds: 0), logOrigin: "test/evidence/1", leafIndex: 0, devicesSynced: 1,
            versionsAccepted: [1])
        receipt.resendFrom = resendFrom
        receipt.refusals = refusals
        receipt.ended = ended.map { (through, $0) }
        let message = try SignedMessage.signing(receipt.encoded, as: .receipt, with: key)
        do throws(MQTTPublishError) {
            _ = try session.publish(
                topic: GatewayTopics(gateway).receipt, payload: message.encoded, retain: true, patience: .zero)
        } catch .windowFull {}  // The next record brings the next receipt.
    }

    /// A command as the broker retains it.
    func command(_ envelope: [UInt8]) throws {
        _ = try session.publish(
            topic: GatewayTopics(gateway).command, payload: envelope, retain: true, patience: .seconds(5))
    }

    /// A collector restored from an older copy.
    func forget(after sequence: UInt64) {
        streams[streams.count - 1].taken.removeAll { $0.through > sequence }
    }
}
