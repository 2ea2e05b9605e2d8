// What the spool may forget and what it must sacrifice. Decides only; deleting and keeping what stays is the spool's.

package import Evidence
package import Quantities

/// Bounds of the spool, and which records go when they are reached.
///
/// Only readings go: births, notes and keys stay as long as the stream. Receipted readings go when space or age asks,
/// unreceipted ones only when the spool is nearly full and nothing receipted is left.
package struct SpoolPolicy: Hashable, Sendable {
    /// One stored record, without its bytes.
    package struct Row: Hashable, Sendable {
        package let sequence: UInt64
        package let through: UInt64
        package let kind: RecordKind
        /// Bytes of its envelope; 0 for a range whose envelopes are gone.
        package let bytes: Int
        package let utc: UTCInstant

        package init(sequence: UInt64, through: UInt64, kind: RecordKind, bytes: Int, utc: UTCInstant) {
            self.sequence = sequence
            self.through = through
            self.kind = kind
            self.bytes = bytes
            self.utc = utc
        }
    }

    /// Neighbouring rows that become one range without envelopes.
    package struct Run: Hashable, Sendable {
        package let first: UInt64
        package let through: UInt64
        /// Nothing of it was receipted.
        package let isSacrifice: Bool

        package init(first: UInt64, through: UInt64, isSacrifice: Bool) {
            self.first = first
            self.through = through
            self.isSacrifice = isSacrifice
        }
    }

    /// Rows looked at in one pass.
    package static let rowsMax = 4096

    package let bytesMax: Int
    /// House milliseconds.
    package let ageMax: Int64

    package init(bytesMax: Int, ageMax: Int64) {
        self.bytesMax = bytesMax
        self.ageMax = ageMax
    }

    /// Above this, receipted readings go.
    package var forgetAbove: Int { bytesMax / 2 }
    /// Above this, unreceipted readings go, down to ``sacrificeDownTo``.
    package var sacrificeAbove: Int { bytesMax / 10 * 9 }
    package var sacrificeDownTo: Int { bytesMax / 10 * 8 }

    /// Runs to forget, oldest first.
    ///
    /// - Parameters:
    ///   - rows: oldest first, neighbours in order, at most ``rowsMax``.
    ///   - receipted: number through which the collector holds the stream.
    ///   - used: bytes the spool takes.
    ///   - isFull: the disk refused a write: behave as if the spool were full.
    package func runs(
        _ rows: [Row], receipted: UInt64, used: Int, now: UTCInstant, isFull: Bool = false
    ) -> [Run] {
        let oldest = now + -ageMax
        // A full disk gives nothing back before a tenth of what is used is free again.
        let forgetAbove = isFull ? used / 10 * 9 : self.forgetAbove
        var remaining = used
        let forgotten = collect(rows.filter { $0.through <= receipted }, isSacrifice: false) { row in
            guard remaining > forgetAbove || row.utc < oldest else { return false }
            remaining -= row.bytes
            return true
        }
        guard remaining > (isFull ? forgetAbove : sacrificeAbove) else { return forgotten }
        let floor = isFull ? forgetAbove : sacrificeDownTo
        let sacrificed = collect(rows.filter { $0.through > receipted }, isSacrifice: true) { row in
            guard remaining > floor else { return false }
            remaining -= row.bytes
            return true
        }
        return forgotten + sacrificed
    }

    /// Neighbours among `rows` that `take` wants. Ranges already gone join the run they touch, so that one skip can
    /// stand for all; a run of nothing else is no run. Unreceipted signed skips were sent and stay as they are.
    private func collect(_ rows: [Row], isSacrifice: Bool, take: (Row) -> Bool) -> [Run] {
        var runs: [Run] = []
        var run: (first: UInt64, through: UInt64, frees: Bool)?
        func close() {
            if let run, run.frees { runs.append(Run(first: run.first, through: run.through, isSacrifice: isSacrifice)) }
            run = nil
        }
        for row in rows {
            if let last = run, row.sequence != last.through + 1 { close() }
            let isGone = row.kind == .skip && row.bytes == 0
            let frees: Bool
            switch row.kind {
            case .readings: frees = take(row)
            case .skip: frees = !isGone && !isSacrifice && take(row)
            case .birth, .note, .key: frees = false
            }
            guard frees || isGone else {
                close()
                continue
            }
            run = (run?.first ?? row.sequence, row.through, (run?.frees ?? false) || frees)
        }
        close()
        return runs
    }
}
