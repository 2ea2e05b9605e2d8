// The end of reading before the last commit: what was asked is answered, recorded and committed. Not the end of sending.

/// How the keeper, which ends last, tells the buses to end.
package struct ReadingEnd: Sendable {
    /// A meter that does not answer is not waited for longer; what it still says belongs to no commit. Real milliseconds.
    private static let patience: Int64 = 2_000

    /// Closed: no reload any more, and every bus ends after the request under way.
    let reloads: Mailbox<ReloadRequest>
    /// Closed when all buses have ended.
    let ended = Mailbox<Never>(itemsMax: 1)

    /// - Parameter requestsMax: reloads, commands, people that wait.
    package init(requestsMax: Int = 16) { reloads = Mailbox(itemsMax: requestsMax) }

    func end() {
        reloads.close()
        _ = ended.take(within: Self.patience * 1_000_000)
    }
}
