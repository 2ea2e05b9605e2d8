// The order of a change of keys, from every state that a crash can leave.

internal import AgentCore
internal import Testing

struct RekeyingTests {
    /// Facts and what follows, without and with somebody who asks for a new key.
    private static let table: [(RekeyFacts, RekeyStep, RekeyStep)] = [
        (facts(.none), .rest, .make),
        (facts(.candidate), .vouch, .vouch),
        (facts(.candidate, receipted: true, .former, needed: true), .vouch, .vouch),
        (facts(.former), .awaitReceipt, .awaitReceipt),
        (facts(.former, .former), .awaitReceipt, .awaitReceipt),
        (facts(.former, receipted: true, .former, needed: true), .certify, .certify),
        (facts(.former, receipted: true, .inForce, needed: true), .keepFormer, .keepFormer),
        (facts(.former, receipted: true, .none, needed: true), .keepFormer, .keepFormer),
        (facts(.former, receipted: true, .inForce), .removeFormer, .removeFormer),
        (facts(.former, receipted: true, .none), .removeFormer, .removeFormer),
    ]

    private static func facts(
        _ other: RekeyFacts.Other, receipted: Bool = false, _ certificate: RekeyFacts.Certificate = .none,
        needed: Bool = false
    ) -> RekeyFacts {
        RekeyFacts(other: other, isReceipted: receipted, certificate: certificate, isFormerNeeded: needed)
    }

    @Test func everyStateHasOneNextStep() {
        for (facts, quiet, asked) in Self.table {
            #expect(facts.next(isWanted: false) == quiet && facts.next(isWanted: true) == asked, "\(facts)")
        }
    }

    /// Never before receipt and certificate, and never the only key.
    @Test func theFormerKeyGoesLast() {
        for other in [RekeyFacts.Other.none, .candidate, .former] {
            for certificate in [RekeyFacts.Certificate.none, .inForce, .former] {
                for bits in 0..<8 {
                    let facts = RekeyFacts(
                        other: other, isReceipted: bits & 1 != 0, certificate: certificate,
                        isFormerNeeded: bits & 2 != 0)
                    guard facts.next(isWanted: bits & 4 != 0) == .removeFormer else { continue }
                    #expect(other == .former && facts.isReceipted && certificate != .former && !facts.isFormerNeeded)
                }
            }
        }
    }

    @Test func aKeyIsOldAfterItsDays() {
        #expect(!RekeySchedule.isDue(age: .max, days: nil))
        #expect(!RekeySchedule.isDue(age: 30 * 86_400_000 - 1, days: 30))
        #expect(RekeySchedule.isDue(age: 30 * 86_400_000, days: 30))
    }
}
