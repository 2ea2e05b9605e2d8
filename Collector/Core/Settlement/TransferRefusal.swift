// Why an order is refused. The order of the cases is the order of the checks; the first that applies is reported.

/// Raw values stand in the Journal and travel to clients: never renumber, never reuse.
package enum TransferRefusal: UInt64, Error, Hashable, Sendable, CaseIterable {
    /// Not an envelope with an order.
    case malformed = 1
    case debitAccountUnknown = 2
    /// Not signed by an owner's key in force of the debited account's entity, or the account is the house's own.
    case notOwner = 3
    // The transfer id stands already, for something else: the field that differs.
    case idTakenDebit = 4
    case idTakenCredit = 5
    case idTakenAmount = 6
    /// Transfer, hold, post or void.
    case idTakenKind = 7
    case idTakenHold = 8
    case idTakenMemo = 9
    case idTakenIssuedAt = 10
    /// A log's lost tail is not reconciled: no money moves.
    case halted = 11
    /// Issued more than ``Ledger/issuedAheadMax`` after now.
    case issuedInFuture = 12
    /// Another order with this transfer id was refused before.
    case idRefused = 13
    case creditAccountUnknown = 14
    /// The house's own accounts take nothing by order: K$ are destroyed only after confirmed delivery.
    case creditAccountOfHouse = 15
    case accountsEqual = 16
    case amountZero = 17
    /// A void moves nothing: its amount is 0.
    case amountNotZero = 18
    case holdUnknown = 19
    case holdAlreadyPosted = 20
    case holdAlreadyVoided = 21
    case holdOtherDebit = 22
    case holdOtherCredit = 23
    /// More than is held.
    case holdExceeded = 24
    /// More than the account has, what is held for others left out.
    case exceedsCredits = 25
    /// The id begins as those of credits do, which the house gives.
    case idOfCredit = 26

    /// Whether the very same order can be accepted later. No `default`: a new case must decide.
    package var mayRetry: Bool {
        switch self {
        case .debitAccountUnknown, .halted, .issuedInFuture, .creditAccountUnknown: true
        case .malformed, .notOwner, .idTakenDebit, .idTakenCredit, .idTakenAmount, .idTakenKind, .idTakenHold,
            .idTakenMemo, .idTakenIssuedAt, .idRefused, .creditAccountOfHouse, .accountsEqual, .amountZero,
            .amountNotZero, .holdUnknown, .holdAlreadyPosted, .holdAlreadyVoided, .holdOtherDebit, .holdOtherCredit,
            .holdExceeded, .exceedsCredits, .idOfCredit:
            false
        }
    }

    /// Whether the refusal is journalled and the order thereby decided for ever: it is authentic, and nothing but
    /// another order can help. Otherwise somebody who kept an order that once exceeded the credits could send it again
    /// when there are enough, long after its owner gave up.
    package var isFinal: Bool {
        switch self {
        case .malformed, .notOwner: false
        default: !mayRetry
        }
    }

    /// What to do next.
    package var advice: String {
        switch self {
        case .malformed: "send one COSE_Sign1 envelope of content type application/vnd.kilomint.order+cbor"
        case .debitAccountUnknown: "the debited account is not open: check its id, or register its entity first"
        case .notOwner: "sign with a key in force of role owner of the debited account's entity"
        case .halted: "wait until the operator has reconciled the log's epoch, then send the same order again"
        case .issuedInFuture: "set the clock, or send the same order again when its time has come"
        case .idTakenDebit: "the transfer id is taken by one that debits another account: choose a new id"
        case .idTakenCredit: "the transfer id is taken by one that credits another account: choose a new id"
        case .idTakenAmount: "the transfer id is taken by one of another amount: choose a new id"
        case .idTakenKind: "the transfer id is taken by another kind of order: choose a new id"
        case .idTakenHold: "the transfer id is taken by an order about another hold: choose a new id"
        case .idTakenMemo: "the transfer id is taken by one with another memo: choose a new id"
        case .idTakenIssuedAt: "the transfer id is taken by one issued at another time: choose a new id"
        case .idRefused: "another order with this transfer id was refused: choose a new id"
        case .creditAccountUnknown: "the credited account is not open: check its id, or register its entity first"
        case .creditAccountOfHouse: "K$ go back to the house only by redemption"
        case .accountsEqual: "debit and credit are the same account: name two"
        case .amountZero: "name an amount above 0"
        case .amountNotZero: "a void has the amount 0"
        case .holdUnknown: "no hold has this id: check the id of the order that placed it"
        case .holdAlreadyPosted: "the hold was posted; it ends once"
        case .holdAlreadyVoided: "the hold was voided; it ends once"
        case .holdOtherDebit: "name the hold's own debit account"
        case .holdOtherCredit: "name the hold's own credit account"
        case .holdExceeded: "post at most what is held"
        case .exceedsCredits:
            "the account has less available than that: sign a new order, with a new id, for less or later"
        case .idOfCredit: "the house gives the ids that begin with four bytes of 0: choose a random one"
        }
    }
}

/// Why an event of the Journal does not fit the ledger. Never the fault of an order: the Journal was changed, or was
/// written by another version.
package enum LedgerError: Error, Hashable, Sendable, CustomStringConvertible {
    case refused(TransferID, TransferRefusal)
    case accountUnknown(String)
    case accountTaken(String)
    /// An event's order cannot be read.
    case orderUnreadable
    /// An event says something else than the order it carries.
    case orderDiffers(TransferID)
    /// Σ balances ≠ 0, or supply ≠ issued − destroyed.
    case notConserved

    package var description: String {
        let what =
            switch self {
            case .refused(let id, let refusal): "transfer \(id) cannot have happened (\(refusal): \(refusal.advice))"
            case .accountUnknown(let account): "account \(account) was credited before it was opened"
            case .accountTaken(let account): "account \(account) was opened twice for different owners"
            case .orderUnreadable: "the order in an event cannot be read"
            case .orderDiffers(let id): "transfer \(id) is not what its order says"
            case .notConserved: "debits and credits do not balance"
            }
        return what + ": stop the collector and check the Journal with kilomint-audit verify"
    }
}
