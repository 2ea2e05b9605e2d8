// What a commit writes beside its records: flash is counted.

internal import AgentCore
internal import Evidence
internal import Glibc

extension Keeper {
    /// A disk that refuses for a while ends nothing: what was to be done is done at the next look, and meanwhile meters are read.
    ///
    /// - Throws: damage, which another start moves aside, and whatever else is not the disk's.
    func unlessRefused(_ work: () throws -> Void) throws {
        do { try work() } catch let error as DatabaseError where !error.isDamaged {
            log.line(.error, "the spool refuses; reading goes on", [("error", error.description)], limit: "")
            // Nothing else would keep the next look from coming at once.
            usleep(100_000)
        }
    }

    /// Commits from one writing of the agent's row to the next: it is a third of a small commit.
    static let keepEvery = 30

    /// Nothing new is no write. What only a receipt changed waits for the next records, at most for so many commits.
    ///
    /// A crash forgets receipts since. It costs sending again what they covered: the collector says them anew.
    func store(_ records: [ChainedRecord]) throws {
        sinceKept += 1
        let onlyReceipts = agent.needsNoWriteAfter(spool.agent) && streams.differOnlyInReceipts(from: spool.streams)
        let isDue = sinceKept >= Self.keepEvery || agent.isClean || !onlyReceipts
        let isBehind = agent != spool.agent || streams != spool.streams
        guard !records.isEmpty || isDue && isBehind else { return }
        try spool.commit(records, agent: agent, streams: streams, keepsAgent: isDue)
        if isDue { sinceKept = 0 }
    }
}
