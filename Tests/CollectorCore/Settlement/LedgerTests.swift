// The ledger in the notation of LedgerScript: what is followed, what is refused and why, and what stands then.

import CollectorCore
import Evidence
import Kit
import Proofs
import Quantities
import Testing

struct LedgerTests {
    static let max = Int64.max

    /// (steps with what becomes of them, balance/available of a, b, c afterwards)
    static let cases: [(String, String)] = [
        // Transfers: up to what is there, not a unit more.
        ("i a 100=ok; t1 a>b 30=ok", "70/70 30/30 0/0"),
        ("i a 100=ok; t1 a>b 100=ok", "0/0 100/100 0/0"),
        ("i a 100=ok; t1 a>b 101=exceedsCredits", "100/100 0/0 0/0"),
        ("t1 a>b 1=exceedsCredits; i a 1=ok; t2 a>b 1=ok; t3 b>c 1=ok; t4 c>a 1=ok", "1/1 0/0 0/0"),
        (
            "i a \(max)=ok; i a \(max)=ok; t1 a>b \(max)=ok; t2 a>b \(max)=ok",
            "0/0 \(Int128(max) * 2)/\(Int128(max) * 2) 0/0"
        ),
        // The same order again gets the same answer; the same id for something else is refused by the field that differs.
        ("i a 100=ok; t1 a>b 30=ok; t1 a>b 30=known; t1 a>b 30 halted=known", "70/70 30/30 0/0"),
        ("i a 100=ok; t1 a>b 30=ok; t1 b>a 30=idTakenDebit; t1 b>c 31 memo:x=idTakenDebit", "70/70 30/30 0/0"),
        ("i a 100=ok; t1 a>b 30=ok; t1 a>c 30=idTakenCredit; t1 a>c 31 memo:x=idTakenCredit", "70/70 30/30 0/0"),
        ("i a 100=ok; t1 a>b 30=ok; t1 a>b 31=idTakenAmount; h1 a>b 31=idTakenAmount", "70/70 30/30 0/0"),
        ("i a 100=ok; t1 a>b 30=ok; h1 a>b 30=idTakenKind; p1(1) a>b 30 memo:x=idTakenKind", "70/70 30/30 0/0"),
        ("i a 9=ok; h1 a>b 2=ok; h2 a>b 2=ok; p3(1) a>b 2=ok; p3(2) a>b 2=idTakenHold", "7/5 2/2 0/0"),
        (
            "i a 100=ok; t1 a>b 30=ok; t1 a>b 30 memo:x=idTakenMemo; t1 a>b 30 memo:x at:+5=idTakenMemo",
            "70/70 30/30 0/0"
        ),
        ("i a 100=ok; t1 a>b 30=ok; t1 a>b 30 at:+5=idTakenIssuedAt", "70/70 30/30 0/0"),
        // Who may order.
        ("i a 9=ok; t1 z>b 1=debitAccountUnknown; t1 a>b 1=ok", "8/8 1/1 0/0"),
        (
            "i a 9=ok; t1 a>b 1 by:e2=notOwner; t1 a>b 1 by:-=notOwner; t1 issuance>b 1=notOwner; t1 a>b 1=ok",
            "8/8 1/1 0/0"
        ),
        ("i a 9=ok; t1 a>b 1 bytes=malformed", "9/9 0/0 0/0"),
        // When.
        ("i a 9=ok; t1 a>b 1 halted=halted; t1 a>b 1=ok", "8/8 1/1 0/0"),
        ("i a 9=ok; t1 a>b 1 at:+300000=ok; t2 a>b 1 at:+300001=issuedInFuture", "8/8 1/1 0/0"),
        // What.
        ("i a 9=ok; t1 a>z 1=creditAccountUnknown; t2 a>issuance 1=creditAccountOfHouse", "9/9 0/0 0/0"),
        ("i a 9=ok; t0 a>b 1=idOfCredit; t0 a>b 2=idRefused; t1 a>b 1=ok", "8/8 1/1 0/0"),
        ("i a 9=ok; t1 a>a 1=accountsEqual; t2 a>b 0=amountZero; t3 a>b 1=ok", "8/8 1/1 0/0"),
        ("i a 9=ok; h1 a>b 3=ok; p2(1) a>b 0=amountZero; v3(1) a>b 3=amountNotZero; v4(1) a>b 0=ok", "9/9 0/0 0/0"),
        // A refused order is decided for ever, its id too; what may be retried is not.
        ("t1 a>b 5=exceedsCredits; i a 9=ok; t1 a>b 5=exceedsCredits; t1 a>b 4=idRefused; t2 a>b 5=ok", "4/4 5/5 0/0"),
        // Holds reserve in full; what is posted is at most what is held; the rest is released.
        ("i a 100=ok; h1 a>b 60=ok; h2 a>b 41=exceedsCredits; h3 a>b 40=ok; t4 a>b 1=exceedsCredits", "100/0 0/0 0/0"),
        ("i a 100=ok; h1 a>b 60=ok; p2(1) a>b 60=ok; t3 a>b 40=ok", "0/0 100/100 0/0"),
        ("i a 100=ok; h1 a>b 60=ok; p2(1) a>b 20=ok; t3 a>b 80=ok", "0/0 100/100 0/0"),
        ("i a 100=ok; h1 a>b 60=ok; p2(1) a>b 61=holdExceeded; p3(1) a>b 1=ok", "99/99 1/1 0/0"),
        ("i a 100=ok; h1 a>b 60=ok; v2(1) a>b 0=ok; t3 a>b 100=ok", "0/0 100/100 0/0"),
        (
            "i a 100=ok; h1 a>b 60=ok; h1 a>b 60=known; p2(1) a>b 5=ok; p2(1) a>b 5=known; h1 a>b 60=known",
            "95/95 5/5 0/0"
        ),
        // A hold ends once.
        (
            "i a 9=ok; h1 a>b 6=ok; p2(1) a>b 3=ok; p3(1) a>b 3=holdAlreadyPosted; v4(1) a>b 0=holdAlreadyPosted",
            "6/6 3/3 0/0"
        ),
        (
            "i a 9=ok; h1 a>b 6=ok; v2(1) a>b 0=ok; p3(1) a>b 3=holdAlreadyVoided; v4(1) a>b 0=holdAlreadyVoided",
            "9/9 0/0 0/0"
        ),
        ("i a 9=ok; p1(7) a>b 3=holdUnknown; t2 a>b 1=ok; v3(2) a>b 0=holdUnknown", "8/8 1/1 0/0"),
        ("i a 9=ok; i b 9=ok; h1 a>b 6=ok; p2(1) b>a 3=holdOtherDebit; p3(1) a>c 3=holdOtherCredit", "9/3 9/9 0/0"),
        // What is held cannot be spent by who is to get it.
        ("i a 9=ok; h1 a>c 6=ok; t2 c>b 1=exceedsCredits", "9/3 0/0 0/0"),
    ]

    @Test(arguments: cases)
    func follows(line: String, balances: String) throws {
        var script = try LedgerScript()
        #expect(try script.run(line) == line)
        #expect(script.balances == balances)
        // Every line once more from its events alone.
        var again = Ledger()
        for event in script.events { try again.apply(event, at: LedgerScript.now) }
        #expect(again.digest == script.ledger.digest)
    }

    @Test func everyRefusalIsReached() {
        let names = Set(Self.cases.flatMap { $0.0.split(separator: "; ").map { $0.split(separator: "=").last! } })
        for refusal in TransferRefusal.allCases {
            #expect(names.contains("\(refusal)"), "\(refusal) stands in no case")
        }
    }

    /// What may be retried is never journalled, and what is journalled was authentic.
    @Test(arguments: TransferRefusal.allCases)
    func finalMeansFinal(refusal: TransferRefusal) {
        #expect(!(refusal.isFinal && refusal.mayRetry))
        #expect(refusal.rawValue > TransferRefusal.notOwner.rawValue || !refusal.isFinal)
    }

    /// Everybody can compute the id of a credit to come: no order may take it, or the credit could never be made.
    @Test func noOrderTakesTheIdOfACredit() throws {
        var script = try LedgerScript()
        _ = try script.run("i a 100")
        let next = TransferID(creditFor: Digest(of: Array("issuance 2".utf8)))
        let order = Order(
            transfer: next, debit: Identifier("a")!, credit: Identifier("b")!, amount: Amount(minorUnits: 1), memo: "",
            issuedAt: LedgerScript.now)
        let envelope = LedgerScript.envelope(order)
        let signed = SignedOrder(
            order: order, identity: try SignedMessage(parsing: envelope, as: .order).identity, envelope: envelope,
            signer: Identifier("e1")!)
        let outcome = script.ledger.decide(signed, at: LedgerScript.now, isHalted: false)
        #expect(try script.follow(outcome) == "idOfCredit")
        #expect(try script.run("i a 50") == "i a 50=ok")
        #expect(script.ledger.supply == 150)
        // A Journal in which one stands does not fold.
        let transfer = Transfer(
            id: next, debit: order.debit, credit: order.credit, amount: order.amount, code: .transfer,
            cause: signed.identity)
        var other = try LedgerScript()
        _ = try other.run("i a 100")
        #expect(throws: LedgerError.refused(next, .idOfCredit)) {
            try other.ledger.apply(
                .transferPosted(Event.Ordered(transfer: transfer, order: envelope)), at: LedgerScript.now)
        }
    }

    @Test func supplyIsWhatWasIssued() throws {
        var script = try LedgerScript()
        _ = try script.run("i a 100; i c 50; t1 a>b 30; h2 c>a 50")
        #expect(script.ledger.supply == 150)
        #expect(script.ledger.issued == 150)
        #expect(script.ledger.destroyed == 0)
        #expect(script.ledger.account(Ledger.issuance)?.balance == -150)
    }

    @Test func opensTheAccountsOfAnEntityOnce() throws {
        let shares = [("p1", "x1"), ("p2", "x2"), ("p3", "x1")].map {
            Entity.Share(principal: Identifier($0.0)!, account: Identifier($0.1)!, ppm: 1)
        }
        let registration = Registration(
            number: 1, effectiveFrom: LedgerScript.now,
            body: .entity(Entity(id: Identifier("e9")!, organisation: Identifier("o")!, population: 1, shares: shares)))
        var ledger = Ledger()
        let drafts = ledger.opening(registration, eventID: .zero)
        #expect(drafts.map(\.payload.ordinal) == [0, 1])
        for draft in drafts {
            try ledger.apply(try Event(kind: draft.kind, body: draft.payload.body), at: LedgerScript.now)
        }
        #expect(ledger.accountIDs.map(\.text) == ["issuance", "x1", "x2"])
        #expect(ledger.account(Identifier("x1")!)?.principal?.text == "p1")
        #expect(ledger.opening(registration, eventID: .zero).isEmpty)
    }

    /// A Journal that was changed does not fold: each event here says what cannot have happened.
    @Test func refusesEventsThatCannotBe() throws {
        var script = try LedgerScript()
        _ = try script.run("i a 100; h9 a>b 10")
        func transfer(_ debit: String, _ credit: String, _ amount: Int64, code: TransferCode = .issuance) -> Transfer {
            Transfer(
                id: LedgerScript.id(77), debit: Identifier(debit)!, credit: Identifier(credit)!,
                amount: Amount(minorUnits: amount), code: code, cause: .zero)
        }
        let order = LedgerScript.order(["t5", "a>b", "5"])
        let envelope = LedgerScript.envelope(order)
        let identity = try SignedMessage(parsing: envelope, as: .order).identity
        let more = Transfer(
            id: order.transfer, debit: order.debit, credit: order.credit, amount: Amount(minorUnits: 6),
            code: .transfer,
            cause: identity)
        let opened = { (entity: String) in
            Event.accountOpened(
                Event.AccountOpened(
                    account: Identifier("a")!, principal: Identifier("p")!, entity: Identifier(entity)!,
                    rule: .debitsWithinCredits))
        }
        let cases: [(Event, LedgerError)] = [
            (.accountCredited(.init(transfer: transfer("a", "b", 1))), .refused(LedgerScript.id(77), .notOwner)),
            (
                .accountCredited(.init(transfer: transfer("issuance", "z", 1))),
                .refused(LedgerScript.id(77), .creditAccountUnknown)
            ),
            (
                .accountCredited(.init(transfer: transfer("issuance", "a", 0))),
                .refused(LedgerScript.id(77), .amountZero)
            ),
            (.transferPosted(.init(transfer: more, order: envelope)), .orderDiffers(order.transfer)),
            (.transferPosted(.init(transfer: more, order: [1])), .orderUnreadable),
            (opened("e2"), .accountTaken("a")),
        ]
        for (event, error) in cases {
            let digest = script.ledger.digest
            #expect(throws: error) { try script.ledger.apply(event, at: LedgerScript.now) }
            #expect(script.ledger.digest == digest)
        }
    }

    @Test func listsByAccountWithACursor() throws {
        var script = try LedgerScript()
        _ = try script.run("i a 100; i c 9; t1 a>b 1; t2 a>c 1; t3 c>b 1; t4 a>b 1")
        let ledger = script.ledger
        func indices(_ account: String?, _ cursor: Int, _ limit: Int) -> ([Int], Int?) {
            let page = ledger.entries(of: account.map { Identifier($0)! }, from: cursor, limit: limit)
            return (page.entries.map(\.index), page.next)
        }
        #expect(indices("a", 0, 2) == ([0, 2], 3))
        #expect(indices("a", 3, 2) == ([3, 5], nil))
        #expect(indices("b", 0, 2) == ([2, 4], 5))
        #expect(indices("b", 5, 2) == ([5], nil))
        #expect(indices(nil, 4, 9) == ([4, 5], nil))
        #expect(indices(nil, 0, 2) == ([0, 1], 2))
        #expect(indices("z", 0, 9) == ([], nil))
        #expect(indices(nil, -7, 0) == ([0], 1))
        #expect(indices("a", .max, 9) == ([], nil))
        #expect(indices(nil, .max, 9) == ([], nil))
    }

    /// First in, first out: the first issuance of a leaves first, through b, in parts.
    @Test func traces() throws {
        var script = try LedgerScript()
        _ = try script.run(
            "i a 100; i a 50; t1 a>b 30; t2 a>b 90; h3 b>c 40; p4(3) b>c 35; t5 b>c 10; v6(3) b>c 0; t7 c>a 40")
        let provenance = Provenance(script.ledger)
        let issuances = script.ledger.entries.filter { $0.kind == .issued }.map(\.transfer.id)
        func lots(_ number: Int) -> [Int: Int64] {
            var sums: [Int: Int64] = [:]
            for lot in provenance.lots(of: LedgerScript.id(number)) {
                sums[issuances.firstIndex(of: lot.issuance)! + 1, default: 0] += lot.amount.minorUnits
            }
            return sums
        }
        #expect(lots(1) == [1: 30])
        #expect(lots(2) == [1: 70, 2: 20])
        #expect(lots(3) == [:])
        #expect(lots(4) == [1: 35])
        #expect(lots(5) == [1: 10])
        #expect(lots(7) == [1: 40])
        #expect(provenance.lots(in: Identifier("b")!).map(\.amount.minorUnits) == [55, 20])
    }
}
