// What can be asked of the ledger, and its digest. Lists go by Journal order with an index as cursor.

internal import CBOR
package import Proofs
package import Quantities

extension Ledger {
    /// A page of a list.
    package struct Page: Hashable, Sendable {
        package let entries: [LedgerEntry]
        /// Where the next page begins; nil at the end.
        package let next: Int?
    }

    /// Entries a page has at most.
    package static let pageMax = 500

    /// K$ in circulation, minor units: −(balance of the issuance account).
    package var supply: Int128 { -(account(Self.issuance)?.balance ?? 0) }

    /// By id.
    package var accountIDs: [Identifier] { accounts.keys.sorted() }

    /// Entries that touch `account` (nil: all), oldest first, from `cursor` on.
    ///
    /// - Parameter cursor: a page's `next`, or 0. Any other number is no harm.
    package func entries(of account: Identifier?, from cursor: Int = 0, limit: Int = 100) -> Page {
        let limit = max(1, min(limit, Self.pageMax))
        guard let account else {
            let first = max(0, min(cursor, entries.count))
            let last = min(entries.count, first + limit)
            return Page(entries: Array(entries[first..<last]), next: last < entries.count ? last : nil)
        }
        let indices = entriesByAccount[account] ?? []
        // Indices ascend: the first one that is not before the cursor.
        var (low, high) = (0, indices.count)
        while low < high {
            let middle = (low + high) / 2
            if indices[middle] < cursor { low = middle + 1 } else { high = middle }
        }
        let last = min(indices.count, low + limit)
        return Page(
            entries: indices[low..<last].map { entries[$0] }, next: last < indices.count ? indices[last] : nil)
    }

    /// The whole state in 32 bytes: equal after every refold, on every machine.
    ///
    /// SHA-256 over the CBOR array [history, issued, destroyed, [* [account, principal / null, entity / null, rule,
    /// debits posted, credits posted, debits pending, credits pending]] by account]; sums as 16-byte big-endian two's
    /// complement; history starts as 32 zeros and is SHA-256(history ‖ kind ‖ body) after each event.
    package var digest: Digest {
        let lines = accountIDs.compactMap { accounts[$0] }.map { account in
            CBORValue.array([
                .id(account.id), account.principal.map { .id($0) } ?? .null, account.entity.map { .id($0) } ?? .null,
                .unsigned(account.rule.rawValue), .bytes(account.debitsPosted.bigEndianBytes),
                .bytes(account.creditsPosted.bigEndianBytes), .bytes(account.debitsPending.bigEndianBytes),
                .bytes(account.creditsPending.bigEndianBytes),
            ])
        }
        return Digest(
            of: CBORValue.array([
                .digest(history), .bytes(issued.bigEndianBytes), .bytes(destroyed.bigEndianBytes), .array(lines),
            ]).encoded())
    }

    /// Walks every account: Σ balances = 0, pending debits = pending credits, rules kept, supply = issued − destroyed.
    /// For a start, an audit and tests; each event is checked by itself while it is folded.
    package func checkConservation() throws(LedgerError) {
        var (balances, pending): (Int128, Int128) = (0, 0)
        for id in accountIDs {
            guard let account = accounts[id] else { continue }
            balances += account.balance
            pending += account.debitsPending - account.creditsPending
            guard account.debitsPending >= 0, account.creditsPending >= 0 else { throw .notConserved }
            guard account.rule == .free || account.available >= 0 else { throw .notConserved }
        }
        guard balances == 0, pending == 0, supply == issued - destroyed else { throw .notConserved }
    }
}
