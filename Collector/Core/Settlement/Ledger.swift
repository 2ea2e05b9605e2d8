// The ledger: accounts and transfers as a fold over settlement's events. Every event is checked again while it is folded;
// what balances here balances for whoever refolds the Journal.

internal import CBOR
internal import Evidence
internal import Proofs
package import Quantities

/// One line of the ledger, in Journal order.
package struct LedgerEntry: Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
        /// Credited from the issuance account.
        case issued
        case transferred
        case held
        /// Posted from a hold.
        case posted(hold: TransferID)
        case voided(hold: TransferID)
    }

    /// From 0; also the cursor of lists.
    package let index: Int
    package let transfer: Transfer
    package let kind: Kind
    /// Nil for what no order caused.
    package let order: Order?
    /// The event's time.
    package let at: UTCInstant
}

package struct Ledger: Sendable {
    /// How far an order's own time may be ahead of the house's, ms.
    package static let issuedAheadMax: Int64 = 300_000
    /// The account that K$ come from. It is there from the start, belongs to nobody and is the only one below zero.
    package static let issuance = Entity.issuanceAccount

    /// How a hold stands.
    package enum HoldState: Hashable, Sendable {
        case pending
        case posted(Amount)
        case voided
    }

    /// An order that was refused for ever.
    struct Refused: Hashable, Sendable {
        let order: Digest
        let code: UInt64
    }

    // Dictionaries are looked up; what is listed or hashed goes by id or by index.
    private(set) var accounts: [Identifier: Account]
    package private(set) var entries: [LedgerEntry] = []
    private var indices: [TransferID: Int] = [:]
    private var holds: [TransferID: HoldState] = [:]
    private(set) var entriesByAccount: [Identifier: [Int]] = [:]
    private(set) var refusedOrders: [Digest: UInt64] = [:]
    private(set) var refusedIDs: [TransferID: Refused] = [:]
    /// Everything that ever left the issuance account, and everything that came back.
    package private(set) var issued: Int128 = 0
    package private(set) var destroyed: Int128 = 0
    private var debitsPosted: Int128 = 0
    private var creditsPosted: Int128 = 0
    /// SHA-256 over (the one before ‖ the event): the ledger's whole history in 32 bytes.
    private(set) var history = Digest.zero

    package init() {
        accounts = [Self.issuance: Account(id: Self.issuance, principal: nil, entity: nil, rule: .free)]
    }

    package func account(_ id: Identifier) -> Account? { accounts[id] }
    package func entry(_ id: TransferID) -> LedgerEntry? { indices[id].map { entries[$0] } }
    /// Nil when no hold has this id.
    package func hold(_ id: TransferID) -> HoldState? { holds[id] }

    /// Folds an event of the Journal; those of other stages change nothing.
    ///
    /// - Parameter at: the entry's time.
    /// - Returns: false when nothing changed: of another stage, or folded before.
    /// - Throws: ``LedgerError``; the ledger is then as it was, but for `.notConserved`, after which it is of no use.
    @discardableResult
    package mutating func apply(_ event: Event, at: UTCInstant) throws(LedgerError) -> Bool {
        let hasChanged: Bool
        switch event {
        case .accountOpened(let opened): hasChanged = try open(opened)
        case .accountCredited(let credited): hasChanged = try move(credited.transfer, .issued, order: nil, at)
        case .transferPosted(let body): hasChanged = try move(body.transfer, .transferred, order: body.order, at)
        case .holdPlaced(let body): hasChanged = try move(body.transfer, .held, order: body.order, at)
        case .holdPosted(let body):
            hasChanged = try move(body.transfer, .posted(hold: body.hold), order: body.order, at)
        case .holdVoided(let body):
            hasChanged = try move(body.transfer, .voided(hold: body.hold), order: body.order, at)
        case .transferRefused(let body): hasChanged = try refuse(body)
        default: return false
        }
        guard hasChanged else { return false }
        history = Digest(of: history.bytes, Array(event.kind.rawValue.utf8), event.body.encoded())
        return true
    }

    private mutating func open(_ opened: Event.AccountOpened) throws(LedgerError) -> Bool {
        if let known = accounts[opened.account] {
            guard known.entity == opened.entity, known.principal == opened.principal, known.rule == opened.rule else {
                throw .accountTaken(opened.account.text)
            }
            return false
        }
        accounts[opened.account] = Account(
            id: opened.account, principal: opened.principal, entity: opened.entity, rule: opened.rule)
        return true
    }

    private mutating func refuse(_ body: Event.TransferRefused) throws(LedgerError) -> Bool {
        let order = try Self.read(body.order)
        guard refusedOrders[order.identity] == nil else { return false }
        refusedOrders[order.identity] = body.code
        let id = order.order.transfer
        if indices[id] == nil, refusedIDs[id] == nil {
            refusedIDs[id] = Refused(order: order.identity, code: body.code)
        }
        return true
    }

    private mutating func move(
        _ transfer: Transfer, _ kind: LedgerEntry.Kind, order envelope: [UInt8]?, _ at: UTCInstant
    ) throws(LedgerError) -> Bool {
        var order: Order?
        if let envelope {
            let read = try Self.read(envelope)
            let asked = Self.transfer(of: read.order, identity: read.identity)
            guard asked.transfer == transfer, asked.kind == kind else { throw .orderDiffers(transfer.id) }
            order = read.order
        }
        if let known = entry(transfer.id), known.transfer == transfer, known.kind == kind, known.order == order {
            return false
        }
        if let refusal = refusal(of: transfer, kind) { throw .refused(transfer.id, refusal) }
        guard var debit = accounts[transfer.debit], var credit = accounts[transfer.credit] else {
            throw .accountUnknown(transfer.credit.text)
        }
        let amount = Int128(transfer.amount.minorUnits)
        switch kind {
        case .issued, .transferred: post(amount, &debit, &credit)
        case .held:
            debit.debitsPending += amount
            credit.creditsPending += amount
            holds[transfer.id] = .pending
        case .posted(let hold):
            release(hold, &debit, &credit)
            post(amount, &debit, &credit)
            holds[hold] = .posted(transfer.amount)
        case .voided(let hold):
            release(hold, &debit, &credit)
            holds[hold] = .voided
        }
        accounts[debit.id] = debit
        accounts[credit.id] = credit
        indices[transfer.id] = entries.count
        for account in [debit.id, credit.id] { entriesByAccount[account, default: []].append(entries.count) }
        entries.append(LedgerEntry(index: entries.count, transfer: transfer, kind: kind, order: order, at: at))
        guard isBalanced else { throw .notConserved }
        return true
    }

    private mutating func post(_ amount: Int128, _ debit: inout Account, _ credit: inout Account) {
        debit.debitsPosted += amount
        credit.creditsPosted += amount
        debitsPosted += amount
        creditsPosted += amount
        if debit.id == Self.issuance { issued += amount }
        if credit.id == Self.issuance { destroyed += amount }
    }

    private func release(_ hold: TransferID, _ debit: inout Account, _ credit: inout Account) {
        let held = Int128(entry(hold)?.transfer.amount.minorUnits ?? 0)
        debit.debitsPending -= held
        credit.creditsPending -= held
    }

    /// What speaks against a transfer by the ledger's state alone, in the order of the cases.
    func refusal(of transfer: Transfer, _ kind: LedgerEntry.Kind) -> TransferRefusal? {
        guard let debit = accounts[transfer.debit] else { return .debitAccountUnknown }
        // Only issuing debits the issuance account, which no rule stops.
        guard (debit.id == Self.issuance) == (kind == .issued) else { return .notOwner }
        if let known = entry(transfer.id) { return Self.difference(known, transfer, kind) ?? .idTakenKind }
        guard let credit = accounts[transfer.credit] else { return .creditAccountUnknown }
        guard credit.id != Self.issuance || transfer.code == .destruction else { return .creditAccountOfHouse }
        guard debit.id != credit.id else { return .accountsEqual }
        if case .voided = kind {
            guard transfer.amount == .zero else { return .amountNotZero }
        } else {
            guard transfer.amount > .zero else { return .amountZero }
        }
        let refusal: TransferRefusal? =
            switch kind {
            case .issued, .transferred, .held: debit.allows(transfer.amount) ? nil : .exceedsCredits
            case .posted(let hold), .voided(let hold): self.refusal(of: transfer, resolving: hold)
            }
        return refusal ?? (kind != .issued && transfer.id.isOfCredit ? .idOfCredit : nil)
    }

    private func refusal(of transfer: Transfer, resolving id: TransferID) -> TransferRefusal? {
        guard let hold = entry(id)?.transfer, let state = holds[id] else { return .holdUnknown }
        switch state {
        case .posted: return .holdAlreadyPosted
        case .voided: return .holdAlreadyVoided
        case .pending: break
        }
        if hold.debit != transfer.debit { return .holdOtherDebit }
        if hold.credit != transfer.credit { return .holdOtherCredit }
        return transfer.amount <= hold.amount ? nil : .holdExceeded
    }

    /// The first field in which a transfer differs from the one that has its id; nil when none does.
    static func difference(
        _ known: LedgerEntry, _ transfer: Transfer, _ kind: LedgerEntry.Kind
    ) -> TransferRefusal? {
        if known.transfer.debit != transfer.debit { return .idTakenDebit }
        if known.transfer.credit != transfer.credit { return .idTakenCredit }
        if known.transfer.amount != transfer.amount { return .idTakenAmount }
        switch (known.kind, kind) {
        case (.issued, .issued), (.transferred, .transferred), (.held, .held): return nil
        case (.posted(let held), .posted(let own)), (.voided(let held), .voided(let own)):
            return held == own ? nil : .idTakenHold
        default: return .idTakenKind
        }
    }

    static func read(_ envelope: [UInt8]) throws(LedgerError) -> (order: Order, identity: Digest) {
        do {
            let message = try SignedMessage(parsing: envelope, as: .order)
            return (try Order(decoding: message.payload), message.identity)
        } catch { throw .orderUnreadable }
    }

    /// Cheap enough for every event: the two totals, and the issuance account against what was issued.
    private var isBalanced: Bool {
        guard let issuance = accounts[Self.issuance] else { return false }
        return debitsPosted == creditsPosted && -issuance.balance == issued - destroyed
    }
}
