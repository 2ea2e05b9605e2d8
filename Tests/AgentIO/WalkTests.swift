// SunSpec devices that are not there, on real sockets and a paced line, beside a meter that is read each second: it keeps its
// reads, and who wakes up is found.

@testable internal import AgentIO
internal import AgentCore
internal import Evidence
internal import Glibc
internal import Kit
internal import Metering
internal import Quantities
internal import Settings
internal import Synchronization
internal import Testing

private let living = """
    profile: test/living
    revision: 1
    vendor: test
    models: [one]
    level: document
    source: {document: none, revision: none, place: none}
    limits: {registers-max: 60, gap-max: 0, pause: 0ms, timeout: 1s}
    identity: {}
    quantities:
      - {obis: 1-0:2.8.0, kind: counter, unit: Wh, direction: export, function: 3, address: 10, type: u32, scale: 1}

    """

/// Devices of one way: unit 1 always answers, of the others those that are awake; by unit, how often each was asked.
private final class Devices: Sendable {
    let awake = Mutex<Set<UInt8>>([1])
    let asked = Mutex<[UInt8: Int]>([:])

    /// The answer after the unit, or nothing. `question`: unit, function, address, count.
    func answer(_ question: [UInt8]) -> [UInt8]? {
        asked.withLock { $0[question[0], default: 0] += 1 }
        guard awake.withLock({ $0.contains(question[0]) }) else { return nil }
        let address = Int(question[2]) << 8 | Int(question[3])
        let headers: [Int: [UInt8]] = [
            40_000: Array("SunS".utf8), 40_002: [0, 1, 0, 66], 40_070: [0, 103, 0, 50], 40_122: [0xFF, 0xFF, 0, 0],
        ]
        let count = 2 * Int(question[5])
        return [3, UInt8(count)] + ((count == 4 ? headers[address] : nil) ?? Array(repeating: 0, count: count))
    }
}

/// A gateway for Modbus TCP.
private final class TCPDevices: Sendable {
    let port: UInt16
    private let listener: Int32

    init(_ devices: Devices) throws {
        (listener, port) = try loopbackListener()
        let socket = listener
        _ = try WorkerThread("devices") {
            while true {
                let client = accept(socket, nil, nil)
                guard client >= 0 else { return }
                while Self.serve(client, devices) {}
                Glibc.close(client)
            }
        }
    }

    private static func serve(_ client: Int32, _ devices: Devices) -> Bool {
        var request = [UInt8](repeating: 0, count: 12)
        guard recv(client, &request, 12, Int32(MSG_WAITALL)) == 12 else { return false }
        WireRecord.add(unit: request[6], pdu: request[7...])
        guard let body = devices.answer(Array(request[6...])) else { return true }
        let frame = request[..<5] + [UInt8(body.count + 1), request[6]] + body
        return send(client, Array(frame), frame.count, Int32(MSG_NOSIGNAL)) == frame.count
    }

    func close() {
        shutdown(listener, Int32(SHUT_RDWR))
        Glibc.close(listener)
    }
}

@Suite(.serialized) struct WalkTests {
    enum Way: Sendable { case tcp, serial }

    private func meters(_ silent: Int) throws -> [ConfiguredMeter] {
        let sunSpec = Workplace.root + "/firmware-profiles/sunspec/inverter-103.yaml"
        let profiles = [
            try Profile(try SettingsFile.parse(Array(living.utf8), file: "living.yaml")),
            try Profile(try SettingsFile.parse(try Workplace.bytes(of: sunSpec), file: "inverter-103.yaml")),
        ]
        return (0...silent).map {
            ConfiguredMeter(
                index: UInt64($0), id: Identifier("m-\($0)")!, profile: profiles[min($0, 1)], unit: UInt8($0 + 1),
                endpoint: "x", quantities: [.activeExport], interval: 1_000, identityInterval: 3_600_000)
        }
    }

    private func line(_ devices: Devices) throws -> PacedSlave {
        try PacedSlave(baud: 19_200) { _, frame in
            guard let body = devices.answer(frame) else { return [] }
            return [.send([frame[0]] + body + ModbusFraming.checksumBytes([frame[0]] + body))]
        }
    }

    /// What a keeper would see: good reads by meter.
    private struct Seen {
        private(set) var good: [UInt64: Int] = [:]
        private(set) var silent: Set<UInt64> = []
        private var meters: [UInt64: UInt64] = [:]

        mutating func look(_ recorder: Recorder) {
            let (_, cut, notices) = recorder.cut()
            for notice in notices {
                switch notice {
                case .planned(let plan):
                    for read in plan.reads where !read.isIdentity { meters[read.index] = plan.meter.index }
                case .silent(let meter, _): silent.insert(meter)
                default: break
                }
            }
            for read in cut.reads where read.status == SampleStatus.good {
                if let meter = meters[read.read] { good[meter, default: 0] += 1 }
            }
        }
    }

    /// It answers every question, and lacks the model that its profile reads: `status` says so.
    @Test func aDeviceWithoutTheModelIsSaid() throws {
        let devices = Devices()
        let gateway = try TCPDevices(devices)
        let file = Workplace.root + "/firmware-profiles/sunspec/meter-203.yaml"
        let meter = ConfiguredMeter(
            index: 0, id: Identifier("m-0")!, profile: try Profile(try SettingsFile.load(path: file)), unit: 1,
            endpoint: "x", quantities: [.activeExport], interval: 1_000, identityInterval: 3_600_000)
        let plan = BusPlan(
            number: 0, endpoint: .tcp(host: "127.0.0.1", port: gateway.port), timing: BusTiming(), meters: [meter],
            boundary: 60_000, readsAtOnce: false)
        let clock = try MachineClock(house: .real)
        let recorder = Recorder(clock: clock, meters: [1])
        let board = StatusBoard(recorder: recorder, buses: [plan])
        let asks = Mailbox<PersonAsk>(itemsMax: 1)
        let thread = try WorkerThread("walks") {
            var runner = BusRunner(plan: plan, recorder: recorder, clock: clock, stop: asks)
            runner.run()
        }
        defer {
            asks.close()
            thread.join()
            gateway.close()
        }
        let deadline = steadyNanoseconds() + 60_000_000_000
        while !board.wrong.contains(where: {
            $0.hasPrefix("meter m-0 answers and is not read: the device has no SunSpec model 203")
        }) {
            guard steadyNanoseconds() < deadline else { throw KitError("never: \(board.wrong)") }
            sleepUntil(steadyNanoseconds() + 50_000_000)
        }
        // A reload begins the bus anew, perhaps with another meter in its place.
        recorder.open(bus: 0, meters: 1)
        #expect(!board.wrong.contains { $0.hasPrefix("meter") })
    }

    @Test(arguments: [(Way.tcp, 2), (.tcp, 12), (.tcp, 60), (.serial, 12)]) func silentDevicesCostNoReads(
        way: Way, silent: Int
    ) throws {
        let devices = Devices()
        let (gateway, slave) = (try TCPDevices(devices), try line(devices))
        let clock = try MachineClock(house: .real)
        let meters = try meters(silent)
        let plan = BusPlan(
            number: 0, endpoint: way == .tcp ? .tcp(host: "127.0.0.1", port: gateway.port) : .rtu(slave.line),
            timing: BusTiming(), meters: meters, boundary: 60_000, readsAtOnce: false)
        let recorder = Recorder(clock: clock, meters: [meters.count])
        let asks = Mailbox<PersonAsk>(itemsMax: 1)
        let thread = try WorkerThread("walks") {
            var runner = BusRunner(plan: plan, recorder: recorder, clock: clock, stop: asks)
            runner.run()
        }
        defer {
            asks.close()
            thread.join()
            gateway.close()
            slave.stop()
        }
        var seen = Seen()
        let began = steadyNanoseconds()
        func seconds() -> Int { Int((steadyNanoseconds() - began) / 1_000_000_000) }
        while seconds() < 14 {
            sleepUntil(steadyNanoseconds() + 100_000_000)
            seen.look(recorder)
        }
        // One a second; a machine that is slow itself loses some.
        #expect(seen.good[0] ?? 0 >= 12, "\(seen.good[0] ?? 0) reads in \(seconds()) s")
        let tries = devices.asked.withLock { $0 }.filter { $0.key > 1 }
        #expect(tries.count >= min(silent, 10) && tries.values.allSatisfy { (1...9).contains($0) }, "\(tries)")
        if silent == 2 { #expect(seen.silent == [1, 2]) }
        // One wakes up and is read. Among sixty that takes its time, which the rules' own tests do not have to wait for.
        guard silent < 60 else { return }
        devices.awake.withLock { _ = $0.insert(3) }
        while seen.good[2] ?? 0 < 3 {
            guard seconds() < 150 else { throw KitError("never found: \(seen.good)") }
            sleepUntil(steadyNanoseconds() + 100_000_000)
            seen.look(recorder)
        }
        let share = Double(seen.good[0] ?? 0) / Double(max(1, seconds()))
        #expect(share >= 0.85, "\(share) in \(seconds()) s")
    }
}
