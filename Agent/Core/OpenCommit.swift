// What has been read since the last commit: finished samples and requests under way. Nothing here is durable yet.

package import Evidence

/// One finished request, in uptime of this boot.
package struct FinishedRead: Hashable, Sendable {
    package let read: UInt64
    /// House milliseconds since boot when the request began, and when its last byte arrived or it was given up.
    package let began: UInt64
    package let ended: UInt64
    /// ``SampleStatus``; anything but good has no words.
    package let status: UInt64
    package let words: [UInt8]

    package init(read: UInt64, began: UInt64, ended: UInt64, status: UInt64, words: [UInt8]) {
        self.read = read
        self.began = min(began, ended)
        self.ended = ended
        self.status = status
        self.words = status == SampleStatus.good ? words : []
    }
}

/// The commit that is being filled.
///
/// The rule behind ``Cut/openSince``: whoever begins a request takes its start from the clock and registers it here in
/// one step, under one lock. Then no request can have begun before an instant that a cut called complete.
package struct OpenCommit: Sendable {
    /// Finished reads kept in memory while the spool refuses to take them; the oldest go first beyond it.
    package static let readsMax = 100_000

    /// What a commit takes.
    package struct Cut: Hashable, Sendable {
        /// By (ended, read).
        package let reads: [FinishedRead]
        /// Start of the oldest request still under way.
        package let openSince: UInt64?
        /// Reads that memory had no room for: samples lost by read, in order of the read.
        package let dropped: [Skip.Loss]

        package init(reads: [FinishedRead], openSince: UInt64?, dropped: [Skip.Loss]) {
            self.reads = reads
            self.openSince = openSince
            self.dropped = dropped
        }

        /// This cut and a later one as one commit.
        package func joined(_ later: Cut) -> Cut {
            Cut(
                reads: (reads + later.reads).sorted { ($0.ended, $0.read) < ($1.ended, $1.read) },
                openSince: later.openSince, dropped: dropped + later.dropped)
        }
    }

    private var finished: [FinishedRead] = []
    /// Start of the request under way, by bus.
    private var open: [UInt64?]
    private var dropped: [UInt64: UInt64] = [:]

    package init(buses: Int) { open = Array(repeating: nil, count: buses) }

    package var count: Int { finished.count }

    /// Makes room for buses that begin later.
    package mutating func reserve(buses: Int) {
        open += Array(repeating: nil, count: max(0, buses - open.count))
    }

    /// A request begins. A bus has one at a time.
    package mutating func begin(bus: Int, uptime: UInt64) { open[bus] = uptime }

    /// The bus's request ended, or was not sent.
    package mutating func end(bus: Int, _ read: FinishedRead?) {
        open[bus] = nil
        guard let read else { return }
        finished.append(read)
        guard finished.count > Self.readsMax else { return }
        // A quarter at once, so that a full buffer does not move all of itself for every read.
        for lost in finished.prefix(Self.readsMax / 4) { dropped[lost.read, default: 0] += 1 }
        finished.removeFirst(Self.readsMax / 4)
    }

    /// Takes everything that is finished.
    package mutating func cut() -> Cut {
        finished.sort { ($0.ended, $0.read) < ($1.ended, $1.read) }
        let reads = finished
        let losses = dropped.sorted { $0.key < $1.key }.map { Skip.Loss(read: $0.key, samples: $0.value) }
        // The next commit holds about as much. An array that grows by doubling is twice as large, and copied on the way.
        finished = []
        finished.reserveCapacity(min(reads.count, Self.readsMax / 4))
        dropped = [:]
        return Cut(reads: reads, openSince: open.compactMap { $0 }.min(), dropped: losses)
    }
}
