// The verb `replace`: a meter is exchanged. First the last values of the old one, read or, where it is dead, typed; then,
// when the new one hangs there, its first values, and a signed note with both.

internal import AgentCore
internal import Evidence
internal import Metering
internal import Quantities

extension ControlVerb {
    static let replace = ControlVerb(
        "replace", keys: ["meter", "step", "serial", "import", "export", "name"], isLong: true
    ) { request, caller, context in
        let visit = try ReplaceVisit(request, caller, context)
        switch try request.required("step") {
        case "old": try visit.old()
        case "new": try visit.new()
        case let other: throw ControlRefusal("replace: step is \(other); allowed: old, new")
        }
    }
}

private struct ReplaceVisit {
    private static let keys: [(key: String, code: ObisCode)] = [
        ("import", .activeImport), ("export", .activeExport),
    ]

    private let target: RunningMeter
    private let serial: String?
    private let typed: [(ObisCode, DisplayedEnergy)]
    private let name: String?
    private let caller: ControlCaller
    private let context: ControlContext

    init(_ request: ControlRequest, _ caller: ControlCaller, _ context: ControlContext) throws {
        target = try RunningMeter(request, context)
        serial = try request.words("serial")
        typed = try request.displayed(Self.keys)
        name = try request.words("name")
        self.caller = caller
        self.context = context
    }

    private var codes: [ObisCode] { Self.keys.map(\.code).filter { target.meter.profile.quantity($0) != nil } }

    private func live() throws -> LiveRegisters {
        try LiveRegisters(target.meter, on: target.bus, codes, caller, context)
    }

    // MARK: The old meter

    /// Its last values are remembered until the new one is there, also over a restart.
    func old() throws {
        let live = try live()
        let id = target.meter.id
        let known = context.board?.standings.first { $0.meter.id == id }?.serial ?? ""
        var last = codes.compactMap { code -> RegisterSeen? in
            let displayed = typed.first { $0.0 == code }?.1.wattHours
            guard let read = live.energies[code] else {
                return displayed.map { RegisterSeen(obis: code.text, typedWattHours: $0, read: nil) }
            }
            return RegisterSeen(obis: code.text, typedWattHours: displayed, read: read)
        }
        if last.isEmpty {
            throw ControlRefusal(
                "\(id) does not answer (\(live.failure ?? "no value")): read its display and give the last values, "
                    + "--import KWH --export KWH")
        }
        if let told = serial, !live.serial.isEmpty, !DisplayCheck.isSame(told, live.serial) {
            throw ControlRefusal("the meter answers serial \(live.serial), not \(told): is it the old one?")
        }
        last.sort { $0.obis < $1.obis }
        let farewell = CommissioningBook.Farewell(
            meter: id, serial: live.serial.isEmpty ? serial ?? known : live.serial, last: last, at: context.utc)
        try context.board?.commissioning?.change { $0.record(farewell) }
        try show("old", farewell.serial, last)
        try caller.line(
            "remembered; exchange the meter, then: kilomint-agent meter replace --meter \(id) --new --serial …")
    }

    // MARK: The new meter

    func new() throws {
        let id = target.meter.id
        guard let farewell = context.board?.commissioning?.now.farewell(id) else {
            throw ControlRefusal(
                "the last values of the old meter are missing: kilomint-agent meter replace --meter \(id) --old (where it "
                    + "is dead or gone: with --serial, --import KWH, --export KWH from its display or its last photo)")
        }
        guard let typedSerial = serial else {
            throw ControlRefusal("serial is missing: the new meter's, as it stands on its label or display")
        }
        guard let name else { throw ControlRefusal("name is missing: who exchanged the meter") }
        let live = try live()
        let first = codes.compactMap { code -> RegisterSeen? in
            live.energies[code].map { read in
                RegisterSeen(
                    obis: code.text, typedWattHours: typed.first { $0.0 == code }?.1.wattHours, read: read)
            }
        }
        guard !first.isEmpty else { throw ControlRefusal("\(id) does not answer: \(live.failure ?? "no value")") }
        guard DisplayCheck.isSame(typedSerial, live.serial) else {
            throw ControlRefusal(
                "the label says serial \(typedSerial), the meter answers \(live.serial): another device answers, or the "
                    + "typing is wrong")
        }
        if !farewell.serial.isEmpty, DisplayCheck.isSame(typedSerial, farewell.serial) {
            throw ControlRefusal("serial \(typedSerial) is the old meter's: nothing was exchanged")
        }
        let by = Signatory(user: caller.peer.text, name: name)
        let number = try context.sign(about: target.meter) { index, uptime in
            MeterReplacement(
                meter: index, serialBefore: farewell.serial, serialNow: typedSerial, last: farewell.last, first: first,
                by: by
            ).note(uptime: uptime)
        }
        // A crash here leaves the old values in the book: asked again, the note is signed a second time with the same ones.
        try context.board?.commissioning?.change { $0.exchanged(id) }
        try show("old", farewell.serial, farewell.last)
        try show("new", typedSerial, first)
        try caller.line("replaced \(id): signed as record \(number); now: kilomint-agent commission --meter \(id)")
    }

    private func show(_ which: String, _ serial: String, _ registers: [RegisterSeen]) throws {
        try caller.line("\(which)      serial \(serial.isEmpty ? "unknown" : serial)")
        for seen in registers {
            let read = seen.read.map { DisplayedEnergy.kilowattHours($0.wattHours) + " kWh read" }
            let typed = seen.typedWattHours.map { DisplayedEnergy.kilowattHours($0) + " kWh typed" }
            try caller.line("  \(seen.obis)  " + [read, typed].compactMap { $0 }.joined(separator: ", "))
        }
    }
}
