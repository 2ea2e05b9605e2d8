// The far end for the agent's measurement: takes records from the broker, checks signature and chain, answers with signed
// receipts. Keeps nothing on disk: only the agent's costs are measured here, the collector's elsewhere.

internal import Evidence
internal import Kit
internal import Keys
internal import MQTT
internal import Proofs
internal import Quantities

final class StandInCollector {
    private let gateway: Identifier
    private let gatewayKey: PublicKey
    private let key: PrivateKey
    private let session: MQTTSession
    private var stream: StreamID?
    private var head: (through: UInt64, identity: Digest) = (0, .zero)
    /// Uptime at which each good sample came, in order of arrival.
    private(set) var sampleTimes: [UInt64] = []
    private(set) var failedSamples = 0
    private(set) var envelopeBytes = 0
    private(set) var records = 0

    init(port: Int, gateway: Identifier, gatewayKey: PublicKey, key: PrivateKey) throws {
        self.gateway = gateway
        self.gatewayKey = gatewayKey
        self.key = key
        session = try MQTTSession(
            options: MQTTOptions(
                host: "127.0.0.1", port: port, clientID: "collector",
                subscriptions: [MQTTSubscription(GatewayTopics(gateway).evidence)]))
    }

    deinit { session.stop() }

    /// Takes what comes until `instant`.
    func run(until instant: ContinuousClock.Instant) throws {
        while .now < instant {
            var isNew = false
            for case .message(let message) in session.nextEvents(max: 256, timeout: .milliseconds(100)) {
                isNew = try take(message.payload) || isNew
            }
            if isNew { try receipt() }
        }
    }

    private func take(_ envelope: [UInt8]) throws -> Bool {
        let message = try SignedMessage(parsing: envelope, as: .record)
        guard message.isSigned(by: gatewayKey) else { throw KitError("a record is not signed by the gateway") }
        let record = try Record(decoding: message.payload)
        if stream == nil { stream = record.place.stream }
        guard record.place.stream == stream else { throw KitError("the agent began a second stream") }
        if record.place.sequence <= head.through { return true }
        guard record.place.sequence == head.through + 1, record.place.previous == head.identity else { return true }
        head = (record.place.sequence, message.identity)
        records += 1
        envelopeBytes += envelope.count
        if case .readings(let readings) = record.body {
            for sample in readings.samples {
                if sample.status == SampleStatus.good {
                    sampleTimes.append(readings.base + sample.dt)
                } else {
                    failedSamples += 1
                }
            }
        }
        return true
    }

    private func receipt() throws {
        guard let stream else { return }
        let receipt = Receipt(
            gateway: gateway, stream: stream, durableThrough: head.through, identity: head.identity,
            receivedAt: UTCInstant(milliseconds: Machine.realMilliseconds()), logOrigin: "bench.example/evidence/1",
            leafIndex: head.through == 0 ? 0 : head.through - 1, devicesSynced: 1, versionsAccepted: [Record.version])
        let envelope = try SignedMessage.signing(receipt.encoded, as: .receipt, with: key).encoded
        do throws(MQTTPublishError) {
            _ = try session.publish(
                topic: GatewayTopics(gateway).receipt, payload: envelope, retain: true, patience: .zero)
        } catch .windowFull {}  // The next record brings the next receipt.
    }
}
