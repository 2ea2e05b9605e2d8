// What the spool writes to the disk, from how SQLite lays out rows (sqlite.org/fileformat2, sections 1.6 and 4): for `plan`.
// Computes only. A test holds it against the files.

extension Spool {
    /// Smallest piece of a file that an operating system writes.
    static let blockBytes: Int64 = 4_096
    /// Of a frame in the log, before its page.
    private static let frameHeader: Int64 = 24
    /// Of a record's row beside its envelope: numbers, link, lengths.
    private static let rowBytes: Int64 = 62

    /// Bytes that a commit of one record writes into the log and, later, once more into the file.
    static func writtenBytes(envelope: Int64) -> Int64 {
        loggedBytes(envelope: envelope) + foldedBytes(envelope: envelope)
    }

    /// Whole blocks: pages of the envelope, the leaf that names them, the stream's, the file's first, and at times one more where
    /// the leaf is full. The log is padded to a block, and ends half a frame behind it on average.
    static func loggedBytes(envelope: Int64) -> Int64 {
        let frames = row(envelope).pages + 3
        let bytes = frames * (pageBytes + frameHeader) + (pageBytes + frameHeader) * 3 / 2
        return (bytes + blockBytes - 1) / blockBytes * blockBytes
    }

    /// Pages of the envelope, and its part of a leaf; leaves are full when the next begins.
    static func foldedBytes(envelope: Int64) -> Int64 {
        let (pages, local) = row(envelope)
        // A leaf has so many rows; its header and its line in the page above come to 32 bytes.
        let rows = max(1, (pageBytes - 32) / (local + 2))
        return pages * pageBytes + (pageBytes + 32) / rows
    }

    /// Overflow pages of a row and what stays of it in its leaf, section 1.6.
    private static func row(_ envelope: Int64) -> (pages: Int64, local: Int64) {
        let payload = envelope + rowBytes
        let (most, least) = (pageBytes - 35, (pageBytes - 12) * 32 / 255 - 23)
        guard payload > most else { return (0, payload) }
        let fitting = least + (payload - least) % (pageBytes - 4)
        let local = fitting <= most ? fitting : least
        return ((payload - local + pageBytes - 5) / (pageBytes - 4), local)
    }
}
