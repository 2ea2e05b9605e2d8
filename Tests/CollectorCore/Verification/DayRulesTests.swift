// Rules 5 to 8 on whole windows: what a day's inputs make of its verdict, and how far the entity settles.

import CollectorCore
import Metering
import Proofs
import Quantities
import Testing

struct DayRulesTests {
    private let week: Int64 = 7 * 86_400_000

    private func verdict(
        _ made: (house: TestHouse, gateway: TestGateway), statements: [SourceStatement] = [], reviews: [Review] = []
    ) throws -> EntityVerdict {
        let (_, outcome, transcript) = made.house.compute(
            0, made.gateway.admitted(), Standing(), statements: statements, reviews: reviews)
        let inputs = transcript.segments.filter { $0.reference.kind == .inputs }.map(\.bytes)
        #expect(try replay(segments: inputs) == outcome)
        return try #require(outcome.verdicts.first)
    }

    @Test func withoutAnAuditorADayWaitsForAPerson() throws {
        let made = try TestHouse.producing([24_000])
        let judged = try verdict(made)
        #expect(judged.days.map(\.outcome) == [.pending])
        #expect(judged.days.map(\.confidence) == [900_000])
        #expect(judged.settledThrough == anchor)
        #expect(judged.verifiedWattHours == 0)
        let review = Review(
            meteringPoint: id("serf-1"), day: anchor, isAccepted: true, reason: "seen", issuedAt: anchor + day)
        #expect(try verdict(made, reviews: [review]).settledThrough == anchor + day)
        let later = Review(
            meteringPoint: id("serf-1"), day: anchor, isAccepted: false, reason: "no", issuedAt: anchor + day + 1)
        #expect(try verdict(made, reviews: [review, later]).days.map(\.outcome) == [.disputed])
    }

    @Test func oneAuditedDayLiftsTheLaterOnes() throws {
        let made = try TestHouse.producing([24_000, 12_000, 4_800, 24_000, 0, 24_000, 24_000], cadence: week)
        let judged = try verdict(made, statements: [TestHouse.statement(.auditor, 1, 12_000)])
        #expect(judged.days.map(\.outcome) == [.pending] + [DayOutcome](repeating: .verified, count: 6))
        #expect(!judged.isSettled)
        let first = try verdict(made, statements: [TestHouse.statement(.auditor, 0, 24_000)])
        #expect(first.settledThrough == anchor + week)
        #expect(first.verifiedWattHours == 24_000 + 12_000 + 4_800 + 24_000 + 24_000 + 24_000)
        #expect(first.lifts.map(\.day) == [anchor])
    }

    @Test func aLiftEndsAfterItsTime() throws {
        for (duration, outcome) in [(day, DayOutcome.verified), (day - 1, .pending)] {
            let made = try TestHouse.producing([24_000, 24_000], cadence: 2 * day) { $0.with(liftDuration: duration) }
            let judged = try verdict(made, statements: [TestHouse.statement(.auditor, 0, 24_000)])
            #expect(judged.days.map(\.outcome) == [.verified, outcome])
        }
    }

    @Test func aPendingDayInTheMiddleHoldsTheRest() throws {
        let made = try TestHouse.producing([24_000, 24_000, 24_000], cadence: 3 * day)
        // 2 % off: beyond three times the tolerance, base ½, disputed.
        let statements = [
            TestHouse.statement(.auditor, 0, 24_000), TestHouse.statement(.auditor, 1, 24_480),
            TestHouse.statement(.auditor, 2, 24_000),
        ]
        let judged = try verdict(made, statements: statements)
        #expect(judged.days.map(\.outcome) == [.verified, .disputed, .verified])
        #expect(judged.days.map(\.base) == [1_000_000, 500_000, 1_000_000])
        #expect(judged.settledThrough == anchor + day)
        #expect(judged.verifiedWattHours == 24_000)
        #expect(judged.openings.map(\.time) == [UTCInstant](repeating: anchor + day, count: judged.openings.count))
    }

    @Test func waitingDaysSettleWithTheNextWindow() throws {
        let made = try TestHouse.producing([24_000, 12_000, 24_000, 2_400])
        let admission = made.gateway.admitted()
        var standing = Standing()
        var total: Int64 = 0
        let review = Review(
            meteringPoint: id("serf-1"), day: anchor + day, isAccepted: true, reason: "", issuedAt: anchor + 4 * day)
        for index in 0..<4 as Range<Int64> {
            // The second day's grid operator is 1.2 % off: base 0.65, lifted by the auditor but disputed without …
            let statements = [
                TestHouse.statement(.auditor, 0, 24_000), TestHouse.statement(.gridOperator, 1, 12_104, resolution: 1),
            ]
            let result = made.house.compute(
                index, admission, standing, statements: statements, reviews: index == 3 ? [review] : [])
            let judged = try #require(result.outcome.verdicts.first)
            total += judged.verifiedWattHours
            let expected: Int64 = [1, 1, 1, 4][Int(index)]
            #expect(judged.settledThrough == anchor + expected * day, "window \(index)")
            standing.settle(result.outcome.output)
            standing.settle(result.outcome.output)
        }
        #expect(total == 24_000 + 12_000 + 24_000 + 2_400)
    }

    @Test(
        arguments: [
            // Check meter against 24 000 Wh, tolerance 4 %: at it, beyond it, twice it, three times it.
            ([24_000], FindingKind.checkMeter, false, 1_000_000), ([25_000], .checkMeter, false, 1_000_000),
            ([25_008], .checkMeter, true, 998_081), ([26_086], .checkMeter, true, 750_212),
            ([30_000], .checkMeter, true, 500_000),
        ] as [([Int64], FindingKind, Bool, Int64)])
    func checkMeter(checked: [Int64], kind: FindingKind, isFound: Bool, base: Int64) throws {
        let made = try TestHouse.producing([24_000], checked: checked)
        let judged = try verdict(made, statements: [TestHouse.statement(.auditor, 0, 24_000)])
        let today = try #require(judged.days.first)
        #expect(today.findings.contains { $0.kind == kind } == isFound)
        #expect(today.base == base)
        #expect(today.skipped == [.satelliteLow])
    }

    @Test func satelliteOnlyLowers() throws {
        let made = try TestHouse.producing([24_000])
        let audited = TestHouse.statement(.auditor, 0, 24_000)
        let low = try verdict(made, statements: [audited, TestHouse.statement(.satellite, 0, 60_000, resolution: 1)])
        #expect(low.days.map(\.satellite) == [300_000])
        #expect(low.days.map(\.confidence) == [860_000])
        #expect(low.days.first?.findings.map(\.kind) == [.satelliteLow])
        let fine = try verdict(made, statements: [audited, TestHouse.statement(.satellite, 0, 32_000, resolution: 1)])
        #expect(fine.days.map(\.confidence) == [1_000_000])
    }

    @Test func ofTwoStatementsTheFirstCounts() throws {
        let made = try TestHouse.producing([24_000])
        let first = TestHouse.statement(.auditor, 0, 24_000)
        let second = SourceStatement(
            source: .auditor, meteringPoint: id("serf-1"), from: anchor, to: anchor + day, wattHours: 1,
            resolutionWattHours: 1, inputs: [], issuedAt: first.issuedAt + 1, method: "")
        #expect(try verdict(made, statements: [second, first]).days.map(\.outcome) == [.verified])
    }

    @Test func aProfileThatIsNotBillingGradeBlocks() throws {
        let made = try TestHouse.producing([24_000], manifest: { $0.with(billingGrade: []) })
        let judged = try verdict(made, statements: [TestHouse.statement(.auditor, 0, 24_000)])
        #expect(judged.days.map(\.grade) == [.blocked])
        #expect(judged.days.first?.findings == [Finding(.notBillingGrade, count: 25, text: "main")])
        let review = Review(meteringPoint: id("serf-1"), day: anchor, isAccepted: true, reason: "", issuedAt: anchor)
        #expect(try verdict(made, reviews: [review]).days.map(\.outcome) == [.disputed])
    }

    /// In a real house a listed profile must also be sound; in a replay the list alone decides.
    @Test(arguments: [
        (UInt64(1), ProfileLevel.driver, false, true), (0, .driver, false, false), (0, .document, false, true),
        (0, .document, true, false), (0, .hardware, false, true), (1, .driver, true, true),
    ])
    func aRealHouseAsksMoreOfAProfile(
        mode: UInt64, level: ProfileLevel, isContradictory: Bool, isGraded: Bool
    ) throws {
        var profile = TestProfiles.revenue
        profile.level = level
        if isContradictory { profile.contradictions = ["the unit"] }
        let made = try TestHouse.producing([24_000], manifest: { $0.with(billingGrade: [profile.digest]) })
        var inputs = made.house.compute(0, made.gateway.admitted(), Standing()).inputs
        let header = inputs.header
        inputs.header = WindowHeader(
            window: header.window, start: header.start, end: header.end, tenant: header.tenant, asset: header.asset,
            mode: mode)
        inputs.profiles = [try #require(ProfileInput(digest: profile.digest, bytes: profile.encoded()))]
        inputs.reads = inputs.reads.map { read in
            ReadInput(
                meter: read.meter, profile: profile.digest, function: read.function, address: read.address,
                count: read.count, interval: read.interval, chain: read.chain, model: read.model, serial: read.serial,
                firmware: read.firmware, birth: read.birth, index: read.index)
        }
        inputs.commissionings = inputs.commissionings.map {
            CommissioningInput(
                meter: $0.meter, time: $0.time, record: $0.record, serial: $0.serial, profile: profile.digest)
        }
        let findings = computeWindow(inputs).outcome.verdicts.first?.days.first?.findings ?? []
        #expect(findings.contains { $0.kind == .notBillingGrade } == !isGraded, "\(findings)")
    }

    @Test func exportMinusImportCanBeADebt() throws {
        let made = try TestHouse.producing([2_400], imported: [4_800], direction: .exportMinusImport)
        let audited = [TestHouse.statement(.auditor, 0, 2_400)]
        let (_, outcome, _) = made.house.compute(0, made.gateway.admitted(), Standing(), statements: audited)
        #expect(outcome.verdicts.map(\.verifiedWattHours) == [-2_400])
        #expect(outcome.output.allocations.map(\.amount) == [.zero, .zero])
        #expect(outcome.output.carries.map(\.numerator) == [-2_400_000])
    }

    @Test func aGlitchWarnsAndAResetBlocks() throws {
        let audited = [TestHouse.statement(.auditor, 0, 24_000)]
        let glitch = try TestHouse.producing([24_000], change: { _, hour, count in hour == 12 ? 0 : count })
        let warned = try verdict(glitch, statements: audited)
        #expect(warned.days.map(\.grade) == [.warned])
        #expect(warned.days.first?.findings == [Finding(.zeroGlitch, count: 1, text: "main")])
        #expect(warned.verifiedWattHours == 24_000)
        let reset = try TestHouse.producing([24_000], change: { _, hour, count in hour >= 12 ? count - 2100 : count })
        let blocked = try verdict(reset, statements: audited)
        #expect(blocked.days.map(\.grade) == [.blocked])
        #expect(!blocked.isSettled)
    }

    @Test func aGapBeyondTheBridgeCosts() throws {
        // Hours 3 to 22 are missing: between the readings at 2 h and 23 h 84 intervals, 4 of them fresh after 2 h.
        let made = try TestHouse.producing([24_000], manifest: { $0.with(bridgeMax: 20 * hour) }) { _, hour, count in
            (3...22).contains(hour) ? nil : count
        }
        let judged = try verdict(made, statements: [TestHouse.statement(.auditor, 0, 24_000)])
        #expect(judged.days.first?.findings.map(\.kind) == [.gap])
        #expect(judged.days.map(\.grade) == [.incomplete])
        #expect(judged.days.map(\.outcome) == [.disputed])
        #expect(judged.days.first?.skipped == [.energyPower, .satelliteLow])
        let bridged = try TestHouse.producing([24_000], manifest: { $0.with(bridgeMax: 21 * hour) }) { _, hour, count in
            (3...22).contains(hour) ? nil : count
        }
        #expect(
            try verdict(bridged, statements: [TestHouse.statement(.auditor, 0, 24_000)]).verifiedWattHours == 24_000)
    }

    @Test func energyThatPowerDoesNotShow() throws {
        // The register runs 20 % ahead of power from noon on; the auditor agrees with the register.
        let made = try TestHouse.producing([24_000], change: { _, hour, count in hour > 12 ? count + 500 : count })
        let judged = try verdict(made, statements: [TestHouse.statement(.auditor, 0, 29_000)])
        #expect(judged.days.first?.findings.map(\.kind) == [.energyPower, .checkMeter])
        #expect(judged.days.map(\.grade) == [.warned])
    }

    @Test func anotherSerialStandsThereAndCountsForNothing() throws {
        let house = try TestHouse()
        var gateway = TestGateway()
        gateway.bear(interval: 3_600_000, serials: ("another", "serial-check"), isCommissioned: false)
        gateway.commission(1, at: anchor, serial: "serial-main")
        var state = TestCounters()
        gateway.open(state)
        gateway.produce([24_000], state: &state)
        let (inputs, outcome, _) = house.compute(0, gateway.admitted(), Standing())
        #expect(inputs.reads.map(\.meter) == [id("check"), id("main")])
        let today = try #require(outcome.verdicts.first?.days.first)
        #expect(today.exported == nil)
        #expect(today.grade == .blocked)
        #expect(today.findings.map(\.kind) == [.gap, .identity])
        #expect(today.findings.last == Finding(.identity, count: 25, text: "main"))
        #expect(today.skipped == [.energyPower, .checkMeter, .satelliteLow])
    }

    @Test func aTranscriptThatSneaksAnotherSerialInIsBlocked() throws {
        let made = try TestHouse.producing([24_000])
        var inputs = made.house.compute(0, made.gateway.admitted(), Standing()).inputs
        let read = try #require(inputs.reads.last)
        #expect(read.meter == id("main"))
        inputs.reads[inputs.reads.count - 1] = ReadInput(
            meter: read.meter, profile: read.profile, function: 3, address: 0, count: 10, interval: read.interval,
            chain: [],
            model: read.model, serial: "another", firmware: read.firmware, birth: read.birth, index: read.index)
        let judged = computeWindow(inputs).outcome.verdicts.first?.days.first
        #expect(judged?.findings.last == Finding(.identity, count: 25, text: "main"))
        #expect(judged?.grade == .blocked)
    }
}

extension Manifest {
    /// This manifest with some parameters changed.
    func with(
        liftDuration: Int64? = nil, bridgeMax: Int64? = nil, billingGrade: [Digest]? = nil, verifiedFrom: Int64? = nil,
        reviewFrom: Int64? = nil
    ) -> Manifest {
        Manifest(
            number: number, effectiveFrom: effectiveFrom, cadence: cadence, grace: grace, rate: rate,
            verifiedFrom: verifiedFrom ?? self.verifiedFrom, reviewFrom: reviewFrom ?? self.reviewFrom,
            liftDuration: liftDuration ?? self.liftDuration, bridgeMax: bridgeMax ?? self.bridgeMax,
            billingGrade: billingGrade ?? self.billingGrade)
    }
}
