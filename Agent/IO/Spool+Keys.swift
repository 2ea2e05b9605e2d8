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
