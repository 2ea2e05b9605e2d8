// Where the K$ of an account came from: first in, first out, in Journal order. A view, not a property of money: K$ are
// fungible, and only an issuance credit is exact.

package import Quantities

/// Lots by account and by transfer: a fold over the ledger's entries.
package struct Provenance: Sendable {
    /// A part of one issuance.
    package struct Lot: Hashable, Sendable {
        /// The credit it came into the world with.
        package let issuance: TransferID
        package internal(set) var amount: Amount
    }

    /// What an account holds, oldest first. The head moves so that taking is cheap.
    private struct Queue: Sendable {
        var lots: [Lot] = []
        var head = 0

        mutating func take(_ amount: Amount) -> [Lot] {
            var (left, taken): (Int64, [Lot]) = (amount.minorUnits, [])
            while left > 0, head < lots.count {
                let part = min(left, lots[head].amount.minorUnits)
                taken.append(Lot(issuance: lots[head].issuance, amount: Amount(minorUnits: part)))
                left -= part
                if part == lots[head].amount.minorUnits {
                    head += 1
                } else {
                    lots[head].amount = Amount(minorUnits: lots[head].amount.minorUnits - part)
                }
            }
            if head > 64, head * 2 > lots.count {
                lots.removeFirst(head)
                head = 0
            }
            return taken
        }

        mutating func put(_ lot: Lot) {
            // Neighbours of one issuance join, as far as a lot can hold them.
            if lots.count > head, let last = lots.last, last.issuance == lot.issuance {
                let (sum, overflowed) = last.amount.minorUnits.addingReportingOverflow(lot.amount.minorUnits)
                if !overflowed {
                    lots[lots.count - 1].amount = Amount(minorUnits: sum)
                    return
                }
            }
            lots.append(lot)
        }
    }

    // Looked up, never iterated.
    private var queues: [Identifier: Queue] = [:]
    private var moved: [TransferID: [Lot]] = [:]

    package init() {}

    /// Everything the ledger holds, from the beginning.
    package init(_ ledger: Ledger) {
        for entry in ledger.entries { apply(entry) }
    }

    /// Folds the next entry. Entries come in order of their index, each once.
    package mutating func apply(_ entry: LedgerEntry) {
        let transfer = entry.transfer
        let lots: [Lot]
        switch entry.kind {
        case .held, .voided: return
        case .issued: lots = [Lot(issuance: transfer.id, amount: transfer.amount)]
        case .transferred, .posted: lots = queues[transfer.debit, default: Queue()].take(transfer.amount)
        }
        for lot in lots { queues[transfer.credit, default: Queue()].put(lot) }
        moved[transfer.id] = lots
    }

    /// What a transfer moved, oldest issuance of the debited account first; empty for what moved nothing.
    package func lots(of transfer: TransferID) -> [Lot] { moved[transfer] ?? [] }

    /// What stands in an account, oldest first.
    package func lots(in account: Identifier) -> [Lot] {
        guard let queue = queues[account] else { return [] }
        return Array(queue.lots[queue.head...])
    }
}
