// What the Journal promises beyond a signed tree: events of stages, each accepted once, and cursors of who reads them.
// Decides nothing: stages do.

package import CollectorCore
package import Proofs
package import Quantities

/// The events one stage decided together.
package struct JournalBatch: Sendable {
    package let stage: Stage
    /// The stage's last sequence number as the decision saw it; 0 before its first event.
    package let after: UInt64
    package let drafts: [JournalDraft]
    /// Moved in the same transaction: what the consumer has dealt with by this batch.
    package let advancing: CursorAdvance?

    /// - Precondition: all drafts are of `stage`.
    package init(stage: Stage, after: UInt64, drafts: [JournalDraft], advancing: CursorAdvance? = nil) {
        precondition(drafts.allSatisfy { $0.stage == stage }, "a batch holds the events of one stage")
        self.stage = stage
        self.after = after
        self.drafts = drafts
        self.advancing = advancing
    }
}

/// A consumer has dealt with everything before `to`.
package struct CursorAdvance: Hashable, Sendable {
    package let consumer: String
    package let to: LogPosition

    package init(_ consumer: String, to: LogPosition) {
        self.consumer = consumer
        self.to = to
    }
}

/// Every domain event, in one order.
package protocol Journal: TransparencyLog {
    /// Most events of one batch.
    static var batchMax: Int { get }

    /// Appends the batch and moves its cursor, in one transaction. On return all is durable.
    ///
    /// Checked in this order: the very events of this batch stand in the Journal already (they are returned, so a batch
    /// whose answer got lost is simply appended again); one of the ids is taken (`.duplicateID`); the stage has moved
    /// (`.moved`: compare-and-swap); the cursor would go back (`.moved`, with positions' indices).
    ///
    /// - Parameter now: event times are max(now, the last event's time).
    func append(_ batch: JournalBatch, now: UTCInstant) throws(LogError) -> [JournalEvent]

    /// The last sequence number of a stage, 0 before its first event.
    func sequence(of stage: Stage) throws(LogError) -> UInt64

    /// In log order from `from` on through all epochs, at most `limit`; epoch entries are no events. Empty at the end.
    /// The position after the last one read is where to go on.
    func events(from: LogPosition, limit: Int) throws(LogError) -> [JournalEvent]

    /// Where the event with this id stands.
    func position(of event: Digest) throws(LogError) -> LogPosition?

    /// Nil for a consumer that never moved.
    func cursor(of consumer: String) throws(LogError) -> LogPosition?

    /// Erases salts and payloads of `range` for good. Entries, ids, cursors and tree stay.
    func erasePayloads(in range: Range<LogPosition>) throws(LogError)
}
