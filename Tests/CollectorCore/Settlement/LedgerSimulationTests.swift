// Random ledgers from a printed seed against a model so plain that one sees it is right. After every event money is
// conserved; after every run the refold and the provenance agree.

import CollectorCore
import Kit
import Quantities
import Testing

struct LedgerSimulationTests {
    /// What the ledger must come to, without ids, orders and events.
    struct Model {
        var balance: [String: Int64] = [:]
        var held: [String: Int64] = [:]
        var holds: [Int: (debit: String, credit: String, amount: Int64, isOpen: Bool)] = [:]

        func available(_ account: String) -> Int64 { balance[account, default: 0] - held[account, default: 0] }

        mutating func move(_ debit: String, _ credit: String, _ amount: Int64) {
            balance[debit, default: 0] -= amount
            balance[credit, default: 0] += amount
        }

        /// Whether the step happens.
        mutating func follow(_ step: Step) -> Bool {
            switch step {
            case .transfer(let debit, let credit, let amount):
                guard debit != credit, amount > 0, amount <= available(debit) else { return false }
                move(debit, credit, amount)
            case .hold(let id, let debit, let credit, let amount):
                guard debit != credit, amount > 0, amount <= available(debit) else { return false }
                held[debit, default: 0] += amount
                holds[id] = (debit, credit, amount, true)
            case .post(let hold, let amount):
                guard let held = holds[hold], held.isOpen, amount > 0, amount <= held.amount else { return false }
                end(hold)
                move(held.debit, held.credit, amount)
            case .void(let hold):
                guard holds[hold]?.isOpen == true else { return false }
                end(hold)
            }
            return true
        }

        private mutating func end(_ id: Int) {
            guard let hold = holds[id] else { return }
            held[hold.debit, default: 0] -= hold.amount
            holds[id]?.isOpen = false
        }
    }

    enum Step {
        case transfer(String, String, Int64)
        case hold(Int, String, String, Int64)
        case post(Int, Int64)
        case void(Int)
    }

    static func step(_ number: Int, _ model: Model, _ random: inout SeededGenerator) -> (Step, String) {
        let names = ["a", "b", "c"]
        let (debit, credit) = (names.randomElement(using: &random)!, names.randomElement(using: &random)!)
        let amount = Int64.random(in: 0...60, using: &random)
        switch Int.random(in: 0..<6, using: &random) {
        case 0, 1: return (.transfer(debit, credit, amount), "t\(number) \(debit)>\(credit) \(amount)")
        case 2, 3: return (.hold(number, debit, credit, amount), "h\(number) \(debit)>\(credit) \(amount)")
        default:
            let hold = Int.random(in: 1...number, using: &random)
            let known = model.holds[hold]
            let pair = "\(known?.debit ?? debit)>\(known?.credit ?? credit)"
            if Bool.random(using: &random) { return (.post(hold, amount), "p\(number)(\(hold)) \(pair) \(amount)") }
            return (.void(hold), "v\(number)(\(hold)) \(pair) 0")
        }
    }

    @Test(arguments: 1...16 as ClosedRange<UInt64>)
    func agreesWithThePlainModel(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var script = try LedgerScript()
        var model = Model()
        for number in 1...150 {
            if Int.random(in: 0..<8, using: &random) == 0 {
                let amount = Int64.random(in: 1...100, using: &random)
                _ = try script.issue(Identifier("a")!, amount)
                model.move("issuance", "a", amount)
            }
            let (step, line) = Self.step(number, model, &random)
            let happens = model.follow(step)
            // The script folds each event twice and checks conservation after it.
            let result = try script.run(line)
            #expect(result.hasSuffix("=ok") == happens, "seed \(seed), step \(number): \(result)")
            if happens { #expect(try script.run(line) == line + "=known", "seed \(seed), step \(number)") }
        }
        for name in ["a", "b", "c", "issuance"] {
            let account = script.ledger.account(Identifier(name)!)!
            #expect(account.balance == Int128(model.balance[name, default: 0]), "seed \(seed)")
            #expect(account.debitsPending == Int128(model.held[name, default: 0]), "seed \(seed)")
        }
        try refold(script, seed)
    }

    private func refold(_ script: LedgerScript, _ seed: UInt64) throws {
        var again = Ledger()
        for event in script.events { try again.apply(event, at: LedgerScript.now) }
        #expect(again.digest == script.ledger.digest, "seed \(seed)")
        let provenance = Provenance(again)
        for id in again.accountIDs where id != Ledger.issuance {
            let sum = provenance.lots(in: id).reduce(Int128(0)) { $0 + Int128($1.amount.minorUnits) }
            #expect(sum == again.account(id)!.balance, "seed \(seed): the lots of \(id) are not its balance")
        }
        for entry in again.entries {
            let sum = provenance.lots(of: entry.transfer.id).reduce(Int128(0)) { $0 + Int128($1.amount.minorUnits) }
            let moved = entry.kind == .held ? 0 : Int128(entry.transfer.amount.minorUnits)
            #expect(sum == moved, "seed \(seed): \(entry.index)")
        }
    }
}
