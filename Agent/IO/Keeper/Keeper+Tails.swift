// Whether the collector holds the ends of former streams, before the one that follows is begun there: with its birth a former
// stream ends, and what comes of it later looks like a clone. A collector restored from an older copy may lack such an end.

internal import AgentCore
internal import Evidence
internal import Proofs
internal import Quantities

/// What is known of the end of the stream before the one being sent. Volatile: a start asks once more.
struct TailWatch {
    /// Held to its head when it last was heard of, or asked about in vain.
    private(set) var confirmed: StreamID?
    /// Its last record was sent again to hear; until then it counts as not receipted. And what was receipted before.
    private(set) var asking: (stream: StreamID, receipted: UInt64, isEnded: Bool)?
    /// The collector knows nothing any more of a stream that it had records of: it may not know either that the one before ended.
    private(set) var isSetBack = false

    /// A receipt about the stream being sent.
    mutating func heard(_ receipt: Receipt, _ verdict: ReceiptVerdict, of stream: StreamState) {
        switch verdict {
        case .holds(let through) where through >= stream.head: confirm(stream.id)
        case .wentBack(let through, _):
            if asking?.stream == stream.id { asking = nil }
            // Not even its birth is held: then the stream before may lack its end too.
            if through == 0 { (confirmed, isSetBack) = (nil, true) }
        case .ignored, .holds, .newStream: break
        }
    }

    mutating func ask(_ stream: StreamState) {
        asking = (stream.id, stream.receipted, stream.isEnded)
        isSetBack = false
    }

    mutating func confirm(_ stream: StreamID) {
        confirmed = stream
        isSetBack = false
        if asking?.stream == stream { asking = nil }
    }
}

extension Keeper {
    /// Before the first record of a stream goes out: the last one of the stream before is sent again, and its receipt says what the
    /// collector holds. Once per stream and start, and once more whenever the collector knows nothing of the later one any more.
    func askForTail() throws {
        guard sending > 0, streams[sending].receipted == 0, window.isConnected, tails.asking == nil,
            let before = streams[..<sending].lastIndex(where: { $0.head > 0 && (!$0.isEnded || tails.isSetBack) }),
            tails.confirmed != streams[before].id
        else { return }
        let stream = streams[before]
        // Forgotten by now: there is nothing to ask with. The birth that follows names its last number.
        guard let row = try spool.record(covering: stream.head, in: stream), row.envelope != nil else {
            return tails.confirm(stream.id)
        }
        tails.ask(stream)
        (streams[before].receipted, streams[before].isEnded) = (row.first - 1, false)
        moveOn()
    }

    /// The question is over without an answer that helps: what was receipted before is so again, as far as `through` allows.
    ///
    /// - Returns: false when nothing was asked about the stream being sent.
    @discardableResult
    func settleTail(through: UInt64?) -> Bool {
        guard let asking = tails.asking, asking.stream == streams[sending].id else { return false }
        streams[sending].receipted = min(asking.receipted, through ?? .max)
        streams[sending].isEnded = asking.isEnded
        tails.confirm(asking.stream)
        return true
    }

    /// A receipt about a former stream that was receipted further: a restored collector. It is sent again from there.
    ///
    /// - Returns: false when the receipt says nothing of the kind.
    func wentBack(_ receipt: Receipt, _ now: Moment, _ bytes: [UInt8]) throws -> Bool {
        guard receipt.gateway == settings.gateway,
            let index = streams[..<sending].firstIndex(where: { $0.id == receipt.stream && !$0.isEnded }),
            case .wentBack(let through, let before) = try judged(receipt, of: streams[index])
        else { return false }
        noteWentBack(streams[index], to: through, held: before, now)
        streams[index].receipted = through
        agent.receipt = bytes
        moveOn()
        return true
    }
}
