// The verb `commission`: what a person read on a meter's display beside what the meter answers now, and, when they agree,
// a signed note about it.

internal import AgentCore
internal import Evidence
internal import Metering
internal import Quantities

extension ControlVerb {
    static let commission = ControlVerb(
        "commission", keys: ["meter", "serial", "import", "export", "name", "accept"], isLong: true
    ) { request, caller, context in try CommissionVisit(request, caller, context).run() }
}

/// A meter of the running agent, and the bus it is on.
struct RunningMeter {
    let meter: ConfiguredMeter
    let bus: BusPlan

    init(_ request: ControlRequest, _ context: ControlContext) throws {
        guard context.keeper != nil else {
            throw ControlRefusal("this needs the running agent: it signs. systemctl start kilomint-agent")
        }
        let id = try request.required("meter")
        let plans = context.desk.plans
        for bus in plans {
            if let meter = bus.meters.first(where: { $0.id.text == id }) {
                (self.meter, self.bus) = (context.board?.asRead(meter) ?? meter, bus)
                return
            }
        }
        let known = plans.flatMap { $0.meters.map(\.id.text) }.sorted()
        throw ControlRefusal("meter \(id) is not read by the running agent; it reads: \(known.joined(separator: ", "))")
    }
}

extension ControlRequest {
    /// The energies that were typed, kWh.
    func displayed(_ keys: [(key: String, code: ObisCode)]) throws(ControlRefusal) -> [(ObisCode, DisplayedEnergy)] {
        var typed: [(ObisCode, DisplayedEnergy)] = []
        for (key, code) in keys {
            guard let text = optional(key) else { continue }
            guard let value = DisplayedEnergy(kilowattHours: text) else {
                throw ControlRefusal("\(key) is \(text); allowed: kWh as displayed, 12345 or 12345.678")
            }
            typed.append((code, value))
        }
        return typed
    }

    /// A text that goes into a signed note.
    func words(_ key: String) throws(ControlRefusal) -> String? {
        guard let text = optional(key) else { return nil }
        guard !text.isEmpty, text.utf8.count <= Signatory.textBytesMax,
            text.unicodeScalars.allSatisfy({ $0.value >= 0x20 && !(0x7F...0x9F).contains($0.value) })
        else { throw ControlRefusal("\(key): allowed: 1 … \(Signatory.textBytesMax) bytes of printable text") }
        return text
    }
}

private struct CommissionVisit {
    /// How long the bus may take to ask the meter again who it is.
    private static let recordsNanoseconds: Int64 = 20_000_000_000
    private let target: RunningMeter
    private let serial: String
    private let typed: [(ObisCode, DisplayedEnergy)]
    private let by: Signatory
    private let accepted: String?
    private let caller: ControlCaller
    private let context: ControlContext

    init(_ request: ControlRequest, _ caller: ControlCaller, _ context: ControlContext) throws {
        target = try RunningMeter(request, context)
        guard let serial = try request.words("serial") else {
            throw ControlRefusal("serial is missing: as it stands on the meter's label or display")
        }
        guard !target.meter.isReadWithFallback else {
            throw ControlRefusal(
                "no version of its profile is for \(target.meter.id): it is read with \(target.meter.profile.name) "
                    + "meanwhile, and nobody's energy is billed by a guess. Add the profile for its firmware and reload"
            )
        }
        self.serial = serial
        typed = try request.displayed([("import", .activeImport), ("export", .activeExport)])
        guard !typed.isEmpty else {
            throw ControlRefusal("import or export is missing: kWh as displayed (1.8.0 import, 2.8.0 export)")
        }
        for (code, _) in typed where target.meter.profile.quantity(code) == nil {
            throw ControlRefusal("profile \(target.meter.profile.name) has no \(code)")
        }
        guard let name = try request.words("name") else {
            throw ControlRefusal("name is missing: who stands before the meter")
        }
        by = Signatory(user: caller.peer.text, name: name)
        accepted = try request.words("accept")
        self.caller = caller
        self.context = context
    }

    func run() throws {
        let meter = target.meter
        let live = try LiveRegisters(meter, on: target.bus, typed.map(\.0), caller, context)
        if let failure = live.failure, live.energies.isEmpty { throw ControlRefusal("\(meter.id): \(failure)") }
        if live.hasSerialRegister, live.serial.isEmpty {
            throw ControlRefusal(
                "\(meter.id) did not tell its serial number: \(live.failure ?? "no usable text"); try again")
        }
        try awaitRecords(live.texts)
        try refuseFirmware(live.texts[.firmware] ?? "")
        let check = DisplayCheck(
            meter: meter.id.text, serialTyped: serial, serialRead: live.serial,
            registers: typed.map { code, displayed in
                DisplayCheck.Register(
                    obis: code.text, displayed: displayed, read: live.energies[code],
                    resolution: live.resolutions[code] ?? 1)
            }, power: live.power, accepted: accepted)
        try show(check)
        if let refusal = check.refusal { throw ControlRefusal(refusal) }
        let seen = check.registers.map {
            RegisterSeen(obis: $0.obis, typedWattHours: $0.displayed.wattHours, read: $0.read)
        }
        let reason = check.differs ? accepted : nil
        let (serial, by) = (serial, by)
        let number = try context.sign(about: meter) { index, uptime in
            Commissioning(
                meter: index, serialTyped: serial, registers: seen, by: by, profile: meter.profileDigest,
                serialRead: live.serial, accepted: reason
            ).note(uptime: uptime)
        }
        // A crash here leaves the note without the book's entry: the status still asks for it, and it is made once more.
        try context.board?.commissioning?.change { book in
            book.record(
                CommissioningBook.Entry(
                    meter: meter.id, serial: serial, profile: meter.profileDigest, by: by, at: context.utc,
                    registers: seen, accepted: reason))
        }
        try caller.line("commissioned \(meter.id): signed as record \(number)")
    }

    /// What is recorded of the meter must name the device that answers now: a reading under a former serial or firmware
    /// would end the commissioning as soon as it is signed. The bus asks again as soon as it sees other words.
    private func awaitRecords(_ live: [Identity.Role: String]) throws {
        let roles = [Identity.Role.model, .serial, .firmware].filter { live[$0] != nil }
        let until = steadyNanoseconds() + Self.recordsNanoseconds
        while !caller.isGone, let board = context.board {
            let said = board.latest.answers.identity(ofMeter: target.meter.index)
            guard let role = roles.first(where: { said[$0] != live[$0] }) else { return }
            guard steadyNanoseconds() < until else {
                throw ControlRefusal(
                    "\(target.meter.id) answers \(role.name) \(live[role] ?? ""), its records name \(said[role] ?? "none") "
                        + "and it was not asked again within \(Self.recordsNanoseconds / 1_000_000_000) s: try again")
            }
            sleepUntil(steadyNanoseconds() + 50_000_000)
        }
    }

    /// A map for some firmware only settles nothing for another one, nor for one that nobody knows.
    private func refuseFirmware(_ version: String) throws(ControlRefusal) {
        let profile = target.meter.profile
        guard !profile.firmware.isEmpty, version.isEmpty || !profile.covers(firmware: version) else { return }
        let what =
            version.isEmpty
            ? "\(target.meter.id) did not tell its firmware, and its profile \(profile.name) is for some versions only"
            : "firmware \(version) of \(target.meter.id) is in no range of its profile \(profile.name)"
        throw ControlRefusal(
            "\(what): nobody's energy is billed by a guess. Add the profile for its firmware and reload")
    }

    private func show(_ check: DisplayCheck) throws {
        let answered = check.serialRead.isEmpty ? "no serial register; the typed one counts" : check.serialRead
        try caller.line("serial   typed \(serial), read \(answered)")
        for register in check.registers {
            let read = register.read.map { DisplayedEnergy.kilowattHours($0.wattHours) + " kWh" } ?? "no value"
            try caller.line(
                "\(register.obis)  typed \(DisplayedEnergy.kilowattHours(register.displayed.wattHours)) kWh, read \(read)"
            )
        }
    }
}
