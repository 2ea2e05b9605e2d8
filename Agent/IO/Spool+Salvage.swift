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
            let (spool, isFresh) = try open(folder: folder, gateway: gateway, bytesMax: bytesMax)
            if let quarantine = place.salvaging {
                spool.salvage = Salvage(from: quarantine, into: spool, gateway: gateway, keys: keys)
                if spool.salvage == nil { place.endSalvage() }
            }
            return (spool, isFresh ? .fresh : .resumed)
        } catch let error as DatabaseError where error.isDamaged {
            log.line(.error, "the spool is damaged", [("error", error.description)])
        } catch SpoolError.damaged(let what) {
            log.line(.error, "the spool is damaged", [("error", what)])
        }
        let quarantine = try moveAside(place, now)
        let (spool, _) = try open(folder: folder, gateway: gateway, bytesMax: bytesMax)
        spool.salvage = Salvage(from: quarantine, into: spool, gateway: gateway, keys: keys)
        if spool.salvage == nil {
            log.line(.error, "nothing of the damaged spool can be read", [("kept", quarantine)])
            place.endSalvage()
        }
        try spool.adoptClaims()
        return (spool, .salvaging(quarantine: quarantine))
    }

    /// Moves database and log together: one without the other would be another database.
    ///
    /// The name is durable first: a crash in between moves the rest to the same place, and a later one takes the salvage up.
    private static func moveAside(_ place: SpoolFolder, _ now: UTCInstant) throws(SystemError) -> String {
        var name = "quarantine-\(now.milliseconds)"
        if let begun = place.salvaging, access(begun + "/spool.db", F_OK) != 0 {
            name = String(begun.dropFirst(place.path.utf8.count + 1))
        }
        let quarantine = place.path + "/" + name
        guard mkdir(quarantine, 0o700) == 0 || errno == EEXIST else { throw SystemError("create \(quarantine)") }
        try place.beginSalvage(of: name)
        // The log first: a crash in between leaves the damaged database without it, still damaged, moved next time.
        for name in ["spool.db-wal", "spool.db-shm", "spool.db-journal", "spool.db"] {
            guard rename(place.path + "/" + name, quarantine + "/" + name) == 0 || errno == ENOENT else {
                throw SystemError("move \(name) to \(quarantine)")
            }
        }
        place.clearDamage()
        return quarantine
    }

    /// The streams that the damaged file names, without records yet, so that the new one comes after them.
    private func adoptClaims() throws {
        guard let salvage else { return }
        var agent = salvage.agent
        agent.isClean = false
        let streams = salvage.claims.map {
            StreamState(ordinal: $0.ordinal, id: $0.id, receipted: $0.receipted, isEnded: $0.isEnded)
        }
        try commit([], agent: agent, streams: streams)
    }

    /// Takes over what can be taken over in so many milliseconds.
    ///
    /// - Returns: true when nothing is left to take over.
    func salvageMore(milliseconds: Int64) throws -> Bool {
        guard var pass = salvage else { return true }
        let deadline = steadyNanoseconds() + milliseconds * 1_000_000
        repeat {
            try database.transaction { try pass.step(self, until: deadline) }
            // A crash before: the same rows again. After: the next ones.
            salvage = pass
        } while !pass.isDone && steadyNanoseconds() < deadline
        streams = try Self.loadStreams(database)
        guard pass.isDone else { return false }
        abandonSalvage()
        return true
    }

    /// What is not taken over by now stays in the quarantined folder.
    func abandonSalvage() {
        salvage?.close()
        salvage = nil
        SpoolFolder(folder).endSalvage()
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
