// The notation of the ledger's tests, one step after the other separated by ";":
//
//   i a 100          an issuance credits a            t1 a>b 30       transfer with id 1
//   h2 a>b 50        hold with id 2                   p3(2) a>b 20    post 20 of hold 2, with id 3
//   v4(2) a>b 0      void hold 2, with id 4
//   by:e2 signed by e2's owner   by:- by nobody   memo:x   at:+N issued N ms from now   halted   bytes not an order
//   =ok followed   =known the same answer again   =NAME refused so
//
// Accounts a and b are e1's, c is e2's.

import CollectorCore
import Evidence
import Proofs
import Quantities

struct LedgerScript {
    static let now = UTCInstant("2026-03-01T12:00:00Z")!

    var ledger = Ledger()
    private(set) var events: [Event] = []
    private var issuances = 0

    init() throws {
        for (account, entity) in [("a", "e1"), ("b", "e1"), ("c", "e2")] {
            try fold(
                .accountOpened(
                    Event.AccountOpened(
                        account: Identifier(account)!, principal: Identifier("p")!, entity: Identifier(entity)!,
                        rule: .debitsWithinCredits)))
        }
    }

    /// Folds an event twice: the second time changes nothing.
    private mutating func fold(_ event: Event) throws {
        guard try ledger.apply(event, at: Self.now) else { throw ScriptError("\(event.kind) changed nothing") }
        let digest = ledger.digest
        guard try !ledger.apply(event, at: Self.now), ledger.digest == digest else {
            throw ScriptError("\(event.kind) counted twice")
        }
        try ledger.checkConservation()
        events.append(event)
    }

    struct ScriptError: Error, CustomStringConvertible {
        let description: String
        init(_ description: String) { self.description = description }
    }

    static func id(_ number: Int) -> TransferID { TransferID([UInt8](repeating: UInt8(number), count: 16))! }

    mutating func run(_ line: String) throws -> String {
        try line.split(separator: ";").map { text in
            let parts = text.split(separator: "=")[0].split(separator: " ")
            return parts.joined(separator: " ") + "=" + (try step(parts))
        }.joined(separator: "; ")
    }

    private mutating func step(_ parts: [Substring]) throws -> String {
        if parts[0] == "i" { return try issue(Identifier(String(parts[1]))!, Int64(parts[2])!) }
        let order = Self.order(parts)
        let envelope = Self.envelope(order)
        if parts.contains("bytes") {
            do throws(TransferRefusal) {
                _ = try Self.parsed(Array(envelope.dropLast()))
                return "ok"
            } catch { return "\(error)" }
        }
        let by = parts.last { $0.hasPrefix("by:") }?.dropFirst(3) ?? (order.debit == Identifier("c") ? "e2" : "e1")
        let signed = SignedOrder(
            order: order, identity: try SignedMessage(parsing: envelope, as: .order).identity, envelope: envelope,
            signer: Identifier(String(by)).flatMap { $0.text == "-" ? nil : $0 })
        return try follow(ledger.decide(signed, at: Self.now, isHalted: parts.contains("halted")))
    }

    mutating func follow(_ outcome: OrderOutcome) throws -> String {
        switch outcome {
        case .accepted(let draft):
            try fold(try Event(kind: draft.kind, body: draft.payload.body))
            return "ok"
        case .known: return "known"
        case .refused(let refusal, let draft):
            if let draft { try fold(try Event(kind: draft.kind, body: draft.payload.body)) }
            return "\(refusal)"
        }
    }

    mutating func issue(_ account: Identifier, _ amount: Int64) throws -> String {
        issuances += 1
        let cause = Digest(of: Array("issuance \(issuances)".utf8))
        let event = Event.IssuanceComplete(
            window: WindowID("W-2026-03-01-1")!, entity: Identifier("e1")!, principal: Identifier("p")!,
            account: account,
            amount: Amount(minorUnits: amount), outputDigest: .zero)
        guard let draft = try ledger.crediting(event, eventID: cause) else { return "known" }
        try fold(try Event(kind: draft.kind, body: draft.payload.body))
        guard try ledger.crediting(event, eventID: cause) == nil else { throw ScriptError("credited twice") }
        return "ok"
    }

    private static func parsed(_ envelope: [UInt8]) throws(TransferRefusal) -> Order {
        do {
            return try Order(decoding: try SignedMessage(parsing: envelope, as: .order).payload)
        } catch { throw .malformed }
    }

    static func order(_ parts: [Substring]) -> Order {
        let numbers = parts[0].dropFirst().split(whereSeparator: { "()".contains($0) }).map { Int($0)! }
        let accounts = parts[1].split(separator: ">").map { Identifier(String($0))! }
        let resolution: Order.Resolution? =
            switch parts[0].first {
            case "p": .post(id(numbers[1]))
            case "v": .void(id(numbers[1]))
            default: nil
            }
        let ahead = parts.last { $0.hasPrefix("at:") }.map { Int64($0.dropFirst(4))! } ?? 0
        return Order(
            transfer: id(numbers[0]), debit: accounts[0], credit: accounts[1],
            amount: Amount(minorUnits: Int64(parts[2])!),
            memo: parts.last { $0.hasPrefix("memo:") }.map(String.init) ?? "", issuedAt: now + ahead,
            isPending: parts[0].first == "h", resolution: resolution)
    }

    static func envelope(_ order: Order) -> [UInt8] {
        SignedMessage.signing(
            order.encoded, as: .order, algorithm: .eddsa, kid: [UInt8](repeating: 1, count: 8),
            with: { _ in [UInt8](repeating: 2, count: 64) }
        ).encoded
    }

    /// `balance/available` of a, b, c.
    var balances: String {
        ["a", "b", "c"].map { name in
            let account = ledger.account(Identifier(name)!)!
            return "\(account.balance)/\(account.available)"
        }.joined(separator: " ")
    }
}
