// How much memory this process takes from a small machine, beside what it has to remember. Not a limit: MemoryMax is the
// supervisor's.

internal import CLinux
internal import Glibc

enum Footprint {
    /// Above this a block has pages of its own, which go back when it is freed. Bytes; glibc's default, which grows with what is
    /// freed unless it is set.
    private static let ownPagesMin: Int32 = 131_072

    /// Before the first thread: threads share two arenas. One for each of a hundred threads would keep what any of them ever freed.
    static func share() {
        mallopt(M_ARENA_MAX, 2)
        mallopt(M_MMAP_THRESHOLD, ownPagesMin)
        mallopt(M_TRIM_THRESHOLD, ownPagesMin)
    }

    /// Gives back what the start had and has freed: blocks in the middle of a heap stay with the process until somebody asks.
    static func trim() { malloc_trim(0) }

    /// Lets go of pages of programs and libraries: code, which mostly read configuration and profiles, and the tables by which the
    /// loader found symbols and relocated, both of them once. What is needed again comes back from the page cache, and only that.
    static func dropCode() {
        guard let file = fopen("/proc/self/maps", "re") else { return }
        defer { fclose(file) }
        // Lines are `from-to mode …`; a file's path begins with a slash, and its unwritten pages are the file's.
        var line = [CChar](repeating: 0, count: 512)
        while fgets(&line, Int32(line.count), file) != nil {
            let bytes = line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
            let words = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isWhitespace)
            guard words.count == 6, words[5].hasPrefix("/"), words[1].hasPrefix("r"), words[1].dropFirst().first == "-"
            else { continue }
            let ends = words[0].split(separator: "-").compactMap { UInt($0, radix: 16) }
            // Relocated constants are read-only too, but changed: those are anonymous pages, and would come back unrelocated.
            // The piece at the file's beginning has those tables and nothing that is relocated.
            let isTables = words[2] == "00000000" && !words[1].contains("w")
            guard ends.count == 2, ends[0] < ends[1], words[1].contains("x") || isTables else { continue }
            madvise(UnsafeMutableRawPointer(bitPattern: ends[0]), Int(ends[1] - ends[0]), MADV_DONTNEED)
        }
    }
}
