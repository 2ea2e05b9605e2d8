// Making room: what the policy lets go is replaced by a range that a skip could stand for. Never a birth, note or key.

internal import AgentCore
internal import Evidence
internal import Quantities

extension Keeper {
    /// Deletes what space or age asks for, oldest stream first.
    ///
    /// - Parameter isFull: the disk refused the last write.
    /// - Throws: damage alone; the next start moves it aside.
    func makeRoom(isFull: Bool) throws {
        let now = clock.now().utc
        do {
            for index in streams.indices {
                let used = try spool.usedBytes()
                let stream = streams[index]
                // Nobody takes what is left of an ended stream: it goes like receipted records.
                let receipted = stream.isEnded ? stream.head : stream.receipted
                let isQuiet = !isFull && used <= settings.policy.forgetAbove
                if isQuiet, now.milliseconds < forgetAt { continue }
                let change = try spool.latestKeyRecord()
                let rows = try oldestReadings(stream).filter { !(change?.protects($0, of: stream) ?? false) }
                let runs = settings.policy.runs(rows, receipted: receipted, used: used, now: now, isFull: isFull)
                for run in runs {
                    try spool.forget(run, of: stream)
                    guard run.isSacrifice else { continue }
                    log.line(
                        .error, "spool full: unreceipted readings sacrificed",
                        [("from", String(run.first)), ("to", String(run.through))], limit: "")
                    // Of another stream nothing is under way.
                    guard index == sending else { continue }
                    window.goBack(to: min(run.first, window.next), now: clock.now().monotonic)
                }
            }
            // Age moves slowly: looking each commit would read the outline for nothing.
            if now.milliseconds >= forgetAt { forgetAt = now.milliseconds + Self.forgetEvery }
        } catch let error as DatabaseError where error.isDamaged {
            throw error
        } catch {
            log.line(.error, "the spool could not make room", [("error", "\(error)")], limit: "")
        }
    }

    /// The disk is full: the reserve is given back, what may go goes, and the log's place is freed for what follows.
    func relieve() throws {
        reserve.release()
        try makeRoom(isFull: true)
        do { try spool.shrinkLog() } catch {
            log.line(.error, "the spool's log could not be shortened", [("error", "\(error)")], limit: "")
        }
    }

    /// The first rows among which there are readings: what lies before them stays for ever and is passed over.
    private func oldestReadings(_ stream: StreamState) throws -> [SpoolPolicy.Row] {
        var after: UInt64 = 0
        while true {
            let rows = try spool.outline(of: stream, after: after)
            guard rows.count == SpoolPolicy.rowsMax, !rows.contains(where: { $0.kind == .readings }),
                let last = rows.last
            else { return rows }
            after = last.sequence
        }
    }

    /// House milliseconds between two looks for records that are too old.
    private static var forgetEvery: Int64 { 3_600_000 }
}
