// What a configuration costs: requests, time on the bus, bytes to send, flash to write, days in the spool. Computed from
// the plan and from records that are really encoded; what is assumed is said beside it.

internal import AgentCore
internal import Evidence
internal import Metering
internal import Proofs
internal import Quantities
package import Settings

package struct PlanFigures {
    /// Assumed of a device on a serial line beside the time of the bytes, real milliseconds.
    private static let answerMilliseconds: Int64 = 30
    /// Assumed of a network.
    private static let networkMilliseconds: Int64 = 10
    /// Beside the envelope: TCP, IP and TLS both ways, MQTT's PUBLISH and PUBACK, and the receipt.
    private static let wireBytes: Int64 = 420
    /// Of a row in the spool beside its envelope.
    private static let rowBytes: Int64 = 120

    private let settings: AgentSettings
    private let buses: [BusPlan]

    package init(_ settings: AgentSettings) throws(SettingsError) {
        self.settings = settings
        (_, buses) = try AgentParts.buses(settings)
    }

    package var lines: [String] {
        var lines: [String] = []
        for bus in buses { lines += Self.lines(bus) }
        return lines + totals
    }

    // MARK: Bus

    private static func lines(_ bus: BusPlan) -> [String] {
        var lines: [String] = []
        var load: Int64 = 0
        var requests: Int64 = 0
        for meter in bus.meters {
            guard let reads = reads(meter) else {
                lines.append(
                    "  \(meter.id), unit \(meter.unit), \(meter.profile.name): known when its SunSpec models are")
                continue
            }
            var millionths: Int64 = 0
            for read in reads {
                millionths += microseconds(read, meter, bus.endpoint) * 1_000 / read.interval
            }
            let minute = reads.reduce(0) { $0 + 60_000_000 / $1.interval }
            load += millionths
            requests += minute
            let values = reads.count { !$0.isIdentity }
            lines.append(
                "  \(meter.id), unit \(meter.unit), \(meter.profile.name): \(values) requests every "
                    + "\(SettingsValue.duration(meter.interval)) and \(reads.count - values) for identity every "
                    + "\(SettingsValue.duration(meter.identityInterval)), \(percent(millionths)) of the bus")
        }
        let verdict =
            load >= 1_000_000
            ? ": TOO MUCH, raise `interval` or split the bus" : load > 700_000 ? ": little room for retries" : ""
        return ["bus \(bus.endpoint.text): \(thousandths(requests)) requests a minute, \(percent(load)) busy\(verdict)"]
            + lines
    }

    /// Nil for a SunSpec device: its requests follow from where its models are.
    private static func reads(_ meter: ConfiguredMeter) -> [MeterPlan.Read]? {
        guard meter.profile.sunSpec == nil else { return nil }
        do { return try MeterPlan(meter, chain: []).reads } catch { return nil }  // `config check` says why.
    }

    /// Request, gaps, the device's time, answer, pause.
    private static func microseconds(_ read: MeterPlan.Read, _ meter: ConfiguredMeter, _ endpoint: BusEndpoint) -> Int64
    {
        let pause = Int64(meter.profile.limits.pauseMilliseconds) * 1_000
        let characters = 8 + 5 + 2 * Int64(read.planned.request.count)
        let line: SerialLine
        switch endpoint {
        case .tcp: return pause + networkMilliseconds * 1_000
        case .rtu(let own): line = own
        case .rtuOverTCP: line = SerialLine(device: "", baud: 9_600)
        }
        return pause + answerMilliseconds * 1_000 + (characters * line.characterNanoseconds + 2 * line.gapNanoseconds)
            / 1_000
    }

    private static func percent(_ millionths: Int64) -> String { "\(millionths / 10_000).\(millionths / 1_000 % 10) %" }
    private static func thousandths(_ value: Int64) -> String {
        value % 1_000 == 0 ? "\(value / 1_000)" : "\(value / 1_000).\(value / 100 % 10)"
    }

    // MARK: Totals

    /// Bytes to send, with what goes around them.
    var bytesADay: Int64 { Self.uplink(day) }

    private static func uplink(_ day: (records: Int64, bytes: Int64)) -> Int64 { day.bytes + day.records * wireBytes }

    private var totals: [String] {
        let day = self.day
        let uplink = Self.uplink(day) * 30
        let written = Spool.writtenBytes(envelope: day.bytes / max(1, day.records))
        // What the agent remembers now and then takes a block of its own at most.
        let remembered = 86_400_000 / settings.commit / Int64(Keeper.keepEvery) * Spool.blockBytes
        let flash = day.records * written + remembered
        let stored = max(1, day.bytes + day.records * Self.rowBytes)
        let room = Int64(settings.spool.bytesMax) / 10 * 9
        let mebibytes = settings.spool.bytesMax / 1_048_576
        let commit = SettingsValue.duration(settings.commit)
        return [
            "records    \(day.records) a day of \(day.bytes / max(1, day.records)) bytes, encoded as they would be signed",
            "uplink     \(Self.megabytes(uplink)) MB a month: records, and \(Self.wireBytes) bytes each for MQTT, TLS, "
                + "TCP and receipts",
            "flash      \(Self.megabytes(flash)) MB a day: each record twice, in whole blocks into the log and then into the "
                + "table, \(written) bytes a commit, `commit` \(commit)",
            "spool      \(room / stored) days without the collector until readings go: nine tenths of \(mebibytes) MiB",
            "assumed    a device answers within \(Self.answerMilliseconds) ms on a line and "
                + "\(Self.networkMilliseconds) ms on a network; a SunSpec device has two reads of 60 registers",
        ]
    }

    private static func megabytes(_ bytes: Int64) -> String { "\(bytes / 1_000_000).\(bytes / 100_000 % 10)" }

    /// Records and envelope bytes of a day: two hours of commits are encoded, with every read where it is due.
    private var day: (records: Int64, bytes: Int64) {
        let span: Int64 = 7_200_000
        var due: [Int64: [Readings.Sample]] = [:]
        for (number, read) in reads.enumerated() {
            for instant in stride(from: 0, to: span, by: Int64.Stride(read.interval)) {
                let words = [UInt8](repeating: 0x5A, count: 2 * read.registers)
                due[instant / settings.commit, default: []].append(
                    Readings.Sample(
                        read: UInt64(number + 1), dt: UInt64(instant % settings.commit), took: 20, status: 0,
                        words: words))
            }
        }
        let bytes = due.values.reduce(Int64(0)) { $0 + Int64(envelope($1)) }
        return (Int64(due.count) * 86_400_000 / span, bytes * 86_400_000 / span)
    }

    /// Registers and interval of each read; of a SunSpec device as it usually is.
    private var reads: [(registers: Int, interval: Int64)] {
        buses.flatMap(\.meters).flatMap { meter -> [(registers: Int, interval: Int64)] in
            guard let reads = Self.reads(meter) else { return [(60, meter.interval), (60, meter.interval)] }
            return reads.map { (Int($0.planned.request.count), $0.interval) }
        }
    }

    private func envelope(_ samples: [Readings.Sample]) -> Int {
        guard let stream = StreamID([UInt8](repeating: 0xA5, count: 8)) else { return 0 }
        let record = Record(
            place: RecordPlace(
                gateway: settings.gateway, stream: stream, sequence: 1_000_000,
                previous: .zero),
            clock: RecordClock(
                sync: 2, errorMilliseconds: 10, boot: [UInt8](repeating: 0xA5, count: 16),
                uptimeMilliseconds: 8_640_000_000, utc: UTCInstant(milliseconds: 1_800_000_000_000)),
            completeThrough: 8_640_000_000, body: .readings(Readings(base: 8_640_000_000, samples: samples)))
        let message = SignedMessage.signing(
            record.encoded, as: .record, algorithm: .es256, kid: [UInt8](repeating: 0xA5, count: 8),
            with: { _ in [UInt8](repeating: 0xA5, count: 64) })
        return message.encoded.count
    }
}
