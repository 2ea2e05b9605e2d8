// The table of subcommands and options, and how an option's text becomes a value. Carrying them out is elsewhere.

internal import PlantModel
internal import Quantities

extension Subcommand {
    static let csv = Option(name: "csv", value: "FILE", help: "15-minute rows with the columns time_utc and ac_power_w")
    static let serial = Option(name: "serial", value: "N", help: "serial number of the first B23 (default 20160701)")
    static let inverterSerial = Option(
        name: "inverter-serial", value: "TEXT", help: "serial number of the inverter (default SERF-EAST-1)")
    static let commonLength = Option(
        name: "common-length", value: "66|65", help: "registers of the inverter's SunSpec model 1 (default 66)")

    static let run = Subcommand(
        name: "run",
        summary: "serve the plant's meters over Modbus TCP until SIGTERM or SIGINT",
        options: [
            csv,
            Option(
                name: "port", value: "N", help: "TCP port of the B23 revenue meter, unit 1; 0 lets the system choose"),
            Option(
                name: "inverter-port", value: "N",
                help: "TCP port of the SunSpec inverter, unit 1; without it no inverter"),
            Option(name: "address", value: "IPV4", help: "address to listen on (default 127.0.0.1)"),
            Option(name: "start", value: "T", help: "replay: the house's time until zero, RFC 3339 or ms since 1970"),
            Option(name: "speed", value: "S", help: "replay: 1 … 1000000 times as fast as real time"),
            Option(name: "zero", value: "Z", help: "replay: real UTC at which the house's clock starts to run"),
            Option(name: "real", value: nil, help: "real time instead of a replay"),
            Option(name: "first-row", value: "T", help: "move the file so that its first row starts at T"),
            Option(
                name: "meters", value: "N", help: "1 … 1000 B23, units 1 … 200 a port, consecutive (default 1)"),
            Option(name: "fault", value: "SPEC", help: "a fault; see below", repeats: true),
            Option(name: "seed", value: "N", help: "seed of the faults' draws (default 1)"),
            Option(
                name: "record", value: "FILE", help: "append one line per request: unit,function,address,count,port"),
            serial, inverterSerial, commonLength,
        ],
        example: """
            kilomint-plant run --csv serf-east-2016.csv --port 15020 --inverter-port 15021 \\
                --start 2016-07-07T06:00:00Z --speed 3600 --zero 2026-01-01T00:00:20Z \\
                --fault kind=timeout,rate=1000 --fault kind=zero,from=2016-07-08T18:00:00Z,seconds=600

            Faults, --fault kind=KIND[,rate=PPM][,from=T][,to=T][,meter=b23|inverter|all]…:
              timeout             no answer
              exception[,code=N]  exception N (default 4)
              unit                the answer names another unit
              garbage             random bytes instead of an answer
              late[,ms=N]         the answer comes N ms later (default 2000)
              zero[,seconds=N]    a reboot: energy counters read 0 for N seconds of the house's time (default 60)
              disconnect          the connection is closed instead of an answer
              drip[,ms=N]         one byte of the answer every N ms (default 20)
            rate is in a million requests (default: all); from and to are the house's time, half-open.
            The first fault given that applies is used; zero adds to any other. Draws depend on --seed, the device and
            how many requests it has had, on nothing else.

            On stdout one line when listening: listening meters=ADDRESS:PORT[,ADDRESS:PORT…] [inverter=ADDRESS:PORT]
            Exit: 0 stopped, 64 usage, 65 bad data, 66 no such file, 69 port taken, 74 write error.
            """)

    static let energy = Subcommand(
        name: "energy",
        summary: "print the Wh that a register of delivered energy advances from one instant to another",
        options: [
            csv,
            Option(name: "from", value: "T", help: "first instant, RFC 3339 or ms since 1970"),
            Option(name: "to", value: "T", help: "second instant"),
            Option(
                name: "resolution", value: "WH", help: "the register's unit in Wh, 1 … 1000000 (default 1; B23: 10)"),
        ],
        example: "kilomint-plant energy --csv serf-east-2016.csv --from 2016-07-07T06:00:00Z --to 2016-07-08T06:00:00Z")

    static let registers = Subcommand(
        name: "registers",
        summary: "print what each meter's registers show at an instant",
        options: [
            csv, Option(name: "at", value: "T", help: "the instant, RFC 3339 or ms since 1970"),
            serial, inverterSerial, commonLength,
        ],
        example: "kilomint-plant registers --csv serf-east-2016.csv --at 2016-07-07T18:00:00Z")

    static let all = [run, energy, registers]

    static let overview = """
        kilomint-plant: a virtual photovoltaic plant that replays measured production as Modbus TCP meters.

        Subcommands (each with --help):

        """
        + all.map { "  \($0.name)" + String(repeating: " ", count: 12 - $0.name.count) + $0.summary + "\n" }.joined()
}

extension Arguments {
    /// Years 1970 … 9999.
    private static let instants: ClosedRange<Int64> = 0...253_402_300_799_999

    /// RFC 3339 with Z, or milliseconds since 1970.
    func instant(_ name: String) throws(UsageError) -> UTCInstant {
        let text = try required(name)
        let instant = Int64(text).map(UTCInstant.init(milliseconds:)) ?? UTCInstant(text)
        guard let instant, Self.instants.contains(instant.milliseconds) else {
            throw UsageError(
                message:
                    "--\(name) \(text): must be an instant such as 2016-07-07T06:00:00Z, or milliseconds since 1970")
        }
        return instant
    }

    func clock() throws(UsageError) -> HouseClock {
        let replay = ["start", "speed", "zero"]
        if has("real") {
            guard !replay.contains(where: has) else {
                throw UsageError(message: "--real excludes --start, --speed and --zero; give either")
            }
            return .real
        }
        guard replay.allSatisfy(has) else {
            throw UsageError(message: "give --start, --speed and --zero for a replay, or --real")
        }
        return .replayed(
            start: try instant("start"), speed: try number("speed", 1...1_000_000), zero: try instant("zero"))
    }

    func house() throws(UsageError) -> House {
        let text = text("inverter-serial") ?? "SERF-EAST-1"
        guard (1...32).contains(text.utf8.count), text.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) else {
            throw UsageError(message: "--inverter-serial: must be 1 … 32 printable ASCII characters")
        }
        let meters = has("meters") ? Int(try number("meters", 1...Int64(House.metersMax))) : 1
        let serial = UInt32(try number("serial", 1...4_000_000_000, default: 20_160_701))
        let length = Int(try number("common-length", 65...66, default: 66))
        guard let inverter = Inverter(serial: text, commonLength: length),
            let house = House(meters: meters, serial: serial, inverter: inverter)
        else { throw UsageError(message: "these meters cannot be built; see --help") }
        return house
    }

    func faults() throws(UsageError) -> [FaultSpecification] {
        var specifications: [FaultSpecification] = []
        for text in all("fault") {
            do {
                specifications.append(try FaultSpecification.parse(text))
            } catch {
                throw UsageError(message: "--fault \(text): \(error.key): must be \(error.allowed)")
            }
        }
        return specifications
    }
}
