// What each subcommand does: builds the parts and prints. Rules are PlantModel's, sockets the server's.

internal import Glibc
internal import PlantModel
internal import Quantities

enum Commands {
    /// Carries out a command line. The first word names the subcommand.
    static func run(_ words: some Collection<String>) -> ExitCode {
        do {
            guard let name = words.first else { throw UsageError(message: "name a subcommand") }
            if ["--help", "-h", "help"].contains(name) { return print(Subcommand.overview) }
            guard let subcommand = Subcommand.all.first(where: { $0.name == name }) else {
                throw UsageError(message: "unknown subcommand \(name)")
            }
            if words.contains("--help") || words.contains("-h") { return print(subcommand.help) }
            let arguments = try Arguments(words.dropFirst(), for: subcommand)
            switch name {
            case "energy": return try energy(arguments)
            case "registers": return try registers(arguments)
            default: return try serve(arguments)
            }
        } catch let error as UsageError {
            complain(error.message + "\nSee kilomint-plant --help, or kilomint-plant SUBCOMMAND --help.")
            return .usage
        } catch let failure as Failure {
            complain(failure.message)
            return failure.code
        } catch {
            complain("\(error)")
            return .unavailable
        }
    }

    private static func complain(_ message: String) {
        System.write(Array("kilomint-plant: \(message)\n".utf8), to: STDERR_FILENO)
    }

    /// Text to standard output; the exit code says whether it arrived.
    private static func print(_ text: String) -> ExitCode {
        System.write(Array(text.utf8), to: STDOUT_FILENO) ? .ok : .writeFailed
    }

    private static func series(_ arguments: Arguments) throws -> ProductionSeries {
        let path = try arguments.required("csv")
        let bytes = try System.read(path)
        do {
            return try ProductionFile.parse(bytes)
        } catch {
            let message = "\(path): line \(error.line): \(error.refusal): \(error.refusal.advice)"
            throw Failure(code: .badData, message: message)
        }
    }

    private static func energy(_ arguments: Arguments) throws -> ExitCode {
        let from = try arguments.instant("from")
        let to = try arguments.instant("to")
        let resolution = try arguments.number("resolution", 1...1_000_000, default: 1)
        return print("\(try series(arguments).registerAdvance(from: from, to: to, resolution: resolution))\n")
    }

    private static func registers(_ arguments: Arguments) throws -> ExitCode {
        let at = try arguments.instant("at")
        let house = try arguments.house()
        let state = try series(arguments).state(at: at)
        var text = "at \(at): delivered \(state.delivered), drawn \(state.drawn) × 10 µW·ms, "
        text += "power \(state.power.tenMicrowatts) × 10 µW\n"
        text += "B23, unit 1, serial \(house.meter(0).serial)\n" + dump(house.meter(0), state)
        text += "inverter, unit 1, serial \(house.checkMeter.serial)\n" + dump(house.checkMeter, state)
        return print(text)
    }

    /// Every register: address, hexadecimal address, word.
    private static func dump(_ device: some RegisterDevice, _ state: PlantState) -> String {
        var text = ""
        for index in device.layout.indices {
            let block = device.block(index, at: state, countersZeroed: false)
            for (offset, word) in block.words.enumerated() {
                let address = block.address + offset
                text += "  \(address) 0x\(hex(address)) 0x\(hex(Int(word))) \(word)\n"
            }
        }
        return text
    }

    private static func hex(_ value: Int) -> String {
        let digits = String(value, radix: 16, uppercase: true)
        return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }

    private static func serve(_ arguments: Arguments) throws -> ExitCode {
        let clock = try arguments.clock()
        let house = try arguments.house()
        let faults = try arguments.faults()
        let seed = UInt64(try arguments.number("seed", 0...Int64.max, default: 1))
        let firstRow = arguments.has("first-row") ? try arguments.instant("first-row") : nil
        var series = try series(arguments)
        if let firstRow { series = series.beginning(at: firstRow) }

        // Before anything is announced: from "listening" on, a SIGTERM ends us with 0.
        let stop = try System.stopDescriptor()
        System.allowOpenFiles(rlim_t(Server.connectionsMax + 64))
        let recorder = try arguments.text("record").map { try Recorder(path: $0) }
        let listeners = try listen(arguments, house)
        var server = try Server(
            house: house, series: series, clock: clock, faults: faults, seed: seed, listeners: listeners,
            recorder: recorder)
        let address = arguments.text("address") ?? "127.0.0.1"
        let meters = listeners.filter { !$0.isInverter }.map { "\(address):\($0.port)" }.joined(separator: ",")
        let inverter = listeners.filter(\.isInverter).map { " inverter=\(address):\($0.port)" }.joined()
        guard print("listening meters=\(meters)\(inverter)\n") == .ok else { return .writeFailed }
        try server.run(until: stop)
        return .ok
    }

    private static func listen(_ arguments: Arguments, _ house: House) throws -> [Listener] {
        let address = arguments.text("address") ?? "127.0.0.1"
        var binary = in_addr()
        guard inet_pton(AF_INET, address, &binary) == 1 else {
            throw UsageError(message: "--address \(address): must be an IPv4 address such as 127.0.0.1")
        }
        let port = Int(try arguments.number("port", 0...65_535))
        guard port + house.meterListeners <= 65_536 else {
            throw UsageError(
                message: "--port \(port): \(house.meters) meters need \(house.meterListeners) consecutive ports")
        }
        var listeners: [Listener] = []
        for index in 0..<house.meterListeners {
            let own = port == 0 ? 0 : port + index
            listeners.append(try Listener(address: address, port: own, isInverter: false, index: index))
        }
        if arguments.has("inverter-port") {
            let own = Int(try arguments.number("inverter-port", 0...65_535))
            listeners.append(try Listener(address: address, port: own, isInverter: true, index: 0))
        }
        return listeners
    }
}
