// The keeper's side of the connection: which stored bytes go out, what the broker's events mean. PUBACK means nothing.

internal import AgentCore
internal import Evidence
internal import Keys
internal import MQTT
internal import Proofs
internal import Quantities

extension Keeper {
    /// Records sent before events are looked at again.
    private static let burstMax = 64
    /// Real milliseconds between two retained statuses.
    private static let statusEvery: Int64 = 10_000

    var topics: GatewayTopics { GatewayTopics(settings.gateway) }

    func handle(_ event: MQTTEvent) throws {
        let now = clock.now().monotonic
        switch event {
        case .connected:
            log.line(.info, "broker connected", [("broker", session?.stats.broker?.description ?? "")])
            // The session draws its conclusion after it has said that the connection is lost: perhaps only now it stands.
            tellRival()
            evidence.connected(now: now)
            window.connected(now: now)
            live.left()
            statusSentAt = .min
            publishBirth()
        case .disconnected(let reason, _):
            evidence.disconnected(reason.description, now: now)
            if window.isConnected {
                log.line(.warning, "broker lost", [("reason", reason.description)])
            } else {
                log.line(.warning, "broker not reached", [("reason", reason.description)], limit: "")
            }
            window.disconnected()
            live.left()
            tellRival()
        case .subscribed(let refused):
            evidence.subscribed(refused: refused.first?.reason.description)
            for filter in refused {
                log.line(
                    .error, "broker refuses a subscription",
                    [("topic", filter.filter), ("reason", filter.reason.description)])
            }
        case .message(let message):
            evidence.heard(now: now)
            try receive(message)
        case .refused(_, let reason):
            log.line(.error, "broker refuses a message", [("reason", reason.description)], limit: "")
        case .acknowledged(let id):
            live.acknowledged(id)
            evidence.heard(now: now)
        case .stopped: break
        }
    }

    private func tellRival() {
        // Who may have no topic is thrown out again and again: that is no rival.
        let isRivalled = evidence.refusal == nil && session?.stats.isRivalled ?? false
        if isRivalled, !isRivalTold {
            log.line(
                .error, "another client uses this gateway's id; coming back ever less often",
                [("remedy", "find the second program or cloned disk")])
        }
        isRivalTold = isRivalled
    }

    private func receive(_ message: MQTTMessage) throws {
        if message.topic == topics.receipt { return try receive(receipt: message.payload) }
        if message.topic == topics.command { return receive(command: message.payload) }
        unbelieved.messagesUnknown += 1
    }

    // MARK: Sending

    /// Sends what the window allows: stored bytes, in order.
    func send() throws {
        guard let session, !holdsBack else { return }
        try askForTail()
        let start = clock.now().monotonic
        if window.tick(now: start) {
            log.line(.warning, "no receipt in time, sending again", [("from", String(window.next))], limit: "")
        }
        for _ in 0..<Self.burstMax {
            let now = clock.now().monotonic
            let stream = streams[sending]
            guard window.maySend(head: stream.head, now: now) else { return }
            guard let (envelope, through) = try outgoing(window.next, stream) else { return }
            do throws(MQTTPublishError) {
                _ = try session.publish(topic: topics.evidence, payload: envelope)
            } catch {
                if case .tooLarge = error {
                    log.line(
                        .error, "the broker takes no record of this size", [("error", error.description)], limit: "")
                }
                return
            }
            window.sent(through: through, bytes: envelope.count, now: now, jitter: jitter())
            evidence.sent(bytes: envelope.count, now: now)
        }
    }

    /// The bytes that stand for `sequence`: a stored record, or a skip signed now and stored before it is sent.
    func outgoing(_ sequence: UInt64, _ stream: StreamState) throws -> (envelope: [UInt8], through: UInt64)? {
        if let row = try spool.record(covering: sequence, in: stream) {
            if let envelope = row.envelope { return (envelope, row.through) }
            guard let range = row.range(reason: ForgottenRange.damaged) else { return stuck(sequence) }
            return try skip(range, stream)
        }
        // A hole: its records were lost with damaged pages, or deleted before they were counted.
        guard let next = try spool.record(after: sequence, in: stream), let link = next.place?.previous,
            let after = next.range(reason: "")
        else { return stuck(sequence) }
        let clock = try spool.record(covering: sequence - 1, in: stream)?.range(reason: "") ?? after
        return try skip(
            ForgottenRange(
                first: sequence, through: next.first - 1, link: link, firstClock: clock.lastClock,
                lastClock: clock.lastClock, completeThrough: clock.completeThrough, losses: [],
                reason: ForgottenRange.damaged), stream)
    }

    private func stuck(_ sequence: UInt64) -> (envelope: [UInt8], through: UInt64)? {
        log.line(.error, "a record cannot be sent: its own copy is gone", [("seq", String(sequence))], limit: "")
        return nil
    }

    /// Signs a range as a skip and stores it. A crash before the store signs it again, unsent: the first one is gone.
    func skip(_ range: ForgottenRange, _ stream: StreamState) throws -> (envelope: [UInt8], through: UInt64)? {
        guard let previous = try link(before: range.first, stream) else { return stuck(range.first) }
        // The key in force there, not here: a former one, while it is kept for this.
        guard let signer = try spool.kid(at: range.first, in: stream).map({ signers.ring.key(kid: $0) }) ?? key else {
            // Nobody can sign for what is gone there. A stream that follows must not wait for it for ever.
            guard let index = streams.firstIndex(where: { $0.id == stream.id }), index == sending,
                index < streams.count - 1
            else { return stuck(range.first) }
            try endStream(lastKnown: stream.head, reason: Self.otherKey)
            return nil
        }
        let record: ChainedRecord
        do {
            record = try Chain.sign(
                .skip(range.skip),
                at: RecordPlace(
                    gateway: settings.gateway, stream: stream.id, sequence: range.first, previous: previous),
                clock: range.lastClock, completeThrough: range.completeThrough,
                sign: { try SignedMessage.signing($0, as: .record, with: signer) })
        } catch let error as KeyError {
            signerFailed(error)
            return nil  // Nothing was stored: the next attempt looks it up again.
        }
        do { try spool.store(skip: record, of: range, in: stream) } catch {
            // Refused or unanswered: nothing is sent; the next attempt looks up what is stored by then, for making room
            // may have made the range longer.
            log.line(.error, "a skip could not be stored", [("error", "\(error)")], limit: "")
            if let database = error as? DatabaseError, database.isFull { try relieve() }
            return nil
        }
        return (record.envelope, record.through)
    }

    /// What the record at `sequence` follows.
    private func link(before sequence: UInt64, _ stream: StreamState) throws -> Digest? {
        if sequence == 1 { return .zero }
        if let row = try spool.record(covering: sequence - 1, in: stream) {
            return row.through == sequence - 1 ? row.link : nil
        }
        // Nothing of ours before it: the receipt says what the collector has there.
        guard let held = heldReceipt, held.stream == stream.id, held.durableThrough == sequence - 1 else { return nil }
        return held.identity
    }

    private var heldReceipt: Receipt? {
        let (instant, now) = (provenTime, clock.now().monotonic)
        return agent.receipt.flatMap { trust?.receipt($0, at: instant, monotonic: now) }?.0
    }

    func jitter() -> UInt64 { secureRandom(count: 4).reduce(0) { $0 << 8 | UInt64($1) } }

    // MARK: What lookers see

    /// Retained: who is online and what was received last. Not evidence.
    func publishStatus() {
        let now = clock.now().monotonic
        guard let session, window.isConnected, statusSentAt == .min || now - statusSentAt >= Self.statusEvery else {
            return
        }
        statusSentAt = now
        let status = GatewayStatus(
            gateway: settings.gateway, isOnline: true, session: agent.session, receipt: agent.receipt,
            checkpoint: agent.checkpoint)
        do throws(MQTTPublishError) {
            _ = try session.publish(topic: topics.status, payload: status.encoded, retain: true)
        } catch { statusSentAt = now }  // Tried again with the next one: nobody's money waits for it.
    }

    /// A retained copy of the latest birth, as signed.
    func publishBirth() {
        guard let session, window.isConnected, let lastBirth else { return }
        do throws(MQTTPublishError) {
            _ = try session.publish(topic: topics.birth, payload: lastBirth, retain: true)
        } catch {
            log.line(.warning, "the birth's copy was not published", [("error", error.description)], limit: "")
        }
    }
}
