// A damaged spool at start: moved aside, and the agent goes on at once with a new file. What the damaged one still holds
// is taken over beside the work (Salvage) and sent first; a crash meanwhile takes it up where it was.

internal import AgentCore
internal import CSQLite
internal import Evidence
internal import Glibc
internal import Keys
internal import Proofs
package import Quantities

/// The keys one of whose signatures a salvaged record must carry: those there are, and those there were.
package struct SpoolKeys: Sendable {
    let keys: [PublicKey]

    func signed(_ message: SignedMessage) -> Bool {
        keys.first { $0.kid == message.kid }.map { message.isSigned(by: $0) } ?? false
    }
}

extension Spool {
    /// Opens the spool of `folder`; damaged pages do not stop the agent, and a start waits for none of them.
    package static func openOrSalvage(
        folder: String, gateway: Identifier, bytesMax: Int, keys: SpoolKeys, at now: UTCInstant, log: Log
    ) throws -> (Spool, Opening) {
        let place = SpoolFolder(folder)
        do {
            guard !place.isDamaged else { throw SpoolError.damaged("pages could not be read in the run before") }
            guard !place.isMoveBegun else { throw SpoolError.damaged("it was being moved aside in the run before") }
            let (spool, isFresh) = try open(folder: folder, gateway: gateway, bytesMax: bytesMax)
            spool.takeUp(place, keys, gateway, log)
            // A crash came before the new file knew what the damaged one says of its streams.
            guard isFresh, let last = spool.salvages.last else { return (spool, isFresh ? .fresh : .resumed) }
            try spool.adoptClaims()
            return (spool, .salvaging(quarantine: last.quarantine))
        } catch let error as DatabaseError where error.isDamaged {
            log.line(.error, "the spool is damaged", [("error", error.description)])
        } catch SpoolError.damaged(let what) {
            log.line(.error, "the spool is damaged", [("error", what)])
        }
        let quarantine = try moveAside(place, now)
        let (spool, _) = try open(folder: folder, gateway: gateway, bytesMax: bytesMax)
        spool.takeUp(place, keys, gateway, log)
        try spool.adoptClaims()
        return (spool, .salvaging(quarantine: quarantine))
    }

    /// Opens what was moved aside. All at once: the streams of the new file come after those of each.
    private func takeUp(_ place: SpoolFolder, _ keys: SpoolKeys, _ gateway: Identifier, _ log: Log) {
        let begun = place.salvaging
        for quarantine in begun.reversed() {
            guard salvages.count < Salvage.quarantinesMax else {
                leftAside.insert(quarantine, at: 0)
                log.line(
                    .error, "too many damaged spools wait: this one is not taken over", [("kept", quarantine)],
                    limit: "")
                continue
            }
            if let salvage = Salvage(from: quarantine, gateway: gateway, keys: keys) {
                salvages.insert(salvage, at: 0)
            } else {
                log.line(.error, "nothing of the damaged spool can be read", [("kept", quarantine)], limit: "")
            }
        }
        if leftAside.count + salvages.count < begun.count { rememberSalvages() }
    }

    private func rememberSalvages() {
        SpoolFolder(folder).setSalvaging(leftAside + salvages.map(\.quarantine))
    }

    /// A note that is durable names what is not taken over: the next start has nothing to do with it.
    func leftAsideIsNoted() {
        guard !leftAside.isEmpty else { return }
        leftAside = []
        rememberSalvages()
    }

    /// Streams of this spool have ordinals above it.
    var claimedOrdinalMax: Int64 { salvages.map(\.ordinalMax).max() ?? 0 }

    /// Records of a stream that damaged files say there were, whether or not they can be read.
    func claimedHead(of stream: StreamID) -> UInt64 {
        salvages.flatMap(\.claims).filter { $0.id == stream }.map(\.head).max() ?? 0
    }

    /// Moves database and log together: one without the other would be another database.
    ///
    /// The name is durable first: a crash in between moves the rest to the same place, and a later one takes the salvage up.
    private static func moveAside(_ place: SpoolFolder, _ now: UTCInstant) throws(SystemError) -> String {
        let quarantine = try place.beginSalvage(at: now)
        // The log first: by it alone a start knows that a crash came in between, and moves the rest.
        for name in ["spool.db-wal", "spool.db-shm", "spool.db-journal", "spool.db"] {
            guard rename(place.path + "/" + name, quarantine + "/" + name) == 0 || errno == ENOENT else {
                throw SystemError("move \(name) to \(quarantine)")
            }
        }
        place.clearDamage()
        return quarantine
    }

    /// The streams that the damaged files name, without records yet, so that the new one comes after them.
    private func adoptClaims() throws {
        // The latest knows what those before it knew.
        guard let latest = salvages.last(where: { !$0.claims.isEmpty }) ?? salvages.last else { return }
        var agent = latest.agent
        agent.isClean = false
        var streams: [Int64: StreamState] = [:]
        for claim in salvages.flatMap(\.claims) {
            streams[claim.ordinal] = StreamState(
                ordinal: claim.ordinal, id: claim.id, receipted: claim.receipted, isEnded: claim.isEnded)
        }
        try commit([], agent: agent, streams: streams.values.sorted { $0.ordinal < $1.ordinal })
    }

    /// Takes over what can be taken over in so many milliseconds.
    ///
    /// - Returns: true when nothing of the oldest damaged file is left to take over.
    func salvageMore(milliseconds: Int64) throws -> Bool {
        guard var pass = salvages.first else { return true }
        let deadline = steadyNanoseconds() + milliseconds * 1_000_000
        repeat {
            try database.transaction { try pass.step(self, until: deadline) }
            // A crash before: the same rows again. After: the next ones.
            salvages[0] = pass
        } while !pass.isDone && steadyNanoseconds() < deadline
        streams = try Self.loadStreams(database)
        guard pass.isDone else { return false }
        abandonSalvage()
        return true
    }

    /// What is not taken over by now stays in the quarantined folder; the next one's turn comes.
    func abandonSalvage() {
        guard !salvages.isEmpty else { return }
        salvages.removeFirst().close()
        rememberSalvages()
    }

    /// Looks at rows after an unclean stop, for so many milliseconds.
    ///
    /// - Throws: ``DatabaseError`` that is damage, when pages are; ``SpoolError`` for pages in each other's place.
    func examineMore(milliseconds: Int64) throws {
        guard var examination else { return }
        let deadline = steadyNanoseconds() + milliseconds * 1_000_000
        repeat {
            let statement = try database.statement(
                "SELECT position, envelope, summary FROM record WHERE position > ? ORDER BY position LIMIT 32")
            defer { statement.reset() }
            try statement.bind([.integer(examination.position)])
            var rows = 0
            while try statement.step() {
                rows += 1
                guard statement.integer(0) > examination.position else {
                    throw SpoolError.damaged("rows out of order after \(examination.position)")
                }
                examination.position = statement.integer(0)
                // To the last byte: a long value lies on pages of its own.
                _ = statement.blob(1)
                _ = statement.blob(2)
            }
            guard rows == 32 else { return self.examination = nil }
        } while steadyNanoseconds() < deadline
        self.examination = examination
    }
}

/// How far a spool was looked at.
struct Examination {
    var position: Int64 = 0
}
