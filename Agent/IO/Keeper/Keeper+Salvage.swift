// Between commits: what a damaged spool still holds is taken over, and after an unclean stop every row is looked at. Both
// in small pieces, so that reading, committing and receipts wait for neither.

internal import AgentCore
internal import Evidence

extension Keeper {
    /// Real milliseconds of one piece.
    private static let salvagePiece: Int64 = 50
    private static let examinePiece: Int64 = 10
    /// Real milliseconds until a piece that could not be stored is tried again.
    private static let retryAfter: Int64 = 1_000
    /// In a row, after which less was saved than hoped for.
    private static let failuresMax = 10

    /// Nothing is sent while older records are still being taken over: they go first.
    var holdsBack: Bool { !spool.salvages.isEmpty }

    /// - Throws: damage that was found by looking; the next start moves it aside.
    func lookAfterPages() throws {
        guard holdsBack else {
            do { try spool.examineMore(milliseconds: Self.examinePiece) } catch let error as DatabaseError
                where !error.isDamaged
            {
                // It passes, as a full table of files does; whoever needs the rows will say what is wrong with them.
                spool.examination = nil
                log.line(.warning, "the spool's rows could not be looked at", [("error", error.description)])
            }
            return
        }
        let now = clock.now().monotonic
        guard now >= salvageAt else { return }
        let pass = spool.salvages.first
        do {
            let isDone = try spool.salvageMore(milliseconds: Self.salvagePiece)
            salvageFailures = 0
            guard isDone else { return follow() }
        } catch {
            salvageAt = now + Self.retryAfter
            salvageFailures += 1
            log.line(.error, "salvaging waits", [("error", "\(error)")], limit: "")
            // A full disk waits for room. Anything else must not hold new records back for ever.
            if let database = error as? DatabaseError, database.isFull { return try relieve() }
            guard salvageFailures > Self.failuresMax else { return }
            spool.abandonSalvage()
            salvageFailures = 0
        }
        follow()
        log.line(
            .warning, "salvaged",
            [
                ("records", String(pass?.records ?? 0)), ("holes", String(pass?.holes ?? 0)),
                ("from", pass?.quarantine ?? ""),
            ])
        // Damaged while an older one was taken over: the next one's turn.
        if !holdsBack { sendOldestFirst() }
    }

    /// The streams as they stand in the spool now; the one that is appended to stays the last.
    private func follow() {
        streams = spool.streams
        sending = streams.count - 1
    }

    /// Everything is in its place: sending begins with the oldest stream that is not receipted.
    private func sendOldestFirst() {
        sending = Self.oldestUnsent(streams)
        let now = clock.now().monotonic
        let wasConnected = window.isConnected
        window = UplinkWindow(limits: settings.limits, receipted: streams[sending].receipted, now: now)
        if wasConnected { window.connected(now: now) }
    }

    /// Damage that ends the run is remembered, so that the next start does not meet it again.
    func remember(_ error: any Error) {
        let isDamage =
            switch error {
            case let error as DatabaseError: error.isDamaged
            case SpoolError.database(let error): error.isDamaged
            case SpoolError.damaged: true
            default: false
            }
        if isDamage { SpoolFolder(spool.folder).markDamaged() }
    }
}
