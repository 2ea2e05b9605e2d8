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

    /// Nothing is sent while older records are still being taken over: they go first.
    var holdsBack: Bool { spool.salvage != nil }

    /// - Throws: damage that was found by looking; the next start moves it aside.
    func lookAfterPages() throws {
        guard holdsBack else {
            // One that cannot look says so; whoever needs the row will, too.
            return try spool.examineMore(milliseconds: Self.examinePiece)
        }
        let now = clock.now().monotonic
        guard now >= salvageAt else { return }
        let pass = spool.salvage
        do {
            guard try spool.salvageMore(milliseconds: Self.salvagePiece) else { return follow() }
        } catch {
            salvageAt = now + Self.retryAfter
            return log.line(.error, "salvaging waits", [("error", "\(error)")], limit: "")
        }
        follow()
        log.line(
            .warning, "salvaged",
            [
                ("records", String(pass?.records ?? 0)), ("holes", String(pass?.holes ?? 0)),
                ("from", pass?.quarantine ?? ""),
            ])
        sendOldestFirst()
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
