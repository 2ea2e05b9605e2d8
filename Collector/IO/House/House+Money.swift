// Statements, reviews and orders as they come through the interface, and what the interface tells of money.

internal import CBOR
internal import CollectorCore
internal import CollectorJournal
internal import Evidence
internal import HTTPTypes
internal import Proofs
internal import Quantities

extension House {
    var supply: Int128 { ledger.supply }

    // MARK: - Statements and reviews

    /// A statement of an auditor, a grid operator or a satellite source. The first of its source, metering point and day
    /// counts; the very same envelope again is answered with its id.
    func take(statement message: SignedMessage) throws -> Digest {
        try catchUp()
        let instant = decisionTime()
        let statement: SourceStatement
        do { statement = try SourceStatement(decoding: message.payload) } catch {
            throw Problem.badRequest(
                "not a source statement", detail: "\(error): docs/formats/documents.md has its shape")
        }
        guard let role = statement.source.role, let key = state.registry.key(kid: message.kid, role: role, at: instant),
            isSigned(message, key.spki)
        else { throw unknownSigner("a registered key of the source \(statement.source.rawValue)") }
        guard state.registry.meteringPoint(statement.meteringPoint, at: statement.from) != nil else {
            throw Problem.badRequest(
                "unknown metering point", detail: "\(statement.meteringPoint) is not registered at \(statement.from)")
        }
        for input in statement.inputs where try !stores.objects.contains(input) {
            throw Problem(
                .conflict, "source-missing", "Its raw input is not here",
                detail: "POST the bytes of \(input) to /v1/sources first")
        }
        let draft = Event.statementReceived(Event.Received(envelope: message.encoded)).draft(
            commandID: message.identity)
        if try stands(draft.eventID) { return message.identity }
        guard !state.hasStatement(like: statement) else {
            throw Problem(
                .conflict, "statement-exists", "Another statement stands for this source, metering point and day",
                detail: "the first accepted counts; a correction needs a dispute")
        }
        try append([draft], at: instant)
        return message.identity
    }

    func take(review message: SignedMessage) throws -> Digest {
        try catchUp()
        let instant = decisionTime()
        let review: Review
        do { review = try Review(decoding: message.payload) } catch {
            throw Problem.badRequest("not a review", detail: "\(error): docs/formats/documents.md has its shape")
        }
        guard let key = state.registry.key(kid: message.kid, role: .person, at: instant), isSigned(message, key.spki)
        else {
            throw unknownSigner("a registered person's key")
        }
        guard state.registry.meteringPoint(review.meteringPoint, at: instant) != nil else {
            throw Problem.badRequest("unknown metering point", detail: "\(review.meteringPoint) is not registered")
        }
        let draft = Event.reviewReceived(Event.Received(envelope: message.encoded)).draft(commandID: message.identity)
        try append(try missing([draft]), at: instant)
        return message.identity
    }

    func unknownSigner(_ whose: String) -> Problem {
        Problem(
            .forbidden, "unknown-signer", "The signature is not known here",
            detail: "sign with \(whose) that is in force")
    }

    // MARK: - Orders

    /// Decides about an order: posted, the same answer again, or a numbered refusal.
    func take(order message: SignedMessage) throws -> (view: JSON, isNew: Bool) {
        try catchUp()
        let instant = decisionTime()
        let signed: SignedOrder
        do {
            signed = try SignedOrder(
                envelope: message.encoded, registry: state.registry, at: instant, isSigned: isSigned)
        } catch { throw problem(error) }
        switch ledger.decide(signed, at: instant, isHalted: gate.isHalted) {
        case .known(let entry): return (view(entry), false)
        case .refused(let refusal, let draft):
            if let draft { try append(try missing([draft]), at: instant) }
            throw problem(refusal)
        case .accepted(let draft):
            try append([draft], at: instant)
            guard let entry = ledger.entry(signed.order.transfer) else {
                throw Problem(
                    .internalServerError, "internal", "The transfer is not in the ledger",
                    detail: "see the collector's log")
            }
            return (view(entry), true)
        }
    }

    private func problem(_ refusal: TransferRefusal) -> Problem {
        Problem(
            refusal.isFinal ? .unprocessableContent : .conflict, "transfer-refused", "The transfer is refused",
            detail: refusal.advice,
            code: Int64(refusal.rawValue))
    }

    // MARK: - Views

    func view(_ entry: LedgerEntry) -> JSON {
        let state: String =
            switch entry.kind {
            case .held:
                switch ledger.hold(entry.transfer.id) {
                case .posted: "posted"
                case .voided: "voided"
                case .pending, nil: "pending"
                }
            case .voided: "voided"
            case .issued, .transferred, .posted: "posted"
            }
        return .object([
            ("transaction_id", .string(entry.transfer.id.description)), ("state", .string(state)),
            ("debit_account", .string(entry.transfer.debit.text)),
            ("credit_account", .string(entry.transfer.credit.text)),
            ("amount", .string(String(entry.transfer.amount.minorUnits))),
            ("code", .count(entry.transfer.code.rawValue)),
            ("cause", .string(entry.transfer.cause.description)), ("at", .string(entry.at.description)),
            ("memo", .optional(entry.order?.memo)),
        ])
    }

    func balance(_ id: Identifier) -> JSON? {
        guard let account = ledger.account(id) else { return nil }
        return .object([
            ("account", .string(id.text)), ("asset", .string(state.genesis.asset)),
            ("balance", .string(account.balance.description)),
            ("available", .string(account.available.description)), ("held", .string(account.debitsPending.description)),
        ])
    }

    func supplyView() -> JSON {
        .object([
            ("asset", .string(state.genesis.asset)), ("supply", .string(supply.description)),
            ("issued", .string(ledger.issued.description)),
            ("destroyed", .string(ledger.destroyed.description)),
            ("minor_units_per_unit", .int(state.genesis.minorUnitsPerUnit)),
        ])
    }

    /// Oldest first, from `page`'s cursor on.
    func transactions(_ account: Identifier?, _ page: Page) -> JSON {
        let found = ledger.entries(of: account, from: page.after, limit: page.limit)
        return Page.answer(found.entries.map(view), next: found.next)
    }

    /// Final unless it is a hold that waits.
    func transaction(_ text: String) -> (view: JSON, isFinal: Bool)? {
        guard let bytes = [UInt8](hex: text), let id = TransferID(bytes), let entry = ledger.entry(id) else {
            return nil
        }
        return (view(entry), ledger.hold(id) != .pending)
    }

    func clearingStatus() -> JSON {
        .object([
            ("tier", .string("R")), ("queued", .int(0)),
            ("last_settled", .optional(ledger.entries.last?.at.description)),
            ("entries", .int(Int64(ledger.entries.count))),
        ])
    }

    /// Where each step of a credit's way is found; `kilomint-audit trace` walks and checks it.
    func traceIndex(_ text: String) -> JSON? {
        guard let bytes = [UInt8](hex: text), let id = TransferID(bytes), let entry = ledger.entry(id) else {
            return nil
        }
        let lots = Provenance(ledger).lots(of: id)
        let issuances = lots.map { lot -> JSON in
            let found = state.windows.lazy.flatMap { window in window.issued.map { (window, $0) } }
                .first { TransferID(creditFor: $0.1.id) == lot.issuance }
            return .object([
                ("issuance", .string(lot.issuance.description)), ("amount", .string(String(lot.amount.minorUnits))),
                ("window_id", .optional(found?.0.window.text)),
                ("principal_id", .optional(found?.1.body.principal.text)),
                ("evidence_origin", .optional(found?.0.cut.evidence.origin)),
                ("evidence_size", .optional(found.map { Int64(clamping: $0.0.cut.evidence.size) })),
            ])
        }
        return .object([("transaction", view(entry)), ("issuances", .array(issuances))])
    }

    func allocation(_ entity: Identifier) -> JSON? {
        guard
            let window = state.windows.last(where: {
                $0.allocation?.body.allocations.contains { $0.entity == entity } ?? false
            }),
            let allocation = window.allocation?.body
        else { return nil }
        let carry = allocation.carries.first { $0.entity == entity }
        return .object([
            ("entity", .string(entity.text)), ("window_id", .string(window.window.text)),
            ("output_digest", .string(allocation.outputDigest.description)),
            (
                "lines",
                .array(
                    allocation.allocations.filter { $0.entity == entity }.map { line in
                        .object([
                            ("principal_id", .string(line.principal.text)), ("account", .string(line.account.text)),
                            ("share_ppm", .int(line.ppm)),
                            ("amount", .string(String(line.amount.minorUnits))),
                            ("verified_wh", .int(line.verifiedWattHours)),
                        ])
                    })
            ),
            (
                "carry",
                carry.map {
                    .object([
                        ("numerator", .string(String($0.numerator))), ("denominator", .string(String($0.denominator))),
                    ])
                } ?? .null
            ),
        ])
    }

    func pendingIssuance() -> [JSON] {
        state.windows.filter { !$0.isSettled }.flatMap { window in
            window.due.filter { line in !window.issued.contains { $0.body.principal == line.principal } }.map { line in
                let decision = window.decision?.body.lines.first { $0.principal == line.principal }
                return .object([
                    ("window_id", .string(window.window.text)), ("principal_id", .string(line.principal.text)),
                    ("amount", .string(String(line.amount.minorUnits))),
                    ("decision", .optional(decision.map { $0.isAllowed ? "ALLOW" : "HOLD" })),
                    ("reason_code", .optional(decision?.reason)),
                    ("action", .optional(decision?.action)),
                ])
            }
        }
    }

    func outputDigest(_ id: WindowID) -> Digest? { state.window(id)?.seal?.body.outputDigest }

    func consoleAccounts() -> [ConsoleModel.Account] {
        ledger.accountIDs.filter { $0 != Ledger.issuance }.compactMap { id in
            guard let account = ledger.account(id) else { return nil }
            let latest = ledger.entries.last { $0.transfer.credit == id || $0.transfer.debit == id }
            return ConsoleModel.Account(
                id: id.text, balance: account.balance.description, latestTransaction: latest?.transfer.id.description)
        }
    }
}
