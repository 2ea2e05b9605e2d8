// One meter asked now: who it is and what its energy registers hold, through the bus that runs. For commissioning and
// exchange: shown, and signed in a note, never a reading.

internal import AgentCore
internal import Evidence
internal import Metering

/// What a meter answered just now.
struct LiveRegisters {
    /// What it says of itself, by role. Only looked up.
    private(set) var texts: [Identity.Role: String] = [:]
    /// Empty: its profile has no register for it, or it gave no usable text.
    var serial: String { texts[.serial] ?? "" }
    private(set) var hasSerialRegister = false
    /// By OBIS code; only those that gave a value. Only looked up.
    private(set) var energies: [ObisCode: RegisterSeen.Read] = [:]
    /// Wh, rounded up. Only looked up.
    private(set) var resolutions: [ObisCode: UInt64] = [:]
    /// W, whichever way; 0: not known.
    private(set) var power: UInt64 = 0
    /// Why a request brought nothing; nil: all did.
    private(set) var failure: String?

    /// - Parameter codes: energy registers that are wanted.
    init(
        _ meter: ConfiguredMeter, on bus: BusPlan, _ codes: [ObisCode], _ caller: ControlCaller,
        _ context: ControlContext
    ) throws {
        let line = context.desk.line(to: bus)
        defer { line.close() }
        let patience = bus.timing.timeout(meter.profile.limits).start
        hasSerialRegister = meter.profile.identity[.serial] != nil
        guard let chain = try MeterRead.chain(meter, patience, line, caller) else {
            failure = "no SunSpec models found"
            return
        }
        let power = meter.profile.quantity(.activePower) == nil ? [] : [ObisCode.activePower]
        let reads: [PlannedRead]
        do {
            reads =
                try meter.profile.identityPlan(chain: chain).filter { $0.identity.contains { $0 <= .firmware } }
                + meter.profile.plan(codes, chain: chain) + meter.profile.plan(power, chain: chain)
        } catch { throw ControlRefusal("\(meter.id): \(error.description)") }
        for read in reads where !caller.isGone {
            guard let asked = ModbusRequest(read.request, unit: meter.unit) else { continue }
            let answer = line.ask(asked, patience: patience) { caller.isGone }
            guard answer.answer.status == SampleStatus.good else {
                // Not every device has a register for model or firmware.
                let isDead = answer.answer.status > SampleStatus.exceptionMax
                if isDead || read.identity.isEmpty || read.identity.contains(.serial) {
                    failure = failure ?? ValueText.failure(answer)
                }
                // One that is dead for the first request is dead for the others.
                if isDead { return }
                continue
            }
            take(read, answer.answer.bytes, meter, chain, uptime: context.clock?.now().uptime ?? 0)
        }
    }

    private mutating func take(
        _ read: PlannedRead, _ words: [UInt8], _ meter: ConfiguredMeter, _ chain: [SunSpecModel], uptime: UInt64
    ) {
        for case let (role, text?) in read.identityTexts(words, meter.profile, chain: chain) { texts[role] = text }
        for value in ReadDecoder(meter.profile, read.request, chain: chain).decode(words) {
            switch value.value {
            case .counter(let count):
                guard let whole = RegisterCount.whole(count.count, unit: count.unit) else { continue }
                energies[value.obis] = RegisterSeen.Read(
                    wattHours: UInt64(max(0, whole)), uptime: uptime, function: UInt64(read.request.function),
                    address: UInt64(read.request.address), words: words)
                let (step, rest) = count.resolution.numerator.quotientAndRemainder(
                    dividingBy: count.resolution.denominator)
                resolutions[value.obis] = step + (rest > 0 ? 1 : 0)
            case .gauge(let gauge) where value.obis == .activePower:
                power = gauge.floored(to: .one).map(\.magnitude) ?? 0
            case .gauge, .notAvailable: continue
            }
        }
    }
}
