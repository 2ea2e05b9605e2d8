// What gives a revenue meter's readings their grade and what takes it: whole windows around commissionings, changed and
// doubled devices. Days of 24 000 Wh unless said, hourly readings.

import CollectorCore
import Evidence
import Metering
import Proofs
import Quantities
import Testing

struct CommissioningRuleTests {
    /// A gateway that has opened, not commissioned.
    private func gateway(serial: String = "serial-main") -> TestGateway {
        var gateway = TestGateway()
        gateway.bear(interval: 3_600_000, serials: (serial, "serial-check"), isCommissioned: false)
        return gateway
    }

    /// Hours `from` + 1 … `to` after the anchor at 1 000 Wh an hour; at a whole hour 0 the opening too.
    private func produce(
        _ gateway: inout TestGateway, _ hours: ClosedRange<Int64>, startingAt base: UInt64 = 0, isOn: Bool = true
    ) {
        for number in hours {
            let exported = base + UInt64(number) * 1000
            gateway.add([
                (anchor + number * hour, 1, Words.revenue(exported: exported / 10, power: -100_000)),
                (anchor + number * hour, 2, Words.inverter(5000 + UInt64(number) * 1000)),
            ])
        }
    }

    private func verdict(
        _ house: TestHouse, _ index: Int64, _ admission: Admission, _ standing: inout Standing, reviewed: [Int64] = [],
        audited: [Int64] = [0]
    ) throws -> EntityVerdict {
        let made = house.compute(
            index, admission, standing,
            statements: audited.map { TestHouse.statement(.auditor, $0, 24_000) },
            reviews: reviewed.map {
                Review(
                    meteringPoint: id("serf-1"), day: anchor + $0 * day, isAccepted: true, reason: "", issuedAt: anchor)
            })
        let segments = made.transcript.segments.filter { $0.reference.kind == .inputs }.map(\.bytes)
        #expect(try replay(segments: segments) == made.outcome)
        let read = try WindowOutput(decoding: made.outcome.outputBytes)
        #expect(read.commissioned == made.outcome.output.commissioned)
        standing.settle(made.outcome.output)
        return try #require(made.outcome.verdicts.first)
    }

    private func kinds(_ day: DayVerdict?) -> [FindingKind] { day?.findings.map(\.kind) ?? [] }

    @Test func nothingSettlesBeforeTheCommissioningAndWhatCameBeforeNeverDoes() throws {
        let house = try TestHouse()
        var gateway = gateway()
        produce(&gateway, 0...24)
        var standing = Standing()
        let before = try verdict(house, 0, gateway.admitted(), &standing)
        #expect(before.days.map(\.grade) == [.blocked])
        #expect(before.days.first?.findings.last == Finding(.notCommissioned, count: 25, text: "main"))
        #expect(!before.isSettled && before.commissioned.isEmpty)
        // At 6:30 of the second day somebody comes.
        produce(&gateway, 25...30)
        gateway.commission(1, at: anchor + 30 * hour + hour / 2)
        produce(&gateway, 31...48)
        let waiting = try verdict(house, 1, gateway.admitted(), &standing, audited: [])
        #expect(waiting.days.map(\.outcome) == [.verified, .pending])
        // The first day is over: nothing counts, and that is certain.
        #expect(waiting.days.first?.exported == 0)
        #expect(waiting.days.first?.findings == [Finding(.beforeCommissioning, count: 25, text: "main")])
        #expect(waiting.verifiedWattHours == 0 && waiting.settledThrough == anchor + day)
        #expect(waiting.commissioned.isEmpty && waiting.openings.allSatisfy { $0.key.meter == id("check") })
        // The second is a part of a day: no source speaks of it, a person does. 7:00 … 24:00 counts.
        produce(&gateway, 49...72)
        let settled = try verdict(house, 2, gateway.admitted(), &standing, reviewed: [1], audited: [])
        #expect(settled.days.map(\.outcome) == [.verified, .pending])
        #expect(settled.days.first?.exported == 17_000)
        #expect(settled.days.first?.sources == [])
        // Of 70 quarters of an hour from 6:30 on the first two have no count.
        #expect(settled.days.first?.coverage == 971_428)
        #expect(settled.days.last?.exported == 24_000)
        #expect(settled.commissioned.map(\.commissioning.time) == [anchor + 30 * hour + hour / 2])
        #expect(settled.commissioned.first?.texts.map(\.text) == ["one", "1"])
        #expect(settled.verifiedWattHours == 17_000)
    }

    /// An exchange in the second day at 10:10 … 10:20: what both meters counted settles, whatever the new one shows.
    @Test(arguments: [(UInt64(7_000_000), true), (0, true), (7_000_000, false)])
    func anExchangeNeedsRegistrationAndCommissioning(shows: UInt64, isRegistered: Bool) throws {
        var house = try TestHouse()
        var gateway = gateway()
        gateway.commission(1, at: anchor)
        produce(&gateway, 0...34)
        let exchanged = anchor + 34 * hour + 600_000
        gateway.bear(interval: 3_600_000, serials: ("new", "serial-check"), at: exchanged)
        produce(&gateway, 35...35, startingAt: shows)
        gateway.commission(1, at: anchor + 35 * hour + 1)
        produce(&gateway, 36...48, startingAt: shows)
        let admission = gateway.admitted()
        var standing = Standing()
        #expect(try verdict(house, 0, admission, &standing).verifiedWattHours == 24_000)
        let open = try verdict(house, 1, admission, &standing)
        #expect(open.days.first?.findings.contains(Finding(.identity, count: 14, text: "main")) == true)
        #expect(open.days.map(\.grade) == [.blocked] && !open.isSettled)
        if isRegistered {
            try house.register(
                .meter(
                    Meter(
                        id: id("main"), vendor: "ABB", model: "B23", serial: "new", gateway: id("gw-1"),
                        profileName: "test/revenue", meterClass: .midMeter)), number: 2, from: exchanged)
        }
        produce(&gateway, 49...72, startingAt: shows)
        let resolved = try verdict(house, 2, gateway.admitted(), &standing, reviewed: [1])
        if isRegistered {
            // 10 h of the old, 12 h of the new one, and a day of it. The reading between the two belongs to nobody.
            #expect(resolved.days.map(\.exported) == [22_000, 24_000])
            #expect(resolved.verifiedWattHours == 46_000)
            #expect(resolved.commissioned.map(\.commissioning.serial) == ["new"])
            #expect(
                resolved.openings.first { $0.key.quantity == .activeExport && $0.key.meter == id("main") }?.epoch == 2)
        } else {
            #expect(!resolved.isSettled)
            #expect(
                kinds(resolved.days.last).contains(.notCommissioned) || kinds(resolved.days.last).contains(.identity))
        }
    }

    /// What a birth may say that no commissioning said.
    private static let changes: [(name: String, model: String, firmware: String, profile: Profile, kind: FindingKind)] =
        [
            ("model", "two", "1", TestProfiles.revenue, .deviceChanged),
            ("firmware", "one", "2", TestProfiles.revenue, .deviceChanged),
            ("profile", "one", "1", renamed("test/revenue-2"), .deviceChanged),
        ]

    private static func renamed(_ name: String) -> Profile {
        var profile = TestProfiles.revenue
        profile.name = name
        return profile
    }

    @Test(arguments: 0..<3)
    func aChangeTakesTheGradeUntilSomebodyCommissions(number: Int) throws {
        let change = Self.changes[number]
        let graded = number == 2 ? [TestProfiles.revenue, change.profile] : [TestProfiles.revenue]
        let house = try TestHouse(profiles: graded, others: [change.profile])
        var gateway = gateway()
        gateway.commission(1, at: anchor)
        produce(&gateway, 0...30)
        gateway.bear(change.model, change.firmware, change.profile, at: anchor + 30 * hour + 1)
        produce(&gateway, 31...32)
        // It says again what it said before: that resolves nothing.
        gateway.bear("one", "1", TestProfiles.revenue, at: anchor + 32 * hour + 1)
        produce(&gateway, 33...48)
        var standing = Standing()
        #expect(try verdict(house, 0, gateway.admitted(), &standing).verifiedWattHours == 24_000)
        let taken = try verdict(house, 1, gateway.admitted(), &standing)
        let findings = try #require(taken.days.first?.findings)
        #expect(findings.contains(Finding(change.kind, count: 2, text: "main")), "\(findings)")
        #expect(findings.contains(Finding(.notCommissioned, count: 16, text: "main")), "\(findings)")
        #expect(!taken.isSettled)
        gateway.commission(1, at: anchor + 48 * hour)
        produce(&gateway, 49...72)
        let given = try verdict(house, 2, gateway.admitted(), &standing, reviewed: [1])
        // 6 h before it was seen; the day after it is whole again.
        #expect(given.days.map(\.exported) == [6_000, 24_000])
        #expect(given.verifiedWattHours == 30_000)
        #expect(kinds(given.days.first) == [.beforeCommissioning])
    }

    @Test func becomingKnownIsNoChange() throws {
        let house = try TestHouse()
        var gateway = gateway()
        gateway.bear("", "", TestProfiles.revenue, at: anchor)
        gateway.commission(1, at: anchor)
        produce(&gateway, 0...12)
        gateway.bear("one", "1", TestProfiles.revenue, at: anchor + 12 * hour + 1)
        produce(&gateway, 13...24)
        var standing = Standing()
        #expect(try verdict(house, 0, gateway.admitted(), &standing).verifiedWattHours == 24_000)
    }

    /// The mode stands in the upper word of the last two registers.
    @Test(
        arguments: [
            (Int32(7), Int32(7), nil), (7, 8, FindingKind.deviceChanged), (8, 8, .deviceUnfit), (8, 7, .deviceUnfit),
        ] as [(Int32, Int32, FindingKind?)])
    func aModeMustBeTheProfilesAndStay(morning: Int32, evening: Int32, kind: FindingKind?) throws {
        let house = try TestHouse(profiles: [TestProfiles.moded], others: [TestProfiles.moded])
        var gateway = gateway()
        gateway.bear("one", "1", TestProfiles.moded, at: anchor)
        gateway.commission(1, at: anchor)
        for number in 0...24 as ClosedRange<Int64> {
            gateway.add([
                (
                    anchor + number * hour, 1,
                    Words.revenue(exported: UInt64(number) * 100, power: (number < 12 ? morning : evening) << 16)
                ),
                (anchor + number * hour, 2, Words.inverter(5000 + UInt64(number) * 1000)),
            ])
        }
        var standing = Standing()
        let judged = try verdict(house, 0, gateway.admitted(), &standing)
        let found = kinds(judged.days.first).first { [.deviceChanged, .deviceUnfit].contains($0) }
        #expect(found == kind, "\(judged.days)")
        #expect(judged.isSettled == (kind == nil))
    }

    @Test func firmwareOutsideTheProfileIsUnfit() throws {
        let profile = TestProfiles.ranged
        for (firmware, isFit) in [("1.9", false), ("2.0", true), ("2.99", true), ("3", false)] {
            let house = try TestHouse(profiles: [profile], others: [profile])
            var gateway = gateway()
            gateway.bear("one", firmware, profile, at: anchor)
            gateway.commission(1, at: anchor)
            produce(&gateway, 0...24)
            var standing = Standing()
            let judged = try verdict(house, 0, gateway.admitted(), &standing)
            #expect(judged.isSettled == isFit, "\(firmware)")
            #expect(kinds(judged.days.first).contains(.deviceUnfit) == !isFit)
        }
    }

    @Test func aProfileOfAnotherNameIsUnfit() throws {
        for (name, isFit) in [("test/revenue-2", true), ("test/revenues", false), ("test/reven", false)] {
            let profile = Self.renamed(name)
            let house = try TestHouse(profiles: [profile], others: [profile])
            var gateway = gateway()
            gateway.bear("one", "1", profile, at: anchor)
            gateway.commission(1, at: anchor)
            produce(&gateway, 0...24)
            var standing = Standing()
            #expect(try verdict(house, 0, gateway.admitted(), &standing).isSettled == isFit, "\(name)")
        }
    }

    /// (gateway of the other meter, its id, its model): two meters of one gateway, or of two.
    @Test(arguments: [("gw-1", "twin", "one", true), ("gw-2", "main", "one", true), ("gw-2", "twin", "other", false)])
    func aSerialTwiceTakesTheGrade(other: String, meter: String, model: String, isTaken: Bool) throws {
        let house = try TestHouse()
        var gateway = gateway()
        gateway.commission(1, at: anchor)
        produce(&gateway, 0...12)
        var twin = TestGateway(other, stream: 2)
        twin.bear(meters: (meter, "unheard"), model: model, serials: ("serial-main", "x"), isCommissioned: false)
        if other == "gw-1" {
            gateway.bear(meters: ("main", meter), serials: ("serial-main", "serial-main"), at: anchor + 12 * hour + 1)
            gateway.bear(interval: 3_600_000, at: anchor + 12 * hour + 2)
        }
        produce(&gateway, 13...24)
        // Told before the commissioning nothing is taken.
        let early = house.compute(
            0, other == "gw-1" ? gateway.admitted() : twin.admitted(into: gateway.admitted()), Standing())
        let earlyKinds = kinds(early.outcome.verdicts.first?.days.first)
        if other != "gw-1" { #expect(!earlyKinds.contains(.serialTwice)) }
        var late = TestGateway(other, stream: 3)
        late.bear(
            meters: (meter, "unheard"), model: model, serials: ("serial-main", "x"), at: anchor + 12 * hour + 1,
            isCommissioned: false)
        let admission = other == "gw-1" ? gateway.admitted() : late.admitted(into: gateway.admitted())
        var standing = Standing()
        let taken = try verdict(house, 0, admission, &standing)
        #expect(kinds(taken.days.first).contains(.serialTwice) == isTaken, "\(taken.days)")
        #expect(taken.isSettled == !isTaken)
        guard isTaken else { return }
        gateway.commission(1, at: anchor + 24 * hour)
        produce(&gateway, 25...48)
        let again = other == "gw-1" ? gateway.admitted() : late.admitted(into: gateway.admitted())
        let given = try verdict(house, 1, again, &standing, reviewed: [0], audited: [1])
        #expect(given.days.map(\.exported) == [12_000, 24_000])
    }

    /// Notes that commission nothing.
    @Test(arguments: ["serial", "accepted", "profile", "boot", "held"])
    func whatCommissionsNothing(why: String) throws {
        let house = try TestHouse()
        var gateway = gateway()
        switch why {
        case "serial": gateway.commission(1, at: anchor, serial: "mistyped")
        case "accepted": gateway.commission(1, at: anchor, accepted: "the display shows something else")
        case "profile": gateway.commission(1, at: anchor, profile: TestProfiles.small.digest)
        case "boot":
            gateway.boot = [UInt8](repeating: 9, count: 16)
            gateway.commission(1, at: anchor, sync: 1)
            gateway.boot = [UInt8](repeating: 8, count: 16)
        default: gateway.commission(1, at: anchor)
        }
        produce(&gateway, 0...24)
        let inputs = WindowInputs(
            cutting: house.grid.window(0)!, registry: house.registry, standing: Standing(),
            admission: gateway.admitted(),
            sources: CutSources(
                profiles: [TestProfiles.revenue.digest: TestProfiles.revenue.encoded()], statements: [], reviews: [],
                isHeld: { _, _, sequence in why == "held" && sequence == 2 }))
        let judged = computeWindow(inputs).outcome.verdicts.first
        #expect(judged?.days.map(\.grade) == [.blocked])
        #expect(judged?.days.first?.exported == nil)
        #expect(inputs.commissionings.isEmpty == ["accepted", "boot", "held"].contains(why))
    }

    /// A commissioning that becomes known late begins where the settled ends; what was settled stays.
    @Test func nothingSettledIsJudgedAgain() throws {
        let house = try TestHouse()
        var gateway = gateway()
        gateway.commission(1, at: anchor)
        produce(&gateway, 0...24)
        var standing = Standing()
        let first = try verdict(house, 0, gateway.admitted(), &standing)
        #expect(first.verifiedWattHours == 24_000)
        gateway.commission(1, at: anchor + 12 * hour)
        var other = TestGateway("gw-2", stream: 2)
        other.bear(
            meters: ("twin", "x"), serials: ("serial-main", "y"), at: anchor + 11 * hour, isCommissioned: false)
        produce(&gateway, 25...48)
        let second = try verdict(house, 1, other.admitted(into: gateway.admitted()), &standing, reviewed: [1])
        #expect(second.days.map(\.exported) == [23_000])
        #expect(second.commissioned.map(\.commissioning.time) == [anchor + 12 * hour])
        #expect(second.openings.first { $0.key.quantity == .activeExport && $0.key.meter == id("main") }?.epoch == 2)
    }

    @Test func aRegistrationOfAnotherSerialBlocksUntilTheMeterIsCommissionedAgain() throws {
        var house = try TestHouse()
        var gateway = gateway()
        gateway.commission(1, at: anchor)
        produce(&gateway, 0...48)
        var standing = Standing()
        #expect(try verdict(house, 0, gateway.admitted(), &standing).isSettled)
        try house.register(
            .meter(
                Meter(
                    id: id("main"), vendor: "ABB", model: "B23", serial: "new", gateway: id("gw-1"),
                    profileName: "test/revenue", meterClass: .midMeter)), number: 2, from: anchor + day)
        let judged = try verdict(house, 1, gateway.admitted(), &standing)
        #expect(judged.days.first?.findings.contains(Finding(.identity, count: 24, text: "main")) == true)
    }

    /// A check meter's serial must be the registered one; otherwise it is heard, said and not believed.
    @Test func aForeignCheckMeterIsNoSource() throws {
        let house = try TestHouse()
        var gateway = TestGateway()
        gateway.bear(interval: 3_600_000, serials: ("serial-main", "foreign"))
        produce(&gateway, 0...24)
        var standing = Standing()
        let judged = try verdict(house, 0, gateway.admitted(), &standing)
        #expect(judged.days.first?.findings == [Finding(.identity, count: 25, text: "check")])
        #expect(judged.days.first?.sources.map(\.source) == [.auditor])
        #expect(judged.isSettled)
    }
}

extension TestGateway {
    /// Another birth of `main` and `check`, which says this of `main`.
    fileprivate mutating func bear(_ model: String, _ firmware: String, _ profile: Profile, at time: UTCInstant) {
        bear(
            main: profile, model: model, firmware: firmware, interval: 3_600_000, at: time, isCommissioned: false,
            mainRegisters: 10)
    }
}
