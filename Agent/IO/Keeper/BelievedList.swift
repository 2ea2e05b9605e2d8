// The highest number of a key list that was believed, and of which root: an older list of the same root is not believed again.
// Numbers of two roots have nothing to do with each other: another operator's list begins at 1.

internal import Keys
internal import Proofs
internal import Quantities

/// One line beside the spool: the root's SHA-256, and a number. It outlives a spool that was damaged.
struct BelievedList {
    let path: String

    init(folder: String) { path = folder + "/key-list" }

    private struct Line: Hashable {
        let root: String
        let number: UInt64
    }

    /// - Parameter kept: what the spool remembers, without a root: it counts where nothing better is known.
    func number(of root: PublicKey, kept: UInt64) -> UInt64 {
        guard let line else { return kept }
        return line.root == Self.name(root) ? line.number : 0
    }

    /// Durable before anything that the list says is followed. A crash before the rename leaves the former number.
    ///
    /// - Throws: ``SystemError``; then the former number counts at the next start.
    func remember(_ number: UInt64, of root: PublicKey) throws(SystemError) {
        let new = Line(root: Self.name(root), number: number)
        guard new != line else { return }
        try SmallFile.replace(path, with: Array("\(new.root) \(new.number)\n".utf8))
    }

    /// Nil where there is none, or one that cannot be understood.
    private var line: Line? {
        do {
            let words = try SmallFile.text(path).split(separator: " ")
            guard words.count == 2, let number = UInt64(words[1]) else { return nil }
            return Line(root: String(words[0]), number: number)
        } catch { return nil }  // As said.
    }

    private static func name(_ root: PublicKey) -> String { Digest(of: root.spki).bytes.hex }
}
