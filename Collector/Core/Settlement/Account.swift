// An account and its four running sums, as TigerBeetle keeps them: posted and pending, debits and credits.

package import Quantities

/// Minor units. Sums are 128 bits wide: 2^63 transfers of 2^63 fit.
package struct Account: Hashable, Sendable {
    package let id: Identifier
    /// Nil for the house's own accounts.
    package let principal: Identifier?
    /// Whose owner keys order from it; nil: nobody's.
    package let entity: Identifier?
    package let rule: AccountRule
    package internal(set) var debitsPosted: Int128 = 0
    package internal(set) var creditsPosted: Int128 = 0
    /// Reserved by holds that are not resolved.
    package internal(set) var debitsPending: Int128 = 0
    package internal(set) var creditsPending: Int128 = 0

    init(id: Identifier, principal: Identifier?, entity: Identifier?, rule: AccountRule) {
        self.id = id
        self.principal = principal
        self.entity = entity
        self.rule = rule
    }

    /// What stands in it; below zero for the issuance account only.
    package var balance: Int128 { creditsPosted - debitsPosted }

    /// What can be ordered away: holds count as if they will be posted in full, so posting one can never fail.
    package var available: Int128 { balance - debitsPending }

    /// Whether `amount` more may be debited or held.
    func allows(_ amount: Amount) -> Bool {
        switch rule {
        case .free: true
        case .debitsWithinCredits: Int128(amount.minorUnits) <= available
        }
    }
}
