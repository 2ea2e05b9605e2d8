// The limit of reading: the same requests by libmodbus alone, without a schedule, signatures or storage. It runs as a
// process of its own, so that its processor time and memory stand alone.

internal import CModbus
internal import Glibc
internal import Kit
internal import Metering
internal import Settings

enum ModbusLoop {
    static func profile() throws -> Profile {
        try Profile(try SettingsFile.load(path: Workplace.root + "/firmware-profiles/abb/b23.yaml"))
    }

    /// The requests that read every quantity of the profile.
    static func requests() throws -> [ReadRequest] {
        let profile = try profile()
        return try profile.plan(profile.quantities.map(\.obis)).map(\.request)
    }

    /// Arguments: port, meters, seconds (0: one meter after the other, as fast as they answer, for 5 s). Prints reads,
    /// processor seconds, elapsed seconds, peak bytes.
    static func run(_ words: [String]) throws {
        guard words.count == 3, let port = Int32(words[0]), let meters = Int(words[1]), let seconds = Int(words[2])
        else { throw KitError("--modbus-loop PORT METERS SECONDS") }
        let requests = try requests()
        guard let context = modbus_new_tcp("127.0.0.1", port), modbus_connect(context) == 0 else {
            throw KitError("libmodbus cannot connect to port \(port)")
        }
        defer {
            modbus_close(context)
            modbus_free(context)
        }
        var words = [UInt16](repeating: 0, count: 125)
        var reads = 0
        let begin = ContinuousClock.now
        let end = begin + .seconds(seconds == 0 ? 5 : seconds)
        var round = 0
        while .now < end {
            for unit in 1...meters {
                modbus_set_slave(context, Int32(unit))
                for request in requests {
                    guard
                        modbus_read_registers(context, Int32(request.address), Int32(request.count), &words)
                            == Int32(request.count)
                    else { throw KitError("unit \(unit) does not answer") }
                    reads += 1
                }
            }
            round += 1
            guard seconds > 0 else { continue }
            let rest = begin + .seconds(round) - .now
            if rest > .zero { usleep(UInt32(rest / .microseconds(1))) }
        }
        let own = try ProcessFigures("self")
        let elapsed = (ContinuousClock.now - begin) / .seconds(1)
        print("loop \(reads) \(Machine.processorSeconds()) \(elapsed) \(own.peak)")
    }

    struct Result {
        let reads: Double
        let processor: Double
        let seconds: Double
        let peak: Double
    }

    static func measure(port: Int, meters: Int, seconds: Int) throws -> Result {
        let place = try TemporaryDirectory()
        defer { withExtendedLifetime(place) {} }
        let child = try ChildProcess(
            "/proc/self/exe", ["--modbus-loop", "\(port)", "\(meters)", "\(seconds)"], outputPath: place.file("loop"))
        while child.poll() == nil { usleep(50_000) }
        let output = try child.output
        let numbers = output.split(whereSeparator: \.isWhitespace).dropFirst().compactMap { Double($0) }
        guard child.poll() == .exited(0), numbers.count == 4 else { throw KitError("the bare loop failed: \(output)") }
        return Result(reads: numbers[0], processor: numbers[1], seconds: numbers[2], peak: numbers[3])
    }
}
