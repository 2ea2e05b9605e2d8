// Tiles (C2SP tlog-tiles v0.1.0): a log's hashes as immutable files of 256, so that anyone computes any proof.

/// One tile of hashes: `level` 0 holds leaf hashes; entry i of tile n at level l is the root of 256^l leaves.
package struct Tile: Hashable, Sendable {
    package static let width = 256

    package let level: Int
    package let index: UInt64
    /// 1 … 256; below 256 the tile is partial.
    package let hashes: Int

    package init(level: Int, index: UInt64, hashes: Int) {
        self.level = level
        self.index = index
        self.hashes = hashes
    }

    /// `tile/<L>/<N>[.p/<W>]` below the log's prefix.
    package var path: String { "tile/\(level)/" + Self.indexPath(index) + (hashes == Self.width ? "" : ".p/\(hashes)") }

    /// `tile/entries/<N>[.p/<W>]`: the bundle with the entries of a level-0 tile.
    package var entriesPath: String {
        "tile/entries/" + Self.indexPath(index) + (hashes == Self.width ? "" : ".p/\(hashes)")
    }

    /// The tree coordinate of hash `offset` of this tile.
    package func coordinate(_ offset: Int) -> SubtreeCoordinate {
        SubtreeCoordinate(level: 8 * level, index: index * 256 + UInt64(offset))
    }

    /// 1234067 → `x001/x234/067`.
    private static func indexPath(_ index: UInt64) -> String {
        var groups: [String] = []
        var rest = index
        repeat {
            let digits = String(rest % 1000)
            groups.insert(String(repeating: "0", count: 3 - digits.count) + digits, at: 0)
            rest /= 1000
        } while rest > 0
        return groups.dropLast().map { "x" + $0 + "/" }.joined() + groups[groups.count - 1]
    }

    /// Parses what follows `tile/`: `<L|entries>/<N>[.p/<W>]`. Level nil means an entries bundle. Nil when malformed.
    package static func parse(path: String) -> (level: Int?, index: UInt64, width: Int)? {
        var parts = path.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard parts.count >= 2, parts.count <= 12 else { return nil }
        let kind = parts.removeFirst()
        var width = Self.width
        if parts.count >= 2, parts[parts.count - 2].hasSuffix(".p") {
            let digits = parts.removeLast()
            guard let partial = Int(digits), String(partial) == digits, (1..<Self.width).contains(partial) else {
                return nil
            }
            width = partial
            parts[parts.count - 1].removeLast(2)
        }
        var index: UInt64 = 0
        for (position, part) in parts.enumerated() {
            let isLast = position == parts.count - 1
            guard isLast != part.hasPrefix("x") else { return nil }
            let digits = isLast ? Substring(part) : part.dropFirst()
            guard digits.utf8.count == 3, digits.utf8.allSatisfy({ (48...57).contains($0) }),
                let group = UInt64(digits),
                index <= UInt64.max / 1000 - 1
            else { return nil }
            index = index * 1000 + group
        }
        // A tile beyond covers leaves that 64 bits cannot number.
        guard index < 1 << 56 else { return nil }
        let level = kind == "entries" ? nil : Int(kind)
        guard kind == "entries" || (level.map { (0...7).contains($0) && String($0) == kind } ?? false) else {
            return nil
        }
        guard indexPath(index) == parts.joined(separator: "/") else { return nil }
        return (level, index, width)
    }
}
