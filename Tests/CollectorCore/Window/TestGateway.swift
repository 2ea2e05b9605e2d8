// A gateway for tests: writes the records of one stream, with a clock that can lose its synchronisation.

import CollectorCore
import Evidence
import Metering
import Proofs
import Quantities

/// Makes birth and readings records of one stream. Uptime 0 is `bornAt`.
struct TestGateway {
    let gateway: Identifier
    let stream: StreamID
    var boot: [UInt8]
    var bornAt: UTCInstant
    private(set) var sequence: UInt64 = 0
    private(set) var records: [StoredRecord] = []

    init(_ gateway: String = "gw-1", stream: UInt8 = 1, bornAt: UTCInstant = anchor) {
        self.gateway = id(gateway)
        self.stream = StreamID([UInt8](repeating: stream, count: 8))!
        boot = [UInt8](repeating: stream, count: 16)
        self.bornAt = bornAt
    }

    /// As the latest birth has them.
    private var meters: [Birth.Meter] = []

    /// Reads 1 (the revenue meter's first ten registers) and 2 (the check meter's first two), each `interval` ms.
    mutating func bear(
        meters: (main: String, check: String) = ("main", "check"), main: Profile = TestProfiles.revenue,
        check: Profile = TestProfiles.inverter, model: String = "one", firmware: String = "1",
        interval: UInt64 = 60_000, serials: (String, String)? = nil, at time: UTCInstant? = nil,
        isCommissioned: Bool = true, mainRegisters: UInt64? = nil
    ) {
        let serials = serials ?? ("serial-\(meters.main)", "serial-\(meters.check)")
        let birth = Birth(
            agentVersion: "test", predecessor: nil,
            meters: [
                meter(1, meters.main, main, serials.0, model, firmware), meter(2, meters.check, check, serials.1),
            ],
            reads: [
                read(1, meter: 1, main, interval, count: mainRegisters), read(2, meter: 2, check, interval),
            ], replay: (anchor, 3600))
        let isFirst = sequence == 0
        add(.birth(birth), at: time ?? bornAt)
        self.meters = birth.meters
        if isFirst, isCommissioned { for index in [1, 2] as [UInt64] { commission(index, at: time ?? bornAt) } }
    }

    /// A person stands before the meter with this index and finds serial and register as the agent reads them.
    mutating func commission(
        _ index: UInt64, at time: UTCInstant, serial: String? = nil, profile: Digest? = nil, accepted: String? = nil,
        sync: Int = 2
    ) {
        guard let meter = meters.first(where: { $0.index == index }) else { return }
        let uptime = UInt64(time - bornAt)
        let read = RegisterSeen.Read(wattHours: 1, uptime: uptime, function: 3, address: 0, words: [0, 1])
        let told = Commissioning(
            meter: index, serialTyped: serial ?? meter.serial,
            registers: [RegisterSeen(obis: "1-0:2.8.0", typedWattHours: 1, read: read)],
            by: Signatory(user: "ann", name: "Ann"), profile: profile ?? meter.profileDigest,
            serialRead: serial ?? meter.serial, accepted: accepted)
        add(.note(told.note(uptime: uptime)), at: time, sync: sync)
    }

    private func meter(
        _ index: UInt64, _ name: String, _ profile: Profile, _ serial: String, _ model: String = "one",
        _ firmware: String = "1"
    ) -> Birth.Meter {
        Birth.Meter(
            index: index, id: id(name), profileName: profile.name, profileDigest: profile.digest, model: model,
            serial: serial, firmware: firmware, unit: index, endpoint: "tcp://localhost:502")
    }

    private func read(
        _ index: UInt64, meter: UInt64, _ profile: Profile, _ interval: UInt64, count: UInt64? = nil
    ) -> Birth.Read {
        let count: UInt64 = count ?? (profile == TestProfiles.revenue ? 10 : profile == TestProfiles.inverter ? 2 : 1)
        return Birth.Read(
            index: index, meter: meter, function: 3, address: 0, count: count, intervalMilliseconds: interval)
    }

    /// One readings record made at the last sample's time, complete through it.
    ///
    /// - Parameter samples: (time, read, words); nil words are a timeout.
    mutating func add(
        _ samples: [(time: UTCInstant, read: UInt64, words: [UInt8]?)], sync: Int = 2,
        completeThrough: UTCInstant? = nil
    ) {
        guard let first = samples.map(\.time).min(), let last = samples.map(\.time).max() else { return }
        let list = samples.map {
            Readings.Sample(
                read: $0.read, dt: UInt64($0.time - first), took: 5, status: $0.words == nil ? SampleStatus.timeout : 0,
                words: $0.words ?? [])
        }.sorted { ($0.dt, $0.read) < ($1.dt, $1.read) }
        add(
            .readings(Readings(base: UInt64(first - bornAt), samples: list)), at: last, sync: sync,
            completeThrough: completeThrough)
    }

    mutating func add(_ body: RecordBody, at time: UTCInstant, sync: Int = 2, completeThrough: UTCInstant? = nil) {
        sequence += 1
        let previous = records.last?.identity ?? .zero
        let record = Record(
            place: RecordPlace(gateway: gateway, stream: stream, sequence: sequence, previous: previous),
            clock: RecordClock(
                sync: sync, errorMilliseconds: 1, boot: boot, uptimeMilliseconds: UInt64(time - bornAt),
                utc: sync == 2 ? time : UTCInstant(milliseconds: 0)),
            completeThrough: UInt64((completeThrough ?? time) - bornAt), body: body)
        records.append(StoredRecord(record: record, identity: Digest(of: record.encoded), receivedAt: time + 100))
    }

    /// Everything written so far, admitted.
    func admitted(into admission: Admission = Admission()) -> Admission {
        var admission = admission
        for record in records { _ = admission.admit(record, clockError: 1000) }
        return admission
    }
}

/// Register words of the test profiles.
enum Words {
    static func revenue(imported: UInt64 = 0, exported: UInt64, power: Int32 = 0) -> [UInt8] {
        bigEndian(imported, 8) + bigEndian(exported, 8) + bigEndian(UInt64(UInt32(bitPattern: power)), 4)
    }

    static func inverter(_ count: UInt64) -> [UInt8] { bigEndian(count, 4) }
    static func small(_ count: UInt64) -> [UInt8] { bigEndian(count, 2) }

    private static func bigEndian(_ value: UInt64, _ count: Int) -> [UInt8] {
        (0..<count).reversed().map { UInt8(truncatingIfNeeded: value >> (8 * UInt64($0))) }
    }
}
