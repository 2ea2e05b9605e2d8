// The verb `read`: registers now, as words and as values, of meters of the configuration or of any endpoint. What is read
// this way is shown and never recorded.

internal import AgentCore
internal import Evidence
internal import Metering
internal import Quantities

extension ControlVerb {
    static let read = ControlVerb(
        "read",
        keys: ToolEndpoint.keys.union(["meter", "unit", "function", "address", "count", "as", "order", "timeout"]),
        isLong: true
    ) { request, caller, context in
        if request.optional("endpoint") != nil { return try RawRead(request).run(caller, context) }
        for key in request.values.keys.sorted() where key != "meter" {
            throw ControlRefusal("read: \(key) needs endpoint")
        }
        try MeterRead(request, try context.configured()).run(caller, context)
    }
}

/// Every read of meters of the configuration, once.
struct MeterRead {
    private let buses: [BusPlan]
    private let wanted: Set<String>

    /// - Parameter settings: as they are in force; a meter that it does not have is refused.
    init(_ request: ControlRequest, _ settings: AgentSettings) throws {
        (_, buses) = try AgentParts.buses(settings)
        wanted = Set(request.optional("meter")?.split(separator: ",").map(String.init) ?? [])
        let known = Set(buses.flatMap { $0.meters.map(\.id.text) })
        if let other = wanted.subtracting(known).min() {
            throw ControlRefusal(
                "meter \(other) is not in the configuration; it has: \(known.sorted().joined(separator: ", "))")
        }
    }

    func run(_ caller: ControlCaller, _ context: ControlContext) throws {
        var failed = 0
        for bus in buses {
            let meters = bus.meters.filter { wanted.isEmpty || wanted.contains($0.id.text) }
            guard !meters.isEmpty else { continue }
            let line = context.desk.line(to: bus)
            defer { line.close() }
            try caller.line("bus \(line.text)")
            for meter in meters { failed += try read(meter, bus, line, caller) }
        }
        guard failed == 0 else { throw ControlRefusal("\(failed) reads failed") }
    }

    private func read(
        _ meter: ConfiguredMeter, _ bus: BusPlan, _ line: ToolLine, _ caller: ControlCaller
    ) throws -> Int {
        let patience = bus.timing.timeout(meter.profile.limits).start
        let found = try Self.chain(meter, patience, line, caller)
        guard let chain = found else {
            try caller.line("  meter \(meter.id), unit \(meter.unit), \(meter.profile.name)")
            try caller.line("    no SunSpec models found: is it this device, and does it speak SunSpec?")
            return 1
        }
        let meter = Self.version(meter, chain, patience, line, caller)
        try caller.line("  meter \(meter.id), unit \(meter.unit), \(meter.profile.name)")
        if meter.isReadWithFallback {
            try caller.line("    NO VERSION of its profile is for this device: this one is the fallback")
        }
        let plan: MeterPlan
        do { plan = try MeterPlan(meter, chain: chain) } catch {
            try caller.line("    cannot be read: \(error.description)")
            return 1
        }
        var failed = 0
        for read in plan.reads where !caller.isGone {
            guard let asked = ModbusRequest(read.planned.request, unit: meter.unit) else { continue }
            let answer = line.ask(asked, patience: patience) { caller.isGone }
            let isLacking = read.isOptional(meter.profile) && (1...9).contains(answer.answer.status)
            failed += answer.answer.status == SampleStatus.good || isLacking ? 0 : 1
            for text in Self.lines(read, answer, meter, chain) { try caller.line("    " + text) }
        }
        return failed
    }

    private static func lines(
        _ read: MeterPlan.Read, _ answer: ToolAnswer, _ meter: ConfiguredMeter, _ chain: [SunSpecModel]
    ) -> [String] {
        let request = read.planned.request
        let head = "function \(request.function), registers \(request.address) + \(request.count): "
        guard answer.answer.status == SampleStatus.good else {
            let note = read.isOptional(meter.profile) ? " (some devices do not have it)" : ""
            return [head + ValueText.failure(answer) + note]
        }
        let words = answer.answer.bytes
        var lines = [head + "\(answer.took / 1_000) ms"]
        lines += ValueText.registers(words, from: request.address).map { "  " + $0 }
        for (role, text) in read.planned.identityTexts(words, meter.profile, chain: chain) {
            let isExpected = text.map { meter.profile.accepts($0, role) } ?? false
            lines.append(
                "  \(role.name): \(text ?? "unusable")\(isExpected ? "" : "  (not what the profile expects)")")
        }
        for value in ReadDecoder(meter.profile, request, chain: chain).decode(words) {
            let unit = meter.profile.quantity(value.obis)?.unit.rawValue ?? ""
            lines.append("  \(value.obis)  \(ValueText.of(value.value)) \(unit)")
        }
        return lines
    }

    /// With the version of its profile that is for the device; the fallback where it does not answer.
    private static func version(
        _ meter: ConfiguredMeter, _ chain: [SunSpecModel], _ patience: Int64, _ line: ToolLine, _ caller: ControlCaller
    ) -> ConfiguredMeter {
        guard !meter.versions.isEmpty else { return meter }
        var search = VersionSearch(meter, chain: chain)
        while true {
            switch search.step {
            case .chosen(let choice): return meter.read(with: choice)
            case .read(let request):
                guard !caller.isGone, let asked = ModbusRequest(request, unit: meter.unit) else { return meter }
                let answer = line.ask(asked, patience: patience) { caller.isGone }.answer
                guard answer.status <= SampleStatus.exceptionMax else { return meter }
                search.answer(answer.status == SampleStatus.good ? answer.bytes : nil)
            }
        }
    }

    /// The models of a SunSpec device, nothing for other profiles; nil: none were found.
    static func chain(
        _ meter: ConfiguredMeter, _ patience: Int64, _ line: ToolLine, _ caller: ControlCaller
    ) throws -> [SunSpecModel]? {
        guard let sunSpec = meter.profile.sunSpec else { return [] }
        return SunSpecSearch.chain(unit: meter.unit, bases: sunSpec.bases, patience, line) { caller.isGone }
    }
}

extension MeterPlan.Read {
    /// A device may do without all that it reads.
    func isOptional(_ profile: Profile) -> Bool {
        planned.quantities.allSatisfy { profile.quantity($0)?.isOptional ?? false }
            && planned.identity.allSatisfy { profile.identity[$0]?.isOptional ?? false }
    }
}

enum SunSpecSearch {
    /// Walks a device's models; nil: none at these bases, or the device is silent.
    static func chain(
        unit: UInt8, bases: [UInt16], _ patience: Int64, _ line: ToolLine, isGone: () -> Bool
    ) -> [SunSpecModel]? {
        var walk = SunSpecWalk(bases: bases)
        while case .read(let request) = walk.step {
            guard !isGone(), let asked = ModbusRequest(request, unit: unit) else { return nil }
            let answer = line.ask(asked, patience: patience, isGone: isGone).answer
            guard answer.status <= SampleStatus.exceptionMax else { return nil }
            walk.answer(answer.status == SampleStatus.good ? answer.bytes : nil)
        }
        guard case .found(let chain) = walk.step else { return nil }
        return chain
    }
}
