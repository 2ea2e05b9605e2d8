// Records as the spool keeps them, turned into what the installation checks look at; and a meter that is wired wrong, found
// through them.

internal import AgentCore
@testable internal import AgentIO
internal import Evidence
internal import Keys
internal import Kit
internal import Metering
internal import Proofs
internal import Quantities
internal import Settings
internal import Testing

/// An SDM630 whose registers are given as floats by address, read once a minute.
private struct Recorded {
    let meter: ConfiguredMeter
    let plan: MeterPlan
    let key: PrivateKey

    init() throws {
        let profile = try Profile(
            try SettingsFile.load(path: Workplace.root + "/firmware-profiles/eastron/sdm630.yaml"))
        let wanted = ["1-0:1.8.0", "1-0:2.8.0", "1-0:16.7.0", "1-0:36.7.0", "1-0:56.7.0", "1-0:76.7.0", "1-0:14.7.0"]
        meter = ConfiguredMeter(
            index: 3, id: Identifier("m-1")!, profile: profile, unit: 7, endpoint: "rtu:x",
            quantities: wanted.compactMap { ObisCode($0) }, interval: 60_000, identityInterval: 3_600_000)
        plan = try MeterPlan(meter, chain: [])
        key = try PrivateKey.generate(.es256)
    }

    func record(_ number: UInt64, _ body: RecordBody, uptime: UInt64, sync: Int = 2) throws -> [UInt8] {
        let place = RecordPlace(
            gateway: Identifier("gw-1")!, stream: StreamID([1, 2, 3, 4, 5, 6, 7, 8])!, sequence: number,
            previous: Digest(of: []))
        let clock = RecordClock(
            sync: sync, errorMilliseconds: 1, boot: Array(0..<16), uptimeMilliseconds: uptime,
            utc: UTCInstant(milliseconds: 1_782_820_800_000 + Int64(uptime)))
        let record = Record(place: place, clock: clock, completeThrough: uptime, body: body)
        return try SignedMessage.signing(record.encoded, as: .record, with: key).encoded
    }

    func birth() throws -> [UInt8] {
        var register = MeterRegister([meter])
        register.planned(plan)
        return try record(1, .birth(register.birth(agentVersion: "1", predecessor: nil, replay: nil)), uptime: 0)
    }

    /// One round of every read but identity, the reads a little after each other.
    func round(_ number: UInt64, uptime: UInt64, _ values: [UInt16: Float], sync: Int = 2) throws -> [UInt8] {
        var samples: [Readings.Sample] = []
        for (place, read) in plan.reads.filter({ !$0.isIdentity }).enumerated() {
            let request = read.planned.request
            var words: [UInt8] = []
            for address in stride(from: request.address, to: request.address + request.count, by: 2) {
                let bits = (values[address] ?? 0).bitPattern
                words += (0..<4).map { UInt8(truncatingIfNeeded: bits >> (24 - 8 * $0)) }
            }
            samples.append(
                Readings.Sample(read: read.index, dt: UInt64(place) * 300, took: 20, status: 0, words: words))
        }
        return try record(
            number, .readings(Readings(base: uptime, samples: samples)), uptime: uptime + 2_000, sync: sync)
    }
}

struct RecentSeriesTests {
    private func values(power: Float, energy: Float, phases: [Float]) -> [UInt16: Float] {
        [0x34: power, 0x48: energy, 0x0C: phases[0], 0x0E: phases[1], 0x10: phases[2], 0x46: 50.02]
    }

    @Test func recordsBecomeRounds() throws {
        let recorded = try Recorded()
        var envelopes = [try recorded.birth()]
        for minute in 0..<10 {
            let energy = 100 + Float(minute) * 0.06
            envelopes.append(
                try recorded.round(
                    UInt64(minute) + 2, uptime: 60_000 + UInt64(minute) * 60_000,
                    values(power: 3_600 + Float(minute), energy: energy, phases: [1_200, 1_200, 1_200 + Float(minute)]))
            )
        }
        let series = RecentSeries(envelopes, [recorded.meter], roles: [recorded.meter.id: .production])
        let meter = try #require(series.meters.first)
        #expect(series.meters.count == 1 && meter.rounds.count == 10 && meter.unit == 7 && meter.role == .production)
        let reads = recorded.plan.reads.count { !$0.isIdentity }
        #expect(series.samples == 10 * reads)
        #expect(meter.rounds[1].values[.activePower] == 3_601_000)
        #expect(meter.rounds[1].values[.activeImport] == 100_060_000)
        #expect(meter.rounds[1].values[ObisCode("1-0:14.7.0")!] == 50_020)
        #expect(meter.rounds[1].instant - meter.rounds[0].instant == 60_000 && meter.rounds[0].hour != nil)
        // Energy and power agree, and so do the phases.
        let found = InstallationChecks.findings(series.meters).map(\.id)
        #expect(!found.contains(.energyPower) && !found.contains(.phasesSum), "\(found)")
    }

    @Test func aTurnedTransformerIsFoundInTheRecords() throws {
        let recorded = try Recorded()
        var envelopes = [try recorded.birth()]
        for minute in 0..<5 {
            let turned = values(
                power: 1_200 + Float(minute), energy: 100, phases: [1_200, -1_200, 1_200 + Float(minute)])
            envelopes.append(
                try recorded.round(UInt64(minute) + 2, uptime: UInt64(minute + 1) * 60_000, turned, sync: 1))
        }
        let series = RecentSeries(envelopes, [recorded.meter], roles: [:])
        let found = InstallationChecks.findings(series.meters)
        #expect(found.map(\.id).contains(.phasesSum), "\(found)")
        // A clock that is not synchronised says no hour.
        #expect(series.meters.first?.rounds.allSatisfy { $0.hour == nil } == true)
    }

    /// What is read each second is thinned; another profile's meter and rubbish are left out.
    @Test func onlyWhatIsKnownAndNotTooMuch() throws {
        let recorded = try Recorded()
        var envelopes = [try recorded.birth(), [0xFF], []]
        for second in 0..<100 {
            envelopes.append(
                try recorded.round(
                    UInt64(second) + 2, uptime: UInt64(second) * 1_000, values(power: 1, energy: 1, phases: [0, 0, 0])))
        }
        let series = RecentSeries(envelopes, [recorded.meter], roles: [:])
        #expect(series.meters.first?.rounds.count == 2)
        #expect(RecentSeries(envelopes, [], roles: [:]).meters.isEmpty)
        #expect(RecentSeries([], [recorded.meter], roles: [:]).meters.isEmpty)
    }
}
