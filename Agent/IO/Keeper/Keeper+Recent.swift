// What was recorded in the last minutes, handed to a tool that looks at it: stored envelopes, as they were signed.

internal import AgentCore
internal import Evidence

/// A question for the latest records.
package struct RecentRequest: Sendable {
    /// Of one answer.
    static let rowsMax = 120
    static let bytesMax = 2_097_152

    /// The latest birth, then the readings records after it, oldest first; empty: there are none.
    let reply: Mailbox<[[UInt8]]>
}

extension Keeper {
    func answer(_ request: RecentRequest) {
        guard let stream = streams.last, let lastBirth else {
            request.reply.post([])
            return
        }
        // A spool that cannot be read says so at the next commit; a tool then sees nothing.
        do { request.reply.post([lastBirth] + (try spool.recentReadings(of: stream))) } catch { request.reply.post([]) }
    }
}

extension Spool {
    /// Readings after the stream's latest birth, the newest ``RecentRequest/rowsMax``, oldest first.
    fileprivate func recentReadings(of stream: StreamState) throws -> [[UInt8]] {
        let statement = try database.statement(
            """
            SELECT envelope FROM record
            WHERE kind = 2 AND envelope IS NOT NULL AND position < ? AND position >
                (SELECT coalesce(max(position), 0) FROM record WHERE kind = 1 AND position BETWEEN ? AND ?)
            ORDER BY position DESC LIMIT ?
            """)
        defer { statement.reset() }
        let (first, end) = (try Self.position(stream.ordinal, 0), try Self.position(stream.ordinal + 1, 0))
        try statement.bind([
            .integer(end), .integer(first), .integer(end - 1), .integer(Int64(RecentRequest.rowsMax)),
        ])
        var found: [[UInt8]] = []
        var bytes = 0
        while try statement.step(), bytes < RecentRequest.bytesMax {
            guard let envelope = statement.blob(0) else { continue }
            bytes += envelope.count
            found.append(envelope)
        }
        return found.reversed()
    }
}

extension ControlContext {
    /// The latest records; empty where no agent runs or it is too busy.
    func recentRecords() -> [[UInt8]] {
        let reply = Mailbox<[[UInt8]]>(itemsMax: 1)
        guard let keeper, keeper.post(.recent(RecentRequest(reply: reply))) else { return [] }
        return reply.take(within: 10_000_000_000).first ?? []
    }
}
