// Whether the bus threads still come round. A thread that hangs in a system call says nothing; others must notice.

internal import Synchronization

/// When each bus thread last came round its loop, real milliseconds of the clock that never steps.
package final class Liveness: Sendable {
    /// A thread that waits as long as configuration allows - name, connection, answer, each at most a minute - comes
    /// round well within it.
    package static let stallMax: Int64 = 300_000

    /// By bus; only looked up, and sorted before it is shown.
    private let turns = Mutex<[Int: Int64]>([:])

    package init() {}

    package func turned(bus: Int, now: Int64) { turns.withLock { $0[bus] = now } }

    /// The thread ended because it was told to.
    package func ended(bus: Int) { turns.withLock { $0[bus] = nil } }

    /// Buses whose thread hangs, in order.
    package func stalled(now: Int64) -> [Int] {
        turns.withLock { turns in turns.filter { now - $0.value > Self.stallMax }.keys.sorted() }
    }
}
