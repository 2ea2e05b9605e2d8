// What the keeper does about a receipt: verified, weighed against our own records, remembered with the next commit.

internal import AgentCore
internal import Evidence
internal import Glibc
internal import Keys
internal import Quantities

extension Keeper {
    func receive(receipt bytes: [UInt8]) throws {
        // While older records are taken over nobody knows which stream it is about; it comes again.
        guard !holdsBack else { return }
        let now = clock.now()
        guard let trust, let (receipt, _) = trust.receipt(bytes, at: provenTime, monotonic: now.monotonic) else {
            unbelieved.receiptsRefused += 1
            log.line(.warning, "a receipt is not signed by a key that may", limit: "")
            return
        }
        let stream = streams[sending]
        let verdict = try judged(receipt, of: stream)
        tails.heard(receipt, verdict, of: stream)
        switch verdict {
        case .ignored(let reason):
            if reason == .otherStream, try wentBack(receipt, now, bytes) { return }
            unbelieved.receiptsIgnored += 1
            if reason != .otherStream {
                log.line(
                    .warning, "a receipt does not fit this gateway's records",
                    [("reason", "\(reason)"), ("seq", String(receipt.durableThrough))], limit: "\(reason)")
            }
            return
        case .holds(let through): held(through, now, bytes, receipt)
        case .wentBack(let through, let before):
            noteWentBack(stream, to: through, held: before, now)
            held(through, now, bytes, receipt)
        case .newStream(let lastKnown, let reason):
            settleTail(through: receipt.durableThrough)
            // What was taken before stands, though no receipt said so yet: a key record among it names who signs from here on.
            if let own = try own(receipt, of: stream), own.through == receipt.durableThrough,
                own.link == receipt.identity
            {
                streams[sending].receipted = max(streams[sending].receipted, own.through)
            }
            return try endStream(lastKnown: lastKnown, reason: reason)
        }
        if let from = receipt.resendFrom { window.goBack(to: max(from, 1), now: now.monotonic) }
        for refusal in receipt.refusals { try answer(refusal) }
        moveOn()
    }

    func judged(_ receipt: Receipt, of stream: StreamState) throws -> ReceiptVerdict {
        let sent = Chain(gateway: settings.gateway, stream: stream.id, head: stream.head, link: stream.link)
        return receipt.judged(chain: sent, held: stream.receipted, own: try own(receipt, of: stream))
    }

    private func own(_ receipt: Receipt, of stream: StreamState) throws -> OwnRecord? {
        receipt.durableThrough == 0 ? nil : try spool.record(covering: receipt.durableThrough, in: stream)?.own
    }

    /// At most one an hour about a stream, however often old receipts are played again.
    func noteWentBack(_ stream: StreamState, to through: UInt64, held before: UInt64, _ now: Moment) {
        log.line(
            .warning, "the collector holds less than it did: sending again",
            [("stream", stream.id.description), ("from", String(through + 1)), ("held", String(before))])
        planner.note(
            .receiptWentBack(stream: stream.id, to: through, held: before, uptime: now.uptime),
            subject: "\(stream.id)", monotonic: now.monotonic)
    }

    private func held(_ through: UInt64, _ now: Moment, _ bytes: [UInt8], _ receipt: Receipt) {
        if through > streams[sending].receipted { evidence.key(refused: nil) }
        window.receipt(through: through, now: now.monotonic, jitter: jitter())
        receiptReceivedAt = now.monotonic
        streams[sending].receipted = through
        agent.receipt = bytes
        // Replayed time says nothing about the world's.
        if settings.replay == nil, receipt.receivedAt - floorWrittenAt >= ReceiptFloor.writeEvery {
            let own = clock.recordClock(clock.now())
            if TimeFloor.takes(receipt.receivedAt, clock: own.utc, isSynchronised: own.sync == 2) {
                floorWrittenAt = receipt.receivedAt
                ReceiptFloor(folder: spool.folder).write(receipt.receivedAt)
            } else {
                log.line(
                    .warning, "a receipt's time is ahead of this synchronised clock and proves nothing",
                    [("receipt", "\(receipt.receivedAt)")], limit: "")
            }
        }
        if let number = trust?.number, number != agent.keyListNumber {
            agent.keyListNumber = number
            rememberList()
        }
        if let checkpoint = receipt.checkpoint { agent.checkpoint = checkpoint.note }
    }

    /// Goes on with the next stream when everything of this one is receipted, or nothing of it is taken any more.
    func moveOn() {
        let next = Self.oldestUnsent(streams)
        guard next != sending else { return }
        sending = next
        let now = clock.now().monotonic
        let wasConnected = window.isConnected
        window = UplinkWindow(limits: settings.limits, receipted: streams[next].receipted, now: now)
        if wasConnected { window.connected(now: now) }
        log.line(.info, "sending the next stream", [("stream", streams[next].id.description)])
    }

    static func oldestUnsent(_ streams: [StreamState]) -> Int {
        streams.firstIndex { !$0.isEnded && $0.receipted < $0.head } ?? streams.count - 1
    }

    // MARK: Refusals

    private func answer(_ refusal: Receipt.Refusal) throws {
        let stream = streams[sending]
        guard refusal.sequence > stream.receipted, refusal.sequence <= stream.head,
            let row = try spool.record(covering: refusal.sequence, in: stream)
        else { return }
        if settleTail(through: nil) { return moveOn() }
        if refusal.isOfKey, sending < streams.count - 1,
            try spool.kid(at: row.first, in: stream).flatMap({ signers.ring.key(kid: $0) }) == nil
        {
            // Signed by a key that was here before and that nobody knows: the stream that follows must not wait for it.
            return try endStream(lastKnown: stream.head, reason: Self.otherKey)
        }
        if refusal.isOfKey {
            evidence.key(refused: refusal.code)
            log.line(
                .error, "the collector takes nothing that this key signs",
                [
                    ("because", Receipt.Refusal.words(ofKey: refusal.code)),
                    (
                        "do",
                        "ask the operator for a claim code, then: kilomint-agent enroll --replace; a revoked key first "
                            + "needs another `key` and kilomint-agent init"
                    ),
                ], limit: "key \(refusal.code)")
        }
        let isSound = isSound(row, stream)
        log.line(
            .error, "the collector refuses a record",
            [
                ("seq", String(refusal.sequence)), ("code", String(refusal.code)),
                ("own-copy", isSound ? "sound" : "broken"),
            ],
            limit: "\(refusal.code)")
        switch refusal.answered(isSound: isSound) {
        case .resend: window.goBack(to: row.first, now: clock.now().monotonic)
        case .replace: try replace(row, stream)
        case .wait: break
        }
    }

    /// Whether our copy still is what was signed.
    private func isSound(_ row: StoredRecord, _ stream: StreamState) -> Bool {
        guard let envelope = row.envelope else { return row.range(reason: "") != nil }
        do {
            let message = try SignedMessage(parsing: envelope, as: .record)
            // Of a key that nobody remembers its hash alone can be compared.
            let known = signers.known.first { $0.kid == message.kid }
            guard known.map({ message.isSigned(by: $0) }) ?? true, let place = row.place else { return false }
            return place.stream == stream.id && place.sequence == row.first
                && (row.kind == .skip || message.identity == row.link)
        } catch { return false }  // Not an envelope any more: that is the answer.
    }

    /// Puts a skip where a broken record stands; the broken bytes are kept beside the spool.
    private func replace(_ row: StoredRecord, _ stream: StreamState) throws {
        quarantine(row, stream)
        let before = try spool.record(covering: row.first - 1, in: stream)?.range(reason: "")
        let after = try spool.record(after: row.through, in: stream)?.range(reason: "")
        guard let clock = before?.lastClock ?? after?.firstClock else { return }
        // What follows names the identity that was signed; the stored link may be as damaged as the record.
        let next = try spool.record(after: row.through, in: stream)?.place?.previous
        let range = ForgottenRange(
            first: row.first, through: row.through, link: next ?? row.link, firstClock: clock, lastClock: clock,
            completeThrough: before?.completeThrough ?? after?.completeThrough ?? 0, losses: [],
            reason: ForgottenRange.damaged)
        guard try skip(range, stream) != nil else { return }
        let now = self.clock.now()
        if row.kind == .birth { planner.bearAgain() }
        planner.note(
            .quarantined(row.first, row.through, reason: ForgottenRange.damaged, uptime: now.uptime),
            subject: "\(stream.id) \(row.first)", monotonic: now.monotonic)
        window.goBack(to: row.first, now: now.monotonic)
    }

    private func quarantine(_ row: StoredRecord, _ stream: StreamState) {
        guard let envelope = row.envelope else { return }
        let path = spool.folder + "/quarantine-\(stream.id)-\(row.first).cbor"
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return }
        _ = write(descriptor, envelope, envelope.count)
        close(descriptor)
    }

    // MARK: A new stream

    /// The collector takes nothing more of the stream being sent. What was not receipted of it stays in the spool until
    /// room is needed; the next stream's birth names it.
    func endStream(lastKnown: UInt64, reason: String) throws {
        // A commit that is not durable yet belongs to the stream it was signed for; the next receipt asks again.
        guard pending == nil else { return }
        let stream = streams[sending]
        log.line(.warning, "the stream ends", [("stream", stream.id.description), ("reason", reason)], limit: "")
        if sending == streams.count - 1 {
            ending = Birth.Predecessor(stream: stream.id, lastSequence: lastKnown, reason: reason)
        } else {
            noteNotTaken(stream, reason)
        }
        streams[sending].isEnded = true
        do { try spool.commit([], agent: agent, streams: streams) } catch {
            // Remembered with the next commit; until then a crash only makes the collector say it again.
            log.line(.error, "the end of a stream could not be stored", [("error", "\(error)")], limit: "")
            try spool.reload()
        }
        try openStreamIfNeeded()
        moveOn()
    }

    /// Why a stream ends whose key is here no more.
    static let otherKey = "its key is here no more"

    /// What was not receipted of a stream that ended.
    private func noteNotTaken(_ old: StreamState, _ reason: String) {
        guard old.receipted < old.head else { return }
        let now = clock.now()
        planner.note(
            .quarantined(old.receipted + 1, old.head, reason: "not taken: \(reason)", uptime: now.uptime),
            subject: "\(old.id)", monotonic: now.monotonic)
    }

    /// Opens the stream that follows an ended one. Before that nothing is committed: reads wait in memory.
    ///
    /// - Returns: false while the spool refuses it.
    @discardableResult
    func openStreamIfNeeded() throws -> Bool {
        guard let ending else { return true }
        if spool.streams.last?.id == ending.stream {
            guard let old = spool.streams.last, let id = StreamID(secureRandom(count: 8)) else { return false }
            do { try spool.open(StreamState(ordinal: old.ordinal + 1, id: id)) } catch {
                log.line(.error, "a new stream could not be opened", [("error", "\(error)")], limit: "")
                // Perhaps only the answer was lost: what is stored decides.
                do { try spool.reload() } catch let error as DatabaseError where !error.isDamaged { return false }
                guard spool.streams.last?.id != ending.stream else { return false }
            }
        }
        guard let current = spool.streams.last else { return false }
        if let old = streams.last, old.id == ending.stream, old.isEnded { noteNotTaken(old, ending.reason) }
        let ended = streams.map { $0.isEnded }
        let former = streams.last { $0.id == ending.stream }
        streams = spool.streams
        for index in ended.indices where ended[index] { streams[index].isEnded = true }
        if let former { try goBack(after: former) }
        chain = Chain(gateway: settings.gateway, stream: current.id, head: current.head, link: current.link)
        planner.begin(after: ending)
        self.ending = nil
        do throws(SystemError) {
            try SpoolFolder(spool.folder).write(SpoolFolder.Marks(machine: SpoolFolder.machine(), stream: current.id))
        } catch {
            // The marks name the stream before; only a lost database would be told by it.
            log.line(.warning, "the spool's marks could not be written", [("error", error.description)])
        }
        return true
    }
}
