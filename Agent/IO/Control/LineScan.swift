// `scan --rtu`: the units of a serial line, at each speed and parity in turn; through the running agent only as it has the
// line, for a speed that changes would silence its meters.

internal import AgentCore
internal import Evidence

struct LineScan {
    /// Real milliseconds each unit is given: a device that is there answers within its turnaround.
    private static let patienceDefault: Int64 = 200

    private let library: ProfileLibrary?
    private let context: ControlContext
    private let device: String
    private let hasEcho: Bool
    private let units: [UInt8]
    private let patience: Int64
    private let modes: [SerialSearch.Mode]
    private let areModesNamed: Bool

    init(_ request: ControlRequest, _ context: ControlContext) throws {
        self.context = context
        library = try Probe.library(request, context)
        device = try request.required("rtu")
        guard device.hasPrefix("/") else { throw ControlRefusal("rtu \(device): allowed: an absolute path") }
        guard let units = SerialSearch.units(request.optional("unit") ?? "1-247"),
            units.allSatisfy({ (1...247).contains($0) })
        else { throw ControlRefusal("unit: allowed: 1 … 247, such as 1,2,5-9") }
        self.units = units
        hasEcho = request.optional("echo") == "true"
        patience = try request.number("timeout", in: 50...10_000) ?? Self.patienceDefault
        let bauds = (request.optional("baud") ?? "9600,19200").split(separator: ",").map { Int($0) ?? 0 }
        guard bauds.allSatisfy(SerialLine.bauds.contains), !bauds.isEmpty else {
            throw ControlRefusal(
                "baud: allowed: \(SerialLine.bauds.map(String.init).joined(separator: ", ")), joined by commas")
        }
        let stopBits = Int(try request.number("stop_bits", in: 1...2) ?? 1)
        var modes: [SerialSearch.Mode] = []
        for name in (request.optional("parity") ?? "none,even").split(separator: ",") {
            let parity: SerialSearch.Mode.Parity =
                switch try ToolEndpoint.parity(String(name)) {
                case .none: .none
                case .even: .even
                case .odd: .odd
                }
            modes += bauds.map { SerialSearch.Mode(baud: $0, parity: parity, stopBits: stopBits) }
        }
        self.modes = modes
        areModesNamed = request.optional("baud") != nil || request.optional("parity") != nil
    }

    func run(_ caller: ControlCaller) throws {
        let owned = context.desk.line(to: .rtu(SerialLine(device: device)))
        defer { owned.close() }
        guard owned.isThroughBus, case .rtu(let line) = owned.endpoint else { return try searchModes(caller) }
        try caller.line(
            "\(owned.text): only \(line.modeText), as the agent has the line"
                + (areModesNamed ? "; other speeds: stop the agent" : ""))
        var search = SerialSearch(modes: [line.mode], units: units)
        let found = try step(&search, caller, through: owned, endpoint: owned.endpoint)
        try Probe.conclude(found.units.isEmpty ? [] : [found], library, caller, context)
    }

    private func searchModes(_ caller: ControlCaller) throws {
        let total = modes.count * units.count
        try caller.line(
            "rtu:\(device), directly: \(total) questions, about \(Int64(total) * (patience + 50) / 1_000) s")
        var places: [FoundDevices] = []
        var search = SerialSearch(modes: modes, units: units)
        while let mode = search.next?.mode {
            let endpoint = BusEndpoint.rtu(SerialLine(device: device, mode: mode, hasEcho: hasEcho))
            let line = context.desk.line(to: endpoint)
            defer { line.close() }
            let found = try step(&search, caller, through: line, endpoint: endpoint)
            if !found.units.isEmpty { places.append(found) }
        }
        try Probe.conclude(places, library, caller, context)
    }

    /// All units at one speed and parity.
    private func step(
        _ search: inout SerialSearch, _ caller: ControlCaller, through line: ToolLine, endpoint: BusEndpoint
    ) throws -> FoundDevices {
        var found = FoundDevices(endpoint: endpoint, units: [])
        var told = steadyNanoseconds()
        guard case .rtu(let serial) = endpoint, let mode = search.next?.mode else { return found }
        while let (current, unit) = search.next, current == mode {
            guard !caller.isGone else { throw ControlGone() }
            let from = steadyNanoseconds()
            guard let probe = Probe.request(unit) else { continue }
            let answer = line.ask(probe, patience: patience) { caller.isGone }
            if let problem = answer.problem { throw ControlRefusal(problem) }
            search.finished(after: (steadyNanoseconds() - from) / 1_000_000)
            if let words = Probe.words(answer.answer) {
                found.units.append(unit)
                try caller.line("\(serial.modeText)  unit \(unit) \(words) in \(answer.took / 1_000) ms")
            } else if let hint = Probe.hint(answer.answer) {
                try caller.line("\(serial.modeText)  unit \(unit): \(hint)")
            }
            guard steadyNanoseconds() - told > 1_000_000_000 else { continue }
            told = steadyNanoseconds()
            try caller.line(
                "… \(serial.modeText), unit \(unit): \(search.done) of \(search.total), "
                    + "\(search.secondsLeft ?? 0) s left")
        }
        return found
    }
}

extension SerialLine {
    init(device: String, mode: SerialSearch.Mode, hasEcho: Bool) {
        let parity: Parity =
            switch mode.parity {
            case .none: .none
            case .even: .even
            case .odd: .odd
            }
        self.init(device: device, baud: mode.baud, parity: parity, stopBits: mode.stopBits, hasEcho: hasEcho)
    }

    var mode: SerialSearch.Mode {
        let parity: SerialSearch.Mode.Parity =
            switch parity {
            case .none: .none
            case .even: .even
            case .odd: .odd
            }
        return SerialSearch.Mode(baud: baud, parity: parity, stopBits: stopBits)
    }

    /// `9600 8N1`.
    var modeText: String {
        let letter =
            switch parity {
            case .none: "N"
            case .even: "E"
            case .odd: "O"
            }
        return "\(baud) 8\(letter)\(stopBits)"
    }
}
