// Reads meters with a second profile beside the first, on a thread of its own and through the buses' threads as a person
// would: between the schedule's reads, within their rate. What it reads is compared and forgotten.

internal import AgentCore
internal import Evidence
internal import Metering
internal import Quantities

struct ShadowReader {
    /// Real milliseconds between two looks at one meter, at least.
    private static let everyMin: Int64 = 5_000
    private static let patience: Int64 = 1_000

    private let desk: BusDesk
    private let board: ShadowBoard
    /// A meter with the version of its profile that was chosen for it.
    private let asRead: @Sendable (ConfiguredMeter) -> ConfiguredMeter
    private let clock: MachineClock
    private let log: Log
    /// Real milliseconds, by meter.
    private var nextAt: [Identifier: Int64] = [:]

    init(desk: BusDesk, board: StatusBoard, clock: MachineClock, log: Log) {
        self.desk = desk
        self.board = board.shadow
        asRead = { board.asRead($0) }
        self.clock = clock
        self.log = log
    }

    /// Until `stop` is closed.
    mutating func run(stop: Mailbox<Never>) {
        while stop.isOpen {
            let plans = desk.plans.filter { $0.meters.contains { $0.shadow != nil } }.map { $0.with(asRead) }
            let meters = plans.flatMap(\.meters).filter { $0.shadow != nil }
            board.keep(meters)
            nextAt = nextAt.filter { entry in meters.contains { $0.id == entry.key } }
            for plan in plans where stop.isOpen {
                for meter in plan.meters where meter.shadow != nil && stop.isOpen { look(meter, plan, stop) }
            }
            stop.pause(for: meters.isEmpty ? 5_000_000_000 : 500_000_000)
        }
    }

    private mutating func look(_ meter: ConfiguredMeter, _ plan: BusPlan, _ stop: Mailbox<Never>) {
        let now = clock.now().monotonic
        guard let shadow = meter.shadow, nextAt[meter.id] ?? .min <= now else { return }
        nextAt[meter.id] = now + max(Self.everyMin, clock.house.realDuration(meter.interval))
        let line = desk.line(to: plan)
        // A bus that has just ended: nobody asks over a line of the reader's own.
        guard line.isThroughBus else { return }
        let chain = chain(meter, shadow, line, stop)
        for obis in meter.quantities {
            guard stop.isOpen else { return }
            guard shadow.quantity(obis) != nil else {
                report(meter, shadow, obis, board.fail(meter, shadow, obis.text, "\(shadow.name) does not have it"))
                continue
            }
            do throws(PlanError) {
                guard let own = try meter.profile.plan([obis], chain: chain).first,
                    let other = try shadow.plan([obis], chain: chain).first
                else { continue }
                compare(meter, shadow, obis, chain, own.request, other.request, line, stop)
            } catch {
                report(meter, shadow, obis, board.fail(meter, shadow, obis.text, error.description))
            }
        }
    }

    /// The models that either profile needs; none where neither does.
    private func chain(
        _ meter: ConfiguredMeter, _ shadow: Profile, _ line: ToolLine, _ stop: Mailbox<Never>
    ) -> [SunSpecModel] {
        guard let bases = meter.profile.sunSpec?.bases ?? shadow.sunSpec?.bases else { return [] }
        return SunSpecSearch.chain(unit: meter.unit, bases: bases, Self.patience, line) { !stop.isOpen } ?? []
    }

    /// From the same words where both profiles ask for the same; else the first, the second, and the first again.
    private func compare(
        _ meter: ConfiguredMeter, _ shadow: Profile, _ obis: ObisCode, _ chain: [SunSpecModel], _ own: ReadRequest,
        _ other: ReadRequest, _ line: ToolLine, _ stop: Mailbox<Never>
    ) {
        func read(_ request: ReadRequest) -> ModbusAnswer? {
            guard let asked = ModbusRequest(request, unit: meter.unit) else { return nil }
            let answer = line.ask(asked, patience: Self.patience) { !stop.isOpen }
            return answer.problem == nil ? answer.answer : nil
        }
        func value(_ profile: Profile, _ request: ReadRequest, _ answer: ModbusAnswer) -> DecodedValue? {
            guard answer.status == SampleStatus.good else { return nil }
            return ReadDecoder(profile, request, chain: chain).decode(answer.bytes).first { $0.obis == obis }?.value
        }
        guard let first = read(own), let before = value(meter.profile, own, first) else { return }
        let isSame = own == other
        guard let second = isSame ? first : read(other), let third = isSame ? first : read(own),
            let after = value(meter.profile, own, third)
        else { return }
        guard let said = value(shadow, other, second) else {
            // Silence says nothing of the profile; an exception does.
            guard (1...9).contains(second.status) else { return }
            let words = ValueText.status(second.status, within: Self.patience)
            return report(meter, shadow, obis, board.fail(meter, shadow, obis.text, words))
        }
        let verdict = ShadowVerdict(said, before: before, after: after, text: ValueText.of)
        report(meter, shadow, obis, board.count(meter, shadow, obis.text, at: clock.now().utc, verdict))
    }

    private func report(_ meter: ConfiguredMeter, _ shadow: Profile, _ obis: ObisCode, _ isNews: Bool) {
        guard isNews, let line = board.lines.first(where: { $0.meter == meter.id.text && $0.obis == obis.text }) else {
            return
        }
        log.line(
            .warning, "shadow profile differs",
            [("meter", meter.id.text), ("shadow", shadow.name), ("what", line.text)], limit: "\(meter.id) \(obis)")
    }
}
