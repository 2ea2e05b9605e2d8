// Finished reads into the bodies of readings records that stay below the size we write.

package import Evidence

/// Readings bodies of one commit, with the instant each is complete through.
package struct Batch: Hashable, Sendable {
    package struct Part: Hashable, Sendable {
        package let readings: Readings
        /// Uptime before which every read is in this part or an earlier one.
        package let completeThrough: UInt64
    }

    package let parts: [Part]

    /// Bytes left to envelope, protected header, signature, place and clock: less than 300 with the longest gateway id.
    static let overheadBytesMax = 1024

    /// - Parameters:
    ///   - reads: by (ended, read).
    ///   - now: uptime when the commit was cut.
    ///   - openSince: start of the oldest request still under way.
    ///   - bytesMax: of an envelope.
    package init(
        _ reads: [FinishedRead], now: UInt64, openSince: UInt64?, bytesMax: Int = SignedMessage.writtenBytesMax
    ) {
        var begins: [Int] = []
        var bytes = 0
        for (position, read) in reads.enumerated() {
            let size = Self.encodedBytesMax(read)
            if begins.isEmpty || bytes + size > bytesMax - Self.overheadBytesMax {
                begins.append(position)
                bytes = 0
            }
            bytes += size
        }
        // From the last to the first: what a later part holds began no earlier than this part is complete through.
        var bound = min(now, openSince ?? now)
        var parts: [Part] = []
        var end = reads.count
        for begin in begins.reversed() {
            let group = reads[begin..<end]
            end = begin
            parts.append(Part(readings: Self.readings(group), completeThrough: bound))
            bound = min(bound, group.map(\.began).min() ?? bound)
        }
        self.parts = parts.reversed()
    }

    /// (dt, read) never stands twice: a second answer in one millisecond of a standing clock moves on by one.
    private static func readings(_ reads: ArraySlice<FinishedRead>) -> Readings {
        let base = reads[reads.startIndex].ended
        var samples: [Readings.Sample] = []
        samples.reserveCapacity(reads.count)
        for read in reads {
            var dt = read.ended - base
            if let last = samples.last, (last.dt, last.read) >= (dt, read.read) {
                dt = last.read < read.read ? last.dt : last.dt + 1
            }
            samples.append(
                Readings.Sample(
                    read: read.read, dt: dt, took: read.ended - read.began, status: read.status, words: read.words))
        }
        return Readings(base: base, samples: samples)
    }

    /// An array of five: heads of at most 9 bytes each and the words.
    static func encodedBytesMax(_ read: FinishedRead) -> Int { 1 + 4 * 9 + 3 + read.words.count }
}
