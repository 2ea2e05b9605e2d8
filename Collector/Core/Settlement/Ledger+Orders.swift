// What settlement decides: accounts to open, issuances to credit, orders to follow or refuse. Nothing changes here; the
// drafts are appended to settlement's stream and folded.

package import Evidence
package import Proofs
package import Quantities

/// An order as it came, with what the shell found about its signature.
package struct SignedOrder: Sendable {
    package let order: Order
    /// The envelope's identity: the order's command id.
    package let identity: Digest
    package let envelope: [UInt8]
    /// The entity whose owner key in force signed it; nil when no such key did.
    package let signer: Identifier?

    package init(order: Order, identity: Digest, envelope: [UInt8], signer: Identifier?) {
        self.order = order
        self.identity = identity
        self.envelope = envelope
        self.signer = signer
    }

    /// Parses an envelope and finds its signer.
    ///
    /// - Throws: `.malformed` when it is no order.
    package init(
        envelope: [UInt8], registry: Registry, at now: UTCInstant, isSigned: (SignedMessage, [UInt8]) -> Bool
    ) throws(TransferRefusal) {
        let message: SignedMessage
        let order: Order
        do {
            message = try SignedMessage(parsing: envelope, as: .order)
            order = try Order(decoding: message.payload)
        } catch { throw .malformed }
        let key = registry.key(kid: message.kid, role: .owner, at: now)
        let signer = key.flatMap { isSigned(message, $0.spki) ? $0.subject : nil }
        self.init(order: order, identity: message.identity, envelope: envelope, signer: signer)
    }
}

/// What becomes of an order.
package enum OrderOutcome: Hashable, Sendable {
    /// To be appended and folded.
    case accepted(JournalDraft)
    /// Followed before: the same answer again.
    case known(LedgerEntry)
    /// The draft is nil when there is nothing to journal: refused before, or not for ever.
    case refused(TransferRefusal, JournalDraft?)
}

extension Ledger {
    /// Decides about an order; checks run in the order of ``TransferRefusal``.
    ///
    /// - Parameter isHalted: a log's lost tail is not reconciled.
    package func decide(_ signed: SignedOrder, at now: UTCInstant, isHalted: Bool) -> OrderOutcome {
        let order = signed.order
        guard let debit = account(order.debit) else { return .refused(.debitAccountUnknown, nil) }
        guard let entity = debit.entity, entity == signed.signer else { return .refused(.notOwner, nil) }
        if let code = refusedOrders[signed.identity] {
            // A code of a later version still means no.
            return .refused(TransferRefusal(rawValue: code) ?? .idRefused, nil)
        }
        let (transfer, kind) = Self.transfer(of: order, identity: signed.identity)
        if let known = entry(order.transfer) {
            if let refusal = Self.difference(known, transfer, kind) ?? Self.difference(known.order, order) {
                return refused(signed, refusal)
            }
            return .known(known)
        }
        guard !isHalted else { return .refused(.halted, nil) }
        guard order.issuedAt <= now + Self.issuedAheadMax else { return .refused(.issuedInFuture, nil) }
        if refusedIDs[order.transfer] != nil { return refused(signed, .idRefused) }
        if let refusal = refusal(of: transfer, kind) { return refused(signed, refusal) }
        return .accepted(Self.event(transfer, kind, signed).draft(commandID: signed.identity))
    }

    private func refused(_ signed: SignedOrder, _ refusal: TransferRefusal) -> OrderOutcome {
        guard refusal.isFinal else { return .refused(refusal, nil) }
        let event = Event.transferRefused(Event.TransferRefused(order: signed.envelope, code: refusal.rawValue))
        return .refused(refusal, event.draft(commandID: signed.identity))
    }

    /// What an order asks for, as an entry of the ledger.
    static func transfer(of order: Order, identity: Digest) -> (transfer: Transfer, kind: LedgerEntry.Kind) {
        let kind: LedgerEntry.Kind =
            switch order.resolution {
            case .post(let hold): .posted(hold: hold)
            case .void(let hold): .voided(hold: hold)
            case nil: order.isPending ? .held : .transferred
            }
        let transfer = Transfer(
            id: order.transfer, debit: order.debit, credit: order.credit, amount: order.amount,
            code: kind == .transferred ? .transfer : .hold, cause: identity)
        return (transfer, kind)
    }

    private static func event(_ transfer: Transfer, _ kind: LedgerEntry.Kind, _ signed: SignedOrder) -> Event {
        switch kind {
        case .issued: .accountCredited(Event.AccountCredited(transfer: transfer))
        case .transferred: .transferPosted(Event.Ordered(transfer: transfer, order: signed.envelope))
        case .held: .holdPlaced(Event.Ordered(transfer: transfer, order: signed.envelope))
        case .posted(let hold):
            .holdPosted(Event.HoldResolved(transfer: transfer, order: signed.envelope, hold: hold))
        case .voided(let hold):
            .holdVoided(Event.HoldResolved(transfer: transfer, order: signed.envelope, hold: hold))
        }
    }

    /// What only orders have and transfers do not.
    private static func difference(_ known: Order?, _ order: Order) -> TransferRefusal? {
        if known?.memo != order.memo { return .idTakenMemo }
        return known?.issuedAt == order.issuedAt ? nil : .idTakenIssuedAt
    }

    /// The credit that follows an issuance; nil when it stands already.
    ///
    /// - Parameter eventID: of the ``Event/IssuanceComplete``; the transfer's id and the command's come from it, so an
    ///   issuance read twice is credited once.
    /// - Throws: when the account is not open or the id is taken: neither can happen to a Journal of ours.
    package func crediting(
        _ issuance: Event.IssuanceComplete, eventID: Digest
    ) throws(LedgerError) -> JournalDraft? {
        let transfer = Transfer(
            id: TransferID(creditFor: eventID), debit: Self.issuance, credit: issuance.account, amount: issuance.amount,
            code: .issuance, cause: eventID)
        if let known = entry(transfer.id), known.transfer == transfer { return nil }
        guard account(issuance.account) != nil else { throw .accountUnknown(issuance.account.text) }
        if let refusal = refusal(of: transfer, .issued) { throw .refused(transfer.id, refusal) }
        return Event.accountCredited(Event.AccountCredited(transfer: transfer))
            .draft(commandID: CommandID.caused(by: eventID, purpose: "credit"))
    }

    /// The accounts that a registration names and that are not open yet. Only entities name accounts. An account stays
    /// with its first principal and entity; the registry refuses another entity's claim.
    ///
    /// - Parameter eventID: of the ``Event/Registered``.
    package func opening(_ registration: Registration, eventID: Digest) -> [JournalDraft] {
        guard case .entity(let entity) = registration.body else { return [] }
        var drafts: [JournalDraft] = []
        var named: [Identifier] = []
        for (ordinal, share) in entity.shares.enumerated() where account(share.account) == nil {
            guard !named.contains(share.account) else { continue }
            named.append(share.account)
            let event = Event.AccountOpened(
                account: share.account, principal: share.principal, entity: entity.id, rule: .debitsWithinCredits)
            drafts.append(
                Event.accountOpened(event).draft(
                    commandID: CommandID.caused(by: eventID, purpose: "account"), ordinal: UInt64(ordinal)))
        }
        return drafts
    }
}
