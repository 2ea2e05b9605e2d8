// The ledger refolded: every transfer balanced, every credit an issuance, every order signed by the account's owner.

internal import Evidence
internal import Proofs
internal import Quantities

extension HouseAudit {
    func settle(_ body: Event, _ event: JournalEvent, _ place: AuditPlace) throws {
        switch body {
        case .accountOpened(let opened): try requireShare(opened, event, place)
        case .accountCredited(let credited): try requireIssuance(credited.transfer, place)
        case .transferPosted(let ordered), .holdPlaced(let ordered):
            try requireOwner(ordered.order, ordered.transfer, event, place)
        case .holdPosted(let resolved), .holdVoided(let resolved):
            try requireOwner(resolved.order, resolved.transfer, event, place)
        default: break
        }
        let hasChanged: Bool
        do throws(LedgerError) { hasChanged = try ledger.apply(body, at: event.time) } catch {
            throw AuditFailure(place, "\(error)")
        }
        guard hasChanged else { throw AuditFailure(place, "changes nothing: it stands in the ledger already") }
        switch body {
        case .accountCredited, .transferPosted, .holdPosted: summary.transfers += 1
        default: break
        }
    }

    /// Accounts are those that entities' registrations name.
    private func requireShare(_ opened: Event.AccountOpened, _ event: JournalEvent, _ place: AuditPlace) throws {
        guard let id = opened.entity, opened.rule == .debitsWithinCredits else {
            guard opened.account == Ledger.issuance else {
                throw AuditFailure(place, "opens \(opened.account) for nobody")
            }
            return
        }
        let isNamed = registry.documents(ofKind: 3, named: id).contains { entity in
            entity.shares.contains { $0.account == opened.account && $0.principal == opened.principal }
        }
        guard isNamed else {
            throw AuditFailure(place, "opens \(opened.account) for \(id), whose registration does not name it")
        }
    }

    private func requireIssuance(_ transfer: Transfer, _ place: AuditPlace) throws {
        guard let issuance = issuances[transfer.cause] else {
            throw AuditFailure(place, "credits \(transfer.amount.minorUnits) minor units without an issuance")
        }
        guard transfer.code == .issuance, transfer.id == TransferID(creditFor: transfer.cause),
            transfer.debit == Ledger.issuance, transfer.credit == issuance.account
        else { throw AuditFailure(place, "is not the credit of the issuance it names") }
        guard transfer.amount == issuance.amount else {
            throw AuditFailure(
                place, "credits \(transfer.amount.minorUnits) minor units, issued were \(issuance.amount.minorUnits)")
        }
    }

    /// The order is the owner's of the debited account.
    private func requireOwner(
        _ envelope: [UInt8], _ transfer: Transfer, _ event: JournalEvent, _ place: AuditPlace
    ) throws {
        let message = try message(envelope, as: .order, place)
        guard unreconciled.isEmpty else {
            throw AuditFailure(place, "moves K$ while the lost tail of a log was not reconciled")
        }
        guard let entity = ledger.account(transfer.debit)?.entity,
            let key = registry.key(kid: message.kid, role: .owner, at: event.time), key.subject == entity,
            tools.isSigned(message, key.spki)
        else { throw AuditFailure(place, "its order is not signed by the owner of \(transfer.debit)") }
    }
}

extension Registry {
    /// Every version of an entity's registration.
    fileprivate func documents(ofKind kind: UInt64, named id: Identifier) -> [Entity] {
        (versions[RegistrationSubject(kind: kind, id: id)] ?? []).compactMap { document in
            if case .entity(let entity) = document.registration.body { entity } else { nil }
        }
    }
}
