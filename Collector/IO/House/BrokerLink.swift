// Between broker and house, for a share of the partitions: takes messages in batches on a thread of its own, hands them over, publishes what comes back.

internal import CollectorCore
internal import Evidence
internal import Keys
internal import Logging
internal import MQTT
internal import ServiceLifecycle

/// Runs until graceful shutdown. While the house is busy nothing is taken: the session stops reading its socket and the
/// broker keeps what is not taken.
actor BrokerLink: Service {
    /// Messages handed to the house at once: one transaction.
    private static let batchMax = 1024
    private static let wait: Duration = .milliseconds(20)
    /// Receipts waiting to be published while the window is full; older ones of a topic are replaced by newer.
    private static let waitingMax = 100_000

    private nonisolated let executor = ThreadExecutor(name: "broker")
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }
    private let house: House
    private let share: PartitionShare
    private let options: MQTTOptions
    private let logger: Logger
    private var waiting: [OutgoingMessage] = []
    private var isConnected = false
    private let managesRoster: Bool

    init(
        house: House, broker: CollectorConfiguration.Broker, tls: TLSClient?, password: String?, share: PartitionShare,
        logger: Logger
    ) {
        self.house = house
        self.share = share
        self.logger = logger
        var options = MQTTOptions(
            host: broker.host, port: broker.port, clientID: share.clientID(broker.clientID), username: broker.username,
            password: password,
            tls: tls,
            subscriptions: share.filters.map { MQTTSubscription($0) })
        // One session speaks to the plugin: what it answers comes to all that listen.
        managesRoster = broker.hasDynamicSecurity && share.number == 0
        if managesRoster { options.subscriptions.append(MQTTSubscription(BrokerRoster.answerTopic)) }
        // The broker keeps what arrives while we are away, up to its own bound; gateways send the rest again.
        options.cleanStart = false
        options.sessionExpirySeconds = 86_400
        options.inFlightMax = 1000
        self.options = options
    }

    func run() async throws {
        let session = try MQTTSession(options: options)
        defer { session.stop() }
        await cancelWhenGracefulShutdown { await self.pump(session) }
    }

    private func pump(_ session: MQTTSession) async {
        while !Task.isCancelled {
            let events = session.nextEvents(max: Self.batchMax, timeout: Self.wait)
            var messages: [IncomingMessage] = []
            for event in events {
                switch event {
                case .message(let message) where managesRoster && message.topic == BrokerRoster.answerTopic:
                    await house.take(brokerAnswer: message.payload)
                case .message(let message):
                    messages.append(IncomingMessage(topic: message.topic, payload: message.payload))
                case .connected:
                    isConnected = true
                    await house.wantAllReceipts()
                    await house.wantAllCommands()
                    if managesRoster { await house.brokerConnected() }
                    await house.note(share, isConnected: true)
                    logger.info("connected to the broker")
                case .disconnected(let reason, _):
                    if isConnected { logger.warning("the broker is gone: \(reason)") }
                    isConnected = false
                    await house.note(share, isConnected: false)
                case .subscribed(let refused):
                    for filter in refused {
                        logger.error(
                            "the broker refuses \(filter.filter): \(filter.reason): check its ACL for the collector")
                    }
                case .refused(_, let reason): logger.warning("the broker refused a message: \(reason)")
                case .acknowledged, .stopped: break
                }
            }
            let outgoing = messages.isEmpty ? await house.dueReceipts(share) : await house.take(messages, share)
            publish(outgoing + (await house.dueCommands(share)), session)
            if managesRoster, isConnected { await command(session) }
        }
    }

    /// What cannot go out now is asked for again: the roster waits for an answer, then begins anew.
    private func command(_ session: MQTTSession) async {
        guard let command = await house.nextBrokerCommand() else { return }
        do { _ = try session.publish(topic: BrokerRoster.commandTopic, payload: command) } catch {
            logger.warning("the broker's plugin could not be asked: \(error)")
        }
    }

    /// Receipts are cumulative and retained: one that cannot go out now is replaced by the next of its topic.
    private func publish(_ outgoing: [OutgoingMessage], _ session: MQTTSession) {
        for message in outgoing {
            waiting.removeAll { $0.topic == message.topic }
            waiting.append(message)
        }
        if waiting.count > Self.waitingMax { waiting.removeFirst(waiting.count - Self.waitingMax) }
        while let message = waiting.first {
            do {
                _ = try session.publish(topic: message.topic, payload: message.payload, retain: message.retain)
                waiting.removeFirst()
            } catch { break }  // Not connected or window full: tried again after the next events.
        }
    }
}
