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

    private static let day: Int64 = 86_400_000

    /// Step, how long it has stood, and whether somebody must look.
    @Test(arguments: [
        (RekeyStep.rest, 400 * day, false), (.make, 2 * day, false), (.keepFormer, 400 * day, false),
        (.vouch, day - 1, false), (.vouch, day, true), (.awaitReceipt, day - 1, false), (.awaitReceipt, day, true),
        (.certify, 2 * day - 1, false), (.certify, 2 * day, true), (.removeFormer, day, true),
    ])
    func aChangeThatHangsIsNamed(step: RekeyStep, milliseconds: Int64, hangs: Bool) {
        var progress = RekeyProgress()
        (progress.step, progress.milliseconds, progress.kid) = (step, milliseconds, "0011223344556677")
        #expect(progress.hangs == hangs)
        let found = progress.findings
        #expect(found.map(\.id) == (hangs ? [.keyChangeHangs] : []))
        guard let finding = found.first else { return }
        #expect(finding.evidence.contains(step.words) && finding.evidence.contains("0011223344556677"))
        // Each step has its own way out.
        #expect(finding.remedy != FindingID.keyChangeHangs.remedy && finding.severity == .warning)
    }
}
