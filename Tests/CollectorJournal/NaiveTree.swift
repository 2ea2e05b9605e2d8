// RFC 6962 §2.1 written down as it stands there, over whole lists: what the stored tree is compared with.

import Proofs

enum NaiveTree {
    /// MTH(D[n]).
    static func root(_ entries: ArraySlice<[UInt8]>) -> Digest {
        guard let first = entries.first else { return Digest(of: []) }
        if entries.count == 1 { return Digest(of: [0], first) }
        let split = entries.startIndex + largestPower(below: entries.count)
        return Digest(of: [1], root(entries[..<split]).bytes, root(entries[split...]).bytes)
    }

    static func root(_ entries: [[UInt8]]) -> Digest { root(entries[...]) }

    /// PATH(m, D[n]).
    static func path(_ index: Int, _ entries: ArraySlice<[UInt8]>) -> [Digest] {
        guard entries.count > 1 else { return [] }
        let power = largestPower(below: entries.count)
        let split = entries.startIndex + power
        return index < power
            ? path(index, entries[..<split]) + [root(entries[split...])]
            : path(index - power, entries[split...]) + [root(entries[..<split])]
    }

    /// PROOF(m, D[n]).
    static func consistency(_ old: Int, _ entries: [[UInt8]]) -> [Digest] {
        old == 0 || old == entries.count ? [] : subproof(old, entries[...], true)
    }

    private static func subproof(_ old: Int, _ entries: ArraySlice<[UInt8]>, _ isWhole: Bool) -> [Digest] {
        if old == entries.count { return isWhole ? [] : [root(entries)] }
        let power = largestPower(below: entries.count)
        let split = entries.startIndex + power
        return old <= power
            ? subproof(old, entries[..<split], isWhole) + [root(entries[split...])]
            : subproof(old - power, entries[split...], false) + [root(entries[..<split])]
    }

    private static func largestPower(below count: Int) -> Int {
        var power = 1
        while power * 2 < count { power *= 2 }
        return power
    }

    /// The hashes of tile `number` at `level` of the first `size` entries: roots of 256^level entries each.
    static func tile(_ level: Int, _ number: Int, _ width: Int, _ entries: [[UInt8]]) -> [UInt8] {
        let span = (0..<level).reduce(1) { product, _ in product * 256 }
        return (0..<width).flatMap { offset in
            let start = (number * 256 + offset) * span
            return root(entries[start..<(start + span)]).bytes
        }
    }
}
