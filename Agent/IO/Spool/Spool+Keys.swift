// Which key signs at which place of the spool, as its own records tell: a key record is signed by the key in force up to it,
// and names the one that signs what follows. Nothing is signed or checked here.

internal import AgentCore
internal import Evidence
internal import Proofs

extension Spool {
    private static let columns = "position, through, kind, link, envelope, summary"

    /// The kid of the key in force at a number of a stream; nil when nothing stored tells.
    package func kid(at sequence: UInt64, in stream: StreamState) throws -> [UInt8]? {
        let place = try Self.position(stream.ordinal, sequence)
        let begin = try Self.position(stream.ordinal, 0)
        let end = try Self.position(stream.ordinal + 1, 0)
        // The next change of keys: it is signed by the key in force until then.
        let next = try envelope(
            "kind = 5 AND position >= ? AND position < ? ORDER BY position", [.integer(place), .integer(end)])
        if let next { return next.kid }
        // The last one: it names the key in force since.
        let last = try envelope(
            "kind = 5 AND position > ? AND position < ? ORDER BY position DESC", [.integer(begin), .integer(place)])
        if let last, let spki = Self.successor(last) { return Array(Digest(of: spki).bytes.prefix(8)) }
        let birth = try envelope(
            "kind = 1 AND position > ? AND position < ? ORDER BY position DESC", [.integer(begin), .integer(end)])
        if let birth { return birth.kid }
        // Its birth was lost with damaged pages: any of its records tells as well.
        return try envelope(
            "envelope IS NOT NULL AND position > ? AND position < ? ORDER BY position DESC",
            [.integer(begin), .integer(end)])?.kid
    }

    /// The kid of the key that goes on after a stream: the one in force at its end. But when the stream ended before anybody
    /// took its key record, nobody knows that key: the one before goes on.
    func kidInForce(after stream: StreamState) throws -> [UInt8]? {
        if stream.isEnded, let change = try latestKeyRecord(), change.ordinal == stream.ordinal,
            change.sequence > stream.receipted
        {
            return change.message.kid
        }
        return try kid(at: stream.head + 1, in: stream)
    }

    /// The public key that a key record names; nil for any other record.
    static func successor(_ message: SignedMessage) -> [UInt8]? {
        do {
            guard case .key(let spki) = try Record(decoding: message.payload).body else { return nil }
            return spki
        } catch { return nil }  // Not readable: it names nothing.
    }

    private func envelope(_ condition: String, _ values: [SQLValue]) throws -> SignedMessage? {
        let statement = try database.statement("SELECT \(Self.columns) FROM record WHERE \(condition) LIMIT 1")
        defer { statement.reset() }
        try statement.bind(values)
        guard try statement.step(), let bytes = try Self.stored(statement).envelope else { return nil }
        // A copy that is broken tells nothing; what it was is the keeper's to find out.
        do { return try SignedMessage(parsing: bytes, as: .record) } catch { return nil }
    }
}

/// Where keys changed.
struct KeyChange {
    let ordinal: Int64
    let sequence: UInt64
    /// The key record.
    let message: SignedMessage

    /// Whether a row is a signed skip of the former key's time: it stays as it is, for soon nobody can sign it again.
    func protects(_ row: SpoolPolicy.Row, of stream: StreamState) -> Bool {
        row.kind == .skip && row.bytes > 0
            && (stream.ordinal < ordinal || stream.ordinal == ordinal && row.sequence < sequence)
    }
}

/// The first row that only a former key can stand in for.
struct FormerRow {
    let ordinal: Int64
    let sequence: UInt64
    /// Its envelopes are gone: a skip can be signed for it. Otherwise it is a reading that may be forgotten later.
    let isGone: Bool
}

extension Spool {
    /// The latest key record of the latest stream that has one.
    func latestKeyRecord() throws -> KeyChange? {
        let statement = try database.statement(
            "SELECT position, envelope FROM record WHERE kind = 5 ORDER BY position DESC LIMIT 1")
        defer { statement.reset() }
        guard try statement.step(), let bytes = statement.blob(1) else { return nil }
        let position = statement.integer(0)
        do {
            return KeyChange(
                ordinal: position >> Self.sequenceBits, sequence: UInt64(position & (1 << Self.sequenceBits - 1)),
                message: try SignedMessage(parsing: bytes, as: .record))
        } catch { return nil }  // Its own copy is broken: the key before it is never given up.
    }

    /// The first row of the former key's time whose skip is not signed yet, readings before ranges; nil: it is needed no more.
    ///
    /// Nobody takes what is left of a stream that ended.
    func needsKey(before change: KeyChange, in streams: [StreamState]) throws -> FormerRow? {
        for isGone in [false, true] {
            for stream in streams where stream.ordinal <= change.ordinal && !stream.isEnded {
                let statement = try database.statement(
                    """
                    SELECT position FROM record WHERE position > ? AND position < ?
                    AND \(isGone ? "envelope IS NULL" : "kind = 2") ORDER BY position LIMIT 1
                    """)
                defer { statement.reset() }
                let isLast = stream.ordinal == change.ordinal
                try statement.bind([
                    .integer(try Self.position(stream.ordinal, 0)),
                    .integer(try Self.position(stream.ordinal, isLast ? change.sequence : stream.head + 1)),
                ])
                guard try statement.step() else { continue }
                let sequence = UInt64(statement.integer(0) & (1 << Self.sequenceBits - 1))
                // Of a key before that one: whoever signed it is gone already.
                guard try kid(at: sequence, in: stream) == change.message.kid else { continue }
                return FormerRow(ordinal: stream.ordinal, sequence: sequence, isGone: isGone)
            }
        }
        return nil
    }
}
